//! Setting the clock of a simulated context.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::context::ContextRef;
use crate::reactor::SimClock;

impl ContextRef {
    /// Moves the virtual clock of a [simulated](crate::Backend::Simulated) context, as if time had passed in the
    /// handler that calls it. Timers that become due run in the next turns, never inside this call. A time that the
    /// clock cannot hold leaves it as it is. C has no equivalent.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tevent_core::{Backend, Context};
    ///
    /// let ctx = Context::builder().backend(Backend::Simulated { seed: 1 }).build()?;
    /// let hour = Duration::from_secs(3600);
    /// let timer = ctx.add_timer(hour, |_ev, _te, _now| {});
    /// ctx.advance_clock(hour);
    /// assert!(timer.is_pending()); // due now, and it runs in the next turn
    /// ctx.loop_once()?;
    /// assert!(!timer.is_pending());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// On a context that is not simulated: real time cannot be moved.
    #[track_caller]
    pub fn advance_clock(&self, by: Duration) {
        self.virtual_clock().advance(by);
    }

    /// Makes a [simulated](crate::Backend::Simulated) context wait really while the [`ClockHold`] lives, because
    /// something outside of the loop, such as another thread, may make an fd ready. Several may be held at a time. C has
    /// no equivalent.
    ///
    /// ```
    /// use std::{io::Write, os::unix::net::UnixStream, thread};
    /// use tevent_core::{Backend, Context, FdFlags};
    ///
    /// let ctx = Context::builder().backend(Backend::Simulated { seed: 1 }).build()?;
    /// let (near, mut far) = UnixStream::pair()?;
    /// let _fde = ctx.add_fd(&near, FdFlags::READ, |_ev, fde, _flags| fde.set_flags(FdFlags::NONE))?;
    /// let _hold = ctx.hold_clock(); // or the clock would jump 30 seconds a turn until the byte is there
    /// let peer = thread::spawn(move || far.write_all(b"x"));
    /// ctx.loop_wait()?;
    /// # peer.join().expect("the peer only writes")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
