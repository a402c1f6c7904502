//! mio as it is: edge-triggered registrations, armed again before the next wait. Portable.
//!
//! Registering again makes the kernel look at the file anew, which turns edges into levels. It is done right before
//! the next wait and not after the handler, because a handler may run the loop itself (FD-11).

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token};

use super::{Reactor, Report, SlotKey, key_of, token_of};
use crate::fd_flags::FdFlags;

pub(crate) struct Rearm {
    /// `None` when a new one could not be made: an epoll object of the parent process is never kept.
    poll: Option<Poll>,
    events: Events,
    /// What is watched, by its number.
    watched: HashMap<RawFd, Watched>,
    /// Reported since they were last armed.
    spent: Vec<SlotKey>,
}

#[derive(Clone, Copy)]
struct Watched {
    key: SlotKey,
    flags: FdFlags,
}

impl Rearm {
    pub(crate) fn new(batch: usize) -> io::Result<Self> {
        Ok(Rearm {
            poll: Some(Poll::new()?),
            events: Events::with_capacity(batch),
            watched: HashMap::new(),
            spent: Vec::new(),
        })
    }

    fn registry(&self) -> io::Result<&Registry> {
        Ok(self.poll.as_ref().ok_or_else(no_room)?.registry())
    }

    fn arm_again(&mut self) {
        let Some(poll) = &self.poll else { return };
        for key in self.spent.drain(..) {
            if let Some(watched) = self.watched.get(&key.number).filter(|watched| watched.key == key) {
                let token = Token(token_of(key));
                let interest = interest_of(watched.flags);
                // It fails where the file was closed: then there is nothing to arm.
                let _ = poll.registry().reregister(&mut SourceFd(&watched.key.number), token, interest);
            }
        }
    }
}

fn no_room() -> io::Error {
    io::Error::from_raw_os_error(libc::EMFILE)
}

impl Reactor for Rearm {
    fn watch(&mut self, key: SlotKey, flags: FdFlags) -> io::Result<()> {
        let (token, interest) = (Token(token_of(key)), interest_of(flags));
        self.registry()?.register(&mut SourceFd(&key.number), token, interest)?;
        self.watched.insert(key.number, Watched { key, flags });
        Ok(())
    }

    fn change(&mut self, key: SlotKey, flags: FdFlags) -> io::Result<()> {
        let (token, interest) = (Token(token_of(key)), interest_of(flags));
        self.registry()?.reregister(&mut SourceFd(&key.number), token, interest)?;
        self.watched.insert(key.number, Watched { key, flags });
        Ok(())
    }

    fn forget(&mut self, key: SlotKey) -> io::Result<()> {
        self.watched.remove(&key.number);
        self.registry()?.deregister(&mut SourceFd(&key.number))
    }

    fn reset(&mut self) -> io::Result<()> {
        self.watched.clear();
        self.spent.clear();
        // The old one goes first: there is room for the new one then.
        self.poll = None;
        self.poll = Some(Poll::new()?);
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Duration>, reports: &mut Vec<Report>) -> io::Result<()> {
        self.arm_again();
        let poll = self.poll.as_mut().ok_or_else(no_room)?;
        poll.poll(&mut self.events, timeout)?;
        for event in &self.events {
            let report = report_of(event);
            let watched = self.watched.get(&report.key.number);
            match watched.filter(|watched| watched.key == report.key) {
                // READ stands in for the interest in errors alone that mio lacks. What only the stand-in
                // asked for is not passed on and not armed again: it would be reported for ever.
                Some(watched) if !watched.flags.intersects(report.ready) && !report.failed => {}
                Some(watched) => {
                    self.spent.push(watched.key);
                    reports.push(report);
                }
                None => reports.push(report),
            }
        }
        Ok(())
    }

    fn object(&self) -> Option<RawFd> {
        self.poll.as_ref().map(AsRawFd::as_raw_fd)
    }

    fn arm(&mut self) {
        self.arm_again();
    }
}

fn interest_of(flags: FdFlags) -> Interest {
    let read = flags.intersects(FdFlags::READ | FdFlags::ERROR);
    match (read, flags.contains(FdFlags::WRITE)) {
        (true, true) => Interest::READABLE.add(Interest::WRITABLE),
        (false, true) => Interest::WRITABLE,
        (_, false) => Interest::READABLE,
    }
}

fn report_of(event: &Event) -> Report {
    let hung_up = event.is_read_closed() && event.is_write_closed();
    let failed = hung_up || event.is_error();
    // A half-close alone makes none of mio's predicates true.
    let bare = !event.is_readable() && !event.is_writable() && !failed;
    let plain = FdFlags::READ.when(event.is_readable()) | FdFlags::WRITE.when(event.is_writable());
    Report::new(key_of(event.token().0), plain, bare || event.is_read_closed(), failed)
}
