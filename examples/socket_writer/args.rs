//! The command line.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use crate::endpoint::Endpoint;
use crate::frame::MAX_PAYLOAD;
use crate::plan::Plan;

pub(crate) const HELP: &str = "\
Many writers, one socket: frames that never interleave, because their writers take turns in one queue.

usage: cargo run --release --example socket_writer -- [OPTIONS]

With no arguments both ends run in this process, over TCP on loopback: 8 writers send 512 frames of 64 KiB to 1 MiB,
and a reader verifies each. Exit code 0: all frames arrived whole and in order; 1: not so; 2: bad arguments.

which end to be
  --connect HOST:PORT   only the writing end
  --listen ADDR         only the reading end, for one connection; ADDR is HOST:PORT (port 0: any, it is printed)
  --unix PATH           both ends, over a Unix socket at PATH
  Two terminals as the ends of a Unix socket: `--listen unix:PATH` in the one, `--connect unix:PATH` in the other.

what to write (the writing end only)
  --writers N           how many requests write at the same time [8]
  --messages N          how many frames they send in all [512]
  --size MIN..MAX       payload of a frame in bytes, K and M stand for KiB and MiB; or just N [64K..1M]
  --seed N              the same seed gives the same frames [1]
  --no-queue            let the writers race, to see how many frames are torn

  --sndbuf BYTES        the socket buffers of this end [32K]
  --help                this text
";

#[derive(Debug)]
pub(crate) enum Parsed {
    Run(Options),
    Help,
}

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) role: Role,
    pub(crate) plan: Plan,
    pub(crate) sndbuf: usize,
    pub(crate) queue: bool,
}

/// Which ends this process is.
#[derive(Debug)]
pub(crate) enum Role {
    Both(Endpoint),
    Listen(Endpoint),
    Connect(Endpoint),
}

/// What was given for the ends, before it is known whether it fits together.
#[derive(Default)]
struct Ends {
    connect: Option<Endpoint>,
    listen: Option<Endpoint>,
    unix: Option<Endpoint>,
    /// The last option that only the writing end understands.
    for_writing: Option<String>,
}

/// Reads the arguments; an error is the one line that says what is wrong with them.
pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Result<Parsed, String> {
    let mut plan = Plan { writers: 8, messages: 512, sizes: 64 << 10..=1 << 20, seed: 1 };
    let (mut sndbuf, mut queue) = (32 << 10, true);
    let mut ends = Ends::default();

    let mut args = args.flat_map(split_at_equals);
    while let Some(arg) = args.next() {
        let name = arg.to_string_lossy().into_owned();
        let mut value = || args.next().ok_or_else(|| format!("{name} needs a value"));
        match name.as_str() {
            "--help" | "-h" => return Ok(Parsed::Help),
            "--connect" => ends.connect = Some(target(&name, &value()?)?),
            "--listen" => ends.listen = Some(endpoint(&name, &value()?)?),
            "--unix" => ends.unix = Some(unix(&name, &value()?)?),
            "--writers" => plan.writers = number(&name, &value()?, 1..=100_000)?,
            "--messages" => plan.messages = number(&name, &value()?, 1..=100_000_000)?,
            "--size" => plan.sizes = sizes(&name, &value()?)?,
            "--seed" => plan.seed = number(&name, &value()?, 0..=u64::MAX)?,
            "--sndbuf" => sndbuf = bytes(&name, &value()?, 1 << 30)?,
            "--no-queue" => queue = false,
            _ => return Err(format!("unknown option {name:?} (--help lists them all)")),
        }
        if ["--writers", "--messages", "--size", "--seed", "--no-queue"].contains(&name.as_str()) {
            ends.for_writing = Some(name);
        }
    }
    Ok(Parsed::Run(Options { role: role(ends)?, plan, sndbuf, queue }))
}

/// `--name=value` is `--name value`.
fn split_at_equals(arg: OsString) -> Vec<OsString> {
    match arg.to_str().and_then(|text| text.split_once('=')) {
        Some((name, value)) if name.starts_with("--") => vec![name.into(), value.into()],
        _ => vec![arg],
    }
}

fn role(ends: Ends) -> Result<Role, String> {
    match ends {
        Ends { connect: Some(c), listen: Some(l), .. } => Err(format!(
            "--connect {c} and --listen {l} exclude each other: without either both ends run here"
        )),
        Ends { connect: Some(end), unix: Some(unix), .. } => Err(format!(
            "--connect {end} and --unix exclude each other; did you mean --connect {unix} alone?"
        )),
        Ends { listen: Some(end), unix: Some(unix), .. } => {
            Err(format!("--listen {end} and --unix exclude each other; did you mean --listen {unix} alone?"))
        }
        Ends { listen: Some(_), for_writing: Some(option), .. } => {
            Err(format!("{option} is for the writing end, and --listen makes this the reading one"))
        }
        Ends { listen: Some(end), .. } => Ok(Role::Listen(end)),
        Ends { connect: Some(end), .. } => Ok(Role::Connect(end)),
        Ends { unix, .. } => Ok(Role::Both(unix.unwrap_or_else(Endpoint::loopback))),
    }
}

fn endpoint(name: &str, value: &OsStr) -> Result<Endpoint, String> {
    Endpoint::parse(value.to_str().unwrap_or_default()).map_err(|why| wrong(name, value, why))
}

fn target(name: &str, value: &OsStr) -> Result<Endpoint, String> {
    let endpoint = endpoint(name, value)?;
    if endpoint.is_any_port() {
        return Err(wrong(name, value, "nobody listens on port 0"));
    }
    Ok(endpoint)
}

fn unix(name: &str, value: &OsStr) -> Result<Endpoint, String> {
    Endpoint::unix(PathBuf::from(value)).map_err(|why| wrong(name, value, why))
}

fn number<N>(name: &str, value: &OsStr, allowed: RangeInclusive<N>) -> Result<N, String>
where
    N: FromStr + PartialOrd + Display,
{
    let number = value.to_str().and_then(|text| text.parse().ok()).filter(|number| allowed.contains(number));
    number.ok_or_else(|| {
        wrong(name, value, format_args!("expected a number from {} to {}", allowed.start(), allowed.end()))
    })
}

fn sizes(name: &str, value: &OsStr) -> Result<RangeInclusive<usize>, String> {
    let text = value.to_str().unwrap_or_default();
    let (min, max) = text.split_once("..").unwrap_or((text, text));
    let (min, max) = (bytes(name, OsStr::new(min), MAX_PAYLOAD), bytes(name, OsStr::new(max), MAX_PAYLOAD));
    match (min, max) {
        (Ok(min), Ok(max)) if min <= max => Ok(min..=max),
        (Ok(_), Ok(_)) => Err(wrong(name, value, "the smallest size is above the largest")),
        _ => Err(wrong(name, value, "expected MIN..MAX or N, from 1 byte to 64M, such as 64K..1M")),
    }
}

fn bytes(name: &str, value: &OsStr, limit: usize) -> Result<usize, String> {
    let text = value.to_str().unwrap_or_default();
    let (digits, unit) = match text.strip_suffix(['K', 'k']) {
        Some(digits) => (digits, 1 << 10),
        None => text.strip_suffix(['M', 'm']).map_or((text, 1), |digits| (digits, 1 << 20)),
    };
    let number = digits.parse::<usize>().ok().and_then(|number| number.checked_mul(unit));
    number.filter(|number| (1..=limit).contains(number)).ok_or_else(|| {
        wrong(name, value, format_args!("expected a number of bytes from 1 to {}M, such as 32K", limit >> 20))
    })
}

/// One line, whatever the value holds: quoted, with its line breaks escaped.
fn wrong(name: &str, value: &OsStr, why: impl Display) -> String {
    format!("{name} {:?}: {why}", value.to_string_lossy())
}
