//! An immediate among those that wait for their turns: it joins them, runs, and leaves.

use super::{ATTACHED, DUE, FREED, INTERNAL, ImmediateRef, LISTED};
use crate::context::ContextRef;
use crate::fifo::{Standing, Ticket};
use crate::look::look;
use crate::panics::Panics;
use crate::scheduled::Scheduled;
use crate::stack::bounded_drop;
use crate::trace::{EventKind, EventTracePoint, Traced};

impl ImmediateRef {
    /// Runs the handler of an immediate that the turn has taken off the list.
    #[inline]
    pub(crate) fn run(&self, ev: &ContextRef) {
        if ev.trace().is_on() {
            return self.run_told(ev);
        }
        if !self.0.is(INTERNAL) {
            ev.counters().count_handler(EventKind::Immediate);
        }
        let _after = LeaveUnlessListed(self, ev);
        // Before the handler: it may schedule the immediate again (IM-3).
        self.0.unmark(LISTED);
        self.0.call((ev, self));
    }

    #[cold]
    fn run_told(&self, ev: &ContextRef) {
        self.run_as(ev, |due| {
            if due {
                self.0.call((ev, self));
            }
        });
    }

    /// The same with a handler for this one time.
    pub(crate) fn run_with(
        &self,
        ev: &ContextRef,
        handler: impl FnOnce(&ContextRef, &ImmediateRef) + 'static,
    ) {
        self.run_as(ev, |due| if due { handler(ev, self) } else { bounded_drop(handler) });
    }

    /// `call` is told whether it is still to run: whoever was told that it runs now may have freed, cancelled or scheduled it.
    fn run_as(&self, ev: &ContextRef, call: impl FnOnce(bool)) {
        // Before the handler: it may schedule the immediate again (IM-3).
        self.0.unmark(LISTED);
        self.0.mark(DUE);
        let _after = LeaveUnlessListed(self, ev);
        if self.0.is(INTERNAL) {
            call(true);
        } else {
            ev.handle(Traced::Immediate(self), || call(self.0.is(DUE)));
        }
    }

    /// Its list has gone.
    pub(crate) fn unlink(&self) {
        self.0.unmark(LISTED);
    }

    /// Whether it belongs to that context already, and nobody has to be told of it.
    pub(super) fn stays_on(&self, ev: &ContextRef) -> bool {
        let was_on = look(&self.0.ev, |on| on.is(ev)) == Some(true);
        was_on && !self.0.is(FREED) && !ev.is_freed() && !self.is_traced(ev)
    }

    /// Whether it has the last place already, with its own handler.
    pub(super) fn is_last(&self, ev: &ContextRef) -> bool {
        let place = self.0.ticket.get();
        self.0.is(LISTED) && matches!(ev.immediates().borrow().back_at(place), Some(Scheduled::Immediate(_)))
    }

    /// Leaves where it was. False if it is not to be scheduled: it, or the context, may have been freed just now, or long ago;
    /// and whoever was told that it has left may have scheduled it.
    pub(super) fn comes_to(&self, ev: &ContextRef) -> bool {
        self.leave();
        let comes = !self.0.is(FREED.or(LISTED)) && !ev.is_freed();
        if comes {
            self.0.ev.set(Some(ev.downgrade()));
        }
        comes
    }

    #[inline]
    pub(super) fn take_last_place(&self, ev: &ContextRef, what: impl FnOnce() -> Scheduled) {
        let im = &self.0;
        im.unmark(DUE);
        im.mark(LISTED.or(ATTACHED));
        im.ticket.set(ev.immediates().borrow_mut().push_back(what));
    }

    /// Takes the last place, and whoever has to know is told.
    pub(super) fn stand(&self, ev: &ContextRef, what: impl FnOnce() -> Scheduled) {
        let old = if self.0.is(LISTED) { self.give_up_place(ev) } else { None };
        self.take_last_place(ev, what);
        ev.is_due_earlier();
        self.tell(ev, EventTracePoint::Attach);
        if let Some(old) = old {
            old.discard();
        }
    }

    #[inline(never)]
    fn give_up_place(&self, ev: &ContextRef) -> Option<Scheduled> {
        ev.immediates().borrow_mut().remove(self.0.ticket.get())
    }

    /// Off the list, and detached.
    #[inline]
    pub(crate) fn leave(&self) {
        let im = &self.0;
        let Some(on) = im.ev.take() else { return };
        let was_attached = im.is(ATTACHED);
        im.unmark(DUE.or(ATTACHED));
        if was_attached
            && let Some(ev) = on.upgrade()
            && (im.is(LISTED) || self.is_traced(&ev))
        {
            self.leave_place(&ev);
        }
    }

    #[inline(never)]
    fn leave_place(&self, ev: &ContextRef) {
        let listed = if self.0.is(LISTED) { self.give_up_place(ev) } else { None };
        self.0.unmark(LISTED);
        // It is discarded also when whoever is told panics.
        let mut panics = Panics::default();
        panics.catch(|| self.tell(ev, EventTracePoint::Detach));
        if let Some(listed) = listed {
            panics.catch(|| listed.discard());
        }
        panics.resume();
    }

    #[cold]
    fn has_run_told(&self, ev: &ContextRef) {
        if self.is_traced(ev) {
            self.leave();
        } else {
            self.0.unmark(ATTACHED.or(DUE));
        }
    }

    fn is_traced(&self, ev: &ContextRef) -> bool {
        ev.trace().is_on() && !self.0.is(INTERNAL)
    }

    fn tell(&self, ev: &ContextRef, at: EventTracePoint) {
        if self.is_traced(ev) {
            ev.tell(Traced::Immediate(self), at);
        }
    }
}

/// What an immediate was scheduled with, for one time (IM-2).
pub(crate) trait Once {
    fn im(&self) -> &ImmediateRef;
    fn run(self: Box<Self>, ev: &ContextRef);
}

pub(super) struct Given<F> {
    pub(super) im: ImmediateRef,
    pub(super) handler: F,
}

impl<F: FnOnce(&ContextRef, &ImmediateRef) + 'static> Once for Given<F> {
    fn im(&self) -> &ImmediateRef {
        &self.im
    }

    fn run(self: Box<Self>, ev: &ContextRef) {
        let Given { im, handler } = *self;
        im.run_with(ev, handler);
    }
}

impl Standing for ImmediateRef {
    fn moved(&self, to: Ticket) {
        self.0.ticket.set(to);
    }
}

/// After a handler, also one that panicked.
struct LeaveUnlessListed<'a>(&'a ImmediateRef, &'a ContextRef);

impl Drop for LeaveUnlessListed<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        let im = &self.0.0;
        if im.is(LISTED) {
            return;
        }
        if self.1.trace().is_on() {
            self.0.has_run_told(self.1);
        } else {
            im.unmark(ATTACHED.or(DUE));
        }
    }
}
