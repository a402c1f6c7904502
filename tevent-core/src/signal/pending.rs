//! A context's signal events, and what has arrived for them.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;

use super::arrivals::{self, Subscription};
use super::{SignalDelivery, SignalFlags, SignalInfo, SignalRef};
use crate::context::ContextRef;
use crate::fd::FdEvent;
use crate::fd_flags::FdFlags;
use crate::list::{Key, List};
use crate::sys::eventfd::Bell;

/// A context's signal events.
///
/// What rings the bell is dropped before the bell.
#[derive(Default)]
pub(crate) struct Signals {
    /// By number: that is the order in which several pending signals are served.
    lines: RefCell<BTreeMap<i32, Line>>,
    /// Handlers that are due. They run before anything else of a turn does; a panic leaves the rest to the next turn.
    due: RefCell<VecDeque<(SignalRef, SignalDelivery)>>,
    /// How much had arrived in the process when this context last looked.
    seen: Cell<u64>,
    /// What ends a wait, as long as there is an event.
    bell: RefCell<Option<Heard>>,
}

/// The events on one signal, the oldest first.
struct Line {
    subscription: Subscription,
    events: List<SignalRef>,
}

struct Heard {
    bell: Rc<Bell>,
    _watch: FdEvent,
}

impl Signals {
    /// Whether there is no event.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.borrow().is_empty()
    }

    /// All events, by their numbers, the oldest first.
    pub(crate) fn events(&self) -> Vec<SignalRef> {
        let lines = self.lines.borrow();
        lines.values().flat_map(|line| line.events.iter().map(|(_key, se)| se.clone())).collect()
    }

    pub(crate) fn add(&self, ev: &ContextRef, se: &SignalRef, flags: SignalFlags) -> io::Result<Key> {
        let signal = se.signal();
        let is_first = !self.lines.borrow().contains_key(&signal);
        // In this order: of a signal that is refused nothing stays behind.
        let subscription = is_first.then(|| Subscription::start(signal, flags.bits())).transpose()?;
        self.be_heard(ev)?;
        let mut lines = self.lines.borrow_mut();
        if let Some(subscription) = subscription {
            subscription.set_bell(self.bell());
            lines.insert(signal, Line { subscription, events: List::new() });
        }
        let Some(line) = lines.get_mut(&signal) else { return Err(io::ErrorKind::NotFound.into()) };
        if flags.contains(SignalFlags::SIGINFO) {
            line.subscription.keep_info();
        }
        Ok(line.events.push_back(se.clone()))
    }

    pub(crate) fn remove(&self, signal: i32, key: Key) {
        let mut lines = self.lines.borrow_mut();
        let Some(line) = lines.get_mut(&signal) else { return };
        let removed = line.events.remove(key);
        let asks = |se: &SignalRef| se.flags().contains(SignalFlags::SIGINFO);
        if removed.as_ref().is_some_and(asks) && !line.events.iter().any(|(_key, se)| asks(se)) {
            line.subscription.forget_info();
        }
        let ended = if line.events.is_empty() { lines.remove(&signal) } else { None };
        drop(lines);
        drop((removed, ended));
    }

    /// Takes all out, for a context that goes or begins anew.
    pub(crate) fn take(&self) -> Signals {
        let taken = Signals::default();
        self.lines.swap(&taken.lines);
        self.due.swap(&taken.due);
        self.bell.swap(&taken.bell);
        taken
    }

    /// Runs the handlers of all signals that are pending, lower numbers first, each with its newest event first; says
    /// whether any ran (LOOP-1). What a handler raises itself runs in this turn only if its number is still to come.
    #[inline]
    pub(crate) fn run_pending(&self, ev: &ContextRef) -> bool {
        (self.are_left() || self.have_arrived()) && self.run_arrived(ev)
    }

    #[cold]
    fn run_arrived(&self, ev: &ContextRef) -> bool {
        ev.stir();
        // Left by a handler that panicked, or by one that runs this nested turn.
        let mut ran = self.run_due(ev);
        let arrived = arrivals::arrived();
        let mut last = 0;
        while let Some(signal) = self.collect_next(last) {
            ran |= self.run_due(ev);
            last = signal;
        }
        // Not before all were looked at: a handler may panic, or run a turn that has to look at the others.
        self.seen.set(arrived);
        ran
    }

    fn run_due(&self, ev: &ContextRef) -> bool {
        let next = || self.due.borrow_mut().pop_front();
        let mut ran = false;
        while let Some((se, delivery)) = next() {
            ran |= se.run(ev, delivery);
        }
        ran
    }

    /// Whether a signal, of whomever, has arrived since this context looked.
    #[inline]
    pub(crate) fn have_arrived(&self) -> bool {
        self.seen.get() != arrivals::arrived()
    }

    /// Whether handlers are due that have not run.
    #[inline]
    pub(crate) fn are_left(&self) -> bool {
        !self.due.borrow().is_empty()
    }

    /// Whether something has arrived that was not looked at.
    pub(crate) fn are_due(&self) -> bool {
        !self.is_empty() && (self.have_arrived() || self.are_left())
    }

    /// Something ends the wait when a signal arrives from now on.
    ///
    /// # Errors
    /// When the process has too many open files.
    #[inline]
    pub(crate) fn be_heard(&self, ev: &ContextRef) -> io::Result<()> {
        if self.bell.borrow().is_some() { Ok(()) } else { self.hang_bell(ev) }
    }

    #[cold]
    fn hang_bell(&self, ev: &ContextRef) -> io::Result<()> {
        let bell = Rc::new(Bell::new()?);
        let heard = Rc::downgrade(&bell);
        let watch = ev.add_internal_fd(Rc::clone(&bell), FdFlags::READ, move |ev, _fde, _flags| {
            let Some(bell) = heard.upgrade() else { return };
            // In this order: what arrives in between does not ring, and is seen before the loop sleeps again.
            bell.silence();
            ev.signals().lines.borrow().values().for_each(|line| line.subscription.may_ring());
            ev.counters().count_wakeup();
        })?;
        self.bell.replace(Some(Heard { bell, _watch: watch }));
        self.lines.borrow().values().for_each(|line| line.subscription.set_bell(self.bell()));
        Ok(())
    }

    /// In a forked child: the bell is the parent's too, and the thread has another number.
    pub(crate) fn settle(&self) {
        for line in self.lines.borrow().values() {
            line.subscription.set_bell(-1);
            line.subscription.settle();
        }
        let bell = self.bell.take();
        drop(bell);
    }

    /// As soon as nobody may sleep any more without it. Costs nothing where there is no signal event.
    #[inline]
    pub(crate) fn is_deaf(&self) -> bool {
        self.bell.borrow().is_none() && !self.is_empty()
    }

    fn bell(&self) -> i32 {
        self.bell.borrow().as_ref().map_or(-1, |heard| heard.bell.as_fd().as_raw_fd())
    }

    /// Takes what has arrived for the next number after `last` that anything has arrived for.
    fn collect_next(&self, last: i32) -> Option<i32> {
        let lines = self.lines.borrow();
        let mut due = self.due.borrow_mut();
        for (signal, line) in lines.range(last + 1..) {
            let (count, infos) = line.subscription.take();
            for se in line.events.iter_back() {
                if se.flags().contains(SignalFlags::SIGINFO) {
                    let infos = infos.iter().map(|words| SignalInfo::from_words(*signal, *words));
                    due.extend(infos.map(|info| (se.clone(), SignalDelivery { count: 1, info: Some(info) })));
                } else if count > 0 {
                    due.push_back((se.clone(), SignalDelivery { count, info: None }));
                }
            }
            if !due.is_empty() {
                return Some(*signal);
            }
        }
        None
    }
}
