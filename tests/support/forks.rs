//! Cases for a program with one thread, each on every backend: only the forking thread lives on in a child.

#![allow(unsafe_code, reason = "there is no safe fork")]
#![allow(dead_code, unreachable_pub, reason = "shared by test programs")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use super::support::Kind;

/// Runs the case in a child of this process; says whether it returned without a panic.
pub fn in_child(case: impl FnOnce()) -> bool {
    // SAFETY: this process has one thread, so the child may do anything.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork failed");
    if child == 0 {
        // One that hangs has failed.
        // SAFETY: takes no pointer; no case catches the signal.
        unsafe { libc::alarm(25) };
        let passed = catch_unwind(AssertUnwindSafe(case)).is_ok();
        // SAFETY: ends the child at once, without the destructors of what is the parent's.
        unsafe { libc::_exit(i32::from(!passed)) };
    }
    ended_well(child)
}

/// Waits for a child, and says whether it exited with 0.
pub fn ended_well(child: i32) -> bool {
    let mut status = 0;
    loop {
        // SAFETY: `status` is valid for the call, and the child is ours.
        let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
        // A signal may have interrupted it.
        if waited == child || std::io::Error::last_os_error().kind() != std::io::ErrorKind::Interrupted {
            return waited == child && libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0;
        }
    }
}

pub type Case = (&'static str, fn(Kind));

/// Says of each case on each backend how it went, as the usual test harness does.
pub fn run(cases: &[Case]) -> ExitCode {
    let (mut passed, mut failed) = (0, 0);
    for (name, case) in cases {
        for kind in Kind::ALL {
            let ok = catch_unwind(AssertUnwindSafe(|| case(kind))).is_ok();
            println!("test loop_9_{name}::{kind:?} ... {}", if ok { "ok" } else { "FAILED" });
            *(if ok { &mut passed } else { &mut failed }) += 1;
        }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out"
    );
    ExitCode::from(u8::from(failed > 0))
}
