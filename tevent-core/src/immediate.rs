//! Immediate events (IM): handlers that run in the next turns, first in, first out, one a turn.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use crate::context::ContextRef;
use crate::event::{EventBase, event_ref};
use crate::fifo::{Standing, Ticket};
use crate::location::Location;
use crate::look::look;
use crate::panics::Panics;
use crate::scheduled::Scheduled;
use crate::stack::bounded_drop;
use crate::sys::slot::Slot;
use crate::trace::{EventTracePoint, Traced};

/// An event whose handler runs in a coming turn of the loop, before any timer or fd. Owns: dropping it
/// cancels it.
///
/// Made once, scheduled again and again; [`schedule`](ImmediateRef::schedule) allocates nothing. All its
/// methods are those of [`ImmediateRef`], to which it derefs; `im.clone()` gives such a Ref.
///
/// An `Immediate` that is kept inside its own handler can never be dropped and leaks; let the context or a
/// request keep it ([`ContextRef::keep`]).
///
/// C equivalent: the object made by `tevent_create_immediate`. Spec: IM-1 to IM-3.
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// use tevent_core::{Context, Immediate};
///
/// let ctx = Context::new()?;
/// let left = Rc::new(Cell::new(3));
/// let count = Rc::clone(&left);
/// let im = Immediate::new(move |ev, im| {
///     count.set(count.get() - 1);
///     if count.get() > 0 {
///         im.schedule(ev); // goes to the tail
///     }
/// });
/// im.schedule(&ctx);
/// ctx.loop_wait()?;
/// assert_eq!(left.get(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "tevent_immediate")]
#[must_use = "dropping an Immediate cancels it"]
pub struct Immediate(ImmediateRef);

/// A handle on an [`Immediate`]: a cheap clone that frees nothing and turns inert when the owner goes.
#[derive(Clone)]
pub struct ImmediateRef(Rc<Inner<dyn Call>>);

event_ref!(Immediate, ImmediateRef, "tevent_immediate_set_tag", "tevent_immediate_get_tag");

pub(crate) type Once = Box<dyn FnOnce(&ContextRef, &ImmediateRef)>;

struct Inner<H: ?Sized> {
    base: EventBase,
    /// The context it is scheduled on, until its handler has returned.
    ev: Cell<Option<ContextRef>>,
    /// Its place in the context's list, while it is `listed`.
    ticket: Cell<Ticket>,
    /// Waits for its turn.
    listed: Cell<bool>,
    /// The turn has taken it off the list to run it, and it was not cancelled since.
    due: Cell<bool>,
    /// Its handler is not called again.
    freed: Cell<bool>,
    traits: Cell<Traits>,
    handler: H,
}

#[derive(Clone, Copy)]
struct Traits {
    /// Part of something else: it is not traced (TRACE-3).
    internal: bool,
    /// Was made without a handler.
    empty: bool,
}

trait Call {
    fn call(&self, ev: &ContextRef, im: &ImmediateRef);
    fn dismiss(&self);
}

impl<F: Fn(&ContextRef, &ImmediateRef) + 'static> Call for Slot<F> {
    fn call(&self, ev: &ContextRef, im: &ImmediateRef) {
        Slot::call(self, |handler| handler(ev, im));
    }

    fn dismiss(&self) {
        Slot::dismiss(self);
    }
}

impl Immediate {
    /// Makes an immediate with its handler, not scheduled yet.
    ///
    /// The handler is given the context whose turn it is and the immediate itself.
    ///
    /// C equivalent: `tevent_create_immediate`. Spec: IM-1.
    #[doc(alias = "tevent_create_immediate")]
    #[doc(alias = "tevent_immediate_handler_t")]
    #[track_caller]
    pub fn new(handler: impl Fn(&ContextRef, &ImmediateRef) + 'static) -> Self {
        Immediate::build(Location::caller(), false, Slot::new(handler))
    }

    /// Makes an immediate without a handler, for [`schedule_with`](ImmediateRef::schedule_with).
    ///
    /// C equivalent: `tevent_create_immediate`, whose handler comes with each schedule. Spec: IM-1.
    #[doc(alias = "tevent_create_immediate")]
    #[track_caller]
    pub fn empty() -> Self {
        Immediate::empty_at(Location::caller())
    }

    /// Keeps it out of [traces](crate::Trace), the [watchdog](ContextRef::set_watchdog) and [counts](crate::Stats): it is a part
    /// of something that is traced itself. For crates that bring events or requests of their own.
    pub fn untraced(self) -> Self {
        self.0.0.traits.set(Traits { internal: true, ..self.0.0.traits.get() });
        self
    }

    pub(crate) fn empty_at(location: Location) -> Self {
        Immediate::build(location, true, Slot::<fn(&ContextRef, &ImmediateRef)>::empty())
    }

    fn build(location: Location, empty: bool, handler: impl Call + 'static) -> Self {
        Immediate(ImmediateRef(Rc::new(Inner {
            base: EventBase::at(location),
            ev: Cell::new(None),
            ticket: Cell::new(Ticket::VOID),
            listed: Cell::new(false),
            due: Cell::new(false),
            freed: Cell::new(false),
            traits: Cell::new(Traits { internal: false, empty }),
            handler,
        })))
    }
}

impl Drop for Immediate {
    fn drop(&mut self) {
        self.0.0.freed.set(true);
        // Also when whoever is told that it leaves panics.
        let _at_last = Dismiss(&self.0);
        self.0.leave();
    }
}

struct Dismiss<'a>(&'a ImmediateRef);

impl Drop for Dismiss<'_> {
    fn drop(&mut self) {
        self.0.0.handler.dismiss();
    }
}

impl ImmediateRef {
    /// Schedules the immediate's own handler: it runs in a coming turn, after all that were scheduled before.
    ///
    /// One that is scheduled already moves to the tail, also from another context's list. Without a handler
    /// ([`Immediate::empty`]) this cancels, as in C, and so it does when the context is gone. When the owner is gone
    /// nothing happens.
    ///
    /// Allocates nothing once the context's list has grown to its working size.
    ///
    /// C equivalent: `tevent_schedule_immediate`. Spec: IM-1, IM-2.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// use tevent_core::{Context, Immediate};
    ///
    /// let ctx = Context::new()?;
    /// let runs = Rc::new(Cell::new(0));
    /// let count = Rc::clone(&runs);
    /// let im = Immediate::new(move |_ev, _im| count.set(count.get() + 1));
    /// im.schedule(&ctx);
    /// im.schedule(&ctx); // only moves it to the tail
    /// assert_eq!(runs.get(), 0); // never inside this call
    /// ctx.loop_wait()?;
    /// assert_eq!(runs.get(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Complexity
    /// O(1).
    #[doc(alias = "tevent_schedule_immediate")]
    pub fn schedule(&self, ev: &ContextRef) {
        if self.0.traits.get().empty {
            self.reset();
        } else {
            self.enlist(ev, None);
        }
    }

    /// Schedules the immediate with a handler for this one time, in place of any it was scheduled with.
    ///
    /// The handler is dropped after it ran, or when the immediate is cancelled, scheduled again or freed. When the
    /// owner or the context is gone it is dropped at once. Each call allocates.
    ///
    /// C equivalent: `tevent_schedule_immediate`. Spec: IM-2.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// use tevent_core::{Context, Immediate};
    ///
    /// let ctx = Context::new()?;
    /// let im = Immediate::empty();
    /// let got = Rc::new(Cell::new(""));
    /// let (first, second) = (Rc::clone(&got), Rc::clone(&got));
    /// im.schedule_with(&ctx, move |_ev, _im| first.set("first"));
    /// im.schedule_with(&ctx, move |_ev, _im| second.set("second")); // in place of the first
    /// ctx.loop_wait()?;
    /// assert_eq!(got.get(), "second");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "tevent_schedule_immediate")]
    pub fn schedule_with(&self, ev: &ContextRef, handler: impl FnOnce(&ContextRef, &ImmediateRef) + 'static) {
        self.enlist(ev, Some(Box::new(handler)));
    }

    /// Cancels: the immediate is not scheduled any more; it can be scheduled again. Inside its own handler
    /// this undoes what the handler has scheduled.
    ///
    /// C equivalent: `tevent_reset_immediate`, or scheduling with a `NULL` handler. Spec: IM-2.
    ///
    /// ```
    /// use tevent_core::{Context, Immediate};
    ///
    /// let ctx = Context::new()?;
    /// let im = Immediate::new(|_ev, _im| unreachable!("it was cancelled"));
    /// im.schedule(&ctx);
    /// im.reset();
    /// assert!(!im.is_scheduled());
    /// ctx.loop_wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "tevent_reset_immediate")]
    pub fn reset(&self) {
        self.leave();
    }

    /// Whether it waits for its turn. False inside its own handler, until that schedules it again (IM-3).
    #[must_use]
    pub fn is_scheduled(&self) -> bool {
        self.0.listed.get()
    }

    /// Runs the handler of an immediate that the turn has taken off the list.
    #[inline]
    pub(crate) fn run(&self, ev: &ContextRef, once: Option<Once>) {
        // Before the handler: it may schedule the immediate again (IM-3).
        self.0.listed.set(false);
        self.0.due.set(true);
        let _after = LeaveUnlessListed(self);
        let call = || match once {
            None if self.0.due.get() => self.0.handler.call(ev, self),
            Some(handler) if self.0.due.get() => handler(ev, self),
            // Whoever was told that it runs now has freed, cancelled or scheduled it.
            once => bounded_drop(once),
        };
        if self.0.traits.get().internal {
            call();
        } else {
            ev.handle(Traced::Immediate(self), call);
        }
    }

    /// Its list has gone.
    pub(crate) fn unlink(&self) {
        self.0.listed.set(false);
    }

    /// Its context has gone.
    pub(crate) fn abandon(&self, once: Option<Once>) {
        let mut panics = Panics::default();
        panics.catch(|| self.leave());
        panics.catch(|| bounded_drop(once));
        panics.resume();
    }

    fn enlist(&self, ev: &ContextRef, once: Option<Once>) {
        let stays = look(&self.0.ev, |on| on == ev) == Some(true) && !self.is_traced(ev);
        if !stays {
            self.leave();
            // Whoever was told that it has left may have scheduled it.
            if self.0.listed.get() {
                return bounded_drop(once);
            }
        }
        // It, or the context, may have been freed just now, or long ago.
        if self.0.freed.get() || ev.is_freed() {
            return bounded_drop(once);
        }
        if !stays {
            self.0.ev.set(Some(ev.clone()));
        }
        let listed = self.0.listed.replace(true);
        self.0.due.set(false);
        let mut immediates = ev.immediates().borrow_mut();
        let old = if listed { immediates.remove(self.0.ticket.get()) } else { None };
        self.0.ticket.set(immediates.push_back(Scheduled::Immediate(self.clone(), once)));
        drop(immediates);
        ev.is_due_earlier();
        self.tell(ev, EventTracePoint::Attach);
        // Last, because what it was to be run with is the user's.
        if let Some(Scheduled::Immediate(_im, Some(once))) = old {
            bounded_drop(once);
        }
    }

    /// Off the list, and detached.
    fn leave(&self) {
        let Some(ev) = self.0.ev.take() else { return };
        self.0.due.set(false);
        let listed = if self.0.listed.take() {
            ev.immediates().borrow_mut().remove(self.0.ticket.get())
        } else {
            None
        };
        if listed.is_none() && !self.is_traced(&ev) {
            return;
        }
        let mut panics = Panics::default();
        panics.catch(|| self.tell(&ev, EventTracePoint::Detach));
        panics.catch(|| bounded_drop(listed));
        panics.resume();
    }

    fn is_traced(&self, ev: &ContextRef) -> bool {
        ev.trace().is_on() && !self.0.traits.get().internal
    }

    fn tell(&self, ev: &ContextRef, at: EventTracePoint) {
        if self.is_traced(ev) {
            ev.tell(Traced::Immediate(self), at);
        }
    }
}

impl Standing for ImmediateRef {
    fn moved(&self, to: Ticket) {
        self.0.ticket.set(to);
    }
}

/// After a handler, also one that panicked.
struct LeaveUnlessListed<'a>(&'a ImmediateRef);

impl Drop for LeaveUnlessListed<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.0.0.listed.get() {
            self.0.leave();
        }
    }
}

impl fmt::Debug for ImmediateRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Immediate")
            .field("scheduled", &self.is_scheduled())
            .field("tag", &self.tag())
            .field("location", &self.location())
            .finish_non_exhaustive()
    }
}
