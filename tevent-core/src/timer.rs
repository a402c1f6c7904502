//! Timer events (TIMER): one shot, in the order of their deadlines.

use std::cell::Cell;
use std::fmt;
use std::time::{Duration, Instant};

use crate::context::ContextRef;
use crate::event::{EventBase, event_ref};
use crate::location::Location;
use crate::look::look;
use crate::panics::Panics;
use crate::sys::event_rc::{Event, EventRc, Handler, Mark};
use crate::timer_heap::{Place, Queued};
use crate::timer_queue::Due;
use crate::trace::{EventTracePoint, Traced};

/// When a timer is due.
///
/// `Duration` and `Instant` convert into it, so that `ev.add_timer(Duration::from_secs(5), …)` reads well.
///
/// ```
/// use std::time::Duration;
/// use tevent_core::When;
///
/// assert_eq!(When::from(Duration::from_secs(5)), When::In(Duration::from_secs(5)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum When {
    /// The zero time: due at once, before all other timers, at no clock call (TIMER-2).
    ///
    /// C equivalent: `tevent_timeval_zero`.
    #[doc(alias = "tevent_timeval_zero")]
    Zero,
    /// A point on the context's clock, as [`ContextRef::now`] tells it.
    At(Instant),
    /// A delay from now. One so long that the clock cannot hold it is due about 30 years from now.
    ///
    /// C equivalent: `tevent_timeval_current_ofs`.
    #[doc(alias = "tevent_timeval_current_ofs")]
    In(Duration),
}

impl From<Duration> for When {
    fn from(delay: Duration) -> Self {
        When::In(delay)
    }
}

impl From<Instant> for When {
    fn from(point: Instant) -> Self {
        When::At(point)
    }
}

impl When {
    /// Farther away than any process lives, and near enough for every clock to hold.
    const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

    fn due(self, ev: &ContextRef) -> Due {
        match self {
            When::Zero => None,
            When::At(point) => Some(point),
            When::In(delay) => {
                let now = ev.now();
                Some(now.checked_add(delay).or_else(|| now.checked_add(Self::FAR)).unwrap_or(now))
            }
        }
    }
}

/// A timer that fires once. Owns: dropping it cancels it.
///
/// Made by [`ContextRef::add_timer`]. All its methods are those of [`TimerRef`], to which it derefs;
/// `timer.clone()` gives such a Ref.
///
/// Once it has fired it is spent: its handler is dropped, and it leaves the home that keeps it. Its own
/// handler can keep it going with [`update`](TimerRef::update).
///
/// Making one allocates once, moving, firing and dropping it do not. Dropping is O(log n) in the number of pending timers, and next to
/// nothing for the one with the latest deadline; the context keeps the room for as many as were ever pending at a time.
///
/// C equivalent: `struct tevent_timer`. Spec: TIMER-1 to TIMER-8.
#[doc(alias = "tevent_timer")]
#[must_use = "dropping a Timer cancels it; `ctx.keep(timer)` lets it run"]
pub struct Timer(TimerRef);

/// A handle on a [`Timer`]: a cheap clone that frees nothing and turns inert when the owner goes.
#[derive(Clone)]
pub struct TimerRef(EventRc<Inner>);

event_ref!(Timer, TimerRef, "tevent_timer_set_tag", "tevent_timer_get_tag");

struct Inner {
    base: EventBase,
    /// `None` once it is freed or spent, or its context is gone.
    ctx: Cell<Option<ContextRef>>,
    /// In the queue of its context.
    place: Place,
}

/// Told to traces as attached.
const ATTACHED: Mark = Mark::nth(0);
/// The library's own: it is not traced (TRACE-3).
const INTERNAL: Mark = Mark::nth(1);

/// With the words of its `EventRc` and the allocator's it takes 80 bytes, where its handler captures one word.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(16 + size_of::<Inner>() + 8 <= 72);

impl Event for Inner {
    type Args<'a> = (&'a ContextRef, &'a TimerRef, Option<Instant>);
    type Beside = ();
}

impl<F: Fn(&ContextRef, &TimerRef, Option<Instant>) + 'static> Handler<Inner> for F {
    #[inline]
    fn handle(&self, (ev, te, now): (&ContextRef, &TimerRef, Option<Instant>)) {
        self(ev, te, now);
    }
}

impl Queued for TimerRef {
    fn place(&self) -> &Place {
        &self.0.place
    }
}

impl ContextRef {
    /// Adds a timer. Its handler runs once, never before it is due, in a turn of its own; of several that
    /// are due the one with the earlier deadline comes first, and of equal ones the one added first.
    ///
    /// The handler is given the context, the timer and the current time, or `None` for a
    /// [zero](When::Zero) timer. Dropping the [`Timer`] cancels it, also inside any handler. On a context that
    /// has been freed the timer is inert.
    ///
    /// C equivalent: `tevent_add_timer`. Spec: TIMER-1 to TIMER-3.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tevent_core::{Context, When};
    ///
    /// let ctx = Context::new()?;
    /// let period = Duration::from_millis(1);
    /// let tick = ctx.add_timer(period, move |_ev, te, now| {
    ///     println!("tick at {now:?}");
    ///     if te.tag() < 2 {
    ///         te.set_tag(te.tag() + 1);
    ///         te.update(period); // periodic: re-armed inside its own handler
    ///     }
    /// });
    /// ctx.loop_wait()?;
    /// assert_eq!(tick.tag(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Complexity
    /// O(log n) in the number of pending timers.
    #[doc(alias = "tevent_add_timer")]
    #[doc(alias = "tevent_timer_handler_t")]
    #[track_caller]
    pub fn add_timer(
        &self,
        when: impl Into<When>,
        handler: impl Fn(&ContextRef, &TimerRef, Option<Instant>) + 'static,
    ) -> Timer {
        self.arm(when.into(), false, handler)
    }

    /// A timer of the library's own.
    #[track_caller]
    pub(crate) fn add_internal_timer(
        &self,
        when: When,
        handler: impl Fn(&ContextRef, &TimerRef, Option<Instant>) + 'static,
    ) -> Timer {
        self.arm(when, true, handler)
    }

    #[track_caller]
    fn arm(
        &self,
        when: When,
        internal: bool,
        handler: impl Fn(&ContextRef, &TimerRef, Option<Instant>) + 'static,
    ) -> Timer {
        let freed = self.is_freed();
        let location = Location::caller();
        let make = || Inner {
            base: EventBase::at(location),
            ctx: Cell::new((!freed).then(|| self.clone())),
            place: Place::new(),
        };
        let te = Timer(TimerRef(EventRc::new(make, handler)));
        if internal {
            te.0.0.mark(INTERNAL);
        }
        if freed {
            te.0.0.dismiss();
        } else {
            te.stand(self, when);
        }
        te
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl TimerRef {
    /// Moves the timer to a new time, behind all with the same time. Inside its own handler it arms the
    /// timer again (TIMER-8).
    ///
    /// Returns false, and does nothing, when the timer is spent or freed or its context is gone. Allocates
    /// nothing.
    ///
    /// C equivalent: `tevent_update_timer`. Spec: TIMER-4, TIMER-8.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tevent_core::{Backend, Context};
    ///
    /// let ctx = Context::builder().backend(Backend::Simulated { seed: 1 }).build()?;
    /// let (minute, started) = (Duration::from_secs(60), ctx.now());
    /// let idle = ctx.add_timer(minute, |_ev, _te, _now| {});
    /// ctx.advance_clock(minute / 2);
    /// assert!(idle.update(minute)); // something happened: a minute from now
    /// ctx.loop_wait()?;
    /// assert_eq!(ctx.now() - started, minute * 3 / 2);
    /// assert!(!idle.update(minute)); // it is spent
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Complexity
    /// O(log n) in the number of pending timers.
    #[doc(alias = "tevent_update_timer")]
    pub fn update(&self, when: impl Into<When>) -> bool {
        let when = when.into(); // the caller's code
        let Some(ev) = look(&self.0.ctx, Clone::clone) else { return false };
        self.tell_detached(&ev);
        // Looked at here, because whoever is told may have freed it, or the context.
        if ev.is_freed() || look(&self.0.ctx, |_ev| ()).is_none() {
            return false;
        }
        self.stand(&ev, when);
        true
    }

    /// Takes its new place in the queue of its context.
    fn stand(&self, ev: &ContextRef, when: When) {
        let due = when.due(ev);
        let is_first = {
            let mut timers = ev.timers().borrow_mut();
            if self.is_pending() {
                timers.update(self, due);
            } else {
                timers.insert(due, self);
            }
            ev.is_hosted() && timers.is_first(self)
        };
        if is_first {
            ev.is_due_earlier();
        }
        if !self.0.is(INTERNAL) {
            self.0.mark(ATTACHED);
            ev.tell(Traced::Timer(self), EventTracePoint::Attach);
        }
    }

    /// Whether it will fire: neither spent nor freed.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.0.place.is_taken()
    }

    /// When it is due: [`When::Zero`] or [`When::At`], never `In`. `None` if it will not fire.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tevent_core::{Context, When};
    ///
    /// let ctx = Context::new()?;
    /// let at = ctx.now() + Duration::from_millis(1);
    /// let timer = ctx.add_timer(at, |_ev, _te, _now| {});
    /// assert_eq!(timer.due(), Some(When::At(at)));
    /// ctx.loop_wait()?;
    /// assert_eq!(timer.due(), None); // it has fired
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn due(&self) -> Option<When> {
        let due = look(&self.0.ctx, |ev| ev.timers().borrow().due(self))??;
        Some(due.map_or(When::Zero, When::At))
    }

    /// Runs the handler of a timer that the turn has taken out of the queue (TIMER-1).
    pub(crate) fn run(&self, ev: &ContextRef, now: Option<Instant>) {
        let _after = SpendUnlessRearmed(self);
        if self.0.is(INTERNAL) {
            self.0.call((ev, self, now));
        } else {
            ev.handle(Traced::Timer(self), || self.0.call((ev, self, now)));
        }
    }

    fn tell_detached(&self, ev: &ContextRef) {
        if self.0.is(ATTACHED) {
            self.0.unmark(ATTACHED);
            ev.tell(Traced::Timer(self), EventTracePoint::Detach);
        }
    }

    /// The end of it, freed, spent, or left by its context: it is out of the queue and its handler goes.
    pub(crate) fn end(&self) {
        // Also when one who is told panics.
        let _then = Dismiss(self);
        let Some(ev) = self.0.ctx.take() else { return };
        if self.is_pending() {
            let queued = ev.timers().borrow_mut().remove(self);
            drop(queued);
        }
        if ev.trace().is_on() {
            // It may be freed while a panic is on its way.
            let mut panics = Panics::default();
            panics.catch(|| self.tell_detached(&ev));
            panics.resume();
        }
    }
}

struct Dismiss<'a>(&'a TimerRef);

impl Drop for Dismiss<'_> {
    fn drop(&mut self) {
        self.0.0.dismiss_before_drop();
    }
}

struct SpendUnlessRearmed<'a>(&'a TimerRef);

impl Drop for SpendUnlessRearmed<'_> {
    fn drop(&mut self) {
        let te = self.0;
        if te.0.calls() == 0 && !te.is_pending() {
            let _then = LeaveHome(te);
            te.end();
        }
    }
}

struct LeaveHome<'a>(&'a TimerRef);

impl Drop for LeaveHome<'_> {
    fn drop(&mut self) {
        // Dropped here, outside any borrow: the box of the owner that the home kept.
        drop(self.0.0.base.home.leave());
    }
}

impl fmt::Debug for TimerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer")
            .field("due", &self.due())
            .field("tag", &self.tag())
            .field("location", &self.location())
            .finish_non_exhaustive()
    }
}
