//! Running the loop (LOOP-1 to LOOP-4).

use std::time::Duration;

use crate::context::ContextRef;
use crate::dispatch::{self, Patience};
use crate::error::LoopError;
use crate::foreign::Beside;
use crate::location::Location;

impl ContextRef {
    /// One turn: runs the handlers of at most one source. See the [order of a turn](crate#the-order-of-a-turn).
    ///
    /// Waits when nothing is ready, at most until the next timer is due or, without timers, for the
    /// [wait timeout](Self::set_wait_timeout); then it succeeds with nothing run. A panic of the handler passes
    /// through and leaves the loop usable.
    ///
    /// C equivalent: `tevent_loop_once`. Spec: LOOP-1, LOOP-2, LOOP-5, LOOP-10.
    ///
    /// ```
    /// use tevent_core::{Context, When};
    ///
    /// let ctx = Context::new()?;
    /// let first = ctx.add_timer(When::Zero, |_ev, _te, _now| println!("first"));
    /// let second = ctx.add_timer(When::Zero, |_ev, _te, _now| println!("second"));
    /// ctx.loop_once()?;
    /// assert!(!first.is_pending() && second.is_pending()); // one source a turn
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// See [`LoopError`]. A signal that interrupts the wait is none.
    ///
    /// # Panics
    /// Inside a handler of the same context without [`allow_nesting`](Self::allow_nesting).
    #[doc(alias = "tevent_loop_once")]
    #[track_caller]
    pub fn loop_once(&self) -> Result<(), LoopError> {
        let _then = Beside(self);
        self.nested(Location::caller(), || dispatch::turn(self, Patience::AsSet))
    }

    /// Turns the loop until no event is left that could fire: no timer, no scheduled immediate, and no fd event
    /// with a flag set (one that has been told of an error and asks WRITE alone can never fire, and does not count).
    ///
    /// C equivalent: `tevent_loop_wait`. Spec: LOOP-3.
    ///
    /// # Errors
    /// A failing turn ends it with that failure. See [`LoopError`]. A context that one of its handlers frees meanwhile
    /// has no event left, and that is no failure.
    ///
    /// # Panics
    /// Inside a handler of the same context without [`allow_nesting`](Self::allow_nesting).
    #[doc(alias = "tevent_loop_wait")]
    #[track_caller]
    pub fn loop_wait(&self) -> Result<(), LoopError> {
        self.assert_may_run();
        if self.is_freed() {
            return Err(LoopError::Freed);
        }
        while self.has_events() {
            self.loop_once()?;
        }
        Ok(())
    }

    /// Turns the loop while `finished()` is false. All its turns are one nesting level.
    ///
    /// It is asked between turns. What another thread or a signal handler has set is seen only when the wait ends (a
    /// signal that arrives in the wait ends it). To wake it, a thread [schedules](Self::threaded) a closure, if an empty one.
    ///
    /// C equivalent: `tevent_loop_until`. Spec: LOOP-4.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc, time::Duration};
    /// use tevent_core::{Backend, Context};
    ///
    /// let ctx = Context::builder().backend(Backend::Simulated { seed: 1 }).build()?;
    /// let ticks = Rc::new(Cell::new(0));
    /// let count = Rc::clone(&ticks);
    /// let _tick = ctx.add_timer(Duration::from_secs(1), move |_ev, te, _now| {
    ///     count.set(count.get() + 1);
    ///     te.update(Duration::from_secs(1)); // for ever: `loop_wait` would never return
    /// });
    /// ctx.loop_until(|| ticks.get() == 3)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A failing turn ends it with that failure, so does a context that a handler has freed. See [`LoopError`].
    ///
    /// # Panics
    /// Inside a handler of the same context without [`allow_nesting`](Self::allow_nesting).
    #[doc(alias = "tevent_loop_until")]
    #[track_caller]
    pub fn loop_until(&self, mut finished: impl FnMut() -> bool) -> Result<(), LoopError> {
        let _then = Beside(self);
        self.nested(Location::caller(), || {
            while !finished() {
                dispatch::turn(self, Patience::AsSet)?;
            }
            Ok(())
        })
    }

    /// Sets how long a turn waits when no timer is pending, and returns the old value: 30 seconds at first.
    ///
    /// `None` waits for ever. Zero never waits, also when a timer is pending: [`loop_once`](Self::loop_once) then
    /// fails with [`LoopError::WouldBlock`] when nothing was ready. Above 24.8 days a real wait ends early, with
    /// nothing run, and the next turn waits again.
    ///
    /// C equivalent: `tevent_context_set_wait_timeout`, in seconds, with `INT32_MAX` for ever. Spec: LOOP-2.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tevent_core::{Context, LoopError};
    ///
    /// let ctx = Context::new()?;
    /// let old = ctx.set_wait_timeout(Duration::ZERO);
    /// assert_eq!(old, Some(Duration::from_secs(30)));
    /// assert!(matches!(ctx.loop_once(), Err(LoopError::WouldBlock)));
    /// ctx.set_wait_timeout(None); // for ever
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "tevent_context_set_wait_timeout")]
    pub fn set_wait_timeout(&self, timeout: impl Into<Option<Duration>>) -> Option<Duration> {
        self.wait_timeout().replace(timeout.into())
    }

    /// Whether an event is left that could fire: for the C ABI.
    #[doc(hidden)]
    pub fn has_events(&self) -> bool {
        let armed = self.with_fds(|fds| fds.armed() > 0).unwrap_or(false);
        armed
            || self.timers().borrow().len() > self.left_out_timers().get()
            || !self.immediates().borrow().is_empty()
            || !self.signals().is_empty()
            || self.threads().awaited() > 0
            || self.tasks().are_woken()
    }
}
