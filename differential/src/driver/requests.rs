//! Requests: making, keeping and freeing them, and their functions.

use tevent::queue::{QueueWait, wait_send};
use tevent::{ContextRef, Req, ReqRef, ReqState, Wakeup, wakeup_send};

use super::{Outcome, Skipped, World, skip_if};
use crate::scenario::Op;

/// A request of any type. C has one type for all.
#[derive(Clone)]
pub(super) enum AnyRef {
    Plain(ReqRef<()>),
    Wakeup(ReqRef<Wakeup>),
    Wait(ReqRef<QueueWait>),
}

enum Owner {
    Plain(Req<()>),
    Wakeup(Req<Wakeup>),
    Wait(Req<QueueWait>),
}

/// The same for requests of each type.
macro_rules! each {
    ($any:ident, $one:expr, $req:ident => $do:expr) => {
        match $one {
            $any::Plain($req) => $do,
            $any::Wakeup($req) => $do,
            $any::Wait($req) => $do,
        }
    };
}
pub(super) use each;

/// Whose a request is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Home {
    Top,
    /// A sub-request, of the parent's state.
    Subreq(usize),
    Kept(usize),
}

pub(super) struct ReqSlot {
    pub(super) req: AnyRef,
    owner: Option<Owner>,
    home: Home,
    pub(super) callback_set: bool,
    /// How often it stands in its own cleanup or cancel function: then C cannot free it.
    pinned: usize,
    /// An end time is set.
    pub(super) timed: bool,
}

impl ReqSlot {
    fn new(req: AnyRef, home: Home) -> Self {
        ReqSlot { req, owner: None, home, callback_set: false, pinned: 0, timed: false }
    }

    fn owned(owner: Owner) -> Self {
        let req = match &owner {
            Owner::Plain(req) => AnyRef::Plain((**req).clone()),
            Owner::Wakeup(req) => AnyRef::Wakeup((**req).clone()),
            Owner::Wait(req) => AnyRef::Wait((**req).clone()),
        };
        ReqSlot { owner: Some(owner), ..ReqSlot::new(req, Home::Top) }
    }

    pub(super) fn is_top(&self) -> bool {
        self.home == Home::Top
    }

    /// In progress or not, an error or not, the state and the code.
    pub(super) fn standing(&self) -> String {
        let (progress, error) = each!(AnyRef, &self.req, req => (req.is_in_progress(), req.result().err()));
        let (state, code) = match &error {
            Some(error) => (error.state(), error.code()),
            None => (ReqState::Done, 0),
        };
        format!("{},{},{},{code}", u8::from(progress), u8::from(error.is_some()), state as u8)
    }
}

impl AnyRef {
    pub(super) fn state(&self) -> ReqState {
        each!(AnyRef, self, req => req.state())
    }
}

impl World {
    pub(super) fn req_op(&self, op: &Op) -> Option<Outcome> {
        Some(match *op {
            Op::Req(req, callback) => self.create(req.0, callback.0.map(|script| Some(script.0))),
            Op::Sub(req, parent, callback) => self.add_sub(req.0, parent.0, callback.0.map(|script| script.0)),
            Op::Wakeup(req, when, callback) => {
                let when = self.when(when);
                self.add_stock(req.0, callback.0.map(|script| script.0), |ev| Ok(Owner::Wakeup(wakeup_send(ev, when))))
            }
            Op::Wait(req, queue, callback) => {
                let join = |ev: &ContextRef| {
                    let queue = self.queue_for_wait(queue.0)?;
                    Ok(Owner::Wait(wait_send(ev, &queue)))
                };
                if self.0.queues.lives(queue.0) {
                    self.add_stock(req.0, callback.0.map(|script| script.0), join)
                } else {
                    Err(Skipped)
                }
            }
            Op::Keep(req, parent) => self.keep(req.0, parent.0),
            Op::Take(req) => self.take(req.0),
            Op::Callback(req, script) => self.with_plain(req.0, |req, id| {
                self.set_callback(id, &AnyRef::Plain(req.clone()), script.0.map(|script| script.0));
            }),
            Op::CleanupFn(req, script) => self.with_plain(req.0, |req, id| {
                let (world, script) = (self.weak(), script.0.map(|script| script.0));
                req.set_cleanup_fn(move |_req, state| {
                    world().pinned(id, format_args!("cleanup r{id} {}", state as u8), script);
                });
            }),
            Op::CancelFn(req, says, script) => self.with_plain(req.0, |req, id| {
                let (world, script) = (self.weak(), script.0.map(|script| script.0));
                req.set_cancel_fn(move |_req| {
                    world().pinned(id, format_args!("cancel r{id}"), script);
                    says.0
                });
            }),
            Op::Received(req) => self.received(req.0),
            Op::FreeReq(req) => self.free_req(req.0),
            _ => return None,
        })
    }

    /// Whether events and sub-requests can be given to the request's state.
    pub(super) fn can_own(&self, of: Option<usize>) -> Result<(), Skipped> {
        self.unless_freed()?;
        let Some(of) = of else { return Ok(()) };
        skip_if(self.plain_req(of)?.state() == ReqState::Received)
    }

    pub(super) fn plain_req(&self, id: usize) -> Result<ReqRef<()>, Skipped> {
        match self.0.requests.with(id, |slot| slot.req.clone())? {
            AnyRef::Plain(req) => Ok(req),
            AnyRef::Wakeup(_) | AnyRef::Wait(_) => Err(Skipped),
        }
    }

    fn with_plain(&self, id: usize, act: impl FnOnce(&ReqRef<()>, usize)) -> Outcome {
        self.can_own(Some(id))?;
        act(&self.plain_req(id)?, id);
        Ok(None)
    }

    /// `callback`: none, or one with a script or without.
    fn create(&self, id: usize, callback: Option<Option<usize>>) -> Outcome {
        self.unless_freed()?;
        self.0.requests.claim(id)?;
        let slot = ReqSlot::owned(Owner::Plain(Req::create(())));
        let req = slot.req.clone();
        self.0.requests.put(id, slot);
        if let Some(script) = callback {
            self.set_callback(id, &req, script);
        }
        Ok(None)
    }

    fn add_stock(
        &self,
        id: usize,
        callback: Option<usize>,
        send: impl FnOnce(&ContextRef) -> Result<Owner, Skipped>,
    ) -> Outcome {
        self.unless_freed()?;
        self.0.requests.claim(id)?;
        let slot = ReqSlot::owned(send(&self.0.ev)?);
        let req = slot.req.clone();
        let timed = matches!(req, AnyRef::Wakeup(_));
        self.0.requests.put(id, ReqSlot { timed, ..slot });
        self.set_callback(id, &req, callback);
        Ok(None)
    }

    fn set_callback(&self, id: usize, req: &AnyRef, script: Option<usize>) {
        let world = self.weak();
        let _ = self.0.requests.with(id, |slot| slot.callback_set = true);
        each!(AnyRef, req, req => req.set_callback(move |_req| world().handle(format_args!("callback r{id}"), script)));
    }

    fn add_sub(&self, id: usize, parent: usize, script: Option<usize>) -> Outcome {
        self.can_own(Some(parent))?;
        self.0.requests.claim(id)?;
        let (world, req) = (self.weak(), self.plain_req(parent)?);
        let sub = req.add_subreq(Req::create(()), move |_parent, sub| world().sub_called_back(id, sub, script));
        let slot = ReqSlot::new(AnyRef::Plain(sub), Home::Subreq(parent));
        self.0.requests.put(id, ReqSlot { callback_set: true, ..slot });
        Ok(None)
    }

    /// A sub-request comes by value, and is freed in the end where the handler has not put it elsewhere.
    fn sub_called_back(&self, id: usize, sub: Req<()>, script: Option<usize>) {
        let _ = self.0.requests.with(id, |slot| {
            slot.owner = Some(Owner::Plain(sub));
            slot.home = Home::Top;
            slot.callback_set = false;
        });
        self.handle(format_args!("callback r{id}"), script);
        if self.0.requests.with(id, |slot| slot.is_top()).unwrap_or(false) && !self.is_pinned(id) {
            let _ = self.drop_req(id);
        }
    }

    fn keep(&self, id: usize, parent: usize) -> Outcome {
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

    fn take(&self, id: usize) -> Outcome {
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

    fn pinned(&self, id: usize, told: impl std::fmt::Display, script: Option<usize>) {
        let _ = self.0.requests.with(id, |slot| slot.pinned += 1);
        self.handle(told, script);
        let _ = self.0.requests.with(id, |slot| slot.pinned -= 1);
    }

    /// Whether it, or one that goes with it, stands in its own cleanup or cancel function.
    fn is_pinned(&self, id: usize) -> bool {
        let all = self.0.requests.which(|slot| slot.pinned > 0);
        all.into_iter().any(|pinned| self.is_within(pinned, id))
    }

    /// What a handler must not touch any more, from the moment at which freeing begins.
    fn children_of_state_die(&self, of: usize) {
        let of = Some(of);
        for id in self.0.fds.which(|fd| fd.of == of) {
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

    fn drop_req(&self, id: usize) -> Result<(), Skipped> {
        let owner = self.owner_of(id)?;
        let slot = self.dies(id)?;
        self.0.freeing.set(self.0.freeing.get() + 1);
        drop(owner);
        self.0.freeing.set(self.0.freeing.get() - 1);
        drop(slot);
        Ok(())
    }

    fn free_req(&self, id: usize) -> Outcome {
        skip_if(self.0.waiting.get() || self.is_pinned(id))?;
        self.drop_req(id)?;
        Ok(None)
    }

    fn received(&self, id: usize) -> Outcome {
        self.unless_freed()?;
        let req = self.0.requests.with(id, |slot| slot.req.clone())?;
        // The trigger of a wait request that is in progress would finish it once more: undefined in C.
        let waits = matches!(&req, AnyRef::Wait(req) if req.is_in_progress());
        skip_if(self.0.waiting.get() || self.is_pinned(id) || req.state() == ReqState::Received || waits)?;
        self.children_of_state_die(id);
        self.0.freeing.set(self.0.freeing.get() + 1);
        each!(AnyRef, &req, req => req.received());
        self.0.freeing.set(self.0.freeing.get() - 1);
        Ok(None)
    }

    pub(super) fn free_requests(&self) {
        for id in self.0.requests.which(ReqSlot::is_top) {
            let _ = self.drop_req(id);
        }
    }
}
