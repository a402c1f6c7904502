//! What waits for its turn among the immediates: one list, in which the posted callbacks of requests stand too, so that a
//! post needs no event of its own.

use std::rc::Rc;

use crate::batch::Batch;
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
    /// Closures of other threads (THR-1).
    Afar(Box<Batch>),
}

impl Scheduled {
    /// Its turn has come: it is off the list.
    #[inline]
    pub(crate) fn run(self, ev: &ContextRef) {
        if let Scheduled::Immediate(im) = self {
            return im.run(ev);
        }
        self.run_other(ev);
    }

    #[inline(never)]
    fn run_other(self, ev: &ContextRef) {
        match self {
            Scheduled::Immediate(im) => im.run(ev),
            Scheduled::Once(once) => once.run(ev),
            Scheduled::Posted(req) => req.call_posted(),
            Scheduled::Afar(batch) => batch.run_first(ev),
        }
    }

    /// Its list has gone.
    pub(crate) fn unlink(&self) {
        match self {
            Scheduled::Immediate(im) => im.unlink(),
            Scheduled::Once(once) => once.im().unlink(),
            Scheduled::Posted(req) => req.set_post(None),
            Scheduled::Afar(_batch) => {}
        }
    }

    /// How many handlers and callbacks it stands for.
    pub(crate) fn count(&self) -> usize {
        if let Scheduled::Afar(batch) = self { batch.len() } else { 1 }
    }

    /// Its context has gone.
    pub(crate) fn abandon(self, ev: &ContextRef) {
        let mut panics = Panics::default();
        match &self {
            Scheduled::Immediate(im) => panics.catch(|| im.leave()),
            Scheduled::Once(once) => panics.catch(|| once.im().leave()),
            Scheduled::Posted(_) | Scheduled::Afar(_) => {}
        }
        panics.catch(|| match self {
            Scheduled::Afar(batch) => batch.abandon(ev),
            one => one.discard(),
        });
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
            Scheduled::Afar(_batch) => {}
        }
    }
}
