//! What the kernel is told of the fd events, and to whom its reports go.
//!
//! Each number has a [slot](FdSlot) with the ring of its events. The kernel is asked for what all of them want together.
//! Nothing here runs user code: what has to be dropped is handed out.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::RawFd;
use std::rc::{Rc, Weak};
use std::time::Duration;

use slab::Slab;

use crate::fd::FdRef;
use crate::fd_flags::FdFlags;
use crate::fd_slot::{FdSlot, Place};
use crate::foreign::Outer;
use crate::list::List;
use crate::reactor::{Reactor, Report, next_generation};

pub(crate) struct FdTable {
    reactor: Box<dyn Reactor>,
    slots: Slab<FdSlot>,
    by_number: HashMap<RawFd, usize>,
    births: u32,
    /// How many events could fire (LOOP-3).
    armed: usize,
    /// Reported and not dispatched yet.
    fetched: VecDeque<Report>,
    /// The slots that are ready without the kernel, how many of them this round has still to serve, and its number.
    always: List<usize>,
    always_left: usize,
    round: u64,
    /// Slots whose `pending` is set.
    late: Vec<usize>,
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
            slots: Slab::new(),
            by_number: HashMap::new(),
            births: 0,
            armed: 0,
            fetched: VecDeque::with_capacity(batch),
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
        self.has_fetched() || !self.always.is_empty() || self.stray
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
        let rings = self.slots.iter().map(|(_, slot)| &slot.ring);
        rings.flat_map(|ring| ring.iter().map(|(_, fde)| fde.clone())).collect()
    }

    pub(crate) fn add(&mut self, fde: &FdRef) -> io::Result<()> {
        let number = fde.fd();
        let index = match self.by_number.get(&number) {
            Some(index) => *index,
            None => self.new_slot(number),
        };
        if self.slots[index].is_closed_behind_our_back() {
            self.forget(index);
        }
        let slot = &mut self.slots[index];
        let sure = slot.is_same_file();
        let ring = slot.ring.push_back(fde.clone());
        slot.keepers += usize::from(fde.keeps_file_open());
        slot.count(fde.watched(), |count| *count += 1);
        self.armed += usize::from(fde.could_fire());
        fde.set_place(Some(Place { slot: index, ring }));
        let told = self.tell(index, sure);
        if told.is_err() {
            self.remove(fde);
        }
        told
    }

    pub(crate) fn remove(&mut self, fde: &FdRef) {
        let Some(place) = fde.place() else { return };
        fde.set_place(None);
        let slot = &mut self.slots[place.slot];
        slot.ring.remove(place.ring);
        slot.keepers -= usize::from(fde.keeps_file_open());
        slot.count(fde.watched(), |count| *count -= 1);
        self.armed -= usize::from(fde.could_fire());
        self.narrow(place.slot, fde.lasting_file());
        self.drop_slot_if_idle(place.slot);
    }

    pub(crate) fn set_flags(&mut self, fde: &FdRef, flags: FdFlags) {
        let Some(place) = fde.place() else { return };
        self.note(fde, |fde| fde.note_flags(flags));
        let slot = &self.slots[place.slot];
        if slot.registered.contains(slot.wants()) && !slot.refused {
            return self.narrow(place.slot, fde.lasting_file());
        }
        let sure = slot.is_same_file();
        if self.tell(place.slot, sure).is_err() {
            self.note(fde, |fde| fde.note_flags(FdFlags::NONE));
            // What remains was registered before.
            let _ = self.tell(place.slot, true);
        }
    }

    /// Waits until something is fetched or the time is over. Something may have been fetched before.
    ///
    /// Slots that are always ready take their part in the rotation (FD-12): in each round the kernel's come first, until
    /// it has no more or begins to repeat itself, and then each of those once.
    pub(crate) fn fetch(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        if self.stray {
            self.rebuild();
        }
        if self.always.is_empty() {
            return self.wait(timeout);
        }
        if self.always_left == 0 {
            self.wait(Some(Duration::ZERO))?;
            self.leave_for_next_round();
            if !self.fetched.is_empty() {
                return Ok(());
            }
            self.always_left = self.always.len();
            self.round += 1;
        }
        self.always_left = self.always_left.min(self.always.len()) - 1;
        self.fetch_always();
        Ok(())
    }

    /// Whether the next fetch will ask the kernel; otherwise it is the turn of a file that is always ready.
    pub(crate) fn asks_kernel(&self) -> bool {
        self.always.is_empty() || self.always_left == 0
    }

    /// Numbers that were found not to be open, so that their events are disarmed (FD-3).
    pub(crate) fn take_not_open(&mut self) -> Vec<RawFd> {
        std::mem::take(&mut self.not_open)
    }

    pub(crate) fn has_fetched(&self) -> bool {
        !self.fetched.is_empty()
    }

    /// The next event whose handler is to run, with the flags to tell it; it goes to the back of its ring.
    /// What has become void since it was fetched is passed over.
    pub(crate) fn next(&mut self) -> Option<(FdRef, FdFlags)> {
        while let Some(report) = self.fetched.pop_front() {
            let index = report.key.index;
            let Some(slot) = self.slots.get_mut(index) else { continue };
            if slot.generation != report.key.generation {
                continue;
            }
            if report.not_open {
                self.disarm(index);
                continue;
            }
            if let Some(selected) = slot.select(&report) {
                return Some(selected);
            }
            if report.failed {
                self.silence_writers(index);
            }
        }
        None
    }

    /// Tells the kernel what was put off until the loop waits.
    pub(crate) fn catch_up(&mut self) {
        while let Some(index) = self.late.pop() {
            self.slots[index].pending = None;
            // Nothing is widened here, so nothing can be refused that was not refused before.
            let _ = self.tell(index, true);
            self.drop_slot_if_idle(index);
        }
    }

    fn new_slot(&mut self, number: RawFd) -> usize {
        self.births = next_generation(self.births);
        let index = self.slots.insert(FdSlot::new(number, self.births));
        self.by_number.insert(number, index);
        index
    }

    fn drop_slot_if_idle(&mut self, index: usize) {
        let slot = &self.slots[index];
        if slot.ring.is_empty() && slot.pending.is_none() {
            self.by_number.remove(&slot.number);
            self.slots.remove(index);
        }
    }

    /// Changes an event's flags or memory and keeps the counts.
    fn note(&mut self, fde: &FdRef, change: impl FnOnce(&FdRef)) {
        let Some(place) = fde.place() else { return };
        let slot = &mut self.slots[place.slot];
        slot.count(fde.watched(), |count| *count -= 1);
        self.armed -= usize::from(fde.could_fire());
        change(fde);
        slot.count(fde.watched(), |count| *count += 1);
        self.armed += usize::from(fde.could_fire());
    }

    /// After a change that asked for less: told now, or, where `file` shows as long as it is there that the number stands
    /// for it, before the next wait. A request adds an fd event when it starts and frees it when it is done; where the
    /// next one asks for the same, both changes cancel out and the kernel hears of neither.
    fn narrow(&mut self, index: usize, file: Option<Weak<dyn Any>>) {
        let slot = &mut self.slots[index];
        if slot.wants() == slot.registered && !slot.refused {
            return;
        }
        if file.is_none() || slot.refused || self.outer.is_some() {
            let _ = self.tell(index, true);
        } else if std::mem::replace(&mut slot.pending, file).is_none() {
            self.late.push(index);
        }
    }

    /// Tells the kernel what the slot wants now. `sure` says that the number still stands for the file that
    /// was registered, or that nothing new is asked for; otherwise the kernel is asked in any case.
    fn tell(&mut self, index: usize, sure: bool) -> io::Result<()> {
        let slot = &mut self.slots[index];
        let wants = slot.wants();
        let known = wants == slot.registered || slot.refused;
        let told = if wants.is_empty() {
            self.forget(index);
            Ok(())
        } else if sure && known {
            Ok(())
        } else {
            self.register(index, wants)
        };
        self.list_if_always_ready(index);
        told
    }

    /// The kernel is to watch this number no more.
    fn forget(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        if slot.registered.is_empty() {
            return;
        }
        slot.registered = FdFlags::NONE;
        self.changes += 1;
        if self.reactor.forget(slot.key(index), slot.number).is_err() {
            // The file was closed before, or is another by now. Where a duplicate keeps it open the kernel goes on to report it: as a
            // stray, because no slot has that key any more.
            self.births = next_generation(self.births);
            slot.generation = self.births;
        }
    }

    fn register(&mut self, index: usize, wants: FdFlags) -> io::Result<()> {
        let slot = &mut self.slots[index];
        let (number, key) = (slot.number, slot.key(index));
        self.changes += 1;
        let told = if slot.registered.is_empty() {
            match self.reactor.watch(key, number, wants) {
                Err(e) if e.raw_os_error() == Some(libc::EEXIST) => self.reactor.change(key, number, wants),
                told => told,
            }
        } else {
            match self.reactor.change(key, number, wants) {
                Err(e) if e.raw_os_error() == Some(libc::ENOENT) => {
                    // Closed and opened again behind our back: another file, whose readiness is not the old one's.
                    self.births = next_generation(self.births);
                    slot.generation = self.births;
                    self.reactor.watch(slot.key(index), number, wants)
                }
                told => told,
            }
        };
        slot.refused = false;
        match told {
            Ok(()) => slot.registered = wants,
            Err(e) => match e.raw_os_error() {
                Some(libc::EPERM) => {
                    slot.registered = FdFlags::NONE;
                    slot.refused = true;
                }
                Some(libc::EBADF) => self.disarm(index),
                _ => return Err(e),
            },
        }
        Ok(())
    }

    /// The number is not open: its events are disarmed (FD-3).
    fn disarm(&mut self, index: usize) {
        // The one that was added last comes first, and mostly it is the only one that is armed.
        while !self.slots[index].wants().is_empty() {
            let armed = self.slots[index].ring.iter_back().find(|fde| !fde.watched().is_empty());
            let Some(fde) = armed.cloned() else { break };
            self.note(&fde, |fde| fde.note_flags(FdFlags::NONE));
        }
        self.forget(index);
        self.not_open.push(self.slots[index].number);
        self.slots[index].refused = false;
        self.list_if_always_ready(index);
    }

    /// A hang-up or error that nobody took: events that ask WRITE alone are not told, lose the flag and
    /// remember it, so that the loop does not spin (FD-6).
    fn silence_writers(&mut self, index: usize) {
        let ring = &self.slots[index].ring;
        let writers = ring.iter().filter(|(_, fde)| fde.flags() == FdFlags::WRITE);
        let writers: Vec<FdRef> = writers.map(|(_, fde)| fde.clone()).collect();
        for fde in &writers {
            self.note(fde, |fde| {
                fde.note_flags(FdFlags::NONE);
                fde.note_error();
            });
        }
        let _ = self.tell(index, true);
    }

    fn list_if_always_ready(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        let ready = slot.refused && slot.wants().intersects(FdFlags::READ | FdFlags::WRITE);
        match (slot.always, ready) {
            (None, true) => {
                slot.always = Some(self.always.push_back(index));
                // The kernel will not tell a foreign loop of it.
                if let Some(outer) = &self.outer {
                    outer.ring();
                }
            }
            (Some(key), false) => {
                self.always.remove(key);
                slot.always = None;
            }
            _ => {}
        }
    }

    fn fetch_always(&mut self) {
        let Some(index) = self.always.front().copied() else { return };
        let slot = &self.slots[index];
        self.fetched.push_back(Report {
            key: slot.key(index),
            ready: FdFlags::READ | FdFlags::WRITE,
            failed: false,
            not_open: false,
        });
        if let Some(key) = slot.always {
            self.always.move_to_back(key);
        }
    }

    /// Drops reports of what has been served in this round. The kernel will report it again.
    fn leave_for_next_round(&mut self) {
        let (slots, round) = (&mut self.slots, self.round);
        self.fetched.retain(|report| {
            let slot = slots.get_mut(report.key.index);
            slot.is_none_or(|slot| std::mem::replace(&mut slot.served_in, round) != round)
        });
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let before = self.fetched.len();
        self.waits += 1;
        self.reactor.wait(timeout, &mut self.fetched)?;
        for report in self.fetched.range(before..) {
            let slot = self.slots.get(report.key.index);
            if slot.is_none_or(|slot| slot.generation != report.key.generation) {
                self.stray = true;
            }
        }
        Ok(())
    }

    /// A new kernel object with what is wanted now. In a forked child, where the old one is the parent's too; and the only
    /// way to be rid of a file whose number was closed while a duplicate keeps it open: the kernel goes on to report
    /// it, and nothing can name it.
    pub(crate) fn rebuild(&mut self) {
        self.fetched.clear();
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
        let indices: Vec<usize> = self.slots.iter().map(|(index, _)| index).collect();
        for index in indices {
            self.slots[index].registered = FdFlags::NONE;
            if self.tell(index, false).is_err() {
                self.disarm(index);
            }
        }
    }
}
