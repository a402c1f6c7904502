//! Fd events.

use std::rc::Rc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tevent::{FdEvent, FdFlags, FdRef, FdSource};

use super::files::FileSlot;
use super::{Outcome, Skipped, World, skip_if};
use crate::scenario::Op;
use crate::words::{Flags, Maybe, Req, Script};

pub(super) struct FdSlot {
    pub(super) fde: FdRef,
    /// `None` where a request has it.
    owner: Option<FdEvent>,
    file: usize,
    hold: Hold,
    pub(super) of: Option<usize>,
    pub(super) running: usize,
    /// Its handler was entered a second time by nesting and has not returned for good.
    entered_again: bool,
}

/// Who holds the file of an event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hold {
    Borrowed,
    Shared,
    Owned,
}

impl World {
    pub(super) fn fd_op(&self, op: &Op) -> Option<Outcome> {
        Some(match *op {
            Op::Fd(e, file, flags, script, of) => {
                self.add_fd(e.0, file.0, flags.0, (script, of), Hold::Borrowed)
            }
            Op::ShareFd(e, file, flags, script, of) => {
                self.add_fd(e.0, file.0, flags.0, (script, of), Hold::Shared)
            }
            Op::OwnFd(e, file, flags, script) => {
                self.add_fd(e.0, file.0, flags.0, (script, Maybe(None)), Hold::Owned)
            }
            Op::CloseFn(e) => self.set_close_fn(e.0),
            Op::Flags(e) => self.0.fds.with(e.0, |fd| Some(Flags(fd.fde.flags()).to_string())),
            Op::Set(e, flags) => self.set_flags(e.0, flags.0),
            Op::FreeFd(e) => self.free_fd(e.0),
            _ => return None,
        })
    }

    fn add_fd(
        &self,
        id: usize,
        file: usize,
        flags: FdFlags,
        (script, of): (Maybe<Script>, Maybe<Req>),
        hold: Hold,
    ) -> Outcome {
        let inner = &*self.0;
        let (script, of) = (script.number(), of.number());
        self.unless_freed()?;
        // While something is being freed, events that count no more may still be there.
        skip_if(inner.waiting.get() || inner.freeing.get() > 0 || !inner.files.lives(file))?;
        self.can_own(of)?;
        skip_if(!self.has_room(file) || !self.may_ask(file, flags))?;
        let shared_before = inner.files.with(file, |slot| slot.shared)?;
        skip_if(hold == Hold::Owned && (shared_before || self.events_on(file, |_| true) > 0))?;
        inner.fds.claim(id)?;
        let source = match hold {
            Hold::Borrowed => inner.files.with(file, |slot| FdSource::from(&*slot.file))?,
            Hold::Shared => inner.files.with(file, |slot| {
                slot.shared = true;
                FdSource::from(Rc::clone(&slot.file))
            })?,
            // Nobody else uses it any more.
            Hold::Owned => {
                let file = Rc::into_inner(inner.files.take(file)?.file);
                FdSource::from(file.expect("a file that was never shared"))
            }
        };
        let slot = |fde, owner| FdSlot { fde, owner, file, hold, of, running: 0, entered_again: false };
        let world = self.weak();
        let handler = move |flags| world().fd_runs(id, flags, script);
        let slot = match of {
            None => {
                let owner = inner.ev.add_fd(source, flags, move |_ev, _fde, flags| handler(flags));
                let owner = owner.expect("an open file can be watched");
                slot(owner.clone(), Some(owner))
            }
            Some(of) => {
                let req = self.plain_req(of)?;
                let fde = req.add_fd(&inner.ev, source, flags, move |_req, flags| handler(flags));
                slot(fde.expect("an open file can be watched"), None)
            }
        };
        inner.fds.put(id, slot);
        Ok(None)
    }

    fn fd_runs(&self, id: usize, flags: FdFlags, script: Option<usize>) {
        self.lists_are_empty();
        self.0.files.for_each(|_id, file| file.lapsed = false);
        // It may be gone from the shelf when the handler returns.
        let _ = self.0.fds.with(id, |fd| {
            fd.entered_again = fd.running > 0;
            fd.running += 1;
        });
        self.handle(format_args!("fd e{id} {}", Flags(flags)), script);
        let _ = self.0.fds.with(id, |fd| fd.running -= 1);
    }

    fn set_close_fn(&self, id: usize) -> Outcome {
        let fde = self.0.fds.with(id, |fd| (fd.hold != Hold::Owned).then(|| fd.fde.clone()))?;
        self.unless_freed()?;
        let world = self.weak();
        fde.ok_or(Skipped)?.set_close_fn(move |_number| world().say(format_args!("close e{id}")));
        Ok(None)
    }

    fn set_flags(&self, id: usize, flags: FdFlags) -> Outcome {
        let (fde, file) = self.0.fds.with(id, |fd| (fd.fde.clone(), fd.file))?;
        let may_ask = self.0.freed.get() || self.may_ask(file, flags);
        skip_if(self.0.waiting.get() || !may_ask)?;
        let before = fde.flags();
        fde.set_flags(flags);
        if !flags.contains(before) {
            self.fd_lapses(id);
        }
        Ok(None)
    }

    pub(super) fn fd_lapses(&self, id: usize) {
        let shared = self.0.fds.with(id, |fd| (fd.hold == Hold::Shared).then_some(fd.file));
        if let Ok(Some(file)) = shared {
            let _ = self.0.files.with(file, |slot| slot.lapsed = true);
        }
    }

    fn free_fd(&self, id: usize) -> Outcome {
        // FD-9: C cannot free an event whose handler was entered a second time by nesting.
        skip_if(self.0.fds.with(id, |fd| fd.running > 0 && fd.entered_again)?)?;
        self.drop_fd(id)?;
        Ok(None)
    }

    fn drop_fd(&self, id: usize) -> Result<(), Skipped> {
        self.fd_lapses(id);
        let slot = self.0.fds.take(id)?;
        let owner = match slot.of {
            None => slot.owner,
            Some(of) => self.plain_req(of)?.take(&slot.fde),
        };
        drop(owner.expect("an event that lives has an owner"));
        Ok(())
    }

    pub(super) fn free_fds(&self) {
        for id in self.0.fds.which(|_| true) {
            let _ = self.drop_fd(id);
        }
    }

    pub(super) fn events_on(&self, file: usize, mut which: impl FnMut(&FdRef) -> bool) -> usize {
        self.0.fds.which(|fd| fd.file == file && which(&fd.fde)).len()
    }

    /// 0.14.1 serves no third event on a number by epoll (FD-4), and lets siblings share the memory of an error (FD-6,
    /// MUST DIFFER).
    fn has_room(&self, file: usize) -> bool {
        let count = self.events_on(file, |_| true);
        let sound = self.0.files.with(file, |slot| ready(slot, PollFlags::empty()).is_empty());
        count == 0 || (count < 2 && sound.unwrap_or(false))
    }

    /// Where a shared file was let go since the last wait, the Rust library has not told the kernel yet, so that its place
    /// among the ready ones is another (docs/differences.md).
    fn may_ask(&self, file: usize, flags: FdFlags) -> bool {
        flags.is_empty() || self.0.files.with(file, |slot| !slot.lapsed).unwrap_or(true)
    }

    pub(super) fn fds_live(&self) -> bool {
        self.0.fds.any(|_| true)
    }

    /// Whether the turn would have to choose between several events on one number: 0.14.1 does not rotate there, and
    /// lets them share the memory of an error (FD-4, FD-6).
    pub(super) fn siblings_clash(&self) -> bool {
        let mut clash = false;
        self.0.files.for_each(|id, slot| {
            let armed = |fde: &FdRef| !fde.flags().is_empty();
            if self.events_on(id, |_| true) < 2 || self.events_on(id, armed) == 0 {
                return;
            }
            let ready = ready(slot, PollFlags::IN | PollFlags::OUT);
            let failed = ready.intersects(PollFlags::HUP | PollFlags::ERR);
            let told = [(PollFlags::IN, FdFlags::READ), (PollFlags::OUT, FdFlags::WRITE)];
            let told = told.iter().filter(|(flag, _)| ready.contains(*flag));
            let told = told.fold(FdFlags::NONE, |all, (_, flag)| all | *flag);
            clash |= failed || self.events_on(id, |fde| fde.flags().intersects(told)) >= 2;
        });
        clash
    }
}

/// How the file stands, without waiting. Failures are told unasked.
fn ready(slot: &FileSlot, asked: PollFlags) -> PollFlags {
    let mut asked = [PollFd::new(&slot.file, asked)];
    let _ = poll(&mut asked, Some(&Timespec::default()));
    asked[0].revents()
}
