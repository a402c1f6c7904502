//! Asking the kernel what is ready, and whose turn that is.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use super::FdTable;
use crate::fd::FdRef;
use crate::fd_flags::FdFlags;
use crate::reactor::{Report, SlotKey};

/// What comes of what was fetched.
pub(crate) enum Next {
    Nothing,
    /// There was something, but nobody is to be called for it.
    Void,
    /// That event's handler is to run, with those flags.
    Event(FdRef, FdFlags),
}

impl FdTable {
    /// Waits until something is fetched or the time is over. Something may have been fetched before.
    ///
    /// Numbers that are always ready take their part in the rotation (FD-12): in each round the kernel's come first, until
    /// it has no more or begins to repeat itself, and then each of those once.
    #[inline]
    pub(crate) fn fetch(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.catch_up();
        if self.stray {
            self.rebuild();
        }
        if self.always.is_empty() { self.wait(timeout) } else { self.fetch_in_rotation() }
    }

    #[cold]
    fn fetch_in_rotation(&mut self) -> io::Result<()> {
        if self.always_left == 0 {
            self.ask(Some(Duration::ZERO))?;
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

    /// Whether there may be a next event without a wait, or something has to be said.
    #[inline]
    pub(crate) fn has_fetched(&self) -> bool {
        !self.fetched.is_empty() || !self.not_open.is_empty()
    }

    /// The next event whose handler is to run, with the flags to tell it; it goes to the back of its ring.
    /// What has become void since it was fetched is passed over.
    #[inline]
    pub(crate) fn next(&mut self) -> Next {
        if !self.has_fetched() {
            return Next::Nothing;
        }
        while let Some(report) = self.pop_fetched() {
            let Some(slot) = self.slots.keyed(report.key) else { continue };
            if report.not_open {
                self.disarm(report.key.number);
            } else if let Some((fde, flags)) = slot.select(&report) {
                return Next::Event(fde, flags);
            } else if report.failed {
                self.silence_writers(report.key.number);
            }
        }
        Next::Void
    }

    #[inline]
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let may_sleep_for_a_time = timeout.is_some_and(|timeout| !timeout.is_zero());
        let looks = may_sleep_for_a_time && self.looks.begins_with_look();
        self.ask(if looks { Some(Duration::ZERO) } else { timeout })?;
        if looks {
            let found = !self.fetched.is_empty();
            self.looks.found(found);
            if !found {
                return self.ask_again(timeout);
            }
        }
        Ok(())
    }

    /// After a look that found nothing, which the kernel makes longer than any call here.
    #[cold]
    fn ask_again(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.ask(timeout)
    }

    #[inline]
    fn ask(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let before = self.fetched.len();
        self.waits += 1;
        self.reactor.wait(timeout, &mut self.fetched)?;
        let mut fresh = self.fetched[before..].iter();
        self.stray |= fresh.any(|report| self.slots.keyed(report.key).is_none());
        Ok(())
    }

    /// The report that was fetched first.
    fn pop_fetched(&mut self) -> Option<Report> {
        let report = *self.fetched.get(self.dispatched)?;
        self.dispatched += 1;
        if self.dispatched == self.fetched.len() {
            self.fetched.clear();
            self.dispatched = 0;
        }
        Some(report)
    }

    /// Drops reports of what has been served in this round. The kernel will report it again.
    fn leave_for_next_round(&mut self) {
        let (slots, round) = (&mut self.slots, self.round);
        self.fetched.drain(..std::mem::take(&mut self.dispatched));
        self.fetched.retain(|report| {
            let slot = slots.get_mut(report.key.number).filter(|slot| !slot.is_vacant());
            slot.is_none_or(|slot| std::mem::replace(&mut slot.ring().served_in, round) != round)
        });
    }

    fn fetch_always(&mut self) {
        let Some(number) = self.always.front().copied() else { return };
        let slot = self.slots.of(number);
        let key = SlotKey { number, generation: slot.told().generation };
        let ready = FdFlags::READ | FdFlags::WRITE;
        self.fetched.push(Report { key, ready, failed: false, not_open: false });
        if let Some(place) = slot.had_ring().and_then(|ring| ring.always) {
            self.always.move_to_back(place);
        }
    }
}
