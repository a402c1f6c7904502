//! Snapshots: the data as a list of requests that make it again. A thread writes them to a temporary file, which then takes the
//! place of the last snapshot, so that there is a whole one at any moment.

use std::fs::{self, File};
use std::io::{self, BufWriter, Error, ErrorKind, Write};
use std::path::Path;
use std::rc::Rc;
use std::task::Poll;
use std::thread::{self, JoinHandle};
use std::time::UNIX_EPOCH;

use tevent::io::{Stream, wait_for_read_recv, wait_for_read_send};
use tevent::{ContextRef, Req, ReqError};

use crate::commands::{Session, execute};
use crate::daemon::Daemon;
use crate::reply::write_bulk;
use crate::resp::parse;
use crate::store::Record;

const NAME: &str = "dump.tevent";
const TEMPORARY: &str = "dump.tevent.new";

/// The thread that writes.
pub(crate) struct Save(Option<JoinHandle<io::Result<()>>>);

/// Writes a snapshot while the loop goes on.
pub(crate) fn save_send(ev: &ContextRef, dir: &Path, records: Vec<Record>) -> Req<Save> {
    let (req, dir) = (Req::create(Save(None)), dir.to_owned());
    let started = io::pipe().and_then(|(reader, writer)| {
        let worker = move || {
            let _ends_with_this = writer; // then the loop can read the end of the pipe
            write(&dir, &records)
        };
        Ok((Stream::new(reader), thread::Builder::new().spawn(worker)?))
    });
    match started {
        Ok((reader, worker)) => {
            req.with_state(|save| save.0 = Some(worker));
            req.add_subreq(wait_for_read_send(ev, &reader, false), |req, subreq| {
                let ended = wait_for_read_recv(subreq);
                req.advance(|save| match save.0.take().map(JoinHandle::join) {
                    Some(Ok(written)) => Poll::Ready(ended.and(written.map_err(ReqError::from))),
                    _ => Poll::Ready(Err(Error::other("its thread has panicked").into())),
                });
            });
            req
        }
        Err(error) => {
            req.error(error);
            req.post(ev)
        }
    }
}

pub(crate) fn save_recv(req: Req<Save>) -> Result<(), ReqError> {
    req.recv(|_save| ())
}

fn write(dir: &Path, records: &[Record]) -> io::Result<()> {
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
    for Record { db, key, value, expires } in records {
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
pub(crate) fn load(daemon: &Rc<Daemon>) -> io::Result<()> {
    let Some(dir) = &daemon.options.dir else { return Ok(()) };
    let _ = fs::remove_file(dir.join(TEMPORARY)); // of a daemon that was killed
    let bytes = match fs::read(dir.join(NAME)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        read => read?,
    };
    let (mut rest, mut session) = (&*bytes, Session::default());
    while !session.quit {
        let request = parse(rest).map_err(Error::other)?;
        let (args, after) = request.ok_or(Error::new(ErrorKind::UnexpectedEof, "it is not whole"))?;
        execute(&args, &mut session, daemon).map_err(Error::other)?;
        rest = after;
    }
    Ok(())
}
