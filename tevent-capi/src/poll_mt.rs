//! The backend `poll_mt`: while the loop sleeps other threads may add and change its events, under a lock of the user's that
//! the trace callback gives up before the wait and takes again after it.
//!
//! So the core must not be inside one of its own calls then: it is the guest of a loop that only sleeps.

use std::ffi::c_int;
use std::os::fd::AsRawFd;
use std::time::Duration;

use tevent_core::LoopError;

use crate::chunk::{Chunk, Text};
use crate::context::Context;
use crate::export::called_by_c;
use crate::sys;
use crate::timers;
use crate::trace::{self, LoopPoint};

called_by_c! {
    /// One turn.
    pub fn loop_once(ev: Chunk<Context>, _location: Text) -> c_int {
        match turn(ev) {
            Ok(()) => 0,
            Err(error) => {
                sys::set_errno(&error.into());
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
    sys::sleep(guest.as_raw_fd(), timeout);
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
