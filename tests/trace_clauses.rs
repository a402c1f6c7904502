//! What traces are told (TRACE-1, TRACE-2, TRACE-5, TRACE-6), on every backend.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

#[path = "support/signals.rs"]
mod signals;

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use support::{Log, on_every_backend, pair, run_ready, turns};
use tevent::{
    Context, ContextRef, DebugLevel, EventTracePoint, FdFlags, Immediate, Queue, Req, SignalFlags,
    TracePoint, When, wakeup_send,
};

/// Every callback of a context notes what it is told: `fd Attach`, `point BeforeWait`.
fn trace_all(ctx: &ContextRef) -> Log {
    let log = Log::new();
    let trace = ctx.trace();
    let (points, fds, signals) = (log.clone(), log.clone(), log.clone());
    let (timers, immediates, entries) = (log.clone(), log.clone(), log.clone());
    trace.points().set(Rc::new(move |_ev, point| points.add(format!("{point:?}"))));
    trace.fds().set(Rc::new(move |_fde, at| fds.add(format!("fd {at:?}"))));
    trace.signals().set(Rc::new(move |_se, at| signals.add(format!("signal {at:?}"))));
    trace.timers().set(Rc::new(move |_te, at| timers.add(format!("timer {at:?}"))));
    trace.immediates().set(Rc::new(move |_im, at| immediates.add(format!("immediate {at:?}"))));
    trace
        .queue_entries()
        .set(Rc::new(move |entry, at| entries.add(format!("{} {at:?}", entry.queue_name()))));
    log
}

/// Without the points of the loop.
fn events(log: &Log) -> Vec<String> {
    log.take().into_iter().filter(|told| told.contains(' ')).collect()
}

const TURN: [&str; 2] = ["BeforeLoopOnce", "AfterLoopOnce"];
const WAIT: [&str; 4] = ["BeforeLoopOnce", "BeforeWait", "AfterWait", "AfterLoopOnce"];

on_every_backend! {
    fn trace_1_points_stand_around_each_turn_and_each_wait(backend) {
        let ctx = backend.context();
        let log = trace_all(&ctx);
        ctx.trace().immediates().clear();
        ctx.trace().timers().clear();
        let im = ctx.keep(Immediate::new(|_ev, _im| {}));
        im.schedule(&ctx);
        turns(&ctx, 1);
        assert_eq!(log.take(), TURN, "no wait for an immediate");
        ctx.keep(ctx.add_timer(When::Zero, |_ev, _te, _now| {}));
        turns(&ctx, 1);
        assert_eq!(log.take(), TURN, "nor for a timer that is due");
        ctx.keep(ctx.add_timer(Duration::from_millis(2), |_ev, _te, _now| {}));
        turns(&ctx, 1);
        assert_eq!(log.take(), WAIT);
        ctx.set_wait_timeout(Duration::ZERO);
        assert!(ctx.loop_once().is_err());
        assert_eq!(log.take(), WAIT, "a turn that fails has an end too");
        ctx.set_wait_timeout(Duration::from_millis(1));
        let left = Cell::new(2_u32);
        ctx.loop_until(|| left.replace(left.get().saturating_sub(1)) == 0).unwrap();
        assert_eq!(log.take(), [WAIT, WAIT].concat(), "each turn, whoever turns the loop");
    }

    fn trace_1_what_a_callback_schedules_before_the_wait_is_not_slept_over(backend) {
        let ctx = backend.context();
        let ran = Rc::new(Cell::new(false));
        let run = Rc::clone(&ran);
        let im = ctx.keep(Immediate::new(move |_ev, _im| run.set(true)));
        ctx.trace().points().set(Rc::new(move |ev, point| {
            if point == TracePoint::BeforeWait {
                im.schedule(ev);
                ev.trace().points().clear();
            }
        }));
        let started = ctx.now();
        turns(&ctx, 2);
        assert!(ran.get());
        assert!(ctx.now() - started < Duration::from_secs(20), "it slept");
    }

    fn trace_1_a_callback_may_free_the_context(backend) {
        for point in [TracePoint::BeforeLoopOnce, TracePoint::BeforeWait, TracePoint::AfterWait, TracePoint::AfterLoopOnce] {
            let owner = Rc::new(RefCell::new(Some(backend.context())));
            let ctx: ContextRef = owner.borrow().as_deref().unwrap().clone();
            ctx.set_wait_timeout(Duration::from_millis(1));
            let free = Rc::clone(&owner);
            ctx.trace().points().set(Rc::new(move |_ev, at| {
                if at == point {
                    drop(free.take());
                }
            }));
            let _ = ctx.loop_once();
            assert!(ctx.is_freed(), "{point:?}");
        }
    }

    fn trace_2_an_fd_event_attaches_at_add_and_detaches_at_free(backend) {
        let ctx = backend.context();
        let log = trace_all(&ctx);
        let (near, mut far) = pair();
        let fde = ctx.add_fd(&near, FdFlags::READ, |_ev, _fde, _flags| {}).unwrap();
        fde.set_flags(FdFlags::NONE);
        fde.set_flags(FdFlags::READ);
        assert_eq!(events(&log), ["fd Attach"]);
        far.write_all(b"x").unwrap();
        turns(&ctx, 2);
        assert_eq!(events(&log), ["fd BeforeHandler", "fd BeforeHandler"]);
        let at_close = log.clone();
        fde.set_close_fn(move |_fd| at_close.add("close fn"));
        drop(fde);
        assert_eq!(events(&log), ["fd Detach", "close fn"]);
    }

    fn trace_2_an_fd_event_that_is_refused_or_not_open(backend) {
        let ctx = backend.context();
        let log = trace_all(&ctx);
        assert!(ctx.add_fd(-1, FdFlags::READ, |_ev, _fde, _flags| {}).is_err());
        assert_eq!(events(&log), [""; 0]);
        drop(ctx.add_fd(1_000_000, FdFlags::READ, |_ev, _fde, _flags| {}).unwrap());
        assert_eq!(events(&log), ["fd Attach", "fd Detach"], "C forgets the second");
    }

    fn trace_2_freed_in_its_own_handler_it_detaches_there(backend) {
        let _alone = signals::alone();
        let ctx = backend.context();
        let log = trace_all(&ctx);
        let (near, mut far) = pair();
        far.write_all(b"x").unwrap();
        let noted = log.clone();
        ctx.keep(ctx.add_fd(&near, FdFlags::READ, move |ev, fde, _flags| {
            drop(ev.take(fde));
            noted.add("fd handler ends");
        }).unwrap());
        let noted = log.clone();
        ctx.keep(ctx.add_timer(When::Zero, move |ev, te, _now| {
            drop(ev.take(te));
            noted.add("timer handler ends");
        }));
        let noted = log.clone();
        let im = ctx.keep(Immediate::new(move |ev, im| {
            drop(ev.take(im));
            noted.add("immediate handler ends");
        }));
        im.schedule(&ctx);
        let noted = log.clone();
        ctx.keep(ctx.add_signal(libc::SIGUSR1, SignalFlags::NONE, move |ev, se, _got| {
            drop(ev.take(se));
            noted.add("signal handler ends");
        }).unwrap());
        events(&log);
        signals::raise(libc::SIGUSR1);
        run_ready(&ctx);
        let told = events(&log);
        for (kind, told) in ["signal", "immediate", "timer", "fd"].iter().zip(told.chunks(3)) {
            assert_eq!(told, ["BeforeHandler", "Detach", "handler ends"].map(|at| format!("{kind} {at}")));
        }
        assert_eq!(told.len(), 12);
    }

    fn trace_2_a_timer_attaches_at_add_and_at_each_update(backend) {
        let ctx = backend.context();
        let log = trace_all(&ctx);
        let te = ctx.keep(ctx.add_timer(Duration::from_secs(1), |_ev, _te, _now| {}));
        te.update(When::Zero);
        assert_eq!(events(&log), ["timer Attach", "timer Detach", "timer Attach"]);
        let noted = log.clone();
        ctx.keep(ctx.add_timer(When::Zero, move |_ev, te, _now| {
            if te.tag() == 0 {
                te.set_tag(1);
                te.update(When::Zero);
            }
            noted.add("handler ends");
        }));
        events(&log);
        run_ready(&ctx);
        assert_eq!(events(&log), [
            "timer BeforeHandler", "timer Detach", // the first one
            "timer BeforeHandler", "timer Detach", "timer Attach", "handler ends",
            "timer BeforeHandler", "handler ends", "timer Detach",
        ]);
    }

    fn trace_2_an_immediate_attaches_at_each_schedule(backend) {
        let ctx = backend.context();
        let log = trace_all(&ctx);
        let im = ctx.keep(Immediate::new(|_ev, _im| {}));
        assert_eq!(events(&log), [""; 0]);
        im.schedule(&ctx);
        im.schedule(&ctx);
        im.reset();
        im.reset();
        assert_eq!(events(&log), ["immediate Attach", "immediate Detach", "immediate Attach", "immediate Detach"]);
        im.schedule(&ctx);
        turns(&ctx, 1);
        assert_eq!(events(&log), ["immediate Attach", "immediate BeforeHandler", "immediate Detach"]);
        let noted = log.clone();
        im.schedule_with(&ctx, move |ev, im| {
            im.schedule(ev);
            noted.add("handler ends");
        });
        events(&log);
        turns(&ctx, 1);
        assert_eq!(events(&log), [
            "immediate BeforeHandler", "immediate Detach", "immediate Attach", "handler ends",
        ]);
        drop(ctx.take(&im));
        assert_eq!(events(&log), ["immediate Detach"]);
    }

    fn trace_2_one_scheduled_from_a_thread_attaches_when_the_loop_takes_it(backend) {
        let ctx = backend.context();
        let log = trace_all(&ctx);
        let handle = ctx.threaded().unwrap();
        std::thread::spawn(move || handle.schedule(|_ev| {}).is_ok()).join().unwrap();
        assert_eq!(events(&log), [""; 0], "the wake-up fd is the library's own");
        turns(&ctx, 1);
        assert_eq!(events(&log), ["immediate Attach", "immediate BeforeHandler", "immediate Detach"]);
    }

    fn trace_2_signals_are_told_for_each_call_and_detach_at_free(backend) {
        let _alone = signals::alone();
        let ctx = backend.context();
        let log = trace_all(&ctx);
        let se = ctx.add_signal(libc::SIGUSR1, SignalFlags::SIGINFO, |_ev, _se, _got| {}).unwrap();
        assert_eq!(events(&log), ["signal Attach"], "and nothing of the wake-up fd");
        signals::raise(libc::SIGUSR1);
        signals::raise(libc::SIGUSR1);
        turns(&ctx, 1);
        assert_eq!(events(&log), ["signal BeforeHandler", "signal BeforeHandler"]);
        drop(se);
        assert_eq!(events(&log), ["signal Detach"]);
        ctx.keep(ctx.add_signal(libc::SIGUSR2, SignalFlags::RESETHAND, |_ev, _se, _got| {}).unwrap());
        signals::raise(libc::SIGUSR2);
        turns(&ctx, 1);
        assert_eq!(events(&log), ["signal Attach", "signal BeforeHandler", "signal Detach"]);
    }

    fn trace_2_queue_entries_attach_at_add_and_are_told_before_the_trigger(backend) {
        let ctx = backend.context();
        let log = trace_all(&ctx);
        let queue = Queue::create("socket");
        let (first, blocker, last) = (Req::create(()), Req::create(()), Req::create(()));
        let noted = log.clone();
        queue.add_optimize_empty(&ctx, &first, move |_req| noted.add("a trigger")).unwrap();
        assert_eq!(log.take(), ["socket Attach", "socket BeforeHandler", "a trigger"]);
        queue.add_blocker(&ctx, &blocker).unwrap();
        queue.add(&ctx, &last, |_req| {}).unwrap();
        assert_eq!(log.take(), ["socket Attach", "socket Attach"], "and nothing of the queue's immediate");
        drop(first);
        turns(&ctx, 1);
        assert_eq!(events(&log), ["socket Detach", "socket BeforeHandler"], "the blocker's turn has come");
        drop(queue);
        assert_eq!(events(&log), ["socket Detach", "socket Detach"]);
        drop((blocker, last));
        assert_eq!(events(&log), [""; 0], "once");
    }

    fn trace_2_with_its_context_each_event_detaches_once(backend) {
        let _alone = signals::alone();
        for begin_anew in [false, true] {
            let ctx = backend.context();
            let log = trace_all(&ctx);
            let (near, _far) = pair();
            let fde = ctx.add_fd(&near, FdFlags::READ, |_ev, _fde, _flags| {}).unwrap();
            let te = ctx.add_timer(When::Zero, |_ev, _te, _now| {});
            let im = Immediate::new(|_ev, _im| {});
            im.schedule(&ctx);
            let se = ctx.add_signal(libc::SIGUSR1, SignalFlags::NONE, |_ev, _se, _got| {}).unwrap();
            events(&log);
            let kept = if begin_anew {
                ctx.re_initialise().unwrap();
                Some(ctx)
            } else {
                drop(ctx);
                None
            };
            assert_eq!(events(&log), ["fd Detach", "timer Detach", "immediate Detach", "signal Detach"]);
            drop((fde, te, im, se));
            assert_eq!(events(&log), [""; 0]);
            if let Some(ctx) = kept {
                drop(ctx.add_timer(When::Zero, |_ev, _te, _now| {}));
                assert_eq!(events(&log), ["timer Attach", "timer Detach"], "callbacks stay");
            }
        }
    }

    fn trace_2_a_callback_may_free_the_event_it_is_told_of(backend) {
        let _alone = signals::alone();
        let ctx = backend.context();
        let (near, mut far) = pair();
        far.write_all(b"x").unwrap();
        let told = Rc::new(RefCell::new(Vec::new()));
        let (a, b, c, d) = (Rc::clone(&told), Rc::clone(&told), Rc::clone(&told), Rc::clone(&told));
        let ev = ctx.clone();
        let before = EventTracePoint::BeforeHandler;
        let keeper = ev.clone();
        ctx.trace().fds().set(Rc::new(move |fde, at| {
            a.borrow_mut().push(at);
            if at == before { drop(keeper.take(fde)); }
        }));
        let keeper = ev.clone();
        ctx.trace().timers().set(Rc::new(move |te, at| {
            b.borrow_mut().push(at);
            if at == before { drop(keeper.take(te)); }
        }));
        let keeper = ev.clone();
        ctx.trace().immediates().set(Rc::new(move |im, at| {
            c.borrow_mut().push(at);
            if at == before { drop(keeper.take(im)); }
        }));
        let keeper = ev.clone();
        ctx.trace().signals().set(Rc::new(move |se, at| {
            d.borrow_mut().push(at);
            if at == before { drop(keeper.take(se)); }
        }));
        ctx.keep(ctx.add_fd(&near, FdFlags::READ, |_ev, _fde, _flags| panic!("it was freed")).unwrap());
        ctx.keep(ctx.add_timer(When::Zero, |_ev, _te, _now| panic!("it was freed")));
        let once = ctx.keep(Immediate::empty());
        once.schedule_with(&ctx, |_ev, _im| panic!("it was freed"));
        ctx.keep(ctx.add_signal(libc::SIGUSR1, SignalFlags::NONE, |_ev, _se, _got| panic!("it was freed")).unwrap());
        signals::raise(libc::SIGUSR1);
        told.borrow_mut().clear();
        run_ready(&ctx);
        let twice = [EventTracePoint::BeforeHandler, EventTracePoint::Detach];
        assert_eq!(*told.borrow(), [twice; 4].concat());
    }

    fn trace_2_a_callback_that_panics_leaves_the_loop_going(backend) {
        let ctx = backend.context();
        let ran = Rc::new(Cell::new(0));
        let run = Rc::clone(&ran);
        let im = ctx.keep(Immediate::new(move |_ev, _im| run.set(run.get() + 1)));
        let bad = Cell::new(true);
        ctx.trace().immediates().set(Rc::new(move |_im, at| {
            assert!(at != EventTracePoint::BeforeHandler || !bad.replace(false), "on purpose");
        }));
        im.schedule(&ctx);
        assert!(catch_unwind(AssertUnwindSafe(|| ctx.loop_once())).is_err());
        im.schedule(&ctx);
        turns(&ctx, 1);
        assert_eq!(ran.get(), 1);
    }

    fn trace_3_the_librarys_own_events_are_not_traced(backend) {
        let ctx = backend.context();
        let log = trace_all(&ctx);
        let wakeup = wakeup_send(&ctx, When::Zero);
        wakeup.set_callback(|_req| {});
        turns(&ctx, 1);
        let posted = Req::create(());
        posted.set_callback(|_req| {});
        posted.done();
        let posted = posted.post(&ctx);
        turns(&ctx, 1);
        drop((posted, wakeup));
        assert_eq!(events(&log), [""; 0]);
        let handled = ctx.stats().handled;
        assert_eq!((handled.timers, handled.immediates), (0, 0));
    }

    fn trace_5_levels_and_the_threshold(backend) {
        let ctx = backend.context();
        let said = Log::new();
        let all = [DebugLevel::Fatal, DebugLevel::Error, DebugLevel::Warning, DebugLevel::Trace];
        let say_all = |ctx: &Context| all.iter().for_each(|level| ctx.debug(*level, format_args!("m")));
        say_all(&ctx);
        let say = said.clone();
        ctx.set_debug(move |level, message| say.add(format!("{level:?} {message}")));
        assert_eq!(said.take(), [""; 0], "no sink, no output");
        say_all(&ctx);
        assert_eq!(said.take(), ["Fatal m", "Error m", "Warning m"]);
        assert_eq!(ctx.set_max_debug_level(DebugLevel::Trace), DebugLevel::Warning);
        say_all(&ctx);
        assert_eq!(said.take(), ["Fatal m", "Error m", "Warning m", "Trace m"]);
        ctx.re_initialise().unwrap();
        drop(ctx.add_timer(When::Zero, |_ev, _te, _now| {}));
        let told = said.take();
        assert_eq!(told.len(), 2, "an event that comes and goes, at the level of traces");
        assert!(told[0].starts_with("Trace timer, created at tests/trace_clauses.rs:"), "{told:?}");
        assert_eq!(ctx.set_max_debug_level(DebugLevel::Fatal), DebugLevel::Trace);
        say_all(&ctx);
        assert_eq!(said.take(), ["Fatal m"]);
        ctx.clear_debug();
        say_all(&ctx);
        assert_eq!(said.take(), [""; 0]);
        assert_eq!(ctx.set_max_debug_level(DebugLevel::Warning), DebugLevel::Fatal);
        say_all(&ctx);
        assert_eq!(said.take(), [""; 0], "a threshold without a sink");
    }

    fn trace_5_a_sink_may_do_anything(backend) {
        let ctx = Rc::new(RefCell::new(Some(backend.context())));
        let ev: ContextRef = ctx.borrow().as_deref().unwrap().clone();
        let free = Rc::clone(&ctx);
        ev.set_debug(move |_level, _message| drop(free.take()));
        let refused = ev.add_fd(1_000_000, FdFlags::READ, |_ev, _fde, _flags| {});
        assert!(ev.is_freed());
        drop(refused);
        let ctx = backend.context();
        let again = ctx.clone();
        ctx.set_debug(move |_level, _message| again.set_debug(|_level, _message| {}));
        ctx.debug(DebugLevel::Error, format_args!("it replaces itself"));
    }

    fn trace_6_who_is_not_listened_to_is_not_told(backend) {
        let ctx = backend.context();
        let log = trace_all(&ctx);
        let trace = ctx.trace();
        assert!(trace.points().clear().is_some());
        trace.fds().clear();
        trace.signals().clear();
        trace.timers().clear();
        trace.immediates().clear();
        trace.queue_entries().clear();
        assert!(trace.points().get().is_none());
        assert!(format!("{trace:?}").contains("listeners: 0"), "the one branch");
        ctx.keep(ctx.add_timer(When::Zero, |_ev, _te, _now| {}));
        turns(&ctx, 1);
        assert_eq!(log.take(), [""; 0]);
    }
}
