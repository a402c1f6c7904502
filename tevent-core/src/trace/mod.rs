//! Watching a loop at work (TRACE): callbacks at its points and for its events.
//!
//! Every kind of event comes through here twice: [`ContextRef::tell`] when it is attached or detached, and
//! [`ContextRef::handle`] when its handler is called. While nobody listens each costs one branch (TRACE-6).

mod debug;
mod hook;
mod traced;
mod watchdog;

#[cfg(feature = "tracing")]
pub(crate) mod crate_tracing;

use std::cell::RefCell;
use std::rc::Rc;

use crate::attention::{Attention, Cause};
use crate::context::ContextRef;
use crate::fd::FdRef;
use crate::immediate::ImmediateRef;
use crate::signal::SignalRef;
use crate::timer::TimerRef;

pub use debug::DebugLevel;
pub use hook::Hook;
pub use traced::{EventKind, TracedQueueEntry};
pub use watchdog::Alarm;

pub(crate) use debug::Debug;
pub(crate) use traced::Traced;
pub(crate) use watchdog::Watchdog;

/// A point in the course of a loop.
///
/// C equivalent: `enum tevent_trace_point`, with the same numbers. Spec: TRACE-1.
#[doc(alias = "tevent_trace_point")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TracePoint {
    /// The loop is about to ask the kernel what is ready, and may sleep.
    #[doc(alias = "TEVENT_TRACE_BEFORE_WAIT")]
    BeforeWait = 0,
    /// The kernel has answered.
    #[doc(alias = "TEVENT_TRACE_AFTER_WAIT")]
    AfterWait = 1,
    /// A turn begins.
    #[doc(alias = "TEVENT_TRACE_BEFORE_LOOP_ONCE")]
    BeforeLoopOnce = 2,
    /// A turn has ended, also one that failed.
    #[doc(alias = "TEVENT_TRACE_AFTER_LOOP_ONCE")]
    AfterLoopOnce = 3,
}

/// A point in the life of an event. Each [`Attach`](Self::Attach) is followed by exactly one [`Detach`](Self::Detach).
///
/// C equivalent: `enum tevent_event_trace_point`, with the same numbers. Spec: TRACE-2.
#[doc(alias = "tevent_event_trace_point")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventTracePoint {
    /// It can fire from now on: an fd, signal or queue entry was added, a timer added or updated, an immediate scheduled.
    #[doc(alias = "TEVENT_EVENT_TRACE_ATTACH")]
    Attach = 0,
    /// It cannot fire any more: freed, left by its context, or cancelled; a timer or immediate after its handler has returned.
    #[doc(alias = "TEVENT_EVENT_TRACE_DETACH")]
    Detach = 1,
    /// Its handler is about to be called.
    #[doc(alias = "TEVENT_EVENT_TRACE_BEFORE_HANDLER")]
    BeforeHandler = 2,
}

type Place<F> = RefCell<Option<Rc<F>>>;
type OfPoint = dyn Fn(&ContextRef, TracePoint);
type OfFd = dyn Fn(&FdRef, EventTracePoint);
type OfSignal = dyn Fn(&SignalRef, EventTracePoint);
type OfTimer = dyn Fn(&TimerRef, EventTracePoint);
type OfImmediate = dyn Fn(&ImmediateRef, EventTracePoint);
type OfQueueEntry = dyn Fn(&dyn TracedQueueEntry, EventTracePoint);

/// The trace callbacks of a context, one for its points and one for each kind of event. Got with [`ContextRef::trace`].
///
/// A callback runs inside whatever it is told of: `add_fd`, `drop`, a turn. It may do anything, also free the event; one that
/// adds events is told of those too. The library's own events, such as the timer of a request's end time, are not traced.
/// Callbacks stay over [`re_initialise`](ContextRef::re_initialise) and go with the last Ref of the context.
///
/// Spec: TRACE-1, TRACE-2, TRACE-6.
///
/// ```
/// use std::{cell::RefCell, rc::Rc, time::Duration};
/// use tevent_core::{Context, EventTracePoint::{self, *}};
///
/// let ctx = Context::new()?;
/// let seen = Rc::new(RefCell::new(Vec::new()));
/// let see = Rc::clone(&seen);
/// ctx.trace().timers().set(Rc::new(move |te, at| {
///     if at == EventTracePoint::Attach {
///         te.set_tag(7); // to know it again
///     }
///     see.borrow_mut().push((te.tag(), at));
/// }));
/// ctx.keep(ctx.add_timer(Duration::ZERO, |_ev, _te, _now| {}));
/// ctx.loop_once()?;
/// assert_eq!(*seen.borrow(), [(7, Attach), (7, BeforeHandler), (7, Detach)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct Trace {
    /// Of the whole context; here, because whoever listens below is counted in it.
    pub(crate) attention: Attention,
    points: Place<OfPoint>,
    fds: Place<OfFd>,
    signals: Place<OfSignal>,
    timers: Place<OfTimer>,
    immediates: Place<OfImmediate>,
    queue_entries: Place<OfQueueEntry>,
    pub(crate) debug: Debug,
    pub(crate) watchdog: Watchdog,
}

impl Trace {
    /// Told of the points of each turn. A callback for [`BeforeWait`](TracePoint::BeforeWait) may still add and schedule
    /// events: the loop does not sleep over them.
    ///
    /// C equivalent: `tevent_set_trace_callback`, `tevent_get_trace_callback`. Spec: TRACE-1.
    #[doc(alias = "tevent_set_trace_callback")]
    #[doc(alias = "tevent_get_trace_callback")]
    #[doc(alias = "tevent_trace_callback_t")]
    pub fn points(&self) -> Hook<'_, OfPoint> {
        self.hook(&self.points)
    }

    /// Told of fd events.
    ///
    /// C equivalent: `tevent_set_trace_fd_callback`, `tevent_get_trace_fd_callback`. Spec: TRACE-2.
    #[doc(alias = "tevent_set_trace_fd_callback")]
    #[doc(alias = "tevent_get_trace_fd_callback")]
    #[doc(alias = "tevent_trace_fd_callback_t")]
    pub fn fds(&self) -> Hook<'_, OfFd> {
        self.hook(&self.fds)
    }

    /// Told of signal events.
    ///
    /// C equivalent: `tevent_set_trace_signal_callback`, `tevent_get_trace_signal_callback`. Spec: TRACE-2.
    #[doc(alias = "tevent_set_trace_signal_callback")]
    #[doc(alias = "tevent_get_trace_signal_callback")]
    #[doc(alias = "tevent_trace_signal_callback_t")]
    pub fn signals(&self) -> Hook<'_, OfSignal> {
        self.hook(&self.signals)
    }

    /// Told of timers.
    ///
    /// C equivalent: `tevent_set_trace_timer_callback`, `tevent_get_trace_timer_callback`. Spec: TRACE-2.
    #[doc(alias = "tevent_set_trace_timer_callback")]
    #[doc(alias = "tevent_get_trace_timer_callback")]
    #[doc(alias = "tevent_trace_timer_callback_t")]
    pub fn timers(&self) -> Hook<'_, OfTimer> {
        self.hook(&self.timers)
    }

    /// Told of immediates.
    ///
    /// C equivalent: `tevent_set_trace_immediate_callback`, `tevent_get_trace_immediate_callback`. Spec: TRACE-2.
    #[doc(alias = "tevent_set_trace_immediate_callback")]
    #[doc(alias = "tevent_get_trace_immediate_callback")]
    #[doc(alias = "tevent_trace_immediate_callback_t")]
    pub fn immediates(&self) -> Hook<'_, OfImmediate> {
        self.hook(&self.immediates)
    }

    /// Told of the entries of queues.
    ///
    /// C equivalent: `tevent_set_trace_queue_callback`, `tevent_get_trace_queue_callback`. Spec: TRACE-2.
    #[doc(alias = "tevent_set_trace_queue_callback")]
    #[doc(alias = "tevent_get_trace_queue_callback")]
    #[doc(alias = "tevent_trace_queue_callback_t")]
    pub fn queue_entries(&self) -> Hook<'_, OfQueueEntry> {
        self.hook(&self.queue_entries)
    }

    fn hook<'a, F: ?Sized>(&'a self, place: &'a Place<F>) -> Hook<'a, F> {
        Hook { place, attention: &self.attention }
    }

    /// Whether anybody listens to anything.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.attention.is(Cause::LISTENERS)
    }
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trace").field("listeners", &self.attention.listeners()).finish_non_exhaustive()
    }
}

impl ContextRef {
    /// An event can fire from now on, or cannot any more.
    #[inline]
    pub(crate) fn tell(&self, event: Traced<'_>, at: EventTracePoint) {
        if self.trace().is_on() {
            self.tell_listeners(event, at);
        }
    }

    /// Calls a handler.
    #[inline]
    pub(crate) fn handle(&self, event: Traced<'_>, call: impl FnOnce()) {
        self.counters().count_handler(event.kind());
        if self.trace().is_on() {
            self.handle_watched(event, call);
        } else {
            call();
        }
    }

    /// A turn has come to that point.
    #[inline]
    pub(crate) fn tell_point(&self, point: TracePoint) {
        if self.trace().is_on() {
            self.tell_listeners_of_point(point);
        }
    }

    #[cold]
    fn tell_listeners(&self, event: Traced<'_>, at: EventTracePoint) {
        #[cfg(feature = "tracing")]
        crate_tracing::event(event, at);
        self.send(DebugLevel::Trace, format_args!("{event}: {at:?}"));
        let trace = self.trace();
        match event {
            Traced::Fd(fde) => trace.fds().call(|callback| callback(fde, at)),
            Traced::Signal(se) => trace.signals().call(|callback| callback(se, at)),
            Traced::Timer(te) => trace.timers().call(|callback| callback(te, at)),
            Traced::Immediate(im) => trace.immediates().call(|callback| callback(im, at)),
            Traced::QueueEntry(entry) => trace.queue_entries().call(|callback| callback(entry, at)),
        }
    }

    #[cold]
    fn handle_watched(&self, event: Traced<'_>, call: impl FnOnce()) {
        self.tell_listeners(event, EventTracePoint::BeforeHandler);
        let watched = self.begin_handler(event);
        #[cfg(feature = "tracing")]
        crate_tracing::in_span(event, call);
        #[cfg(not(feature = "tracing"))]
        call();
        self.end_handler(event, watched);
    }

    #[cold]
    fn tell_listeners_of_point(&self, point: TracePoint) {
        #[cfg(feature = "tracing")]
        crate_tracing::point(point);
        if point == TracePoint::AfterWait {
            self.looked_at_fds();
        }
        self.trace().points().call(|callback| callback(self, point));
    }

    /// An entry of a queue is attached or detached. For crates that bring queues; their [triggers](Self::run_trigger) come as
    /// handlers do.
    pub fn trace_queue_entry(&self, entry: &dyn TracedQueueEntry, at: EventTracePoint) {
        self.tell(Traced::QueueEntry(entry), at);
    }

    /// Calls a queue's trigger, as the handlers of events are called: traced and watched. For crates that bring queues.
    pub fn run_trigger(&self, entry: &dyn TracedQueueEntry, trigger: impl FnOnce()) {
        self.handle(Traced::QueueEntry(entry), trigger);
    }
}
