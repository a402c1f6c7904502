//! Snapshots: the data as a list of requests that make it again. They are written to a temporary file, which then takes the place of
//! the last snapshot, so that there is a whole one at any moment.

use std::fs::{self, File};
use std::io::{self, BufWriter, Error, ErrorKind, Write};
use std::path::Path;
use std::rc::Rc;
use std::time::UNIX_EPOCH;

use crate::commands::{Session, execute};
use crate::daemon::Daemon;
use crate::resp::{parse, write_bulk};
use crate::store::Record;

const NAME: &str = "dump.tevent";
const TEMPORARY: &str = "dump.tevent.new";

/// Blocks until it is on the disk: for a thread.
pub(crate) fn write(dir: &Path, records: &[Record]) -> io::Result<()> {
    let temporary = dir.join(TEMPORARY);
    let written = write_to(&temporary, records).and_then(|()| fs::rename(&temporary, dir.join(NAME)));
    if written.is_err() {
        let _ = fs::remove_file(temporary); // it may not even be there
    }
    written.and_then(|()| File::open(dir)?.sync_all()) // with the directory its new name is on the disk
}

fn write_to(path: &Path, records: &[Record]) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(64 << 10, File::create(path)?);
    let mut write = |args: &[&[u8]]| {
        write!(file, "*{}\r\n", args.len())?;
        args.iter().try_for_each(|arg| write_bulk(&mut file, arg))
    };
    for (db, key, value, expires) in records {
        write(&[b"SELECT", db.to_string().as_bytes()])?;
        match expires.and_then(|at| at.duration_since(UNIX_EPOCH).ok()) {
            None => write(&[b"SET", key, value])?,
            Some(at) => write(&[b"SET", key, value, b"PXAT", at.as_millis().to_string().as_bytes()])?,
        }
    }
    write(&[b"QUIT"])?; // what does not end so is not whole
    file.into_inner()?.sync_all()
}

/// Does all that the snapshot asks for, if there is one.
pub(crate) fn load(daemon: &Rc<Daemon>, dir: &Path) -> io::Result<()> {
    File::open(dir)?; // it has to be there
    let _ = fs::remove_file(dir.join(TEMPORARY)); // of a daemon that was killed
    let bytes = match fs::read(dir.join(NAME)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        read => read?,
    };
    let (mut rest, mut session) = (&*bytes, Session::default());
    while !session.quit {
        let request = parse(rest).map_err(Error::other)?.filter(|(args, _rest)| !args.is_empty());
        let (args, after) = request.ok_or(Error::new(ErrorKind::UnexpectedEof, "it is not whole"))?;
        let done = execute(&args, &mut session, daemon);
        done.map_err(|failure| Error::other(failure.replace(['\r', '\n'], " ")))?;
        rest = after;
    }
    Ok(())
}
