//! What the tests share: every case on every backend, and a few words for what they say again and again.

#![allow(
    dead_code,
    unreachable_pub,
    unused_macros,
    unused_imports,
    reason = "each test program uses a part of it"
)]
#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use tevent::{Backend, Context, ContextRef};

/// The loops that every clause is tested on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Epoll,
    EpollBatch64,
    Rearm,
    Simulated,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Epoll, Kind::EpollBatch64, Kind::Rearm, Kind::Simulated];

    #[track_caller]
    pub fn context(self) -> Context {
        let builder = match self {
            Kind::Epoll => Context::builder().backend(Backend::Epoll),
            Kind::EpollBatch64 => Context::builder().backend(Backend::Epoll).batch(64),
            Kind::Rearm => Context::builder().backend(Backend::Rearm),
            Kind::Simulated => Context::builder().backend(Backend::Simulated { seed: 1 }),
        };
        builder.build().unwrap()
    }

    pub fn is_simulated(self) -> bool {
        self == Kind::Simulated
    }
}

/// Runs each `fn name(backend) { … }` as a test on every backend: `name::epoll`, `name::epoll_batch_64`,
/// `name::rearm`, `name::simulated`.
macro_rules! on_every_backend {
    ($($(#[$attribute:meta])* fn $name:ident($backend:ident) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports, reason = "not every case uses all")]
            use super::*;

            fn case($backend: $crate::support::Kind) $body

            $(#[$attribute])* #[test]
            fn epoll() { case($crate::support::Kind::Epoll); }

            $(#[$attribute])* #[test]
            fn epoll_batch_64() { case($crate::support::Kind::EpollBatch64); }

            $(#[$attribute])* #[test]
            fn rearm() { case($crate::support::Kind::Rearm); }

            $(#[$attribute])* #[test]
            fn simulated() { case($crate::support::Kind::Simulated); }
        }
    )*};
}
pub(crate) use on_every_backend;

/// What happened, in order.
#[derive(Clone, Debug, Default)]
pub struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub fn new() -> Self {
        Log::default()
    }

    pub fn add(&self, entry: impl Into<String>) {
        self.0.borrow_mut().push(entry.into());
    }

    /// What was added since the last take.
    pub fn take(&self) -> Vec<String> {
        self.0.take()
    }

    pub fn len(&self) -> usize {
        self.0.borrow().len()
    }
}

/// Counts the drops of what it is moved into.
#[derive(Debug)]
pub struct CountDrop(pub Rc<Cell<usize>>);

impl CountDrop {
    /// A probe and its count.
    pub fn new() -> (CountDrop, Rc<Cell<usize>>) {
        let count = Rc::new(Cell::new(0));
        (CountDrop(Rc::clone(&count)), count)
    }
}

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// A pair of connected stream sockets that do not block.
#[track_caller]
pub fn pair() -> (UnixStream, UnixStream) {
    let (a, b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    b.set_nonblocking(true).unwrap();
    (a, b)
}

/// Writes until the socket takes no more; says how much it took.
pub fn fill(mut socket: &UnixStream) -> usize {
    let mut total = 0;
    loop {
        match socket.write(&[0; 4096]) {
            Ok(n) => total += n,
            Err(e) if e.kind() == ErrorKind::WouldBlock => return total,
            Err(e) => panic!("filling a socket: {e}"),
        }
    }
}

/// Reads until the socket gives no more; says how much it gave.
pub fn drain(mut socket: &UnixStream) -> usize {
    let (mut total, mut buffer) = (0, [0; 4096]);
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => return total,
            Ok(n) => total += n,
            Err(e) if e.kind() == ErrorKind::WouldBlock => return total,
            Err(e) => panic!("draining a socket: {e}"),
        }
    }
}

/// Turns the loop `n` times; none may fail.
#[track_caller]
pub fn turns(ev: &ContextRef, n: usize) {
    for _ in 0..n {
        ev.loop_once().unwrap();
    }
}

/// Turns the loop as long as something is ready, and never waits.
#[track_caller]
pub fn run_ready(ev: &ContextRef) -> usize {
    let old = ev.set_wait_timeout(Duration::ZERO);
    let mut turns = 0;
    while ev.loop_once().is_ok() {
        turns += 1;
        assert!(turns < 1_000_000, "the loop spins");
    }
    ev.set_wait_timeout(old);
    turns
}
