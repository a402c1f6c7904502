//! Finding what holds a loop up: handlers that run too long, and immediates that starve fds.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::traced::{EventKind, Traced};
use crate::context::ContextRef;
use crate::location::Location;
use crate::stack::bounded_drop;

/// What a [watchdog](ContextRef::set_watchdog) has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Alarm {
    /// A handler ran longer than the limit.
    #[non_exhaustive]
    SlowHandler {
        /// Of which kind of event.
        kind: EventKind,
        /// Where the event was created.
        location: Location,
        /// The event's tag.
        tag: u64,
        /// How long the handler ran, the loop inside of it too.
        ran: Duration,
    },
    /// The loop has not looked at its fds for longer than the limit, because something of a higher priority was always ready.
    /// Told once, until it has looked again.
    #[non_exhaustive]
    FdsStarve {
        /// The kind of event that ran last.
        kind: EventKind,
        /// Where that was created.
        location: Location,
        /// How many handlers have run meanwhile.
        handlers: u64,
        /// How long it has been.
        waited: Duration,
    },
}

type Report = dyn Fn(&ContextRef, Alarm);

#[derive(Default)]
pub(crate) struct Watchdog {
    report: RefCell<Option<(Duration, Rc<Report>)>>,
    /// When the loop last looked at its fds, and how many handlers have run since.
    looked: Cell<Option<Instant>>,
    handlers: Cell<u64>,
    told: Cell<bool>,
}

impl ContextRef {
    /// Reports each handler that ran longer than `limit`, when it has returned, and when fds starve: the loop did not look at
    /// them for longer than that, though it ran all the time. Replaces an earlier watchdog.
    ///
    /// It costs two looks at the clock for each handler. C has no equivalent.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc, time::Duration};
    /// use tevent_core::{Alarm, Backend, Context};
    ///
    /// let ctx = Context::builder().backend(Backend::Simulated { seed: 1 }).build()?;
    /// let slowest = Rc::new(Cell::new(Duration::ZERO));
    /// let note = Rc::clone(&slowest);
    /// ctx.set_watchdog(Duration::from_millis(100), move |_ev, alarm| {
    ///     if let Alarm::SlowHandler { ran, location, .. } = alarm {
    ///         println!("the handler of the event created at {location} took {ran:?}");
    ///         note.set(ran.max(note.get()));
    ///     }
    /// });
    /// ctx.keep(ctx.add_timer(Duration::ZERO, |ev, _te, _now| ev.advance_clock(Duration::from_secs(1)))); // a second of work
    /// ctx.loop_once()?;
    /// assert_eq!(slowest.get(), Duration::from_secs(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_watchdog(&self, limit: Duration, report: impl Fn(&ContextRef, Alarm) + 'static) {
        self.replace_watchdog(Some((limit, Rc::new(report))));
    }

    /// Reports nothing any more.
    pub fn clear_watchdog(&self) {
        self.replace_watchdog(None);
    }

    fn replace_watchdog(&self, report: Option<(Duration, Rc<Report>)>) {
        let watchdog = &self.trace().watchdog;
        let now = report.is_some();
        let old = watchdog.report.replace(report);
        self.attention().count_listener(old.is_some(), now);
        self.looked_at_fds();
        bounded_drop(old);
    }

    /// The loop has looked at its fds.
    pub(super) fn looked_at_fds(&self) {
        let watchdog = &self.trace().watchdog;
        let watching = watchdog.report.borrow().is_some();
        watchdog.looked.set(watching.then(|| self.now()));
        watchdog.handlers.set(0);
        watchdog.told.set(false);
    }

    /// When the handler was called, if anybody watches.
    pub(super) fn begin_handler(&self, event: Traced<'_>) -> Option<Instant> {
        let watchdog = &self.trace().watchdog;
        let looked = watchdog.looked.get()?;
        let now = self.now();
        if event.kind() == EventKind::Fd {
            // Fds have their turn, also where the kernel was not asked: those of a batch, and those that are always ready.
            watchdog.looked.set(Some(now));
            watchdog.handlers.set(0);
            watchdog.told.set(false);
        } else {
            watchdog.handlers.set(watchdog.handlers.get() + 1);
            let (kind, location, handlers) = (event.kind(), event.location(), watchdog.handlers.get());
            let waited = now.saturating_duration_since(looked);
            // A single handler may be slow; that is another alarm.
            if handlers > 1 && !watchdog.told.get() {
                self.alarm(waited, || {
                    // Before it is told: it may run the loop.
                    watchdog.told.set(true);
                    Alarm::FdsStarve { kind, location, handlers, waited }
                });
            }
        }
        Some(now)
    }

    pub(super) fn end_handler(&self, event: Traced<'_>, begun: Option<Instant>) {
        let Some(begun) = begun else { return };
        let ran = self.now().saturating_duration_since(begun);
        let (kind, location, tag) = (event.kind(), event.location(), event.tag());
        self.alarm(ran, || Alarm::SlowHandler { kind, location, tag, ran });
    }

    /// Reports what took longer than the limit.
    fn alarm(&self, took: Duration, alarm: impl FnOnce() -> Alarm) {
        let report = self.trace().watchdog.report.borrow().clone();
        let Some((_limit, report)) = report.filter(|(limit, _report)| took > *limit) else { return };
        let alarm = alarm();
        #[cfg(feature = "tracing")]
        super::crate_tracing::alarm(&alarm);
        report(self, alarm);
        bounded_drop(report);
    }
}
