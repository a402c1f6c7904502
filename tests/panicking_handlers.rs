//! A panic in whatever the loop calls goes out of the turn, and the same loop goes on: each kind of event still runs, levels
//! are right again, queues advance, counts agree and a dump can be made.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

#[path = "support/signals.rs"]
mod signals;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::rc::Rc;
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use support::{Kind, on_every_backend, pair, run_ready};
use tevent::queue::{wait_recv, wait_send};
use tevent::{Context, ContextRef, DebugLevel, FdFlags, Immediate, NestingPhase, PerKind, Queue, Req};
use tevent::{SignalFlags, TracePoint, When, future_recv, set_call_flow_callback};

/// What is thrown on purpose.
struct Expected;

/// Panics the first time.
fn bomb() -> impl Fn() + Clone + 'static {
    let left = Rc::new(Cell::new(true));
    move || {
        if left.replace(false) {
            panic_any(Expected);
        }
    }
}

/// That throws.
#[track_caller]
fn throws<R>(work: impl FnOnce() -> R) {
    let thrown = catch_unwind(AssertUnwindSafe(work)).err().expect("a panic");
    assert!(thrown.is::<Expected>(), "another panic than the one that was meant");
}

/// In one of the next turns something throws; then the loop goes on.
#[track_caller]
fn a_turn_throws(ctx: &Context) {
    throws(|| run_ready(ctx));
    goes_on(ctx);
}

fn difference(after: PerKind, before: PerKind) -> [u64; 5] {
    [
        after.fds - before.fds,
        after.signals - before.signals,
        after.timers - before.timers,
        after.immediates - before.immediates,
        after.queue_entries - before.queue_entries,
    ]
}

/// One of each kind of event runs, in the outermost level and in a nested one, and they are counted as on a new loop.
#[track_caller]
fn goes_on(ctx: &Context) {
    run_ready(ctx);
    // What `run_ready` could not put back when it was thrown out.
    ctx.set_wait_timeout(Duration::from_secs(30));
    let new = Context::new().unwrap();
    assert_eq!(runs_all(ctx), runs_all(&new));
    assert_eq!(ctx.dump().level, 0);
    ctx.loop_wait().unwrap();
}

#[track_caller]
fn runs_all(ctx: &Context) -> [u64; 5] {
    assert_eq!(ctx.dump().level, 0, "no level of nesting is left over");
    let before = ctx.stats();
    let (ran, seen) = (Rc::new(RefCell::new(Vec::new())), mpsc::channel());
    let note = |what: &'static str| {
        let ran = Rc::clone(&ran);
        move || ran.borrow_mut().push(what)
    };
    let (fd, late, now, signal) = (note("fd"), note("late timer"), note("timer"), note("signal"));
    let (near, far) = pair();
    let _fde = ctx.add_fd(&near, FdFlags::WRITE, move |_ev, fde, _flags| {
        fd();
        fde.set_flags(FdFlags::NONE);
    });
    ctx.keep(ctx.add_timer(Duration::from_millis(1), move |_ev, _te, _now| late()));
    ctx.keep(ctx.add_timer(When::Zero, move |_ev, _te, _now| now()));
    let caught = ctx.add_signal(libc::SIGUSR2, SignalFlags::RESETHAND, move |_ev, _se, _got| signal());
    let _caught = caught.unwrap();
    signals::raise(libc::SIGUSR2);

    let (queue, callback, second) = (Queue::create("queue"), note("callback"), note("trigger"));
    let req = ctx.add_subreq(Req::create(()), move |_ev, _req| callback());
    queue.add(ctx, &req, |req| assert!(req.done())).unwrap();
    let waits = Req::create(());
    queue.add(ctx, &waits, move |_req| second()).unwrap();

    let (threads, proxy, into) = (ctx.threaded().unwrap(), ctx.thread_proxy().unwrap(), seen.0);
    thread::spawn(move || {
        let again = into.clone();
        threads.schedule(move |_ev| again.send("closure").unwrap()).unwrap();
        proxy.schedule(move |_ev| into.send("proxy").unwrap()).unwrap();
    });

    let (future, nested) = (note("future"), note("nested"));
    let task = async move {
        future();
        Ok(())
    };
    ctx.add_subreq(Req::from_future(ctx, task), |_ev, req| future_recv(req).unwrap());
    ctx.allow_nesting();
    ctx.keep(Immediate::empty()).schedule_with(ctx, move |ev, _im| {
        assert_eq!(ev.dump().level, 1);
        let ended = Rc::new(Cell::new(false));
        let end = Rc::clone(&ended);
        ev.keep(Immediate::empty()).schedule_with(ev, move |ev, _im| {
            assert_eq!(ev.dump().level, 2);
            nested();
            end.set(true);
        });
        ev.loop_until(|| ended.get()).unwrap();
    });
    ctx.loop_wait().unwrap();
    ran.borrow_mut().extend(seen.1.iter());
    let mut ran = ran.take();
    ran.sort_unstable();
    let all = [
        "callback",
        "closure",
        "fd",
        "future",
        "late timer",
        "nested",
        "proxy",
        "signal",
        "timer",
        "trigger",
    ];
    assert_eq!(ran, all);
    assert!(!ctx.dump().to_string().is_empty() && !queue.is_empty());
    drop(far);
    difference(ctx.stats().handled, before.handled)
}

/// Nobody else sends signals meanwhile.
fn setting(backend: Kind) -> (impl Sized, Context) {
    (signals::alone(), backend.context())
}

/// An immediate of the next turn.
fn soon(ctx: &ContextRef, work: impl FnOnce(&ContextRef) + 'static) {
    ctx.keep(Immediate::empty()).schedule_with(ctx, move |ev, _im| work(ev));
}

on_every_backend! {
    fn an_fd_handler(backend) {
        let ((_alone, ctx), (near, _far), throw) = (setting(backend), pair(), bomb());
        let calls = Rc::new(Cell::new(0));
        let count = Rc::clone(&calls);
        let _fde = ctx.add_fd(&near, FdFlags::WRITE, move |_ev, fde, _flags| {
            count.set(count.get() + 1);
            throw();
            fde.set_flags(FdFlags::NONE);
        }).unwrap();
        a_turn_throws(&ctx);
        assert_eq!(calls.get(), 2, "it stays ready, and is called again");
    }

    fn a_timer_an_immediate_and_what_was_scheduled_with_it(backend) {
        let (_alone, ctx) = setting(backend);
        for when in [When::Zero, When::In(Duration::from_micros(1))] {
            let throw = bomb();
            let te = ctx.keep(ctx.add_timer(when, move |_ev, _te, _now| throw()));
            throws(|| ctx.loop_once().and_then(|()| ctx.loop_once()));
            assert!(!te.is_pending(), "it is gone as any timer that has run");
            goes_on(&ctx);
        }
        let throw = bomb();
        let im = Immediate::new(move |_ev, _im| throw());
        im.schedule(&ctx);
        a_turn_throws(&ctx);
        im.schedule_with(&ctx, |_ev, _im| panic_any(Expected));
        a_turn_throws(&ctx);
        im.schedule(&ctx);
        run_ready(&ctx);
        assert!(!im.is_scheduled());
    }

    fn a_signal_handler_and_those_after_it_run_in_the_next_turn(backend) {
        let ((_alone, ctx), throw, calls) = (setting(backend), bomb(), Rc::new(Cell::new(0)));
        let count = Rc::clone(&calls);
        let _oldest = ctx.add_signal(libc::SIGUSR1, SignalFlags::RESETHAND, move |_ev, _se, got| {
            count.set(count.get() + got.count);
        }).unwrap();
        let newest = ctx.add_signal(libc::SIGUSR1, SignalFlags::NONE, move |_ev, _se, _got| throw()).unwrap();
        signals::raise(libc::SIGUSR1);
        throws(|| ctx.loop_once());
        assert_eq!(calls.get(), 0);
        ctx.loop_once().unwrap();
        assert_eq!(calls.get(), 1);
        drop(newest);
        goes_on(&ctx);
    }

    fn the_callback_of_a_request_at_once_and_posted(backend) {
        let (_alone, ctx) = setting(backend);
        let req = ctx.add_subreq(Req::create(()), |_ev, _req| panic_any(Expected));
        soon(&ctx, move |_ev| { req.done(); });
        a_turn_throws(&ctx);
        let req = Req::create(());
        req.done();
        ctx.add_subreq(req.post(&ctx), |_ev, _req| panic_any(Expected));
        a_turn_throws(&ctx);
        let timed = ctx.add_subreq(Req::create(()), |_ev, _req| panic_any(Expected));
        timed.set_endtime(&ctx, When::Zero);
        a_turn_throws(&ctx);
    }

    fn the_cleanup_cancel_print_and_step_of_a_request(backend) {
        let ((_alone, ctx), throw) = (setting(backend), bomb());
        let req = Req::create(());
        let (cleanup, cancel, print) = (throw.clone(), bomb(), bomb());
        req.set_cleanup_fn(move |_req, _state| cleanup());
        req.set_cancel_fn(move |req| { cancel(); req.error(libc::ECANCELED) });
        req.set_print_fn(move |req| { print(); req.default_print() });
        let asked = req.clone();
        soon(&ctx, move |_ev| drop(asked.print()));
        a_turn_throws(&ctx);
        assert!(req.print().contains("()"));
        let asked = req.clone();
        soon(&ctx, move |_ev| { asked.cancel(); });
        a_turn_throws(&ctx);
        assert!(req.is_in_progress());
        let asked = req.clone();
        soon(&ctx, move |_ev| asked.advance(|()| panic_any(Expected)));
        a_turn_throws(&ctx);
        assert!(req.is_in_progress());
        req.advance(|()| Poll::Pending);
        let asked = req.clone();
        soon(&ctx, move |_ev| { asked.cancel(); });
        a_turn_throws(&ctx);
        assert!(!req.is_in_progress(), "it is the cleanup that threw");
    }

    fn a_trigger_and_the_queue_advances(backend) {
        let ((_alone, ctx), queue) = (setting(backend), Queue::create("queue"));
        let (first, second) = (Req::create(()), Req::create(()));
        queue.add(&ctx, &first, |_req| panic_any(Expected)).unwrap();
        queue.add(&ctx, &second, |req| assert!(req.done())).unwrap();
        a_turn_throws(&ctx);
        assert!(second.is_in_progress(), "the first has the queue until it is freed");
        drop(first);
        run_ready(&ctx);
        assert!(!second.is_in_progress());
    }

    fn the_callback_of_a_queue_wait(backend) {
        let ((_alone, ctx), queue) = (setting(backend), Queue::create("queue"));
        ctx.add_subreq(wait_send(&ctx, &queue), |_ev, req| {
            wait_recv(req).unwrap();
            panic_any(Expected);
        });
        let next = wait_send(&ctx, &queue);
        a_turn_throws(&ctx);
        assert!(!next.is_in_progress());
    }

    fn a_closure_from_a_thread_and_one_of_a_proxy(backend) {
        let (_alone, ctx) = setting(backend);
        let (threads, proxy) = (ctx.threaded().unwrap(), ctx.thread_proxy().unwrap());
        let thread = thread::spawn(move || {
            threads.schedule(|_ev| panic_any(Expected)).unwrap();
            proxy.schedule(|_ev| panic_any(Expected)).unwrap();
        });
        thread.join().unwrap();
        throws(|| ctx.loop_wait());
        a_turn_throws(&ctx);
    }

    fn a_future_and_the_one_that_is_blocked_on(backend) {
        let (_alone, ctx) = setting(backend);
        let req = Req::from_future(&ctx, async { panic_any(Expected) });
        let fails = req.clone();
        throws(|| run_ready(&ctx));
        goes_on(&ctx);
        assert!(!fails.is_in_progress());
        assert_eq!(future_recv::<()>(req).unwrap_err().errno(), libc::EIO);
        throws(|| ctx.block_on::<()>(async { panic_any(Expected) }));
        goes_on(&ctx);
        assert_eq!(ctx.block_on(async { Ok(7) }), Ok(7));
    }

    fn the_trace_callback_of_each_point(backend) {
        use TracePoint::{AfterLoopOnce, AfterWait, BeforeLoopOnce, BeforeWait};
        for bad in [BeforeLoopOnce, BeforeWait, AfterWait, AfterLoopOnce] {
            let ((_alone, ctx), throw) = (setting(backend), bomb());
            ctx.trace().points().set(Rc::new(move |_ev, point| if point == bad { throw() }));
            a_turn_throws(&ctx);
        }
    }

    fn the_trace_callbacks_of_each_kind_of_event_and_the_call_flows(backend) {
        let ((_alone, ctx), (near, _far), throw) = (setting(backend), pair(), bomb());
        ctx.trace().fds().set(Rc::new(move |_fde, _at| throw()));
        throws(|| ctx.add_fd(&near, FdFlags::WRITE, |_, _, _| ()));
        goes_on(&ctx);
        let throw = bomb();
        ctx.trace().timers().set(Rc::new(move |_te, _at| throw()));
        throws(|| ctx.add_timer(When::Zero, |_, _, _| ()));
        goes_on(&ctx);
        let (throw, signal) = (bomb(), libc::SIGUSR1);
        ctx.trace().signals().set(Rc::new(move |_se, _at| throw()));
        throws(|| ctx.add_signal(signal, SignalFlags::NONE, |_, _, _| ()));
        goes_on(&ctx);
        let throw = bomb();
        set_call_flow_callback(Some(Rc::new(move |_flow| throw())));
        a_turn_throws(&ctx);
        set_call_flow_callback(None);
    }

    fn the_nesting_hook_at_the_begin_and_at_the_end(backend) {
        for bad in [NestingPhase::Begin, NestingPhase::End] {
            let ((_alone, ctx), throw) = (setting(backend), bomb());
            ctx.set_nesting_hook(move |_ev, nesting| {
                if nesting.phase == bad { throw() }
                Ok(())
            });
            a_turn_throws(&ctx);
        }
    }

    fn the_debug_sink_and_the_watchdogs_report(backend) {
        let ((_alone, ctx), throw) = (setting(backend), bomb());
        ctx.set_debug(move |_level, _message| throw());
        soon(&ctx, |ev| ev.debug(DebugLevel::Error, format_args!("said in a handler")));
        a_turn_throws(&ctx);
        ctx.set_watchdog(Duration::ZERO, { let throw = bomb(); move |_ev, _alarm| throw() });
        soon(&ctx, |_ev| thread::yield_now());
        let _thrown = catch_unwind(AssertUnwindSafe(|| run_ready(&ctx)));
        goes_on(&ctx);
    }

    fn what_loop_until_asks_and_a_nested_turn(backend) {
        let (_alone, ctx) = setting(backend);
        throws(|| ctx.loop_until(|| panic_any(Expected)));
        goes_on(&ctx);
        soon(&ctx, |ev| {
            soon(ev, |_ev| panic_any(Expected));
            let _ended = ev.loop_until(|| false);
        });
        a_turn_throws(&ctx);
        // Caught half-way, in the handler that has run the loop.
        soon(&ctx, |ev| {
            soon(ev, |_ev| panic_any(Expected));
            throws(|| ev.loop_once());
            assert_eq!(ev.dump().level, 1);
        });
        run_ready(&ctx);
        goes_on(&ctx);
    }
}
