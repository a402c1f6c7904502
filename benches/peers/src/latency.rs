//! From a byte written by a thread on the other core to the handler called. The C programs have the same in `c/latency.c`.

use std::cell::RefCell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::{Random, start_other};

/// A pipe in which moments arrive, and how long each took.
#[derive(Debug)]
pub struct Arrivals {
    from: OwnedFd,
    to: Arc<OwnedFd>,
    began: Instant,
    seen: Arc<AtomicU64>,
    took: RefCell<Vec<u64>>,
}

impl AsFd for Arrivals {
    /// The reading end.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.from.as_fd()
    }
}

impl Arrivals {
    /// A pipe in which nothing is.
    ///
    /// # Panics
    /// Where the process may not have more files.
    #[must_use]
    pub fn new() -> Rc<Self> {
        let (from, to) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).expect("a pipe");
        let (to, seen) = (Arc::new(to), Arc::default());
        Rc::new(Arrivals { from, to, began: Instant::now(), seen, took: RefCell::default() })
    }

    /// What the handler does first of all.
    ///
    /// # Panics
    /// If there is nothing to read.
    pub fn called(&self) {
        let (now, mut written) = (since(self.began), [0; 8]);
        let read = rustix::io::read(&self.from, &mut written);
        assert_eq!(read, Ok(8), "a moment arrives whole");
        self.took.borrow_mut().push(now - u64::from_ne_bytes(written));
        self.seen.fetch_add(1, Ordering::Release);
    }

    /// Has another thread write `n` moments, one after the other, while `turn` turns the loop; then gives how many
    /// nanoseconds each took.
    ///
    /// # Panics
    /// If the other thread does.
    pub fn measure(&self, n: u64, mut turn: impl FnMut()) -> Vec<u64> {
        let (to, began, seen) = (Arc::clone(&self.to), self.began, Arc::clone(&self.seen));
        let other = start_other(move || write_moments(&to, began, &seen, n));
        while self.seen.load(Ordering::Relaxed) < n {
            turn();
        }
        other.join().expect("the other thread is done");
        self.took.take()
    }
}

/// Spins: its own sleeps would be measured too.
fn write_moments(to: &OwnedFd, began: Instant, seen: &AtomicU64, n: u64) {
    let mut random = Random::default();
    for i in 0..n {
        let gap = 20_000 + random.draw() % 80_000; // by then the loop sleeps
        let at = Instant::now() + Duration::from_nanos(gap);
        while Instant::now() < at {}
        rustix::io::write(to, &since(began).to_ne_bytes()).expect("a pipe takes a moment");
        while seen.load(Ordering::Acquire) <= i {}
    }
}

fn since(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_nanos()).expect("that is 500 years")
}

/// Files on which nothing happens.
///
/// # Panics
/// Where the process may not have so many files.
#[must_use]
pub fn make_idle(n: usize) -> Vec<OwnedFd> {
    let file = |_| eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).expect("a file");
    (0..n).map(file).collect()
}
