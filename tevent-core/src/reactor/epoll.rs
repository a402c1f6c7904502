//! Level-triggered interests on mio's epoll fd: the default on Linux.
//!
//! mio registers edge-triggered, tevent is level-triggered; `mio::Poll` exposes its epoll fd, so interests are set
//! and reports are read on that very fd. mio's own `Event` cannot be used for the reports: on a file that is
//! watched for WRITE and ERROR a half-close arrives together with "writable", and then none of mio's predicates
//! tells it.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use mio::Poll;

use super::{Reactor, Report, SlotKey, key_of, token_of};
use crate::fd_flags::FdFlags;
use crate::sys::epoll::{self, Change, Events};

pub(crate) struct Epoll {
    /// `None` when a new one could not be made: an epoll object of the parent process is never kept.
    poll: Option<Poll>,
    events: Events,
}

impl Epoll {
    pub(crate) fn new(batch: usize) -> io::Result<Self> {
        Ok(Epoll { poll: Some(Poll::new()?), events: Events::with_capacity(batch) })
    }

    fn number(&self) -> io::Result<RawFd> {
        let poll = self.poll.as_ref().ok_or_else(|| io::Error::from_raw_os_error(libc::EMFILE))?;
        Ok(poll.as_raw_fd())
    }

    fn control(&self, change: Change, key: SlotKey, flags: FdFlags) -> io::Result<()> {
        epoll::control(self.number()?, change, key.number, mask_of(flags), token_of(key) as u64)
    }
}

impl Reactor for Epoll {
    fn watch(&mut self, key: SlotKey, flags: FdFlags) -> io::Result<()> {
        self.control(Change::Add, key, flags)
    }

    fn change(&mut self, key: SlotKey, flags: FdFlags) -> io::Result<()> {
        self.control(Change::Modify, key, flags)
    }

    fn forget(&mut self, key: SlotKey) -> io::Result<()> {
        self.control(Change::Delete, key, FdFlags::NONE)
    }

    fn reset(&mut self) -> io::Result<()> {
        // The old one goes first: there is room for the new one then.
        self.poll = None;
        self.poll = Some(Poll::new()?);
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Duration>, reports: &mut Vec<Report>) -> io::Result<()> {
        let number = self.number()?;
        reports.extend(self.events.wait(number, timeout)?.map(|(mask, token)| report_of(mask, token)));
        Ok(())
    }

    fn object(&self) -> Option<RawFd> {
        self.number().ok()
    }
}

/// Errors and hang-ups are reported by the kernel without being asked for, half-closes are not.
fn mask_of(flags: FdFlags) -> u32 {
    let mut mask = 0;
    if flags.contains(FdFlags::READ) {
        mask |= libc::EPOLLIN | libc::EPOLLRDHUP;
    }
    if flags.contains(FdFlags::WRITE) {
        mask |= libc::EPOLLOUT;
    }
    if flags.contains(FdFlags::ERROR) {
        mask |= libc::EPOLLRDHUP;
    }
    mask.cast_unsigned()
}

fn report_of(mask: u32, token: u64) -> Report {
    let has = |bits: libc::c_int| mask & bits.cast_unsigned() != 0;
    // The kernel hands back what `token_of` gave it, which is a usize.
    #[allow(clippy::cast_possible_truncation, reason = "it was no larger when it was given")]
    let key = key_of(token as usize);
    let plain = FdFlags::READ.when(has(libc::EPOLLIN)) | FdFlags::WRITE.when(has(libc::EPOLLOUT));
    Report::new(key, plain, has(libc::EPOLLRDHUP), has(libc::EPOLLHUP | libc::EPOLLERR))
}
