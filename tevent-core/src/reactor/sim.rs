//! Real fds looked at without waiting, a virtual clock, and an order drawn from a seed: for tests that never sleep.
//!
//! Where another backend would sleep, the clock jumps to the end of the wait. It does so only when nothing is ready
//! and nothing else can make it so: while somebody [holds](SimClock::hold) the clock, a wait is a real one.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::{Reactor, Report, SlotKey};
use crate::fd_flags::FdFlags;
use crate::sys::poll::{self, PollFd};

/// The virtual clock, shared by the backend and the context that can set it.
pub(crate) struct SimClock {
    now: Cell<Instant>,
    holds: Cell<usize>,
    /// Says whether something outside of the loop may make an fd ready.
    outside: RefCell<Option<Box<dyn Fn() -> bool>>>,
}

impl SimClock {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(SimClock { now: Cell::new(Instant::now()), holds: Cell::new(0), outside: RefCell::new(None) })
    }

    /// Says whether the clock can hold that time; otherwise it stays.
    pub(crate) fn advance(&self, by: Duration) -> bool {
        let later = self.now.get().checked_add(by);
        later.inspect(|later| self.now.set(*later)).is_some()
    }

    pub(crate) fn now(&self) -> Instant {
        self.now.get()
    }

    pub(crate) fn hold(&self) {
        self.holds.set(self.holds.get() + 1);
    }

    /// Holds the clock whenever that is true, in place of what was set before.
    pub(crate) fn hold_while(&self, outside: impl Fn() -> bool + 'static) {
        self.outside.replace(Some(Box::new(outside)));
    }

    fn is_held(&self) -> bool {
        self.holds.get() > 0 || self.outside.borrow().as_ref().is_some_and(|outside| outside())
    }

    pub(crate) fn release(&self) {
        self.holds.set(self.holds.get() - 1);
    }
}

pub(crate) struct Sim {
    clock: Rc<SimClock>,
    /// In the order in which they are served. A new one gets a place by lot; what was reported goes to the back.
    order: VecDeque<Watched>,
    batch: usize,
    lot: u64,
    /// Room for one look at the fds, and for those it serves and those it does not.
    fds: Vec<PollFd>,
    served: VecDeque<Watched>,
    waiting: VecDeque<Watched>,
}

#[derive(Clone, Copy)]
struct Watched {
    key: SlotKey,
    flags: FdFlags,
}

impl Sim {
    pub(crate) fn new(batch: usize, seed: u64, clock: Rc<SimClock>) -> Self {
        Sim {
            clock,
            order: VecDeque::new(),
            batch,
            lot: seed,
            fds: Vec::new(),
            served: VecDeque::new(),
            waiting: VecDeque::new(),
        }
    }

    /// A number below `limit` (`SplitMix64`).
    fn draw(&mut self, limit: usize) -> usize {
        self.lot = self.lot.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.lot;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        usize::try_from(z % limit as u64).unwrap_or(0)
    }

    fn place(&self, number: RawFd) -> io::Result<usize> {
        let place = self.order.iter().position(|watched| watched.key.number == number);
        place.ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
    }

    /// Looks at all, and says whether any is ready.
    fn look(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        self.fds.clear();
        let watched = self.order.iter();
        self.fds.extend(watched.map(|w| PollFd::new(w.key.number, mask_of(w.flags))));
        poll::poll(&mut self.fds, timeout)?;
        Ok(self.fds.iter().any(|fd| fd.ready() != 0))
    }

    /// Reports the first that are ready and moves them to the back.
    fn collect(&mut self, reports: &mut Vec<Report>) {
        for (watched, fd) in self.order.drain(..).zip(&self.fds) {
            if fd.ready() != 0 && self.served.len() < self.batch {
                reports.push(report_of(watched.key, fd.ready()));
                self.served.push_back(watched);
            } else {
                self.waiting.push_back(watched);
            }
        }
        self.waiting.append(&mut self.served);
        std::mem::swap(&mut self.order, &mut self.waiting);
    }
}

impl Reactor for Sim {
    fn watch(&mut self, key: SlotKey, flags: FdFlags) -> io::Result<()> {
        poll::check_open(key.number)?;
        let at = self.draw(self.order.len() + 1);
        self.order.insert(at, Watched { key, flags });
        Ok(())
    }

    fn change(&mut self, key: SlotKey, flags: FdFlags) -> io::Result<()> {
        poll::check_open(key.number)?;
        let at = self.place(key.number)?;
        self.order[at] = Watched { key, flags };
        Ok(())
    }

    fn forget(&mut self, key: SlotKey) -> io::Result<()> {
        let at = self.place(key.number)?;
        self.order.remove(at);
        Ok(())
    }

    fn reset(&mut self) -> io::Result<()> {
        self.order.clear();
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Duration>, reports: &mut Vec<Report>) -> io::Result<()> {
        // In this order: whoever lets go of the clock has made an fd ready by then.
        let held = self.clock.is_held();
        let ready = self.look(Some(Duration::ZERO))?;
        if !ready && held {
            let started = Instant::now();
            let looked = self.look(timeout);
            // Time has passed also where a signal has ended the wait.
            self.clock.advance(started.elapsed());
            looked?;
        } else if !ready {
            if timeout.is_some_and(|timeout| self.clock.advance(timeout)) {
                return Ok(());
            }
            return Err(io::Error::new(
                io::ErrorKind::Deadlock,
                "the simulated loop would wait for ever: nothing is ready, and nothing can make it so",
            ));
        }
        self.collect(reports);
        Ok(())
    }

    fn object(&self) -> Option<RawFd> {
        None
    }
}

fn mask_of(flags: FdFlags) -> i16 {
    let mut mask = 0;
    if flags.contains(FdFlags::READ) {
        mask |= libc::POLLIN | libc::POLLRDHUP;
    }
    if flags.contains(FdFlags::WRITE) {
        mask |= libc::POLLOUT;
    }
    if flags.contains(FdFlags::ERROR) {
        mask |= libc::POLLRDHUP;
    }
    mask
}

fn report_of(key: SlotKey, mask: i16) -> Report {
    let has = |bit: i16| mask & bit != 0;
    let plain = FdFlags::READ.when(has(libc::POLLIN)) | FdFlags::WRITE.when(has(libc::POLLOUT));
    let report = Report::new(key, plain, has(libc::POLLRDHUP), has(libc::POLLHUP) || has(libc::POLLERR));
    Report { not_open: has(libc::POLLNVAL), ..report }
}
