//! What waits for its turn among the immediates: one list, in which the posted callbacks of requests stand too, so that a
//! post needs no event of its own.

use std::rc::Rc;

use crate::context::ContextRef;
use crate::fifo::{Standing, Ticket};
use crate::immediate::{ImmediateRef, Once};
use crate::req::Known;

pub(crate) enum Scheduled {
    /// With what runs this one time in place of its handler, if it was given something (IM-2).
    Immediate(ImmediateRef, Option<Once>),
    /// A request whose callback was posted (REQ-4).
    Posted(Rc<dyn Known>),
}

impl Scheduled {
    /// Its turn has come: it is off the list.
    pub(crate) fn run(self, ev: &ContextRef) {
        match self {
            Scheduled::Immediate(im, once) => im.run(ev, once),
            Scheduled::Posted(req) => req.call_posted(),
        }
    }

    /// Its list has gone.
    pub(crate) fn unlink(&self) {
        match self {
            Scheduled::Immediate(im, _once) => im.unlink(),
            Scheduled::Posted(req) => req.set_post(None),
        }
    }

    /// Its context has gone.
    pub(crate) fn abandon(self) {
        if let Scheduled::Immediate(im, once) = self {
            im.abandon(once);
        }
    }
}

impl Standing for Scheduled {
    fn moved(&self, to: Ticket) {
        match self {
            Scheduled::Immediate(im, _once) => im.moved(to),
            Scheduled::Posted(req) => req.set_post(Some(to)),
        }
    }
}
