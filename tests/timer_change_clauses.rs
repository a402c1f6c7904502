//! The TIMER clauses, second part: moving, freeing, cost, and arming again.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;
#[path = "support/timers.rs"]
mod timers;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use support::{CountDrop, Log, on_every_backend, run_ready, turns};
use tevent::{Immediate, LoopError, Timer, When};
use timers::{MS, NEVER, log_timer, nth};

/// An owner that a handler can drop.
type Shelf = Rc<RefCell<Option<Timer>>>;

on_every_backend! {
    fn timer_4_update_moves_to_a_later_and_to_an_earlier_time(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let base = ctx.now();
        let early = log_timer(&ctx, &log, "was early", nth(base, 10));
        log_timer(&ctx, &log, "middle", nth(base, 20));
        let late = log_timer(&ctx, &log, "was late", NEVER);
        assert!(early.update(nth(base, 30)));
        assert!(late.update(nth(base, 5)));
        assert_eq!(late.due(), Some(When::At(nth(base, 5))));
        turns(&ctx, 3);
        assert_eq!(log.take(), ["was late", "middle", "was early"]);
    }

    fn timer_4_update_goes_to_the_end_of_its_equals(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let same = ctx.now();
        let moved = log_timer(&ctx, &log, "moved", same);
        log_timer(&ctx, &log, "2nd", same);
        log_timer(&ctx, &log, "3rd", same);
        assert!(moved.update(same), "the same time again");
        log_timer(&ctx, &log, "added after", same);
        turns(&ctx, 4);
        assert_eq!(log.take(), ["2nd", "3rd", "moved", "added after"]);
    }

    fn timer_4_a_timer_moved_to_zero_keeps_plain_order_among_zero_timers(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let moved = log_timer(&ctx, &log, "moved", NEVER);
        log_timer(&ctx, &log, "zero before", When::Zero);
        assert!(moved.update(When::Zero));
        log_timer(&ctx, &log, "zero after", When::Zero);
        turns(&ctx, 3);
        assert_eq!(log.take(), ["zero before", "moved", "zero after"]);
    }

    fn timer_4_a_handler_can_move_another_timer(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let last = log_timer(&ctx, &log, "last", When::Zero);
        last.update(NEVER);
        let inner = log.clone();
        ctx.keep(ctx.add_timer(When::Zero, move |_, _, _| {
            inner.add("mover");
            assert!(last.update(When::Zero));
        }));
        turns(&ctx, 2);
        assert_eq!(log.take(), ["mover", "last"]);
    }

    fn timer_4_update_does_nothing_once_the_context_is_gone(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let pending = ctx.add_timer(NEVER, |_, _, _| {});
        let other = ctx.clone();
        drop(ctx);
        let inner = log.clone();
        let late = other.add_timer(When::Zero, move |_, _, _| inner.add("ran"));
        for te in [&pending, &late] {
            assert!(!te.update(When::Zero));
            assert_eq!((te.is_pending(), te.due()), (false, None));
        }
        assert!(matches!(other.loop_once(), Err(LoopError::Freed)));
        assert_eq!(log.len(), 0);
    }

    fn timer_5_freeing_while_its_new_time_is_made_is_fine(backend) {
        struct Freeing(Shelf);
        impl From<Freeing> for When {
            fn from(freeing: Freeing) -> When {
                drop(freeing.0.take());
                When::Zero
            }
        }
        let (ctx, shelf) = (backend.context(), Shelf::default());
        let te = ctx.add_timer(When::Zero, |_, _, _| unreachable!("it is freed"));
        let left = te.clone();
        shelf.replace(Some(te));
        assert!(!left.update(Freeing(shelf)));
        assert_eq!(run_ready(&ctx), 0);
    }

    fn timer_5_freeing_cancels(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let (probe, drops) = CountDrop::new();
        let inner = log.clone();
        let te = ctx.add_timer(When::Zero, move |_, _, _| inner.add(format!("{probe:?}")));
        let left = te.clone();
        drop(te);
        assert_eq!(drops.get(), 1, "the handler goes at once");
        assert!(!left.is_pending() && !left.update(When::Zero), "a Ref that is left over is inert");
        assert_eq!(run_ready(&ctx), 0);
        assert_eq!(log.len(), 0);
    }

    fn timer_5_freeing_a_due_one_in_another_handler_cancels(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let shelf = Shelf::default();
        let free = {
            let (shelf, log) = (Rc::clone(&shelf), log.clone());
            move |killer: &str| {
                assert!(shelf.take().is_some());
                log.add(killer);
            }
        };
        let new_victim = || {
            let log = log.clone();
            *shelf.borrow_mut() = Some(ctx.add_timer(When::Zero, move |_, _, _| log.add("victim")));
        };

        let by_timer = free.clone();
        ctx.keep(ctx.add_timer(When::Zero, move |_, _, _| by_timer("timer")));
        new_victim();
        assert_eq!(run_ready(&ctx), 1);

        new_victim();
        let im = Immediate::new(move |_, _| free("immediate"));
        im.schedule(&ctx);
        assert_eq!(run_ready(&ctx), 1);
        assert_eq!(log.take(), ["timer", "immediate"]);
    }

    fn timer_5_freeing_inside_its_own_handler_is_fine(backend) {
        let (ctx, log, shelf) = (backend.context(), Log::new(), Shelf::default());
        let (probe, drops) = CountDrop::new();
        let (own, inner) = (Rc::clone(&shelf), log.clone());
        *shelf.borrow_mut() = Some(ctx.add_timer(When::Zero, move |_, te, _| {
            assert!(te.update(When::Zero), "armed again, to see that freeing cancels that too");
            drop(own.take());
            assert_eq!(probe.0.get(), 0, "what the handler owns lives until it returns");
            assert!(!te.update(When::Zero), "a freed one cannot be armed");
            inner.add("ran");
        }));
        assert_eq!(run_ready(&ctx), 1);
        assert_eq!((log.take().len(), drops.get()), (1, 1));
    }

    fn timer_7_many_timers_in_adverse_order_run_in_order(backend) {
        const N: u32 = 100_000;
        let (ctx, next) = (backend.context(), Rc::new(Cell::new(0)));
        let base = ctx.now();
        // Each goes before all that are there: the worst case for a list that is walked from the end.
        let timers: Vec<_> = (0..N).rev().map(|rank| {
            let next = Rc::clone(&next);
            // Ranks 3n+1 start at the wrong end and are moved; ranks 3n+2 are freed.
            let start = if rank % 3 == 1 { nth(base, 2 * N - rank) } else { nth(base, rank) };
            let te = ctx.add_timer(start, move |_, _, _| {
                let expected = next.replace(if rank % 3 == 0 { rank + 1 } else { rank + 2 });
                assert_eq!(rank, expected);
            });
            (rank, te)
        }).collect();
        let timers: Vec<_> = timers.into_iter().filter(|(rank, _)| rank % 3 != 2).collect();
        for (rank, te) in timers.iter().filter(|(rank, _)| rank % 3 == 1) {
            assert!(te.update(nth(base, *rank)));
        }
        ctx.loop_wait().unwrap();
        assert_eq!(next.get(), N, "the last rank ran last");
    }

    fn timer_8_is_armed_again_inside_its_own_handler(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let (probe, drops) = CountDrop::new();
        let inner = log.clone();
        let te = ctx.keep(ctx.add_timer(When::Zero, move |ev, te, now| {
            inner.add(format!("{} {}", te.tag(), now.is_none()));
            te.set_tag(te.tag() + 1);
            match te.tag() {
                1 => assert!(te.update(MS)),
                2 => assert!(te.update(When::Zero)),
                3 => assert!(te.update(ev.now())),
                _ => assert_eq!(probe.0.get(), 0),
            }
        }));
        ctx.loop_wait().unwrap();
        assert_eq!(log.take(), ["0 true", "1 false", "2 true", "3 false"]);
        assert_eq!(drops.get(), 1, "the last call, which did not arm it, was its end");
        assert!(!te.update(When::Zero));
    }

    fn timer_8_the_last_of_several_updates_counts_and_stands_behind_its_equals(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let inner = log.clone();
        let te = ctx.add_timer(When::Zero, move |_, te, _| {
            inner.add("again");
            if te.tag() == 0 {
                te.set_tag(1);
                assert!(te.update(NEVER) && te.update(When::Zero));
                assert!(te.is_pending());
            }
        });
        log_timer(&ctx, &log, "other", When::Zero);
        assert_eq!(run_ready(&ctx), 3);
        assert_eq!(log.take(), ["again", "other", "again"]);
        assert!(!te.is_pending());
    }

    fn timer_8_stays_armed_though_its_handler_panicked_after_it(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let inner = log.clone();
        ctx.keep(ctx.add_timer(When::Zero, move |_, te, _| {
            te.set_tag(te.tag() + 1);
            inner.add("ran");
            assert!(te.tag() > 1 || !te.update(When::Zero), "panics the first time, armed");
        }));
        assert!(catch_unwind(AssertUnwindSafe(|| ctx.loop_once())).is_err());
        ctx.loop_wait().unwrap();
        assert_eq!(log.take(), ["ran", "ran"]);
    }

    fn timer_8_may_be_entered_again_by_nesting_and_armed_after_that(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        ctx.allow_nesting();
        let inner = log.clone();
        ctx.keep(ctx.add_timer(When::Zero, move |ev, te, _| {
            te.set_tag(te.tag() + 1);
            let call = te.tag();
            inner.add(format!("enter {call}"));
            if call == 1 {
                te.update(When::Zero);
                ev.loop_once().unwrap(); // the inner call does not arm it
                assert!(te.update(When::Zero), "the outer call is not over, so it is not spent");
            }
            inner.add(format!("leave {call}"));
        }));
        ctx.loop_wait().unwrap();
        assert_eq!(log.take(), ["enter 1", "enter 2", "leave 2", "leave 1", "enter 3", "leave 3"]);
    }
}
