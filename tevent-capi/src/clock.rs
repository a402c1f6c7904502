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

/// How far the clocks may have come apart, in nanoseconds, by a step or by slewing, before they are compared anew.
const TOLERANCE: i64 = 200_000;

/// A moment, on both clocks.
#[derive(Clone, Copy)]
struct Moment {
    instant: Instant,
    /// The wall clock then.
    wall: i64,
    /// How far it is ahead of the monotonic one.
    ahead: i64,
}

thread_local! {
    /// It is kept, so that two timers with one time stay equal, and two with different ones in their order.
    static KNOWN: Cell<Option<Moment>> = const { Cell::new(None) };
}

fn moment() -> Moment {
    // The cheap clocks: both show the time of the last tick.
    let ahead = || sys::clock(libc::CLOCK_REALTIME_COARSE) - sys::clock(libc::CLOCK_MONOTONIC_COARSE);
    if let Some(known) = KNOWN.get()
        // Once more, as a tick may come between the two.
        && (0..2).any(|_| (ahead() - known.ahead).abs() <= TOLERANCE)
    {
        return known;
    }
    compare()
}

#[cold]
fn compare() -> Moment {
    let (instant, wall, monotonic) =
        (Instant::now(), sys::clock(libc::CLOCK_REALTIME), sys::clock(libc::CLOCK_MONOTONIC));
    let moment = Moment { instant, wall, ahead: wall - monotonic };
    KNOWN.set(Some(moment));
    moment
}

/// That time of the wall clock, for the loop. A step of the wall clock moves only timers that are set after it.
pub fn when(tv: timeval) -> When {
    if is_zero(tv) {
        return When::Zero;
    }
    let known = moment();
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
