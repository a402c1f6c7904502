//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::{Arg, Error, Parser, ValueExt};

pub(crate) const USAGE: &str = "\
usage: daemon [--port N] [--unix PATH] [--dir DIR] [--max-clients N] [--idle-timeout SECONDS]

  --port N                listen on 127.0.0.1, port N; 0 for any that is free [7379, unless --unix is given]
  --unix PATH             listen on a Unix socket
  --dir DIR               keep snapshots in this directory [the data ends with the daemon]
  --max-clients N         turn away more clients than that [1000]
  --idle-timeout SECONDS  close connections that say nothing for so long; 0 for never [300]
";

pub(crate) struct Options {
    pub(crate) port: Option<u16>,
    pub(crate) unix: Option<PathBuf>,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) max_clients: usize,
    pub(crate) idle_timeout: Option<Duration>,
}

/// `None` when only the usage was asked for.
pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Result<Option<Options>, Error> {
    let (mut max_clients, mut idle) = (1000, 300);
    let mut options = Options { port: None, unix: None, dir: None, max_clients, idle_timeout: None };
    let mut parser = Parser::from_args(args);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            Arg::Long("port") => options.port = Some(parser.value()?.parse()?),
            Arg::Long("unix") => options.unix = Some(parser.value()?.into()),
            Arg::Long("dir") => options.dir = Some(parser.value()?.into()),
            Arg::Long("max-clients") => max_clients = parser.value()?.parse()?,
            Arg::Long("idle-timeout") => idle = parser.value()?.parse::<u32>()?,
            _ => return Err(arg.unexpected()),
        }
    }
    if options.unix.is_none() {
        options.port.get_or_insert(7379);
    }
    let idle_timeout = (idle > 0).then(|| Duration::from_secs(idle.into()));
    Ok(Some(Options { max_clients, idle_timeout, ..options }))
}
