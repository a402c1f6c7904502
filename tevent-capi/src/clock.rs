//! The wall clock at the border: C says when timers are due by it, the loop goes by a monotonic one (TIMER-6).
#![allow(unsafe_code, reason = "reads the clock, and asks for the process's number")]

use std::cell::Cell;
use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::sync::Once;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use libc::{pid_t, timeval};
use tevent_core::When;

use crate::export::export;
use crate::time::is_zero;

/// The wall clock, now.
pub fn wall() -> timeval {
    let mut now = MaybeUninit::uninit();
    // SAFETY: fills in the place that it is given; it cannot fail with a valid one.
    unsafe { libc::gettimeofday(now.as_mut_ptr(), std::ptr::null_mut()) };
    // SAFETY: it has just been filled in.
    unsafe { now.assume_init() }
}

/// How far the clocks may have come apart, by a step or by slewing, before they are compared anew.
const TOLERANCE: i128 = 200_000;

thread_local! {
    /// A moment of the one clock, and what the other, in nanoseconds, showed then. It is kept, so that two timers with one
    /// time stay equal, and two with different ones in their order.
    static TOGETHER: Cell<Option<(Instant, i128)>> = const { Cell::new(None) };
}

fn nanoseconds(tv: timeval) -> i128 {
    (i128::from(tv.tv_sec) * 1_000_000 + i128::from(tv.tv_usec)) * 1_000
}

fn together() -> (Instant, i128) {
    let read = || (Instant::now(), nanoseconds(wall()));
    let mut now = read();
    let Some((then, wall_then)) = TOGETHER.get() else {
        TOGETHER.set(Some(now));
        return now;
    };
    // More than once, as something may come in between the two readings.
    for _ in 0..3 {
        let passed = now.0.saturating_duration_since(then).as_nanos();
        let apart = wall_then + i128::try_from(passed).unwrap_or(i128::MAX) - now.1;
        if apart.abs() <= TOLERANCE {
            return (then, wall_then);
        }
        now = read();
    }
    TOGETHER.set(Some(now));
    now
}

/// That time of the wall clock, for the loop. A step of the wall clock moves only timers that are set after it.
pub fn when(tv: timeval) -> When {
    if is_zero(tv) {
        return When::Zero;
    }
    let (then, wall_then) = together();
    let ahead = nanoseconds(tv) - wall_then;
    let distance = Duration::from_nanos(u64::try_from(ahead.unsigned_abs()).unwrap_or(u64::MAX));
    let due = if ahead >= 0 { then.checked_add(distance) } else { then.checked_sub(distance) };
    // What is beyond the clock's reach is as good as never, or long past.
    due.map_or_else(|| if ahead >= 0 { When::In(distance) } else { When::Zero }, When::At)
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
    // SAFETY: takes no pointer and always succeeds.
    PID.store(unsafe { libc::getpid() }, Ordering::Relaxed);
}

unsafe extern "C" {
    fn pthread_atfork(
        prepare: Option<extern "C" fn()>,
        parent: Option<extern "C" fn()>,
        child: Option<extern "C" fn()>,
    ) -> c_int;
}

/// This process, without a system call once it is known.
pub fn pid() -> pid_t {
    WATCH_FORKS.call_once(|| {
        in_child();
        // SAFETY: the function only stores a number, and stays as long as the library, which is never unloaded.
        unsafe { pthread_atfork(None, None, Some(in_child)) };
    });
    PID.load(Ordering::Relaxed)
}

export! {
    fn tevent_cached_getpid() -> pid_t {
        pid()
    }
}
