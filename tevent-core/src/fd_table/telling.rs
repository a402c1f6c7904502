//! What the kernel is told, and when.

use std::any::Any;
use std::io;
use std::os::fd::RawFd;
use std::rc::Weak;

use super::FdTable;
use crate::fd::FdRef;
use crate::fd_flags::FdFlags;
use crate::fd_inner::Marks;
use crate::fd_slot::Told;
use crate::reactor::{SlotKey, next_generation};

impl FdTable {
    /// Tells the kernel what was put off until the loop waits.
    #[inline]
    pub(super) fn catch_up(&mut self) {
        if !self.late.is_empty() {
            self.tell_late();
        }
    }

    fn tell_late(&mut self) {
        while let Some(number) = self.late.pop() {
            self.slots.of(number).ring().pending = None;
            // Nothing is widened here, so nothing can be refused that was not refused before.
            let _ = self.tell(number, true);
            self.vacate_if_idle(number);
        }
    }

    /// After a change that asked for less: told now, or, where `file` shows as long as it is there that the number stands
    /// for it, before the next wait. A request adds an fd event when it starts and frees it when it is done; where the
    /// next one asks for the same, both changes cancel out and the kernel hears of neither.
    pub(super) fn narrow(&mut self, number: RawFd, file: Option<Weak<dyn Any>>) {
        let slot = self.slots.of(number);
        let refused = slot.is_refused();
        if slot.wants() == slot.told().registered && !refused {
            return;
        }
        if file.is_none() || refused || self.outer.is_some() {
            let _ = self.tell(number, true);
        } else if std::mem::replace(&mut slot.ring().pending, file).is_none() {
            self.late.push(number);
        }
    }

    /// Tells the kernel what the slot wants now. `sure` says that the number still stands for the file that
    /// was registered, or that nothing new is asked for; otherwise the kernel is asked in any case.
    pub(super) fn tell(&mut self, number: RawFd, sure: bool) -> io::Result<()> {
        let slot = self.slots.of(number);
        let wants = slot.wants();
        let told = if wants.is_empty() {
            self.forget(number);
            Ok(())
        } else if sure && (wants == slot.told().registered || slot.is_refused()) {
            Ok(())
        } else {
            self.register(number, wants)
        };
        self.list_if_always_ready(number);
        told
    }

    /// The kernel is to watch this number no more.
    pub(super) fn forget(&mut self, number: RawFd) {
        let slot = self.slots.of(number);
        let Told { mut generation, registered } = slot.told();
        if registered.is_empty() {
            return;
        }
        self.changes += 1;
        if self.reactor.forget(SlotKey { number, generation }).is_err() {
            // The file was closed before, or is another by now. Where a duplicate keeps it open the kernel goes on to report it: as a
            // stray, because no slot has that key any more.
            self.births = next_generation(self.births);
            generation = self.births;
        }
        slot.set_told(Told { generation, registered: FdFlags::NONE });
    }

    /// The kernel object is a new one.
    pub(super) fn forget_what_was_told(&mut self, number: RawFd) {
        let slot = self.slots.of(number);
        slot.set_told(Told { registered: FdFlags::NONE, ..slot.told() });
    }

    fn register(&mut self, number: RawFd, wants: FdFlags) -> io::Result<()> {
        let slot = self.slots.of(number);
        let Told { mut generation, mut registered } = slot.told();
        let key = SlotKey { number, generation };
        self.changes += 1;
        let answer = if registered.is_empty() {
            match self.reactor.watch(key, wants) {
                Err(e) if e.raw_os_error() == Some(libc::EEXIST) => self.reactor.change(key, wants),
                answer => answer,
            }
        } else {
            match self.reactor.change(key, wants) {
                Err(e) if e.raw_os_error() == Some(libc::ENOENT) => {
                    // Closed and opened again behind our back: another file, whose readiness is not the old one's.
                    self.births = next_generation(self.births);
                    generation = self.births;
                    self.reactor.watch(SlotKey { number, generation }, wants)
                }
                answer => answer,
            }
        };
        let error = answer.err();
        let code = error.as_ref().and_then(io::Error::raw_os_error);
        match code {
            _ if error.is_none() => registered = wants,
            Some(libc::EPERM) => registered = FdFlags::NONE,
            _ => {}
        }
        slot.set_told(Told { generation, registered });
        let refused = code == Some(libc::EPERM);
        if refused != slot.is_refused() {
            slot.ring().refused = refused;
        }
        match error {
            Some(_) if code == Some(libc::EBADF) => self.disarm(number),
            Some(error) if !refused => return Err(error),
            _ => {}
        }
        Ok(())
    }

    /// The number is not open: its events are disarmed (FD-3).
    #[cold]
    pub(super) fn disarm(&mut self, number: RawFd) {
        // The one that was added last comes first, and mostly it is the only one that is armed.
        while let Some(fde) = self.slots.of(number).last_armed().cloned() {
            self.note(fde.interest(), |interest| interest.set_flags(FdFlags::NONE));
        }
        self.forget(number);
        self.not_open.push(number);
        let slot = self.slots.of(number);
        if slot.is_refused() {
            slot.ring().refused = false;
        }
        self.list_if_always_ready(number);
    }

    /// A hang-up or error that nobody took: events that ask WRITE alone are not told, lose the flag and
    /// remember it, so that the loop does not spin (FD-6).
    #[cold]
    pub(super) fn silence_writers(&mut self, number: RawFd) {
        let events = self.slots.of(number).events();
        let writers: Vec<FdRef> = events.filter(|fde| fde.flags() == FdFlags::WRITE).cloned().collect();
        for fde in &writers {
            self.note(fde.interest(), |interest| {
                interest.set_flags(FdFlags::NONE);
                interest.mark(Marks::SAW_ERROR);
            });
        }
        let _ = self.tell(number, true);
    }

    fn list_if_always_ready(&mut self, number: RawFd) {
        let slot = self.slots.of(number);
        let Some(ring) = slot.had_ring() else { return };
        let ready = ring.refused && slot.wants().intersects(FdFlags::READ | FdFlags::WRITE);
        match (ring.always, ready) {
            (None, true) => {
                slot.ring().always = Some(self.always.push_back(number));
                // The kernel will not tell a foreign loop of it.
                if let Some(outer) = &self.outer {
                    outer.ring();
                }
            }
            (Some(key), false) => {
                self.always.remove(key);
                slot.ring().always = None;
            }
            _ => {}
        }
    }
}
