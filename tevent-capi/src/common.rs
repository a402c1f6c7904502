//! The core's loop as a backend, and its parts for backends of the user's.

use std::ffi::c_int;
use std::io;
use std::time::Duration;

use libc::timeval;
use tevent_core::{LoopError, TimerPhase};

use crate::busy;
use crate::chunk::{Chunk, Parent, Text};
use crate::clock;
use crate::context::Context;
use crate::debug::{self, Level};
use crate::export::{abort, called_by_c, export};
use crate::fd;
use crate::run;
use crate::sys;
use crate::talloc;
use crate::time;
use crate::timers;

called_by_c! {
    /// One turn of the core's loop.
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

/// One that the alarm has ended for nobody begins again.
fn turn(ev: Chunk<Context>) -> Result<(), LoopError> {
    loop {
        let this = ev.core().turns() + 1;
        ev.core().run_turn(|| timers::run_own(ev))?;
        if !ev.timers.has_rung_idle(this) {
            return Ok(());
        }
    }
}

/// As good as that.
const FOR_EVER: Duration = Duration::from_secs(i32::MAX as u64);

fn have_events(ev: Chunk<Context>) -> bool {
    // What a backend of the user's watches is not the core's.
    ev.core().has_events() || ev.fds.find(fd::is_armed).is_some()
}

export! {
    fn tevent_common_have_events(ev: Chunk<Context>) -> bool {
        have_events(ev)
    }

    fn tevent_common_loop_wait(ev: Chunk<Context>, location: Text) -> c_int {
        while !ev.is_destroyed() && have_events(ev) {
            busy::enter(ev);
            let ended = run::_tevent_loop_once(ev, location);
            if busy::leave(ev) {
                return 0;
            }
            if ended != 0 {
                let error = io::Error::last_os_error();
                debug::say(ev, Level::Fatal, &format!("tevent_common_loop_wait: a turn failed: {error}\n"));
                return ended;
            }
        }
        debug::say(ev, Level::Warning, "tevent_common_loop_wait() out of events\n");
        0
    }

    fn tevent_common_check_double_free(object: Parent, reason: Text) {
        if !talloc::is_going(talloc::parent(object)) {
            abort(None, &reason.to_string());
        }
    }

    fn tevent_common_check_signal(ev: Chunk<Context>) -> c_int {
        c_int::from(ev.core().run_signal_phase())
    }

    fn tevent_common_loop_immediate(ev: Chunk<Context>) -> bool {
        ev.core().run_immediate_phase()
    }

    fn tevent_common_threaded_activate_immediate(ev: Chunk<Context>) {
        ev.core().run_thread_phase();
    }

    fn tevent_common_loop_timer_delay(ev: Chunk<Context>) -> timeval {
        timers::settle(ev);
        match ev.core().run_timer_phase() {
            TimerPhase::Ran => time::ZERO,
            TimerPhase::DueIn(delay) => clock::timeval_in(delay),
            TimerPhase::Never => clock::timeval_in(ev.wait_timeout().unwrap_or(FOR_EVER)),
        }
    }
}
