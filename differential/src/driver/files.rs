//! Files.

use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::io::Errno;
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, shutdown, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};

use super::{Outcome, Skipped, World, skip_if};
use crate::scenario::Op;

pub(super) struct FileSlot {
    pub(super) file: Rc<OwnedFd>,
    socket: bool,
    /// Some event keeps it open.
    pub(super) shared: bool,
    /// An event that shared it has gone, or asks for less, and the loop has not waited since.
    pub(super) lapsed: bool,
}

const CHUNK: [u8; 4096] = [0; 4096];

impl World {
    pub(super) fn file_op(&self, op: &Op) -> Option<Outcome> {
        Some(match *op {
            Op::Pipe(a, b) => {
                self.make(a.0, b.0, false, || pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC))
            }
            Op::Pair(a, b) => self.make(a.0, b.0, true, || {
                let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
                socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)
            }),
            Op::Write(file, bytes) => {
                self.with_file(file.0, |file| number(rustix::io::write(file, &vec![0; bytes as usize])))
            }
            Op::Read(file, bytes) => {
                self.with_file(file.0, |file| number(rustix::io::read(file, &mut vec![0; bytes as usize])))
            }
            Op::Fill(file) => {
                self.with_file(file.0, |file| repeat(|| rustix::io::write(file, &CHUNK)).to_string())
            }
            Op::Drain(file) => self.with_file(file.0, |file| {
                let mut buffer = CHUNK;
                repeat(|| rustix::io::read(file, &mut buffer)).to_string()
            }),
            Op::Shutdown(file) => self.shut_down(file.0),
            Op::Close(file) => self.close(file.0),
            _ => return None,
        })
    }

    fn make(
        &self,
        a: usize,
        b: usize,
        socket: bool,
        make: impl FnOnce() -> Result<(OwnedFd, OwnedFd), Errno>,
    ) -> Outcome {
        let files = &self.0.files;
        skip_if(a == b || files.is_used(a) || files.is_used(b))?;
        let (one, other) = make().map_err(|_| Skipped)?;
        for (id, file) in [(a, one), (b, other)] {
            files.claim(id)?;
            files.put(id, FileSlot { file: Rc::new(file), socket, shared: false, lapsed: false });
        }
        Ok(None)
    }

    fn with_file(&self, id: usize, act: impl FnOnce(&OwnedFd) -> String) -> Outcome {
        self.0.files.with(id, |slot| Some(act(&slot.file)))
    }

    fn shut_down(&self, id: usize) -> Outcome {
        skip_if(!self.0.files.with(id, |slot| slot.socket)?)?;
        self.with_file(id, |file| number(shutdown(file, Shutdown::Write).map(|()| 0)))
    }

    fn close(&self, id: usize) -> Outcome {
        skip_if(self.events_on(id, |_| true) > 0 || self.0.files.with(id, |slot| slot.shared)?)?;
        let file = self.0.files.take(id)?;
        drop(file);
        Ok(None)
    }
}

fn number(result: Result<usize, Errno>) -> String {
    match result {
        Ok(n) => n.to_string(),
        Err(error) => (-error.raw_os_error()).to_string(),
    }
}

/// Until nothing more moves; how much moved.
fn repeat(mut once: impl FnMut() -> Result<usize, Errno>) -> usize {
    let mut total = 0;
    while let Ok(n @ 1..) = once() {
        total += n;
    }
    total
}
