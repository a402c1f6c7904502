//! The wall clock at the border: C says when timers are due by it, the loop goes by a monotonic one (TIMER-6).

use std::cell::Cell;
use std::sync::Once;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use libc::{pid_t, timeval};
use tevent_core::When;

use crate::export::export;
use crate::sys;
use crate::time::is_zero;

/// How far the clocks may have come apart, in microseconds, by a step or by slewing, before they are compared anew.
pub const TOLERANCE: i64 = 200;

/// A moment, on both clocks.
#[derive(Clone, Copy)]
struct Moment {
    instant: Instant,
    /// The wall clock then.
    wall: i64,
    /// How far it is ahead of the monotonic one.
    ahead: i64,
}

/// How a context's loop tells the time.
#[derive(Default)]
pub struct Clock {
    /// It is kept: seeing that the clocks have not come apart takes less than reading them.
    known: Cell<Option<Moment>>,
    /// Whether the clocks were compared in this turn of the loop.
    checked: Cell<bool>,
}

impl Clock {
    /// A new turn: the wall clock may have been set meanwhile.
    pub fn turn(&self) {
        self.checked.set(false);
    }

    fn moment(&self) -> Moment {
        match self.known.get() {
            Some(known) if self.checked.get() => known,
            known => self.check(known),
        }
    }

    #[inline(never)]
    fn check(&self, known: Option<Moment>) -> Moment {
        // The cheap clocks: both show the time of the last tick.
        let ahead = || sys::clock(libc::CLOCK_REALTIME_COARSE) - sys::clock(libc::CLOCK_MONOTONIC_COARSE);
        // Once more, as a tick may come between the two.
        let holds = |known: &Moment| (0..2).any(|_| (ahead() - known.ahead).abs() <= TOLERANCE * 1_000);
        let moment = known.filter(holds).unwrap_or_else(Moment::now);
        self.known.set(Some(moment));
        self.checked.set(true);
        moment
    }

    /// That time of the wall clock, for the loop. A step of the wall clock moves only what is set in later turns.
    pub fn when(&self, tv: timeval) -> When {
        if is_zero(tv) {
            return When::Zero;
        }
        let known = self.moment();
        let time = tv.tv_sec.saturating_mul(1_000_000_000).saturating_add(tv.tv_usec.saturating_mul(1_000));
        let ahead = time.saturating_sub(known.wall);
        let distance = Duration::from_nanos(ahead.unsigned_abs());
        if ahead >= 0 {
            // What is beyond the clock's reach is as good as never.
            known.instant.checked_add(distance).map_or(When::In(distance), When::At)
        } else {
            // What is before its beginning is long past.
            known.instant.checked_sub(distance).map_or(When::Zero, When::At)
        }
    }
}

impl Moment {
    /// Read three times, and the one taken that was not interrupted, or least.
    fn now() -> Self {
        let read = || {
            let before = Instant::now();
            let (wall, monotonic) = (sys::clock(libc::CLOCK_REALTIME), sys::clock(libc::CLOCK_MONOTONIC));
            (before.elapsed(), Moment { instant: before, wall, ahead: wall - monotonic })
        };
        let readings = [read(), read(), read()];
        let (_took, best) = readings.into_iter().min_by_key(|(took, _moment)| *took).unwrap_or_else(read);
        best
    }
}

/// A point of the loop's clock, on the wall clock.
pub fn timeval_in(delay: Duration) -> timeval {
    let secs = i64::try_from(delay.as_secs()).unwrap_or(i64::MAX);
    // Rounded up: never early.
    let usecs = i64::from(delay.subsec_nanos().div_ceil(1_000));
    timeval { tv_sec: secs.saturating_add(usecs / 1_000_000), tv_usec: usecs % 1_000_000 }
}

static PID: AtomicI32 = AtomicI32::new(0);
static WATCH_FORKS: Once = Once::new();

extern "C" fn in_child() {
    PID.store(sys::process(), Ordering::Relaxed);
}

/// This process, without a system call once it is known.
pub fn pid() -> pid_t {
    WATCH_FORKS.call_once(|| {
        in_child();
        sys::at_fork(in_child);
    });
    PID.load(Ordering::Relaxed)
}

export! {
    fn tevent_cached_getpid() -> pid_t {
        pid()
    }
}
