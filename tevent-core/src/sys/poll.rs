//! `poll`, for the simulated reactor.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use super::milliseconds;

/// One number to look at, and what was found.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(crate) struct PollFd(libc::pollfd);

impl PollFd {
    pub(crate) const fn new(number: RawFd, mask: i16) -> Self {
        PollFd(libc::pollfd { fd: number, events: mask, revents: 0 })
    }

    pub(crate) const fn ready(self) -> i16 {
        self.0.revents
    }
}

/// Looks at the numbers, and waits where none is ready. A signal ends a wait; a mere look is made again, because a pending
/// signal ends it too.
pub(crate) fn poll(fds: &mut [PollFd], timeout: Option<Duration>) -> io::Result<()> {
    loop {
        match poll_once(fds, timeout) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted && timeout == Some(Duration::ZERO) => {}
            looked => return looked,
        }
    }
}

/// `EBADF` for a number that is not open.
pub(crate) fn check_open(number: RawFd) -> io::Result<()> {
    let mut probe = [PollFd::new(number, 0)];
    poll(&mut probe, Some(Duration::ZERO))?;
    if probe[0].ready() & libc::POLLNVAL == 0 {
        return Ok(());
    }
    Err(io::Error::from_raw_os_error(libc::EBADF))
}

fn poll_once(fds: &mut [PollFd], timeout: Option<Duration>) -> io::Result<()> {
    let count = fds.len() as libc::nfds_t;
    // SAFETY: PollFd is a transparent pollfd, and the slice is valid for `count` of them during the call.
    let ready = unsafe { libc::poll(fds.as_mut_ptr().cast(), count, milliseconds(timeout)) };
    if ready >= 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
