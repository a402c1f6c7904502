//! Requests: making them, and their functions.

use std::fmt;

use tevent::queue::{QueueWait, wait_send};
use tevent::{ContextRef, Req, ReqRef, ReqState, Wakeup, wakeup_send};

use super::homes::Home;
use super::{Outcome, Skipped, World, skip_if};
use crate::scenario::Op;

/// A request of any type. C has one type for all.
#[derive(Clone)]
pub(super) enum AnyRef {
    Plain(ReqRef<()>),
    Wakeup(ReqRef<Wakeup>),
    Wait(ReqRef<QueueWait>),
}

pub(super) enum Owner {
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

pub(super) struct ReqSlot {
    pub(super) req: AnyRef,
    /// `None` where a request has it.
    pub(super) owner: Option<Owner>,
    pub(super) home: Home,
    pub(super) callback_set: bool,
    /// How often it stands in its own cleanup, or it or a child is being freed: then C cannot free it.
    pub(super) pinned: usize,
    /// How often its callback runs.
    pub(super) calling: usize,
    /// An end time is set; a posted callback may drop it.
    pub(super) timed: bool,
    pub(super) posted: bool,
}

impl ReqSlot {
    fn new(req: AnyRef, home: Home) -> Self {
        ReqSlot {
            req,
            owner: None,
            home,
            callback_set: false,
            pinned: 0,
            calling: 0,
            timed: false,
            posted: false,
        }
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
            Op::Req(req, callback) => self.create(req.0, callback.number()),
            Op::Sub(req, parent, callback) => self.add_sub(req.0, parent.0, callback.number()),
            Op::Wakeup(req, when, callback) => {
                let when = self.when(when);
                self.add_stock(req.0, callback.number(), |ev| Ok(Owner::Wakeup(wakeup_send(ev, when))))
            }
            Op::Wait(req, queue, callback) => {
                let join = |ev: &ContextRef| {
                    let queue = self.queue_for_wait(queue.0)?;
                    Ok(Owner::Wait(wait_send(ev, &queue)))
                };
                if self.0.queues.lives(queue.0) {
                    self.add_stock(req.0, callback.number(), join)
                } else {
                    Err(Skipped)
                }
            }
            Op::Keep(req, parent) => self.keep(req.0, parent.0),
            Op::Take(req) => self.take(req.0),
            Op::Callback(req, script) => self.with_plain(req.0, |req, id| {
                self.set_callback(id, &AnyRef::Plain(req.clone()), script.number());
            }),
            Op::CleanupFn(req, script) => self.with_plain(req.0, |req, id| {
                let (world, script) = (self.weak(), script.number());
                req.set_cleanup_fn(move |_req, state| {
                    world().pinned(id, format_args!("cleanup r{id} {}", state as u8), script);
                });
            }),
            Op::CancelFn(req, says, script) => self.with_plain(req.0, |req, id| {
                let (world, script) = (self.weak(), script.number());
                req.set_cancel_fn(move |_req| {
                    world().handle(format_args!("cancel r{id}"), script);
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

    fn create(&self, id: usize, callback: Option<usize>) -> Outcome {
        self.unless_freed()?;
        self.0.requests.claim(id)?;
        let slot = ReqSlot::owned(Owner::Plain(Req::create(())));
        let req = slot.req.clone();
        self.0.requests.put(id, slot);
        if callback.is_some() {
            self.set_callback(id, &req, callback);
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
        each!(AnyRef, req, req => req.set_callback(move |_req| world().called_back(id, script)));
    }

    fn called_back(&self, id: usize, script: Option<usize>) {
        // It may be gone from the shelf when the handler returns.
        let _ = self.0.requests.with(id, |slot| slot.calling += 1);
        self.handle(format_args!("callback r{id}"), script);
        let _ = self.0.requests.with(id, |slot| slot.calling -= 1);
    }

    fn add_sub(&self, id: usize, parent: usize, script: Option<usize>) -> Outcome {
        self.can_own(Some(parent))?;
        self.0.requests.claim(id)?;
        let (world, req) = (self.weak(), self.plain_req(parent)?);
        let sub =
            req.add_subreq(Req::create(()), move |_parent, sub| world().sub_called_back(id, sub, script));
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
        self.called_back(id, script);
        if self.0.requests.with(id, |slot| slot.is_top()).unwrap_or(false) && !self.is_pinned(id) {
            let _ = self.drop_req(id);
        }
    }

    fn pinned(&self, id: usize, told: impl fmt::Display, script: Option<usize>) {
        let _ = self.0.requests.with(id, |slot| slot.pinned += 1);
        self.handle(told, script);
        let _ = self.0.requests.with(id, |slot| slot.pinned -= 1);
    }
}
