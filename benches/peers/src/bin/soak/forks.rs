//! A child goes on with its parent's loop for a while.

#![allow(
    unsafe_code,
    reason = "there is no safe fork, and no safe exit without the destructors of what is the parent's"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use tevent::ContextRef;

const TURNS: u32 = 64;

/// Forks; the child turns the loop for a while and ends. The parent goes on at once, and sees by SIGCHLD how it ended.
pub(crate) fn turn_in_child(ev: &ContextRef) {
    // SAFETY: the C library keeps its allocator usable in the child, and no lock of ours is waited for in there.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork failed");
    if child > 0 {
        return;
    }
    // SAFETY: takes no pointer. One that hangs is killed and so has failed.
    unsafe { libc::alarm(20) };
    let turns = catch_unwind(AssertUnwindSafe(|| {
        (0..TURNS).for_each(|_| ev.loop_once().expect("the loop turns in the child"));
    }));
    // SAFETY: ends the child at once.
    unsafe { libc::_exit(i32::from(turns.is_err())) };
}
