//! What the kernel is told of the fd events, and to whom its reports go.
//!
//! Each number has a [slot](FdSlot) with the ring of its events. The kernel is asked for what all of them want together.
//! Nothing here runs user code: what has to be dropped is handed out.

mod fetching;
mod looks;
mod telling;

use std::io;
use std::os::fd::RawFd;
use std::rc::Rc;

use crate::fd::FdRef;
use crate::fd_flags::FdFlags;
use crate::fd_inner::Interest;
use crate::fd_slot::{FdSlot, Place, Told};
use crate::fd_slots::FdSlots;
use crate::foreign::Outer;
use crate::list::List;
use crate::reactor::{Reactor, Report, SlotKey, fits_into_token, next_generation};
use looks::Looks;

pub(crate) use fetching::Next;

pub(crate) struct FdTable {
    reactor: Box<dyn Reactor>,
    slots: FdSlots,
    births: u32,
    /// How many events could fire (LOOP-3).
    armed: usize,
    /// What was reported, and how many of that are dispatched already: not all of them, or it is empty.
    fetched: Vec<Report>,
    dispatched: usize,
    looks: Looks,
    /// The numbers that are ready without the kernel, how many of them this round has still to serve, and its number.
    always: List<RawFd>,
    always_left: usize,
    round: u64,
    /// Numbers whose slots have something `pending`.
    late: Vec<RawFd>,
    /// The kernel reports a file that can no longer be named.
    stray: bool,
    waits: u64,
    changes: u64,
    /// To be said when nothing is borrowed.
    not_open: Vec<RawFd>,
    /// What a foreign loop watches.
    outer: Option<Rc<Outer>>,
}

impl FdTable {
    pub(crate) fn new(reactor: Box<dyn Reactor>, batch: usize) -> Self {
        FdTable {
            reactor,
            slots: FdSlots::new(),
            births: 0,
            armed: 0,
            fetched: Vec::with_capacity(batch),
            dispatched: 0,
            looks: Looks::new(),
            always: List::new(),
            always_left: 0,
            round: 1,
            late: Vec::new(),
            stray: false,
            waits: 0,
            changes: 0,
            not_open: Vec::new(),
            outer: None,
        }
    }

    /// Tells the kernel of everything at once from now on, and lets a foreign loop watch all of it through that object.
    pub(crate) fn embed(&mut self, outer: Rc<Outer>) -> io::Result<()> {
        self.catch_up();
        let inner = self.reactor.object().ok_or(io::ErrorKind::Unsupported)?;
        outer.watch(inner)?;
        self.reactor.arm();
        self.outer = Some(outer);
        Ok(())
    }

    /// Before it is closed.
    pub(crate) fn leave_outer(&self) {
        if let (Some(outer), Some(inner)) = (&self.outer, self.reactor.object()) {
            outer.forget(inner);
        }
    }

    /// The context goes: what a foreign loop watches is never readable again.
    pub(crate) fn leave_outer_for_good(&self) {
        self.leave_outer();
        if let Some(outer) = &self.outer {
            outer.silence();
        }
    }

    pub(crate) fn outer(&self) -> Option<&Rc<Outer>> {
        self.outer.as_ref()
    }

    /// Before a foreign loop may sleep.
    pub(crate) fn arm(&mut self) {
        self.reactor.arm();
    }

    /// Whether something is ready that the kernel will not report.
    pub(crate) fn is_ready(&self) -> bool {
        !self.fetched.is_empty() || !self.always.is_empty() || self.stray
    }

    /// How often the kernel was asked, and how often it was told.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.waits, self.changes)
    }

    pub(crate) fn armed(&self) -> usize {
        self.armed
    }

    /// Every event, for a context that is freed.
    pub(crate) fn events(&self) -> Vec<FdRef> {
        self.slots.known().into_iter().flat_map(|(_number, slot)| slot.events().cloned()).collect()
    }

    pub(crate) fn add(&mut self, fde: &FdRef) -> io::Result<()> {
        let interest = fde.interest();
        let number = interest.number();
        if !fits_into_token(number) {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        self.armed += usize::from(interest.could_fire());
        let slot = self.slots.of(number);
        let mut sure = false;
        if slot.is_vacant() {
            self.births = next_generation(self.births);
            slot.push(fde, self.births);
            if self.watch_alone(interest) {
                return Ok(());
            }
        } else {
            sure = self.join(fde, number);
        }
        let told = self.tell(number, sure);
        if told.is_err() {
            self.remove(fde);
        }
        told
    }

    /// An event joins others on its number; says whether that is known to stand for the same file still.
    fn join(&mut self, fde: &FdRef, number: RawFd) -> bool {
        if self.slots.of(number).is_closed_behind_our_back() {
            self.forget(number);
        }
        let slot = self.slots.of(number);
        let sure = slot.is_same_file();
        slot.push(fde, self.births);
        sure
    }

    /// The short way to the kernel, of the first on its number; says whether that was all.
    fn watch_alone(&mut self, interest: &Interest) -> bool {
        let (wants, generation) = (interest.watched(), self.births);
        let key = SlotKey { number: interest.number(), generation };
        let watched = wants.is_empty() || self.reactor.watch(key, wants).is_ok();
        if watched {
            self.changes += u64::from(!wants.is_empty());
            interest.set_told(Told { generation, registered: wants });
        }
        watched
    }

    pub(crate) fn remove(&mut self, fde: &FdRef) {
        let interest = fde.interest();
        let number = interest.number();
        let file = match interest.place() {
            Place::Nowhere => return,
            Place::Alone { registered, .. } if registered.is_empty() => None,
            _ => fde.lasting_file(),
        };
        self.armed -= usize::from(interest.could_fire());
        match (interest.place(), file) {
            // The short way: nothing outlasts the event, not even its key.
            (Place::Alone { generation, registered }, None) => {
                if !registered.is_empty() {
                    self.changes += 1;
                    let _ = self.reactor.forget(SlotKey { number, generation });
                }
                interest.set_place(Place::Nowhere);
                self.slots.vacate(number);
            }
            (place, file) => {
                let slot = self.slots.of(number);
                if matches!(place, Place::Alone { .. }) {
                    slot.ring();
                }
                slot.remove(fde);
                self.narrow(number, file);
                self.vacate_if_idle(number);
            }
        }
    }

    pub(crate) fn set_flags(&mut self, fde: &FdRef, flags: FdFlags) {
        let interest = fde.interest();
        if matches!(interest.place(), Place::Nowhere) {
            return;
        }
        let number = interest.number();
        self.note(interest, |interest| interest.set_flags(flags));
        let slot = self.slots.of(number);
        if slot.told().registered.contains(slot.wants()) && !slot.is_refused() {
            return self.narrow(number, fde.lasting_file());
        }
        let sure = slot.is_same_file();
        if self.tell(number, sure).is_err() {
            self.note(interest, |interest| interest.set_flags(FdFlags::NONE));
            // What remains was registered before.
            let _ = self.tell(number, true);
        }
    }

    fn vacate_if_idle(&mut self, number: RawFd) {
        if self.slots.get(number).is_some_and(FdSlot::is_idle) {
            self.slots.vacate(number);
        }
    }

    /// Changes an event's flags or memory and keeps the counts.
    fn note(&mut self, interest: &Interest, change: impl FnOnce(&Interest)) {
        let slot = self.slots.of(interest.number());
        slot.count(interest.watched(), |count| *count -= 1);
        self.armed -= usize::from(interest.could_fire());
        change(interest);
        slot.count(interest.watched(), |count| *count += 1);
        self.armed += usize::from(interest.could_fire());
    }

    /// A new kernel object with what is wanted now. In a forked child, where the old one is the parent's too; and the only
    /// way to be rid of a file whose number was closed while a duplicate keeps it open: the kernel goes on to report
    /// it, and nothing can name it.
    #[cold]
    pub(crate) fn rebuild(&mut self) {
        self.fetched.clear();
        self.dispatched = 0;
        self.leave_outer();
        if self.reactor.reset().is_err() {
            // No room for a new one: waits fail until there is.
            self.stray = true;
            return;
        }
        self.stray = false;
        if let (Some(outer), Some(inner)) = (&self.outer, self.reactor.object()) {
            // It fails only where there is no room: then waits fail too.
            self.stray = outer.watch(inner).is_err();
        }
        let numbers: Vec<RawFd> = self.slots.known().into_iter().map(|(number, _slot)| number).collect();
        for number in numbers {
            self.forget_what_was_told(number);
            if self.tell(number, false).is_err() {
                self.disarm(number);
            }
        }
    }
}
