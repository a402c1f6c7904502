//! What signal events promise (SIG), on every backend.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

#[path = "support/signals.rs"]
mod signals;

use std::cell::RefCell;
use std::rc::Rc;

use support::{Log, on_every_backend, turns};
use tevent::SignalFlags;

const USR1: i32 = libc::SIGUSR1;

on_every_backend! {
    fn sig_1_any_number_of_events_and_the_newest_runs_first(backend) {
        let _alone = signals::alone();
        let (ctx, log) = (backend.context(), Log::new());
        for n in 0..3 {
            let log = log.clone();
            let se = ctx.add_signal(USR1, SignalFlags::NONE, move |_ev, _se, got| log.add(format!("{n}:{}", got.count)));
            ctx.keep(se.unwrap());
        }
        signals::raise(USR1);
        signals::raise(USR1);
        turns(&ctx, 1);
        assert_eq!(log.take(), ["2:2", "1:2", "0:2"]);
    }

    fn sig_2_real_time_signals_are_not_lost_when_the_queue_is_full(backend) {
        let _alone = signals::alone();
        let (ctx, seen) = (backend.context(), Rc::<RefCell<Vec<i32>>>::default());
        let see = Rc::clone(&seen);
        let rt = libc::SIGRTMIN() + 1;
        let _se = ctx
            .add_signal(rt, SignalFlags::SIGINFO, move |_ev, _se, got| {
                assert_eq!(got.count, 1);
                see.borrow_mut().push(got.info.and_then(|info| info.value()).unwrap());
            })
            .unwrap();
        for n in 0..1000 {
            signals::raise_with(rt, n);
        }
        assert!(signals::is_blocked(rt), "256 are queued, the others wait in the kernel");
        turns(&ctx, 4);
        assert!(seen.borrow().iter().copied().eq(0..1000));
        assert!(!signals::is_blocked(rt), "nothing is held back any more");
    }
}
