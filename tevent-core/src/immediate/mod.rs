//! Immediate events (IM): handlers that run in the next turns, first in, first out, one a turn.

mod turns;

use std::cell::Cell;
use std::fmt;

use crate::attention::Cause;
use crate::context::{ContextRef, WeakContext};
use crate::event::{EventBase, event_ref};
use crate::fifo::Ticket;
use crate::location::Location;
use crate::look::look;
use crate::scheduled::Scheduled;
use crate::stack::bounded_drop;
use crate::sys::event_rc::{Event, EventRc, Handler, Mark};
use turns::Given;

pub(crate) use turns::Once;

/// An event whose handler runs in a coming turn of the loop, before any timer or fd. Owns: dropping it
/// cancels it.
///
/// Made once, scheduled again and again: making it allocates once, [`schedule`](ImmediateRef::schedule) not once the context's list has
/// grown, [`schedule_with`](ImmediateRef::schedule_with) each time, for what is decided only as it is scheduled. All its
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
pub struct ImmediateRef(EventRc<Inner>);

event_ref!(Immediate, ImmediateRef, "tevent_immediate_set_tag", "tevent_immediate_get_tag");

struct Inner {
    base: EventBase,
    /// The context it was scheduled on last. One that has run remembers it, for the next time; it keeps nothing of the
    /// user's, such as trace callbacks, which may own this immediate.
    ev: Cell<Option<WeakContext>>,
    /// Its place in the context's list, while it is `listed`.
    ticket: Cell<Ticket>,
}

/// Waits for its turn.
const LISTED: Mark = Mark::nth(0);
/// Scheduled, until its handler has returned.
const ATTACHED: Mark = Mark::nth(1);
/// The turn has taken it off the list to run it, and it was not cancelled since.
const DUE: Mark = Mark::nth(2);
/// Its handler is not called again.
const FREED: Mark = Mark::nth(3);
/// Part of something else: it is not traced (TRACE-3).
const INTERNAL: Mark = Mark::nth(4);
/// Was made without a handler.
const EMPTY: Mark = Mark::nth(5);

impl Event for Inner {
    type Args<'a> = (&'a ContextRef, &'a ImmediateRef);
    type Beside = ();
}

impl<F: Fn(&ContextRef, &ImmediateRef) + 'static> Handler<Inner> for F {
    #[inline]
    fn handle(&self, (ev, im): (&ContextRef, &ImmediateRef)) {
        self(ev, im);
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
        Immediate(ImmediateRef(EventRc::new(Inner::make(Location::caller()), handler)))
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
        self.0.0.mark(INTERNAL);
        self
    }

    pub(crate) fn empty_at(location: Location) -> Self {
        let im = EventRc::empty::<fn(&ContextRef, &ImmediateRef)>(Inner::make(location));
        im.mark(EMPTY);
        Immediate(ImmediateRef(im))
    }

    /// As if it had been scheduled when nobody listened. It is not in the list.
    pub(crate) fn scheduled_untold(ev: &ContextRef, location: Location) -> Self {
        let im = Immediate::empty_at(location);
        im.0.0.ev.set(Some(ev.downgrade()));
        im.0.0.mark(ATTACHED);
        im
    }
}

impl Inner {
    fn make(location: Location) -> impl FnOnce() -> Self {
        move || Inner { base: EventBase::at(location), ev: Cell::new(None), ticket: Cell::new(Ticket::VOID) }
    }
}

impl Drop for Immediate {
    fn drop(&mut self) {
        self.0.0.mark(FREED);
        // Also when whoever is told that it leaves panics.
        let _at_last = Dismiss(&self.0);
        if self.0.0.is(ATTACHED) {
            self.0.leave();
        }
    }
}

struct Dismiss<'a>(&'a ImmediateRef);

impl Drop for Dismiss<'_> {
    fn drop(&mut self) {
        self.0.0.dismiss_before_drop();
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
    #[inline]
    pub fn schedule(&self, ev: &ContextRef) {
        // The frequent case: it stands nowhere, is on no other context, and nobody has to be told.
        let asks_for_more = ev.attention().is(Cause::FREED.or(Cause::HOSTED).or(Cause::LISTENERS));
        if asks_for_more || self.0.is(EMPTY.or(LISTED).or(FREED)) {
            return self.schedule_anyhow(ev);
        }
        match look(&self.0.ev, |on| on.is(ev)) {
            Some(true) => {}
            None => self.0.ev.set(Some(ev.downgrade())),
            Some(false) => return self.schedule_anyhow(ev),
        }
        self.take_last_place(ev, || Scheduled::Immediate(self.clone()));
    }

    /// In all cases.
    #[inline(never)]
    fn schedule_anyhow(&self, ev: &ContextRef) {
        if self.0.is(EMPTY) {
            return self.reset();
        }
        let moves = if self.stays_on(ev) { !self.is_last(ev) } else { self.comes_to(ev) };
        if moves {
            self.stand(ev, || Scheduled::Immediate(self.clone()));
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
        if self.stays_on(ev) || self.comes_to(ev) {
            let once = Box::new(Given { im: self.clone(), handler });
            self.stand(ev, || Scheduled::Once(once));
        } else {
            bounded_drop(handler);
        }
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
        self.0.is(LISTED)
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
