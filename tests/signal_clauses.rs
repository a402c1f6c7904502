//! What signal events promise (SIG): who is called, in which order, how often and with what; and their place in a turn (LOOP).

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

#[path = "support/signals.rs"]
mod signals;

use std::cell::{Cell, RefCell};
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use signals::{Other, turn_until};
use support::{Log, on_every_backend, pair, run_ready, turns};
use tevent::{
    ContextRef, FdFlags, Immediate, SignalDelivery, SignalEvent, SignalFlags, SignalInfo, TracePoint, When,
};

const HUP: i32 = libc::SIGHUP;
const USR1: i32 = libc::SIGUSR1;
const USR2: i32 = libc::SIGUSR2;

/// An event that notes its name and how often the signal came.
fn plain(ev: &ContextRef, signal: i32, name: &str, log: &Log) -> SignalEvent {
    let (log, name) = (log.clone(), name.to_owned());
    ev.add_signal(signal, SignalFlags::NONE, move |_ev, _se, got| {
        assert_eq!(got.info, None);
        log.add(format!("{name}:{}", got.count));
    })
    .unwrap()
}

/// An event that notes its name and the number that was sent along.
fn typed(ev: &ContextRef, signal: i32, name: &str, log: &Log) -> SignalEvent {
    let (log, name) = (log.clone(), name.to_owned());
    ev.add_signal(signal, SignalFlags::SIGINFO, move |_ev, _se, got| {
        assert_eq!(got.count, 1);
        log.add(format!("{name}#{}", value(got)));
    })
    .unwrap()
}

fn value(got: SignalDelivery) -> i32 {
    got.info.and_then(|info| info.value()).unwrap_or(-1)
}

/// An event that keeps what the kernel says.
fn infos(ev: &ContextRef, signal: i32) -> (SignalEvent, Rc<RefCell<Vec<SignalInfo>>>) {
    let seen = Rc::<RefCell<Vec<SignalInfo>>>::default();
    let see = Rc::clone(&seen);
    let se =
        ev.add_signal(signal, SignalFlags::SIGINFO, move |_ev, _se, got| see.borrow_mut().extend(got.info));
    (se.unwrap(), seen)
}

fn user() -> u32 {
    rustix::process::getuid().as_raw()
}

on_every_backend! {
    fn sig_1_any_number_of_events_and_the_newest_runs_first(backend) {
        let _alone = signals::alone();
        let (ctx, log) = (backend.context(), Log::new());
        for n in 0..100 {
            ctx.keep(plain(&ctx, USR1, &n.to_string(), &log));
        }
        signals::raise(USR1);
        signals::raise(USR1);
        turns(&ctx, 1);
        let newest_first: Vec<_> = (0..100).rev().map(|n| format!("{n}:2")).collect();
        assert_eq!(log.take(), newest_first);
    }

    fn sig_1_events_come_and_go_between_deliveries(backend) {
        let _alone = signals::alone();
        let (ctx, log) = (backend.context(), Log::new());
        let a = plain(&ctx, USR1, "a", &log);
        let b = plain(&ctx, USR1, "b", &log);
        signals::raise(USR1);
        turns(&ctx, 1);
        drop(b);
        let c = plain(&ctx, USR1, "c", &log);
        signals::raise(USR1);
        turns(&ctx, 1);
        drop(a);
        let _a = plain(&ctx, USR1, "a again", &log);
        signals::raise(USR1);
        turns(&ctx, 1);
        drop(c);
        signals::raise(USR1);
        turns(&ctx, 1);
        assert_eq!(log.take(), ["b:1", "a:1", "c:1", "a:1", "a again:1", "c:1", "a again:1"]);
        assert_eq!(run_ready(&ctx), 1, "the bell, and nothing else");
    }

    fn sig_2_without_siginfo_the_handler_runs_once_with_the_number_of_deliveries(backend) {
        let _alone = signals::alone();
        let (ctx, log) = (backend.context(), Log::new());
        let _se = plain(&ctx, USR1, "usr1", &log);
        for deliveries in [1, 2, 300, 5000] {
            (0..deliveries).for_each(|_| signals::raise(USR1));
            turns(&ctx, 1);
            assert_eq!(log.take(), [format!("usr1:{deliveries}")], "counting has no bound");
        }
        assert_eq!(ctx.stats().handled.signals, 4);
    }

    fn sig_2_with_siginfo_the_handler_runs_once_for_each_delivery(backend) {
        let _alone = signals::alone();
        let (ctx, log) = (backend.context(), Log::new());
        let _se = typed(&ctx, USR1, "usr1", &log);
        (0..5).for_each(|n| signals::raise_with(USR1, n));
        turns(&ctx, 1);
        assert_eq!(log.take(), ["usr1#0", "usr1#1", "usr1#2", "usr1#3", "usr1#4"]);
        assert_eq!(ctx.stats().handled.signals, 5);
    }

    fn sig_2_siginfo_names_signal_code_and_sender(backend) {
        let _alone = signals::alone();
        let ctx = backend.context();
        let (_se, seen) = infos(&ctx, USR2);
        signals::raise(USR2);
        signals::raise_with(USR2, 42);
        turns(&ctx, 1);
        signals::send(USR2);
        turn_until(&ctx, || seen.borrow().len() == 3);
        signals::queue(USR2, i32::MAX).unwrap();
        turn_until(&ctx, || seen.borrow().len() == 4);
        let seen = seen.take();
        let codes: Vec<_> = seen.iter().map(SignalInfo::code).collect();
        assert_eq!(codes, [libc::SI_TKILL, libc::SI_QUEUE, libc::SI_USER, libc::SI_QUEUE]);
        for info in &seen {
            assert_eq!((info.signal(), info.status()), (USR2, None));
            assert_eq!((info.pid(), info.uid()), (Some(std::process::id()), Some(user())));
        }
        let values: Vec<_> = seen.iter().map(SignalInfo::value).collect();
        assert_eq!(values, [None, Some(42), None, Some(i32::MAX)]);
    }

    fn sig_2_siginfo_of_a_child_names_it_and_how_it_ended(backend) {
        let _alone = signals::alone();
        let ctx = backend.context();
        let (_se, seen) = infos(&ctx, libc::SIGCHLD);
        let mut exits = Command::new("sh").args(["-c", "exit 7"]).spawn().unwrap();
        turn_until(&ctx, || seen.borrow().len() == 1);
        let mut killed = Command::new("sh").args(["-c", "kill -KILL $$"]).spawn().unwrap();
        turn_until(&ctx, || seen.borrow().len() == 2);
        let ends = [(&mut exits, libc::CLD_EXITED, 7), (&mut killed, libc::CLD_KILLED, libc::SIGKILL)];
        for ((child, code, status), info) in ends.into_iter().zip(seen.take()) {
            assert_eq!((info.pid(), info.uid()), (Some(child.id()), Some(user())));
            assert_eq!((info.code(), info.status(), info.value()), (code, Some(status), None));
            child.wait().unwrap();
        }
    }

    fn sig_2_plain_and_siginfo_events_mix_whichever_was_added_first(backend) {
        let _alone = signals::alone();
        let (ctx, log) = (backend.context(), Log::new());
        let plain_first = plain(&ctx, USR1, "plain", &log);
        // In C this one would be given no siginfo.
        let typed_later = typed(&ctx, USR1, "typed", &log);
        signals::raise_with(USR1, 1);
        signals::raise_with(USR1, 2);
        turns(&ctx, 1);
        assert_eq!(log.take(), ["typed#1", "typed#2", "plain:2"]);
        drop((plain_first, typed_later));

        let _typed = typed(&ctx, USR1, "typed", &log);
        let _plain = plain(&ctx, USR1, "plain", &log);
        let _typed_too = typed(&ctx, USR1, "typed too", &log);
        signals::raise_with(USR1, 3);
        signals::raise_with(USR1, 4);
        turns(&ctx, 1);
        assert_eq!(log.take(), ["typed too#3", "typed too#4", "plain:2", "typed#3", "typed#4"]);
    }

    fn sig_6_each_context_of_a_thread_runs_its_own_handlers(backend) {
        let _alone = signals::alone();
        let (one, two, log) = (backend.context(), backend.context(), Log::new());
        let _one = plain(&one, USR1, "one", &log);
        let _two = plain(&two, USR1, "two", &log);
        let _typed = typed(&two, USR1, "typed", &log);
        signals::raise_with(USR1, 9);
        turns(&one, 1);
        assert_eq!(log.take(), ["one:1"]);
        signals::raise_with(USR1, 8);
        turns(&two, 1);
        assert_eq!(log.take(), ["typed#9", "typed#8", "two:2"]);
        turns(&one, 1);
        assert_eq!(log.take(), ["one:1"]);
    }

    fn sig_6_each_context_of_several_threads_runs_its_own_handlers(backend) {
        let _alone = signals::alone();
        let (ctx, log) = (backend.context(), Log::new());
        let _se = plain(&ctx, USR1, "here", &log);
        let (other, (tell, told)) = (Other::new(), std::sync::mpsc::channel());
        let ready = tell.clone();
        other.begin(move || {
            let (ctx, log) = (backend.context(), Log::new());
            let _se = plain(&ctx, USR1, "there", &log);
            ready.send(Vec::new()).unwrap();
            turn_until(&ctx, || log.len() == 1);
            tell.send(log.take()).unwrap();
        });
        assert!(told.recv().unwrap().is_empty());
        signals::raise(USR1);
        assert_eq!(told.recv().unwrap(), ["there:1"], "that loop was woken");
        turns(&ctx, 1);
        assert_eq!(log.take(), ["here:1"]);
        other.finish();
    }

    fn loop_1_all_pending_signals_run_in_one_turn_lower_numbers_first(backend) {
        let _alone = signals::alone();
        let (ctx, log) = (backend.context(), Log::new());
        for (signal, name) in [(USR2, "usr2"), (HUP, "hup"), (libc::SIGTERM, "term"), (USR1, "usr1")] {
            ctx.keep(plain(&ctx, signal, name, &log));
            ctx.keep(plain(&ctx, signal, &format!("{name} new"), &log));
        }
        for signal in [libc::SIGTERM, USR1, HUP, USR2, HUP] {
            signals::raise(signal);
        }
        turns(&ctx, 1);
        let order = ["hup new:2", "hup:2", "usr1 new:1", "usr1:1", "usr2 new:1", "usr2:1", "term new:1", "term:1"];
        assert_eq!(log.take(), order);
    }

    fn loop_1_signals_run_before_immediates_timers_and_fds(backend) {
        let _alone = signals::alone();
        let (ctx, log) = (backend.context(), Log::new());
        let (near, far) = pair();
        std::io::Write::write_all(&mut &far, b"x").unwrap();
        let note = |what: &'static str| { let log = log.clone(); move || log.add(what) };
        let (fd, timer, immediate) = (note("fd"), note("timer"), note("immediate"));
        let _fde = ctx.add_fd(&near, FdFlags::READ, move |_, fde, _| {
            fde.set_flags(FdFlags::NONE);
            fd();
        });
        let _te = ctx.add_timer(When::Zero, move |_, _, _| timer());
        let im = Immediate::new(move |_, _| immediate());
        im.schedule(&ctx);
        let _se = plain(&ctx, USR1, "signal", &log);
        signals::raise(USR1);
        turns(&ctx, 1);
        assert_eq!(log.take(), ["signal:1"]);
        signals::raise(USR1);
        turns(&ctx, 2);
        assert_eq!(log.take(), ["signal:1", "immediate"]);
        signals::raise(USR1);
        turns(&ctx, 2);
        assert_eq!(log.take(), ["signal:1", "timer"]);
        signals::raise(USR1);
        // One more turn, if the bell is served before the fd.
        turn_until(&ctx, || log.len() == 2);
        assert_eq!(log.take(), ["signal:1", "fd"]);
    }

    fn loop_1_a_handler_that_raises_its_own_signal_runs_again_in_the_next_turn(backend) {
        let _alone = signals::alone();
        let (ctx, log) = (backend.context(), Log::new());
        let again = Rc::new(Cell::new(true));
        let (note, first) = (log.clone(), Rc::clone(&again));
        let _usr1 = ctx.add_signal(USR1, SignalFlags::NONE, move |_, _, _| {
            note.add("usr1");
            if first.replace(false) {
                [HUP, USR1, USR2].into_iter().for_each(signals::raise);
            }
        });
        let _others = [plain(&ctx, HUP, "hup", &log), plain(&ctx, USR2, "usr2", &log)];
        signals::raise(USR1);
        turns(&ctx, 1);
        assert_eq!(log.take(), ["usr1", "usr2:1"], "a higher number is still to come in this turn");
        turns(&ctx, 1);
        assert_eq!(log.take(), ["hup:1", "usr1"]);
    }

    fn loop_1_a_signal_between_the_look_and_the_wait_ends_the_wait(backend) {
        let _alone = signals::alone();
        let (ctx, log) = (backend.context(), Log::new());
        let _se = plain(&ctx, USR1, "usr1", &log);
        // More than once: the bell has to be silent again in between.
        for _ in 0..3 {
            // Told after the last look at the signals.
            let raise_before_the_wait = |_: &ContextRef, point| {
                if point == TracePoint::BeforeWait {
                    signals::raise(USR1);
                }
            };
            ctx.trace().points().set(Rc::new(raise_before_the_wait));
            let begin = Instant::now();
            turns(&ctx, 1);
            ctx.trace().points().clear();
            turns(&ctx, 1);
            assert_eq!(log.take(), ["usr1:1"]);
            assert!(begin.elapsed() < Duration::from_secs(20), "the wait would have been 30 seconds");
        }
    }

    fn loop_1_a_wait_that_a_signal_interrupts_runs_its_handlers_in_the_same_turn(backend) {
        let _alone = signals::alone();
        let (ctx, log) = (backend.context(), Log::new());
        let _real_waits = backend.is_simulated().then(|| ctx.hold_clock());
        let _se = plain(&ctx, USR1, "usr1", &log);
        let (here, other) = (signals::this_thread(), Other::new());
        // Until it comes in the middle of a wait, and not before one.
        let met = (0..1000).any(|_| {
            other.begin(move || signals::interrupt(here, USR1));
            let mut waits = 0;
            while log.len() == 0 {
                waits = ctx.stats().waits;
                turns(&ctx, 1);
            }
            let has_waited = ctx.stats().waits > waits;
            other.finish();
            run_ready(&ctx);
            assert_eq!(log.take(), ["usr1:1"]);
            has_waited
        });
        assert!(met);
    }

    fn loop_3_a_signal_event_keeps_loop_wait_going(backend) {
        let _alone = signals::alone();
        let ctx = backend.context();
        ctx.loop_wait().unwrap();
        let count = Rc::new(Cell::new(0));
        let (counted, mine) = (Rc::clone(&count), Rc::<Cell<Option<SignalEvent>>>::default());
        let own = Rc::clone(&mine);
        let se = ctx.add_signal(USR1, SignalFlags::NONE, move |_, _, _| {
            counted.set(counted.get() + 1);
            if counted.get() == 3 { drop(own.take()) } else { signals::raise(USR1) }
        });
        mine.set(Some(se.unwrap()));
        signals::raise(USR1);
        ctx.loop_wait().unwrap();
        assert_eq!(count.get(), 3);
    }

    fn loop_10_a_wait_that_a_signal_interrupts_never_fails(backend) {
        let _alone = signals::alone();
        let (ctx, log) = (backend.context(), Log::new());
        let _se = plain(&ctx, USR1, "usr1", &log);
        // Without SA_RESTART, and none of ours.
        let before = signals::set_action(USR2, signals::somebody_elses(), 0);
        let (here, other) = (signals::this_thread(), Other::new());
        for _ in 0..100 {
            other.begin(move || [USR2, USR1, USR2].iter().for_each(|signal| signals::interrupt(here, *signal)));
            // Each turn may fail the test.
            turn_until(&ctx, || log.len() == 1);
            assert_eq!(log.take(), ["usr1:1"]);
            other.finish();
        }
        signals::set_action(USR2, before.0, before.1);
    }
}
