//! Real sockets and pipes: one end is watched, the other acts.

use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::io::Errno;
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType};
use rustix::pipe::PipeFlags;

use super::ops::{FileKind, Touch};

pub(crate) struct File {
    pub(crate) kind: FileKind,
    pub(crate) near: Rc<OwnedFd>,
    far: Option<OwnedFd>,
}

impl File {
    pub(crate) fn open(kind: FileKind) -> Self {
        let pipe = || rustix::pipe::pipe_with(PipeFlags::NONBLOCK).unwrap();
        let (near, far) = match kind {
            FileKind::Socket => {
                let flags = SocketFlags::NONBLOCK;
                rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap()
            }
            FileKind::PipeToRead => pipe(),
            FileKind::PipeToWrite => {
                let (read, write) = pipe();
                (write, read)
            }
        };
        File { kind, near: Rc::new(near), far: Some(far) }
    }

    /// What a kind of file cannot do, or its other end cannot do any more, does nothing.
    pub(crate) fn touch(&mut self, touch: Touch) {
        let reads = self.kind != FileKind::PipeToWrite;
        let writes = self.kind != FileKind::PipeToRead;
        match (touch, &self.far) {
            (Touch::Send, Some(far)) if reads => {
                // Refused where it was shut, or has no room.
                let _ = rustix::io::write(far, b"x");
            }
            (Touch::Drain, _) if reads => drain(&self.near),
            (Touch::Fill, Some(_)) if writes => while rustix::io::write(&*self.near, &[0; 4096]).is_ok() {},
            (Touch::DrainFar, Some(far)) if writes => drain(far),
            (Touch::ShutFar, Some(far)) if self.kind == FileKind::Socket => {
                rustix::net::shutdown(far, Shutdown::Write).unwrap();
            }
            (Touch::CloseFar, _) => self.far = None,
            _ => {}
        }
    }
}

fn drain(fd: &OwnedFd) {
    let mut buffer = [0; 4096];
    // A reset is told once and the end of the stream after it.
    while !matches!(rustix::io::read(fd, &mut buffer), Ok(0) | Err(Errno::AGAIN)) {}
}
