//! Words that the tests of fd events share. Not part of `support`, because only they need them.

#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]

use std::cell::RefCell;
use std::fs;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use tevent::{ContextRef, FdEvent, FdFlags, FdRef, FdSource};

use super::support::{Log, pair, run_ready};

pub const NONE: FdFlags = FdFlags::NONE;
pub const READ: FdFlags = FdFlags::READ;
pub const WRITE: FdFlags = FdFlags::WRITE;
pub const ERROR: FdFlags = FdFlags::ERROR;

/// An event that only notes its name and what it was told.
#[track_caller]
pub fn noting(ev: &ContextRef, fd: impl Into<FdSource>, flags: FdFlags, name: &str, log: &Log) -> FdEvent {
    let (name, log) = (name.to_owned(), log.clone());
    ev.add_fd(fd, flags, move |_ev, _fde, flags| log.add(format!("{name} {flags:?}"))).unwrap()
}

/// What the next `n` turns note.
#[track_caller]
pub fn noted_in(ev: &ContextRef, n: usize, log: &Log) -> Vec<String> {
    log.take();
    super::support::turns(ev, n);
    log.take()
}

/// No handler runs any more, and the loop comes to rest: a few turns may go by with nothing run.
#[track_caller]
pub fn assert_quiet(ev: &ContextRef, log: &Log) {
    log.take();
    let turns = run_ready(ev);
    assert_eq!(log.take(), [""; 0]);
    assert!(turns <= 3, "{turns} turns with nothing to do");
    assert_eq!(run_ready(ev), 0, "it does not come to rest");
}

#[track_caller]
pub fn send(mut socket: &UnixStream) {
    assert_eq!(socket.write(b"x").unwrap(), 1);
}

/// Several events that a handler reaches before they exist.
pub type Shared<T> = Rc<RefCell<Vec<T>>>;

/// All but `fde`.
pub fn others(all: &Shared<FdRef>, fde: &FdRef) -> Vec<FdRef> {
    all.borrow().iter().filter(|other| *other != fde).cloned().collect()
}

/// A number that no other test of the program is given: it can be closed and opened again without a race.
#[derive(Debug)]
pub struct Number(RawFd);

impl Number {
    pub fn reserve() -> Self {
        static NEXT: AtomicI32 = AtomicI32::new(300);
        Number(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    pub fn raw(&self) -> RawFd {
        self.0
    }

    /// Moves a file to this number.
    #[track_caller]
    pub fn open(&self, file: impl Into<OwnedFd>) -> OwnedFd {
        let moved = rustix::io::fcntl_dupfd_cloexec(file.into(), self.0).unwrap();
        assert_eq!(moved.as_raw_fd(), self.0, "the number is in use");
        moved
    }
}

/// Whether some epoll object of this process watches the number.
pub fn is_watched(number: RawFd) -> bool {
    let infos = fs::read_dir("/proc/self/fdinfo").unwrap().flatten();
    // Others may close theirs while we read.
    let texts = infos.filter_map(|info| fs::read_to_string(info.path()).ok());
    let number = number.to_string();
    texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).any(|line| {
        let mut words = line.split_ascii_whitespace();
        words.next() == Some("tfd:") && words.next() == Some(&number)
    })
}

/// Whether the other end of a socket pair has been closed.
#[track_caller]
pub fn peer_is_closed(mut socket: &UnixStream) -> bool {
    use std::io::{ErrorKind, Read};
    match socket.read(&mut [0; 1]) {
        Ok(n) => n == 0,
        Err(e) if e.kind() == ErrorKind::WouldBlock => false,
        // What we sent was never read.
        Err(e) if e.kind() == ErrorKind::ConnectionReset => true,
        Err(e) => panic!("looking at the peer: {e}"),
    }
}

/// A socket under a number of its own that has a byte to read, its duplicate, and its peer.
#[derive(Debug)]
pub struct Duplicated {
    pub number: Number,
    pub file: OwnedFd,
    pub duplicate: UnixStream,
    pub far: UnixStream,
}

impl Duplicated {
    pub fn readable() -> Self {
        let ((near, far), number) = (pair(), Number::reserve());
        send(&far);
        let duplicate = near.try_clone().unwrap();
        Duplicated { file: number.open(near), number, duplicate, far }
    }
}

/// One turn that does not wait; says whether anything was ready.
pub fn turn_without_waiting(ev: &ContextRef) -> bool {
    let old = ev.set_wait_timeout(Duration::ZERO);
    let ran = ev.loop_once().is_ok();
    ev.set_wait_timeout(old);
    ran
}
