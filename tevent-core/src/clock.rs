//! Setting the clock of a simulated context.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::context::ContextRef;
use crate::reactor::SimClock;

impl ContextRef {
    /// Moves the virtual clock of a [simulated](crate::Backend::Simulated) context, as if time had passed in the
    /// handler that calls it. Timers that become due run in the next turns.
    ///
    /// # Panics
    /// On a context that is not simulated: real time cannot be moved.
    #[track_caller]
    pub fn advance_clock(&self, by: Duration) {
        self.virtual_clock().advance(by);
    }

    /// Makes a [simulated](crate::Backend::Simulated) context wait really while the [`ClockHold`] lives, because
    /// something outside of the loop, such as another thread, may make an fd ready.
    ///
    /// # Panics
    /// On a context that is not simulated: real time cannot be held.
    #[track_caller]
    pub fn hold_clock(&self) -> ClockHold {
        let clock = Rc::clone(self.virtual_clock());
        clock.hold();
        ClockHold(clock)
    }

    #[track_caller]
    fn virtual_clock(&self) -> &Rc<SimClock> {
        self.sim_clock().expect("only a simulated context has a clock of its own")
    }
}

/// Makes a simulated context wait really while it lives. See [`ContextRef::hold_clock`].
#[must_use = "the clock is held as long as this lives"]
pub struct ClockHold(Rc<SimClock>);

impl Drop for ClockHold {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl fmt::Debug for ClockHold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClockHold").finish_non_exhaustive()
    }
}
