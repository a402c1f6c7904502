//! LOOP-6, the nesting hook, and LOOP-8, a new beginning (more of it in `loop_anew.rs`).

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use support::{CountDrop, Log, on_every_backend, pair, run_ready, turns};
use tevent::{
    ContextRef, FdEvent, FdFlags, Immediate, Location, LoopError, NestingPhase, Timer, When, wakeup_send,
};

/// A hook that logs level and phase.
fn log_hook(ctx: &ContextRef, log: &Log) {
    let log = log.clone();
    ctx.set_nesting_hook(move |_ev, nesting| {
        log.add(format!("{:?} {}", nesting.phase, nesting.level));
        Ok(())
    });
}

fn tick(ctx: &ContextRef, log: &Log) {
    let log = log.clone();
    ctx.keep(ctx.add_timer(When::Zero, move |_, _, _| log.add("tick")));
}

on_every_backend! {
    fn loop_6_the_hook_runs_at_begin_and_end_of_each_loop_once(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        log_hook(&ctx, &log);
        tick(&ctx, &log);
        tick(&ctx, &log);
        ctx.loop_wait().unwrap();
        assert_eq!(log.take(), ["Begin 1", "tick", "End 1", "Begin 1", "tick", "End 1"]);
    }

    fn loop_6_loop_until_is_one_level_and_tells_once(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        log_hook(&ctx, &log);
        tick(&ctx, &log);
        tick(&ctx, &log);
        let seen = log.clone();
        ctx.loop_until(|| seen.len() == 3).unwrap();
        assert_eq!(log.take(), ["Begin 1", "tick", "tick", "End 1"]);
    }

    fn loop_6_levels_are_counted_from_1_the_outermost(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        ctx.allow_nesting();
        log_hook(&ctx, &log);
        let inner = log.clone();
        ctx.keep(ctx.add_timer(When::Zero, move |ev, _, _| {
            tick(ev, &inner);
            ev.loop_once().unwrap();
        }));
        turns(&ctx, 1);
        assert_eq!(log.take(), ["Begin 1", "Begin 2", "tick", "End 2", "End 1"]);
    }

    fn loop_6_the_hook_is_told_where_the_loop_was_run(backend) {
        let ctx = backend.context();
        let told = Rc::new(RefCell::new(Vec::new()));
        let into = Rc::clone(&told);
        ctx.set_nesting_hook(move |_ev, nesting| {
            into.borrow_mut().push(nesting.location);
            Ok(())
        });
        let im = Immediate::new(|_, _| {});
        im.schedule(&ctx);
        let here = Location::caller().line();
        ctx.loop_once().unwrap();
        let told = told.borrow();
        assert!(told.len() == 2 && told.iter().all(|at| (at.file(), at.line()) == (file!(), here + 1)));
    }

    fn loop_6_a_failing_begin_skips_the_turn_and_the_end(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let noted = log.clone();
        ctx.set_nesting_hook(move |_ev, nesting| {
            noted.add(format!("{:?}", nesting.phase));
            Err("not now".into())
        });
        tick(&ctx, &log);
        let failure = ctx.loop_wait().unwrap_err();
        assert!(matches!(&failure, LoopError::Hook(_)) && failure.to_string().contains("not now"));
        assert_eq!(log.take(), ["Begin"]);
        assert!(ctx.loop_until(|| false).is_err());
        assert_eq!(log.take(), ["Begin"]);
    }

    fn loop_6_a_failing_end_ends_the_call_with_that_failure(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        ctx.set_nesting_hook(|_ev, nesting| match nesting.phase {
            NestingPhase::Begin => Ok(()),
            NestingPhase::End => Err("enough".into()),
        });
        tick(&ctx, &log);
        tick(&ctx, &log);
        assert!(matches!(ctx.loop_wait(), Err(LoopError::Hook(_))));
        assert_eq!(log.take(), ["tick"], "the first turn ended it");
        ctx.set_wait_timeout(Duration::ZERO);
        turns_fail_with_their_own(&ctx);
    }

    fn loop_6_a_second_hook_is_a_callers_bug(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        log_hook(&ctx, &log);
        assert!(catch_unwind(AssertUnwindSafe(|| log_hook(&ctx, &log))).is_err());
    }

    fn loop_6_a_panicking_hook_leaves_the_loop_usable(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let first = Cell::new(true);
        ctx.set_nesting_hook(move |_ev, _nesting| {
            assert!(!first.replace(false), "the first time");
            Ok(())
        });
        tick(&ctx, &log);
        assert!(catch_unwind(AssertUnwindSafe(|| ctx.loop_once())).is_err());
        turns(&ctx, 1);
        assert_eq!(log.take(), ["tick"]);
    }

    fn loop_6_the_hook_goes_with_the_context(backend) {
        let (ctx, (probe, drops)) = (backend.context(), CountDrop::new());
        let reference = ctx.clone();
        ctx.set_nesting_hook(move |_ev, _nesting| {
            let _held = &probe;
            Ok(())
        });
        drop(ctx);
        assert_eq!(drops.get(), 1);
        drop(reference);
    }

    fn loop_8_all_events_are_dropped_and_the_context_is_usable(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let (near, far) = pair();
        let (fde, te, im) = one_of_each(&ctx, &near, &log);
        ctx.re_initialise().unwrap();
        assert_eq!((fde.flags(), te.is_pending(), im.is_scheduled()), (FdFlags::NONE, false, false));
        fde.set_flags(FdFlags::WRITE);
        assert!(!te.update(When::Zero));
        ctx.loop_wait().unwrap();
        assert!(log.take().is_empty());
        let _new = one_of_each(&ctx, &near, &log);
        drop((fde, te, im));
        turns(&ctx, 3);
        assert_eq!(log.take(), ["immediate", "timer", "fd"]);
        drop(far);
    }

    fn loop_8_nesting_and_the_wait_timeout_are_kept_and_the_hook_is_dropped(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        ctx.allow_nesting();
        ctx.set_wait_timeout(Duration::ZERO);
        log_hook(&ctx, &log);
        ctx.re_initialise().unwrap();
        let im = Immediate::new(|ev, _| assert!(matches!(ev.loop_once(), Err(LoopError::WouldBlock))));
        im.schedule(&ctx);
        turns(&ctx, 1);
        assert!(log.take().is_empty());
        log_hook(&ctx, &log);
    }

    fn loop_8_inside_a_handler_the_turn_ends_after_it(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let (near, _far) = pair();
        let shelf: Rc<RefCell<Option<FdEvent>>> = Rc::default();
        let (noted, sibling) = (log.clone(), Rc::clone(&shelf));
        let fde = ctx.add_fd(&near, FdFlags::WRITE, move |ev, fde, _| {
            noted.add("handler");
            ev.re_initialise().unwrap();
            assert_eq!(fde.flags(), FdFlags::NONE);
            drop(sibling.take());
        }).unwrap();
        let never = log.clone();
        *shelf.borrow_mut() = Some(ctx.add_fd(&near, FdFlags::WRITE, move |_, _, _| never.add("never")).unwrap());
        turns(&ctx, 1);
        assert_eq!(run_ready(&ctx), 0);
        assert_eq!(log.take(), ["handler"]);
        drop(fde);
    }

    fn loop_8_what_the_dropped_handlers_add_is_new(backend) {
        /// Adds a timer as it is dropped.
        struct AddsATimer(ContextRef, Log);
        impl Drop for AddsATimer {
            fn drop(&mut self) {
                tick(&self.0, &self.1);
            }
        }
        let (ctx, log) = (backend.context(), Log::new());
        let adders: Vec<_> = (0..3).map(|_| {
            let adder = AddsATimer(ctx.clone(), log.clone());
            ctx.add_timer(Duration::from_secs(1), move |_, _, _| { let _held = &adder; })
        }).collect();
        ctx.re_initialise().unwrap();
        drop(adders);
        ctx.loop_wait().unwrap();
        assert_eq!(log.take(), ["tick", "tick", "tick"]);
    }

    fn loop_8_handles_of_other_threads_are_dead(backend) {
        let ctx = backend.context();
        let handle = ctx.threaded().unwrap();
        ctx.re_initialise().unwrap();
        assert!(handle.schedule(|_ev| ()).is_err());
        let new = ctx.threaded().unwrap();
        new.schedule(|_ev| ()).unwrap();
        turns(&ctx, 1);
    }

    fn loop_6_loop_wait_loop_until_and_poll_tell_where_they_were_called(backend) {
        let ctx = backend.context();
        let told = Rc::new(RefCell::new(Vec::new()));
        let into = Rc::clone(&told);
        ctx.set_nesting_hook(move |_ev, nesting| {
            into.borrow_mut().push((nesting.location.line(), nesting.location.file()));
            Ok(())
        });
        ctx.keep(Immediate::new(|_, _| {})).schedule(&ctx);
        let here = Location::caller().line();
        ctx.loop_wait().unwrap();
        let req = wakeup_send(&ctx, When::Zero);
        req.poll(&ctx).unwrap();
        ctx.loop_until(|| true).unwrap();
        let lines = [1, 1, 3, 3, 4, 4].map(|line| (here + line, file!()));
        assert_eq!(*told.borrow(), lines, "the begin and the end of each");
    }

    fn loop_8_a_freed_context_has_no_new_beginning(backend) {
        let ctx = backend.context();
        let reference = ctx.clone();
        drop(ctx);
        assert!(reference.re_initialise().is_err());
    }
}

/// Where turn and hook both fail, the turn's failure goes first.
fn turns_fail_with_their_own(ctx: &ContextRef) {
    while let Err(LoopError::Hook(_)) = ctx.loop_once() {}
    assert!(matches!(ctx.loop_once(), Err(LoopError::WouldBlock)));
}

fn one_of_each(
    ctx: &ContextRef,
    near: &std::os::unix::net::UnixStream,
    log: &Log,
) -> (FdEvent, Timer, Immediate) {
    let note = |what: &'static str| {
        let log = log.clone();
        move || log.add(what)
    };
    let (fd, timer, immediate) = (note("fd"), note("timer"), note("immediate"));
    let fde = ctx.add_fd(near, FdFlags::WRITE, move |_, _, _| fd()).unwrap();
    let te = ctx.add_timer(When::Zero, move |_, _, _| timer());
    let im = Immediate::new(move |_, _| immediate());
    im.schedule(ctx);
    (fde, te, im)
}
