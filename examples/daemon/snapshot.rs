//! Snapshots: the data as a list of requests that would make it again. A thread writes it to a temporary file, which then takes
//! the place of the last one, so that at any moment there is a whole one.

use std::fs::{self, File};
use std::io::{self, BufWriter, Error, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::thread::{self, JoinHandle};
use std::time::UNIX_EPOCH;

use tevent::io::{Stream, wait_for_read_recv, wait_for_read_send};
use tevent::{ContextRef, Req, ReqError};

use crate::commands::{Session, execute};
use crate::daemon::Daemon;
use crate::reply::{Reply, bulk};
use crate::resp::Parser;
use crate::store::Record;

fn paths(dir: &Path) -> (PathBuf, PathBuf) {
    (dir.join("dump.tevent"), dir.join("dump.tevent.new"))
}

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
                let worker = req.with_state(|save| save.0.take()).flatten();
                let written = wait_for_read_recv(subreq).map(|()| worker.map(JoinHandle::join));
                match written {
                    Ok(Some(Ok(Ok(())))) => drop(req.done()),
                    Ok(Some(Ok(Err(error)))) => drop(req.error(error)),
                    Ok(_) => drop(req.error(Error::other("the thread that writes it has panicked"))),
                    Err(error) => drop(req.error(error)),
                }
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
    let (path, temporary) = paths(dir);
    let written = write_to(&temporary, records).and_then(|()| fs::rename(&temporary, &path));
    match written {
        // The new name is on the disk when the directory is.
        Ok(()) => File::open(dir)?.sync_all(),
        Err(error) => {
            let _ = fs::remove_file(&temporary); // it may not even be there
            Err(error)
        }
    }
}

fn write_to(path: &Path, records: &[Record]) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(64 << 10, File::create(path)?);
    let mut db = 0;
    for record in records {
        if record.db != db {
            db = record.db;
            request(&mut file, &[b"SELECT", db.to_string().as_bytes()])?;
        }
        match record.expires {
            None => request(&mut file, &[b"SET", &record.key, &record.value])?,
            Some(at) => {
                let at = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis().to_string();
                request(&mut file, &[b"SET", &record.key, &record.value, b"PXAT", at.as_bytes()])?;
            }
        }
    }
    request(&mut file, &[b"QUIT"])?; // what does not end so is not whole
    file.into_inner()?.sync_all()
}

fn request(into: &mut impl Write, args: &[&[u8]]) -> io::Result<()> {
    write!(into, "*{}\r\n", args.len())?;
    args.iter().try_for_each(|arg| bulk(into, arg))
}

/// Does all that the snapshot asks for, if there is one.
pub(crate) fn load(daemon: &Rc<Daemon>) -> io::Result<()> {
    let Some(dir) = &daemon.options.dir else { return Ok(()) };
    let (path, temporary) = paths(dir);
    let _ = fs::remove_file(temporary); // of a daemon that was killed
    let mut file = match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let (mut parser, mut session) = (Parser::default(), Session::default());
    while !session.quit {
        while let Some(request) = parser.next().map_err(Error::other)? {
            if let Reply::Error(text) = execute(&request, &mut session, daemon) {
                return Err(Error::other(text));
            }
        }
        let mut buffer = daemon.buffer.borrow_mut();
        match file.read(&mut buffer)? {
            0 if session.quit => {}
            0 => return Err(Error::new(ErrorKind::UnexpectedEof, "it is not whole")),
            n => parser.feed(&buffer[..n]),
        }
    }
    Ok(())
}
