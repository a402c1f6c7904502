//! What signal events do to the process: how a signal is caught, what it is given back to, and what is refused (SIG-3, SIG-4,
//! SIG-5, SIG-7).

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

#[path = "support/signals.rs"]
mod signals;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use signals::Other;
use support::{CountDrop, Log, on_every_backend, run_ready, turns};
use tevent::{ContextRef, SignalEvent, SignalFlags};

const USR1: i32 = libc::SIGUSR1;
const USR2: i32 = libc::SIGUSR2;

fn add(ev: &ContextRef, signal: i32, flags: SignalFlags) -> SignalEvent {
    ev.add_signal(signal, flags, |_, _, _| {}).unwrap()
}

fn noting(ev: &ContextRef, signal: i32, flags: SignalFlags, name: &str, log: &Log) -> SignalEvent {
    let (log, name) = (log.clone(), name.to_owned());
    ev.add_signal(signal, flags, move |_, _, got| log.add(format!("{name}:{}", got.count))).unwrap()
}

/// The flags that the system has, without what the C library adds for itself.
fn flags_of(signal: i32) -> SignalFlags {
    const RESTORER: i32 = 0x0400_0000;
    SignalFlags::from_bits(signals::action(signal).1 & !RESTORER)
}

fn is_caught(signal: i32) -> bool {
    let action = signals::action(signal).0;
    action != libc::SIG_DFL && action != libc::SIG_IGN && action != signals::somebody_elses()
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

on_every_backend! {
    fn sig_3_the_flags_of_the_first_event_go_to_the_system_as_they_are(backend) {
        let _alone = signals::alone();
        let ctx = backend.context();
        let rt = libc::SIGRTMIN() + 2;
        let all = [SignalFlags::NONE, SignalFlags::RESTART, SignalFlags::NOCLDSTOP, SignalFlags::NOCLDWAIT,
            SignalFlags::NODEFER, SignalFlags::ONSTACK, SignalFlags::SIGINFO, SignalFlags::RESETHAND,
            SignalFlags::RESTART | SignalFlags::NODEFER | SignalFlags::RESETHAND];
        for flags in all {
            let first = add(&ctx, rt, flags);
            // SIGINFO is how this library is told; what is told to the handler is its event's matter.
            assert_eq!(flags_of(rt), flags | SignalFlags::SIGINFO);
            let second = add(&ctx, rt, SignalFlags::RESTART | SignalFlags::NOCLDSTOP);
            let elsewhere = backend.context();
            let third = add(&elsewhere, rt, SignalFlags::ONSTACK);
            assert_eq!(flags_of(rt), flags | SignalFlags::SIGINFO, "later events change nothing");
            assert_eq!(second.flags(), SignalFlags::RESTART | SignalFlags::NOCLDSTOP);
            drop(first);
            assert_eq!(flags_of(rt), flags | SignalFlags::SIGINFO, "nor does the first when it goes");
            drop((second, third));
            assert!(!is_caught(rt));
        }
    }

    fn sig_3_the_previous_action_is_restored_when_the_last_event_goes(backend) {
        let _alone = signals::alone();
        let others = (signals::somebody_elses(), libc::SA_RESTART | libc::SA_NODEFER);
        for previous in [(libc::SIG_DFL, 0), (libc::SIG_IGN, libc::SA_RESTART), others] {
            let before = signals::set_action(USR1, previous.0, previous.1);
            let previous = signals::action(USR1);
            let (ctx, elsewhere) = (backend.context(), backend.context());
            let (one, two) = (add(&ctx, USR1, SignalFlags::NONE), add(&ctx, USR1, SignalFlags::NONE));
            let three = add(&elsewhere, USR1, SignalFlags::SIGINFO);
            drop((two, one));
            assert!(is_caught(USR1), "another context has an event yet");
            drop(three);
            assert_eq!(signals::action(USR1), previous);

            // With the context, and with all that it had.
            let four = add(&ctx, USR1, SignalFlags::NONE);
            ctx.keep(add(&ctx, USR1, SignalFlags::NONE));
            drop(ctx);
            assert_eq!(signals::action(USR1), previous);
            assert!(!four.is_active());
            drop(four);
            assert_eq!(signals::action(USR1), previous);

            let five = elsewhere.keep(add(&elsewhere, USR1, SignalFlags::NONE));
            elsewhere.re_initialise().unwrap();
            assert!(!five.is_active());
            assert_eq!(signals::action(USR1), previous);
            signals::set_action(USR1, before.0, before.1);
        }
    }

    fn sig_3_a_context_that_began_anew_catches_signals_again(backend) {
        let _alone = signals::alone();
        let (ctx, log) = (backend.context(), Log::new());
        let _old = noting(&ctx, USR1, SignalFlags::NONE, "old", &log);
        signals::raise(USR1);
        ctx.re_initialise().unwrap();
        let _new = noting(&ctx, USR1, SignalFlags::NONE, "new", &log);
        assert_eq!(run_ready(&ctx), 0, "what came before is dropped");
        signals::raise(USR1);
        turns(&ctx, 1);
        assert_eq!(log.take(), ["new:1"]);
    }

    fn sig_4_resethand_frees_the_event_after_its_handler_ran_once(backend) {
        let _alone = signals::alone();
        let (ctx, log) = (backend.context(), Log::new());
        let (probe, drops) = CountDrop::new();
        let note = log.clone();
        let se = ctx.add_signal(USR1, SignalFlags::RESETHAND, move |_, se, got| {
            let _owned = &probe;
            assert!(se.is_active());
            note.add(got.count.to_string());
        }).unwrap();
        signals::raise(USR1);
        assert_eq!(signals::action(USR1).0, libc::SIG_DFL, "the kernel has gone back to it at delivery");
        assert!(se.is_active());
        turns(&ctx, 1);
        assert_eq!((log.take(), se.is_active(), drops.get()), (vec!["1".to_owned()], false, 1));
        assert_eq!(signals::action(USR1).0, libc::SIG_DFL);
        ctx.loop_wait().unwrap();
        drop(se);
    }

    fn sig_4_resethand_of_a_kept_event_and_of_one_that_panics(backend) {
        let _alone = signals::alone();
        let ctx = backend.context();
        let kept = ctx.keep(add(&ctx, USR1, SignalFlags::RESETHAND | SignalFlags::SIGINFO));
        let panics = ctx.add_signal(USR2, SignalFlags::RESETHAND, |_, _, _| resume_unwind(Box::new("a panic")));
        let panics = ctx.keep(panics.unwrap());
        [USR1, USR2].into_iter().for_each(signals::raise);
        assert!(catch_unwind(AssertUnwindSafe(|| ctx.loop_once())).is_err());
        assert!(!kept.is_active() && !panics.is_active());
        assert!(ctx.take(&kept).is_none() && ctx.take(&panics).is_none());
        assert_eq!([USR1, USR2].map(|signal| signals::action(signal).0), [libc::SIG_DFL; 2]);
        ctx.loop_wait().unwrap();
    }

    fn sig_4_resethand_of_a_later_event_is_its_own_affair(backend) {
        let _alone = signals::alone();
        let (ctx, log) = (backend.context(), Log::new());
        let _stays = noting(&ctx, USR1, SignalFlags::NONE, "stays", &log);
        let once = noting(&ctx, USR1, SignalFlags::RESETHAND | SignalFlags::SIGINFO, "once", &log);
        (0..3).for_each(|_| signals::raise(USR1));
        turns(&ctx, 1);
        assert_eq!(log.take(), ["once:1", "stays:3"]);
        assert!(!once.is_active());
        signals::raise(USR1);
        turns(&ctx, 1);
        assert_eq!(log.take(), ["stays:1"]);
    }

    fn sig_5_what_is_no_signal_or_cannot_be_caught_is_refused_and_leaves_nothing(backend) {
        let _alone = signals::alone();
        let ctx = backend.context();
        let files = open_files();
        // 32 and 33 are the C library's own.
        let refused = [i32::MIN, -1, 0, 32, 33, 65, 66, 1 << 8, (1 << 16) + USR1, i32::MAX, libc::SIGKILL, libc::SIGSTOP];
        for signal in refused {
            let (probe, drops) = CountDrop::new();
            let added = ctx.add_signal(signal, SignalFlags::SIGINFO, move |_, _, _| assert_eq!(probe.0.get(), 0));
            let error = added.unwrap_err();
            assert_eq!(error.signal(), signal);
            assert_eq!(std::io::Error::from(error).raw_os_error(), Some(libc::EINVAL));
            assert_eq!(drops.get(), 1, "the handler is dropped");
        }
        assert_eq!(open_files(), files);
        ctx.loop_wait().unwrap();
        // One that is caught afterwards works as ever.
        for signal in [1, libc::SIGRTMAX()] {
            let log = Log::new();
            let _se = noting(&ctx, signal, SignalFlags::NONE, "caught", &log);
            signals::raise(signal);
            turns(&ctx, 1);
            assert_eq!(log.take(), ["caught:1"]);
        }
        assert_eq!(signals::action(libc::SIGRTMAX()).0, libc::SIG_DFL);
    }

    fn sig_5_a_context_that_is_gone_refuses_every_signal(backend) {
        let _alone = signals::alone();
        let ctx = backend.context();
        let gone = ctx.clone();
        drop(ctx);
        assert!(gone.add_signal(USR1, SignalFlags::NONE, |_, _, _| {}).is_err());
        assert_eq!(signals::action(USR1).0, libc::SIG_DFL);
    }

    fn sig_7_errno_is_kept(backend) {
        let _alone = signals::alone();
        // A queue that is full of a loop whose thread has ended, so that nothing can be sent on to it any more.
        let (rt, count) = (libc::SIGRTMIN() + 3, Rc::new(Cell::new(0)));
        let other = Other::new();
        other.run(move || {
            let ctx = backend.context();
            std::mem::forget((add(&ctx, rt, SignalFlags::SIGINFO), ctx));
            (0..256).for_each(|n| signals::raise_with(rt, n));
        });
        drop(other);
        let (ctx, counts) = (backend.context(), Rc::clone(&count));
        let _se = ctx.add_signal(rt, SignalFlags::NONE, move |_, _, got| counts.set(counts.get() + got.count));
        for n in 0..3 {
            assert_eq!(signals::errno_after(1234, || signals::raise_with(rt, n)), 1234);
        }
        turns(&ctx, 1);
        assert_eq!(count.get(), 3, "a loop that is gone takes nothing from others");
    }
}
