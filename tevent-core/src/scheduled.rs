//! What waits for its turn among the immediates: one list, in which the posted callbacks of requests stand too, so that a
//! post needs no event of its own.

use std::rc::Rc;

use crate::context::ContextRef;
use crate::fifo::{Standing, Ticket};
use crate::immediate::{ImmediateRef, Once};
use crate::panics::Panics;
use crate::req::Known;
use crate::stack::bounded_drop;

pub(crate) enum Scheduled {
    /// With its own handler.
    Immediate(ImmediateRef),
    /// With another, for this one time.
    Once(Box<dyn Once>),
    /// A request whose callback was posted (REQ-4).
    Posted(Rc<dyn Known>),
}

impl Scheduled {
    /// Its turn has come: it is off the list.
    #[inline]
    pub(crate) fn run(self, ev: &ContextRef) {
        match self {
            Scheduled::Immediate(im) => im.run(ev),
            Scheduled::Once(once) => once.run(ev),
            Scheduled::Posted(req) => req.call_posted(),
        }
    }

    /// Its list has gone.
    pub(crate) fn unlink(&self) {
        match self {
            Scheduled::Immediate(im) => im.unlink(),
            Scheduled::Once(once) => once.im().unlink(),
            Scheduled::Posted(req) => req.set_post(None),
        }
    }

    /// Its context has gone.
    pub(crate) fn abandon(self) {
        let mut panics = Panics::default();
        match &self {
            Scheduled::Immediate(im) => panics.catch(|| im.leave()),
            Scheduled::Once(once) => panics.catch(|| once.im().leave()),
            Scheduled::Posted(_req) => {}
        }
        panics.catch(|| self.discard());
        panics.resume();
    }

    /// It has lost its place. What it was to be run with is the user's, so nothing may be borrowed.
    pub(crate) fn discard(self) {
        if let Scheduled::Once(once) = self {
            bounded_drop(once);
        }
    }
}

impl Standing for Scheduled {
    fn moved(&self, to: Ticket) {
        match self {
            Scheduled::Immediate(im) => im.moved(to),
            Scheduled::Once(once) => once.im().moved(to),
            Scheduled::Posted(req) => req.set_post(Some(to)),
        }
    }
}
