//! Fd events.

use std::rc::Rc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tevent::{FdEvent, FdFlags, FdRef, FdSource};

use super::{Outcome, Skipped, World, skip_if};
use crate::scenario::Op;
use crate::words::{Flags, Maybe, Req, Script};

pub(super) struct FdSlot {
    pub(super) fde: FdRef,
    /// `None` where a request has it.
    owner: Option<FdEvent>,
    file: usize,
    closes: bool,
    pub(super) of: Option<usize>,
    pub(super) running: usize,
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
            Op::Fd(e, file, flags, script, of) => self.add_fd(e.0, file.0, flags.0, (script, of), Hold::Borrowed),
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
        let (script, of) = (script.0.map(|script| script.0), of.0.map(|req| req.0));
        self.unless_freed()?;
        skip_if(inner.waiting.get() || !inner.files.lives(file))?;
        self.can_own(of)?;
        skip_if(self.more_armed_than_c_can(file, flags, None))?;
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
        let slot = |fde, owner| FdSlot { fde, owner, file, closes: hold == Hold::Owned, of, running: 0 };
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
        // It may be gone from the shelf when the handler returns.
        let _ = self.0.fds.with(id, |fd| fd.running += 1);
        self.handle(format_args!("fd e{id} {}", Flags(flags)), script);
        let _ = self.0.fds.with(id, |fd| fd.running -= 1);
    }

    fn set_close_fn(&self, id: usize) -> Outcome {
        let fde = self.0.fds.with(id, |fd| (!fd.closes).then(|| fd.fde.clone()))?;
        self.unless_freed()?;
        let world = self.weak();
        fde.ok_or(Skipped)?.set_close_fn(move |_number| world().say(format_args!("close e{id}")));
        Ok(None)
    }

    fn set_flags(&self, id: usize, flags: FdFlags) -> Outcome {
        let (fde, file) = self.0.fds.with(id, |fd| (fd.fde.clone(), fd.file))?;
        let too_many = || self.more_armed_than_c_can(file, flags, Some(&fde));
        skip_if(self.0.waiting.get() || (!self.0.freed.get() && too_many()))?;
        fde.set_flags(flags);
        Ok(None)
    }

    fn free_fd(&self, id: usize) -> Outcome {
        // FD-9: C cannot free an event whose handler was entered a second time by nesting.
        skip_if(self.0.fds.with(id, |fd| fd.running >= 2)?)?;
        self.drop_fd(id)?;
        Ok(None)
    }

    fn drop_fd(&self, id: usize) -> Result<(), Skipped> {
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

    /// A third event on a number that asks for flags makes 0.14.1 leave epoll.
    fn more_armed_than_c_can(&self, file: usize, flags: FdFlags, but: Option<&FdRef>) -> bool {
        !flags.is_empty() && self.events_on(file, |fde| !fde.flags().is_empty() && Some(fde) != but) >= 2
    }

    pub(super) fn fds_armed(&self) -> bool {
        self.0.fds.any(|fd| !fd.fde.flags().is_empty())
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
            let mut asked = [PollFd::new(&slot.file, PollFlags::IN | PollFlags::OUT)];
            let _ = poll(&mut asked, Some(&Timespec::default()));
            let ready = asked[0].revents();
            let failed = ready.intersects(PollFlags::HUP | PollFlags::ERR);
            let told = [(PollFlags::IN, FdFlags::READ), (PollFlags::OUT, FdFlags::WRITE)];
            let told = told.iter().filter(|(flag, _)| ready.contains(*flag));
            let told = told.fold(FdFlags::NONE, |all, (_, flag)| all | *flag);
            clash |= failed || self.events_on(id, |fde| fde.flags().intersects(told)) >= 2;
        });
        clash
    }
}
