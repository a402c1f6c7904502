//! The virtual clock at its ends, and what can go wrong around it.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};
use support::{Kind, pair, run_ready, turns};
use tevent::{FdFlags, LoopError};

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[test]
fn timer_3_a_delay_that_no_clock_holds_is_due_at_last() {
    let ctx = Kind::Simulated.context();
    let far = ctx.add_timer(Duration::MAX, |_, te, _| te.set_tag(1));
    let near = ctx.add_timer(YEAR, |_, te, _| te.set_tag(1));
    turns(&ctx, 1);
    assert_eq!((near.tag(), far.tag()), (1, 0));
    turns(&ctx, 1);
    assert_eq!(far.tag(), 1);
}

#[test]
fn timer_3_timers_can_be_added_at_the_end_of_time() {
    let ctx = Kind::Simulated.context();
    let mut step = Duration::MAX;
    // As far as the clock goes, to the second.
    while step > Duration::from_secs(1) {
        let before = ctx.now();
        ctx.advance_clock(step);
        if ctx.now() == before {
            step /= 2;
        }
    }
    let te = ctx.add_timer(YEAR, |_, te, _| te.set_tag(1));
    turns(&ctx, 1);
    assert_eq!(te.tag(), 1);
}

#[test]
fn loop_2_a_wait_that_would_never_end_is_an_error() {
    let ctx = Kind::Simulated.context();
    let (near, _far) = pair();
    let _fde = ctx.add_fd(&near, FdFlags::READ, |_, _, _| {}).unwrap();
    for timeout in [None, Some(Duration::MAX)] {
        ctx.set_wait_timeout(timeout);
        let failure = ctx.loop_wait().unwrap_err();
        assert!(matches!(failure, LoopError::Wait(e) if e.kind() == ErrorKind::Deadlock));
    }
}

#[test]
fn loop_10_adding_and_changing_under_a_storm_of_signals_never_fails() {
    let arrived = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGUSR2, Arc::clone(&arrived)).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let storm = thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            kill_process(getpid(), Signal::USR2).unwrap();
        }
    });
    for kind in Kind::ALL {
        let ctx = kind.context();
        let (near, _far) = pair();
        for _ in 0..2000 {
            let fde = ctx.add_fd(&near, FdFlags::READ, |_, _, _| {}).unwrap();
            fde.set_flags(FdFlags::READ | FdFlags::WRITE);
            assert_eq!(fde.flags(), FdFlags::READ | FdFlags::WRITE);
        }
        run_ready(&ctx);
    }
    stop.store(true, Ordering::Relaxed);
    storm.join().unwrap();
    assert!(arrived.load(Ordering::Relaxed));
}
