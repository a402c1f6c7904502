//! `epoll_create1`, `epoll_ctl` and `epoll_wait`.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use super::milliseconds;

/// A new epoll object.
pub(crate) fn create() -> io::Result<OwnedFd> {
    // SAFETY: takes no pointer.
    let number = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just opened this number for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Puts a new epoll object under the number of this one, which stays open all the while.
pub(crate) fn renew(epoll: &OwnedFd) -> io::Result<()> {
    let new = create()?;
    // SAFETY: takes no pointer; both numbers are open and ours, so that no file of anybody else is closed.
    let number = unsafe { libc::dup3(new.as_raw_fd(), epoll.as_raw_fd(), libc::O_CLOEXEC) };
    if number < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[derive(Clone, Copy)]
pub(crate) enum Change {
    Add,
    Modify,
    Delete,
}

/// Sets, changes or removes the interest in `number`. A number that is not open, or is no longer the file that
/// was added, is an error of the kernel's, not an unsoundness.
pub(crate) fn control(epoll: RawFd, change: Change, number: RawFd, mask: u32, token: u64) -> io::Result<()> {
    let operation = match change {
        Change::Add => libc::EPOLL_CTL_ADD,
        Change::Modify => libc::EPOLL_CTL_MOD,
        Change::Delete => libc::EPOLL_CTL_DEL,
    };
    let mut event = libc::epoll_event { events: mask, u64: token };
    // SAFETY: `event` is a valid epoll_event for the whole call, which only reads it; the kernel checks both
    // numbers and keeps no pointer.
    let result = unsafe { libc::epoll_ctl(epoll, operation, number, &raw mut event) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The buffer of one wait.
pub(crate) struct Events {
    buffer: Vec<libc::epoll_event>,
}

impl Events {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        let empty = libc::epoll_event { events: 0, u64: 0 };
        Events { buffer: vec![empty; capacity] }
    }

    /// The mask and the token of each report.
    pub(crate) fn wait(
        &mut self,
        epoll: RawFd,
        timeout: Option<Duration>,
    ) -> io::Result<impl Iterator<Item = (u32, u64)>> {
        let room = libc::c_int::try_from(self.buffer.len()).unwrap_or(libc::c_int::MAX);
        // SAFETY: the buffer is valid for `room` initialised events, and nothing else touches it during the call.
        let filled =
            unsafe { libc::epoll_wait(epoll, self.buffer.as_mut_ptr(), room, milliseconds(timeout)) };
        let filled = usize::try_from(filled).map_err(|_negative| io::Error::last_os_error())?;
        Ok(self.buffer[..filled].iter().map(|event| (event.events, event.u64)))
    }
}
