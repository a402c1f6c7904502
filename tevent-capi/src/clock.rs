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

/// The wall clock, now.
pub fn wall() -> timeval {
    let mut now = MaybeUninit::uninit();
    // SAFETY: fills in the place that it is given; it cannot fail with a valid one.
    unsafe { libc::gettimeofday(now.as_mut_ptr(), std::ptr::null_mut()) };
    // SAFETY: it has just been filled in.
    unsafe { now.assume_init() }
}

/// How far the clocks may have come apart by a step or by slewing, before they are compared anew.
const TOLERANCE: i64 = TOLERANCE_US * 1_000;
pub const TOLERANCE_US: i64 = 200;

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
    /// It is kept: it takes less to see that the clocks have not come apart.
    static KNOWN: Cell<Option<Moment>> = const { Cell::new(None) };
}

fn read(clock: libc::clockid_t) -> i64 {
    let mut now = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: fills in the place that it is given; it cannot fail with a valid one.
    unsafe { libc::clock_gettime(clock, now.as_mut_ptr()) };
    // SAFETY: it has just been filled in.
    let now = unsafe { now.assume_init() };
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

fn moment() -> Moment {
    // The cheap clocks: both show the time of the last tick.
    let ahead = || read(libc::CLOCK_REALTIME_COARSE) - read(libc::CLOCK_MONOTONIC_COARSE);
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
        (Instant::now(), read(libc::CLOCK_REALTIME), read(libc::CLOCK_MONOTONIC));
    let moment = Moment { instant, wall, ahead: wall - monotonic };
    KNOWN.set(Some(moment));
    moment
}

/// That time of the wall clock, in microseconds, for the loop. A step of the wall clock moves only what is set after it.
pub fn when(due: i64) -> When {
    let known = moment();
    let ahead = due.saturating_mul(1_000).saturating_sub(known.wall);
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
