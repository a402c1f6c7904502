//! The backend `poll_mt`: while the loop sleeps other threads may add and change its events, under a lock of the user's that
//! the trace callback gives up before the wait and takes again after it.
//!
//! So the core must not be inside one of its own calls then: it is the guest of a loop that only sleeps.

use std::ffi::c_int;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use tevent_core::LoopError;

use crate::chunk::{Chunk, Text};
use crate::context::Context;
use crate::errno;
use crate::export::called_by_c;
use crate::timers;
use crate::trace::{self, LoopPoint};

called_by_c! {
    /// One turn.
    pub fn loop_once(ev: Chunk<Context>, _location: Text) -> c_int {
        match turn(ev) {
            Ok(()) => 0,
            Err(error) => {
                errno::set(&error.into());
                -1
            }
        }
    }
}

fn turn(ev: Chunk<Context>) -> Result<(), LoopError> {
    timers::settle(ev);
    if run(ev)? {
        return Ok(());
    }
    let guest = ev.core().loop_fd().map_err(LoopError::Wait)?;
    let timeout = ev.core().next_timeout().or(ev.wait_timeout());
    if ev.wait_timeout() == Some(Duration::ZERO) {
        return Err(LoopError::WouldBlock);
    }
    trace::tell_point(ev, LoopPoint::BeforeWait);
    sleep(guest.as_raw_fd(), timeout);
    trace::tell_point(ev, LoopPoint::AfterWait);
    run(ev).map(|_ran| ())
}

/// What is due, without a wait. The core's own looks are not told of.
fn run(ev: Chunk<Context>) -> Result<bool, LoopError> {
    ev.tracing.mute(true);
    let ran = ev.core().dispatch();
    ev.tracing.mute(false);
    ran
}

/// Until it is readable, a signal comes, or the time is over.
#[allow(unsafe_code, reason = "poll(2)")]
fn sleep(number: RawFd, timeout: Option<Duration>) {
    let milliseconds = timeout.map_or(-1, |timeout| {
        let rounded_up = timeout.as_nanos().div_ceil(1_000_000);
        c_int::try_from(rounded_up).unwrap_or(c_int::MAX)
    });
    let mut watched = libc::pollfd { fd: number, events: libc::POLLIN, revents: 0 };
    // SAFETY: reads and writes the one pollfd.
    unsafe { libc::poll(&raw mut watched, 1, milliseconds) };
}
