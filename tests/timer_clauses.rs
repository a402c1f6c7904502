//! The TIMER clauses, first part: one shot, in the order of deadlines, never early.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;
#[path = "support/timers.rs"]
mod timers;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use support::{CountDrop, Kind, Log, on_every_backend, run_ready, turns};
use tevent::{Immediate, LoopError, When};
use timers::{MS, NEVER, log_timer, nth};

on_every_backend! {
    fn timer_1_fires_once(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        log_timer(&ctx, &log, "fired", When::Zero);
        assert_eq!(run_ready(&ctx), 1);
        ctx.loop_wait().unwrap();
        assert_eq!(log.take(), ["fired"]);
    }

    fn timer_1_is_out_of_the_list_before_its_handler_runs(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        ctx.allow_nesting();
        let inner = log.clone();
        let te = ctx.add_timer(Duration::ZERO, move |ev, te, _| {
            inner.add(format!("pending {}, due {:?}", te.is_pending(), te.due()));
            ev.loop_wait().unwrap(); // nothing is left that could fire
            inner.add("left");
        });
        assert!(te.is_pending());
        turns(&ctx, 1);
        assert_eq!(log.take(), ["pending false, due None", "left"]);
    }

    fn timer_1_is_gone_after_its_handler(backend) {
        let ctx = backend.context();
        let (probe, drops) = CountDrop::new();
        let in_handler = Rc::clone(&drops);
        let kept = ctx.keep(ctx.add_timer(When::Zero, move |_, _, _| {
            let _owned = &probe;
            assert_eq!(in_handler.get(), 0);
        }));
        turns(&ctx, 1);
        assert_eq!(drops.get(), 1, "the handler is dropped");
        assert!(ctx.take(&kept).is_none(), "it has left its home");
        assert!(!kept.update(When::Zero), "there is nothing left to arm");
        assert!(!kept.is_pending());
    }

    fn timer_1_is_gone_though_its_handler_panicked(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let te = ctx.add_timer(When::Zero, |_, _, _| panic!("in a handler"));
        log_timer(&ctx, &log, "next", When::Zero);
        assert!(catch_unwind(AssertUnwindSafe(|| ctx.loop_once())).is_err());
        assert!(!te.is_pending());
        ctx.loop_wait().unwrap();
        assert_eq!(log.take(), ["next"]);
    }

    fn timer_2_order_is_by_due_time(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let base = ctx.now();
        for (name, n) in [("4th", 40), ("1st", 10), ("3rd", 30), ("2nd", 20)] {
            log_timer(&ctx, &log, name, nth(base, n));
        }
        turns(&ctx, 4);
        assert_eq!(log.take(), ["1st", "2nd", "3rd", "4th"]);
    }

    fn timer_2_equal_due_times_run_in_the_order_added(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let same = ctx.now();
        for name in ["1st", "2nd", "3rd", "4th", "5th"] {
            log_timer(&ctx, &log, name, same);
        }
        turns(&ctx, 5);
        assert_eq!(log.take(), ["1st", "2nd", "3rd", "4th", "5th"]);
    }

    fn timer_2_a_delay_counts_from_the_moment_it_is_added(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        log_timer(&ctx, &log, "long", 3 * MS);
        log_timer(&ctx, &log, "short", MS);
        log_timer(&ctx, &log, "none", Duration::ZERO);
        ctx.loop_wait().unwrap();
        assert_eq!(log.take(), ["none", "short", "long"]);
    }

    fn timer_2_the_zero_time_is_before_all_others(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        log_timer(&ctx, &log, "due", ctx.now());
        log_timer(&ctx, &log, "zero 1", When::Zero);
        log_timer(&ctx, &log, "zero 2", When::Zero);
        turns(&ctx, 3);
        assert_eq!(log.take(), ["zero 1", "zero 2", "due"]);
    }

    fn timer_2_a_zero_timer_gets_the_zero_time(backend) {
        let (ctx, got) = (backend.context(), Rc::new(Cell::new(Some(Instant::now()))));
        let seen = Rc::clone(&got);
        let te = ctx.add_timer(When::Zero, move |_, _, now| seen.set(now));
        assert_eq!(te.due(), Some(When::Zero));
        turns(&ctx, 1);
        assert_eq!(got.get(), None);
    }

    fn timer_2_other_handlers_get_the_current_time(backend) {
        let (ctx, got) = (backend.context(), Rc::new(Cell::new(None)));
        let seen = Rc::clone(&got);
        let due = ctx.now();
        let te = ctx.add_timer(due, move |_, _, now| seen.set(now));
        assert_eq!(te.due(), Some(When::At(due)));
        if backend.is_simulated() {
            ctx.advance_clock(MS);
        }
        while ctx.now() == due {} // a step of the clock
        let before = ctx.now();
        turns(&ctx, 1);
        let now = got.get().unwrap();
        assert!(before <= now && now <= ctx.now(), "the current time, not the due time");
    }

    fn timer_3_is_never_early(backend) {
        let (ctx, ran) = (backend.context(), Rc::new(Cell::new(0)));
        for n in 0..3 {
            let due = ctx.now() + n * MS + Duration::from_micros(300);
            let ran = Rc::clone(&ran);
            ctx.keep(ctx.add_timer(due, move |ev, _, now| {
                assert!(now.unwrap() >= due && ev.now() >= due);
                assert!(backend.is_simulated() || Instant::now() >= due);
                ran.set(ran.get() + 1);
            }));
        }
        ctx.loop_wait().unwrap();
        assert_eq!(ran.get(), 3);
    }

    fn timer_3_a_timer_that_is_not_due_does_not_run(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        log_timer(&ctx, &log, "early", NEVER);
        ctx.set_wait_timeout(Duration::ZERO);
        for _ in 0..3 {
            assert!(matches!(ctx.loop_once(), Err(LoopError::WouldBlock)));
        }
        assert_eq!(log.len(), 0);
    }

    fn timer_3_one_timer_runs_per_turn(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        for when in [When::Zero, When::Zero, When::At(ctx.now()), When::from(ctx.now())] {
            log_timer(&ctx, &log, "ran", when);
        }
        for n in 1..=4 {
            turns(&ctx, 1);
            assert_eq!(log.len(), n);
        }
    }

    fn timer_3_immediates_come_between_two_due_timers(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let (first, second) = (log.clone(), log.clone());
        let im = ctx.keep(Immediate::new(move |_, _| second.add("immediate")));
        ctx.keep(ctx.add_timer(When::Zero, move |ev, _, _| {
            first.add("1st timer");
            im.schedule(ev);
        }));
        log_timer(&ctx, &log, "2nd timer", When::Zero);
        turns(&ctx, 3);
        assert_eq!(log.take(), ["1st timer", "immediate", "2nd timer"]);
    }

    fn timer_3_a_timer_added_in_a_handler_has_to_wait_for_the_next_turn(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let inner = log.clone();
        ctx.keep(ctx.add_timer(When::Zero, move |ev, _, _| {
            log_timer(ev, &inner, "added", When::Zero);
            inner.add("adder");
        }));
        turns(&ctx, 1);
        assert_eq!(log.take(), ["adder"]);
        turns(&ctx, 1);
        assert_eq!(log.take(), ["added"]);
    }
}

#[test]
fn timer_3_virtual_time_fires_at_the_very_due_time() {
    let ctx = Kind::Simulated.context();
    let start = ctx.now();
    let fired = Rc::new(RefCell::new(Vec::new()));
    for hours in [5, 1, 3] {
        let fired = Rc::clone(&fired);
        let delay = Duration::from_secs(hours * 3600);
        ctx.keep(ctx.add_timer(delay, move |_, _, now| fired.borrow_mut().push(now.unwrap() - start)));
    }
    ctx.loop_wait().unwrap();
    assert_eq!(*fired.borrow(), [1, 3, 5].map(|hours| Duration::from_secs(hours * 3600)));
}

#[test]
fn timer_3_virtual_time_that_passes_in_a_handler_makes_timers_due() {
    let (ctx, log) = (Kind::Simulated.context(), Log::new());
    log_timer(&ctx, &log, "due", NEVER);
    ctx.advance_clock(NEVER / 2);
    assert_eq!(run_ready(&ctx), 0);
    ctx.advance_clock(NEVER / 2);
    assert_eq!(run_ready(&ctx), 1);
    assert_eq!(log.take(), ["due"]);
}

#[test]
fn timer_2_a_delay_that_no_clock_can_hold_is_due_far_away() {
    let ctx = Kind::Simulated.context();
    let te = ctx.add_timer(Duration::MAX, |_, _, _| {});
    let Some(When::At(due)) = te.due() else { panic!("{te:?}") };
    assert!(due - ctx.now() > 1000 * NEVER);
}

/// Decades before the first that was added: 30 years is what the heap counts from.
#[test]
fn timer_3_deadlines_decades_ago_keep_their_order() {
    let (ctx, log) = (Kind::Simulated.context(), Log::new());
    let seconds = |n| Duration::from_secs(n);
    let Some(long_ago) = ctx.now().checked_sub(seconds(1_000_000_000)) else { return };
    log_timer(&ctx, &log, "now", When::At(ctx.now()));
    log_timer(&ctx, &log, "there", When::At(long_ago));
    for (name, away) in [("before", seconds(1)), ("just before", Duration::from_nanos(1))] {
        if let Some(due) = long_ago.checked_sub(away) {
            log_timer(&ctx, &log, name, When::At(due));
        }
    }
    log_timer(&ctx, &log, "just after", When::At(long_ago + Duration::from_nanos(1)));
    run_ready(&ctx);
    assert_eq!(log.take(), ["before", "just before", "there", "just after", "now"]);
}
