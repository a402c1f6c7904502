//! Whose requests are: keeping, taking and freeing them.

use std::iter;

use tevent::ReqState;

use super::requests::{AnyRef, Owner, ReqSlot, each};
use super::{Outcome, Skipped, World, skip_if};

/// Whose a request is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    Top,
    /// A sub-request, of the parent's state.
    Subreq(usize),
    Kept(usize),
}

impl World {
    pub(super) fn keep(&self, id: usize, parent: usize) -> Outcome {
        let requests = &self.0.requests;
        self.unless_freed()?;
        skip_if(self.0.waiting.get() || !requests.with(id, |slot| slot.is_top())?)?;
        let home = self.plain_req(parent)?;
        skip_if(self.is_within(parent, id))?;
        let owner = requests.with(id, |slot| {
            slot.home = Home::Kept(parent);
            slot.owner.take()
        })?;
        each!(Owner, owner.ok_or(Skipped)?, req => drop(home.keep(req)));
        Ok(None)
    }

    pub(super) fn take(&self, id: usize) -> Outcome {
        skip_if(self.0.waiting.get())?;
        let home = self.0.requests.with(id, |slot| slot.home)?;
        let Home::Kept(_) = home else { return Err(Skipped) };
        let owner = self.owner_of(id)?;
        self.0.requests.with(id, |slot| {
            slot.owner = owner;
            slot.home = Home::Top;
        })?;
        Ok(None)
    }

    /// Takes the owner from where it is.
    fn owner_of(&self, id: usize) -> Result<Option<Owner>, Skipped> {
        let (req, home, here) =
            self.0.requests.with(id, |slot| (slot.req.clone(), slot.home, slot.owner.take()))?;
        let (Home::Subreq(parent) | Home::Kept(parent)) = home else { return Ok(here) };
        let parent = self.plain_req(parent)?;
        Ok(match &req {
            AnyRef::Plain(req) => parent.take(req).map(Owner::Plain),
            AnyRef::Wakeup(req) => parent.take(req).map(Owner::Wakeup),
            AnyRef::Wait(req) => parent.take(req).map(Owner::Wait),
        })
    }

    fn parent_of(&self, id: usize) -> Option<usize> {
        match self.0.requests.with(id, |slot| slot.home) {
            Ok(Home::Subreq(parent) | Home::Kept(parent)) => Some(parent),
            _ => None,
        }
    }

    fn is_within(&self, inner: usize, outer: usize) -> bool {
        inner == outer || self.parent_of(inner).is_some_and(|parent| self.is_within(parent, outer))
    }

    /// Whether it, or one that goes with it, stands in its own cleanup.
    pub(super) fn is_pinned(&self, id: usize) -> bool {
        let all = self.0.requests.which(|slot| slot.pinned > 0);
        all.into_iter().any(|pinned| self.is_within(pinned, id))
    }

    /// What a handler must not touch any more, from the moment at which freeing begins.
    fn children_of_state_die(&self, of: usize) {
        let of = Some(of);
        for id in self.0.fds.which(|fd| fd.of == of) {
            self.fd_lapses(id);
            let _ = self.0.fds.take(id);
        }
        for id in self.0.timers.which(|timer| timer.of == of) {
            let _ = self.0.timers.take(id);
        }
        for id in self.0.immediates.which(|im| im.of == of) {
            let _ = self.0.immediates.take(id);
        }
        for id in self.0.requests.which(|req| Some(req.home) == of.map(Home::Subreq)) {
            let _ = self.dies(id);
        }
    }

    fn dies(&self, id: usize) -> Result<ReqSlot, Skipped> {
        let slot = self.0.requests.take(id)?;
        self.children_of_state_die(id);
        for kept in self.0.requests.which(|req| req.home == Home::Kept(id)) {
            let _ = self.dies(kept);
        }
        self.entries_die(id);
        Ok(slot)
    }

    pub(super) fn drop_req(&self, id: usize) -> Result<(), Skipped> {
        let parents = self.with_parents(id);
        let owner = self.owner_of(id)?;
        let slot = self.dies(id)?;
        self.freeing(&parents, || drop(owner));
        drop(slot);
        Ok(())
    }

    /// It and what it goes with, which cannot be freed while it is being freed itself.
    fn with_parents(&self, id: usize) -> Vec<usize> {
        iter::successors(Some(id), |id| self.parent_of(*id)).collect()
    }

    fn freeing(&self, pinned: &[usize], free: impl FnOnce()) {
        let pin = |pinned: &[usize], change: fn(&mut usize)| {
            for id in pinned {
                // The one that is freed lives no more.
                let _ = self.0.requests.with(*id, |slot| change(&mut slot.pinned));
            }
        };
        let freeing = &self.0.freeing;
        pin(pinned, |count| *count += 1);
        freeing.set(freeing.get() + 1);
        free();
        freeing.set(freeing.get() - 1);
        pin(pinned, |count| *count -= 1);
    }

    pub(super) fn free_req(&self, id: usize) -> Outcome {
        skip_if(self.0.waiting.get() || self.is_pinned(id))?;
        self.drop_req(id)?;
        Ok(None)
    }

    pub(super) fn received(&self, id: usize) -> Outcome {
        self.unless_freed()?;
        let req = self.0.requests.with(id, |slot| slot.req.clone())?;
        // The trigger of a wait request that is in progress would finish it once more: undefined in C.
        let waits = matches!(&req, AnyRef::Wait(req) if req.is_in_progress());
        skip_if(self.0.waiting.get() || self.is_pinned(id) || req.state() == ReqState::Received || waits)?;
        self.children_of_state_die(id);
        let parents = self.with_parents(id);
        self.freeing(&parents, || each!(AnyRef, &req, req => req.received()));
        Ok(None)
    }

    pub(super) fn free_requests(&self) {
        for id in self.0.requests.which(ReqSlot::is_top) {
            let _ = self.drop_req(id);
        }
    }
}
