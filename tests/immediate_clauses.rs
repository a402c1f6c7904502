//! The IM clauses: immediates run first in, first out, one a turn.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use support::{CountDrop, Log, on_every_backend, run_ready, turns};
use tevent::{ContextRef, Immediate, ImmediateRef, LoopError, When};

/// An immediate that logs its name, kept by the context, not scheduled.
fn log_im(ctx: &ContextRef, log: &Log, name: &'static str) -> ImmediateRef {
    let log = log.clone();
    ctx.keep(Immediate::new(move |_, _| log.add(name)))
}

/// A handler for one schedule that logs its name.
fn once(log: &Log, name: &'static str) -> impl FnOnce(&ContextRef, &ImmediateRef) + 'static {
    let log = log.clone();
    move |_, _| log.add(name)
}

on_every_backend! {
    fn im_1_is_created_unscheduled(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let im = log_im(&ctx, &log, "ran");
        assert!(!im.is_scheduled() && !Immediate::empty().is_scheduled());
        assert_eq!(run_ready(&ctx), 0);
        assert_eq!(log.len(), 0);
    }

    fn im_1_may_be_scheduled_again_and_again(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let im = log_im(&ctx, &log, "own");
        for n in 1..=3 {
            im.schedule(&ctx);
            assert!(im.is_scheduled());
            assert_eq!(run_ready(&ctx), 1, "one schedule, one run");
            assert_eq!(log.len(), n);
        }
        im.schedule_with(&ctx, once(&log, "once"));
        turns(&ctx, 1);
        im.schedule(&ctx);
        turns(&ctx, 1);
        assert_eq!(log.take(), ["own", "own", "own", "once", "own"]);
    }

    fn im_1_runs_first_in_first_out_one_per_turn(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let names = ["1st", "2nd", "3rd", "4th"];
        let created = names.map(|name| log_im(&ctx, &log, name));
        // Scheduled in another order than created.
        for n in [2, 0, 3, 1] {
            created[n].schedule(&ctx);
        }
        for n in 1..=4 {
            turns(&ctx, 1);
            assert_eq!(log.len(), n);
        }
        assert_eq!(log.take(), ["3rd", "1st", "4th", "2nd"]);
    }

    fn im_1_counts_as_an_event_while_it_is_scheduled(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let im = log_im(&ctx, &log, "ran");
        ctx.loop_wait().unwrap();
        im.schedule(&ctx);
        ctx.loop_wait().unwrap();
        assert_eq!(log.take(), ["ran"]);
    }

    fn im_2_scheduling_a_scheduled_one_moves_it_to_the_tail(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let [first, second] = ["first", "second"].map(|name| log_im(&ctx, &log, name));
        first.schedule(&ctx);
        second.schedule(&ctx);
        first.schedule(&ctx);
        assert_eq!(run_ready(&ctx), 2, "it is listed once");
        assert_eq!(log.take(), ["second", "first"]);
    }

    fn im_2_scheduling_a_scheduled_one_replaces_its_handler(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let (probe, drops) = CountDrop::new();
        let im = log_im(&ctx, &log, "own");
        let other = log_im(&ctx, &log, "other");
        im.schedule_with(&ctx, move |_, _| drop(probe));
        other.schedule(&ctx);
        im.schedule_with(&ctx, once(&log, "new"));
        assert_eq!(drops.get(), 1, "the old handler is dropped");
        turns(&ctx, 2);
        im.schedule_with(&ctx, once(&log, "never"));
        im.schedule(&ctx);
        assert_eq!(run_ready(&ctx), 1);
        assert_eq!(log.take(), ["other", "new", "own"]);
    }

    fn im_2_a_handler_for_one_schedule_is_dropped_after_it_ran(backend) {
        let ctx = backend.context();
        let (probe, drops) = CountDrop::new();
        let im = Immediate::empty();
        im.schedule_with(&ctx, move |_, _| assert_eq!(probe.0.get(), 0));
        assert_eq!(drops.get(), 0);
        turns(&ctx, 1);
        assert_eq!(drops.get(), 1);
    }

    fn im_2_scheduling_with_no_handler_cancels(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let im = Immediate::empty();
        im.schedule_with(&ctx, once(&log, "ran"));
        im.schedule(&ctx);
        assert!(!im.is_scheduled());
        assert_eq!(run_ready(&ctx), 0);
        im.schedule_with(&ctx, once(&log, "later"));
        assert_eq!(run_ready(&ctx), 1, "it was only cancelled");
        assert_eq!(log.take(), ["later"]);
    }

    fn im_2_reset_cancels_and_drops_the_handler_of_that_schedule(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let (probe, drops) = CountDrop::new();
        let im = log_im(&ctx, &log, "own");
        im.schedule_with(&ctx, move |_, _| drop(probe));
        im.reset();
        assert_eq!((im.is_scheduled(), drops.get()), (false, 1));
        im.schedule(&ctx);
        im.reset();
        im.reset();
        assert_eq!(run_ready(&ctx), 0);
        im.schedule(&ctx);
        assert_eq!(run_ready(&ctx), 1, "it can be scheduled again");
        assert_eq!(log.take(), ["own"]);
    }

    fn im_2_freeing_cancels_and_leaves_an_inert_ref(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let (own_probe, own_drops) = CountDrop::new();
        let (once_probe, once_drops) = CountDrop::new();
        let im = Immediate::new(move |_, _| unreachable!("{own_probe:?}"));
        im.schedule_with(&ctx, move |_, _| drop(once_probe));
        let left = im.clone();
        drop(im);
        assert_eq!((own_drops.get(), once_drops.get()), (1, 1));
        left.schedule(&ctx);
        left.schedule_with(&ctx, once(&log, "ran"));
        assert!(!left.is_scheduled());
        assert_eq!(run_ready(&ctx), 0);
        assert_eq!(log.len(), 0);
    }

    fn im_2_freeing_the_next_one_in_a_handler_cancels_it(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let victim = log_im(&ctx, &log, "victim");
        let (doomed, inner) = (victim.clone(), log.clone());
        let killer = Immediate::new(move |ev, _| {
            drop(ev.take(&doomed));
            inner.add("killer");
        });
        killer.schedule(&ctx);
        victim.schedule(&ctx);
        assert_eq!(run_ready(&ctx), 1);
        assert_eq!(log.take(), ["killer"]);
    }

    fn im_2_one_that_is_scheduled_elsewhere_moves_over(backend) {
        let (here, there, log) = (backend.context(), backend.context(), Log::new());
        let im = log_im(&here, &log, "moved");
        im.schedule(&here);
        let first = log_im(&there, &log, "first");
        first.schedule(&there);
        im.schedule(&there);
        assert_eq!(run_ready(&here), 0);
        assert_eq!(run_ready(&there), 2);
        assert_eq!(log.take(), ["first", "moved"]);
    }

    fn im_2_scheduling_on_a_context_that_is_gone_cancels(backend) {
        let (here, there, log) = (backend.context(), backend.context(), Log::new());
        let gone = there.clone();
        drop(there);
        let im = log_im(&here, &log, "ran");
        for schedule in [0, 1] {
            im.schedule(&here);
            match schedule {
                0 => im.schedule(&gone),
                _ => im.schedule_with(&gone, once(&log, "ran")),
            }
            assert!(!im.is_scheduled());
        }
        assert_eq!(run_ready(&here), 0);
        assert!(matches!(gone.loop_once(), Err(LoopError::Freed)));
        assert_eq!(log.len(), 0);
    }

    fn im_2_outlives_the_context_it_was_scheduled_on(backend) {
        let (here, there, log) = (backend.context(), backend.context(), Log::new());
        let (probe, drops) = CountDrop::new();
        let im = log_im(&here, &log, "ran");
        im.schedule_with(&there, move |_, _| drop(probe));
        drop(there);
        assert_eq!((im.is_scheduled(), drops.get()), (false, 1));
        im.schedule(&here);
        assert_eq!(run_ready(&here), 1);
        assert_eq!(log.take(), ["ran"]);
    }

    fn im_3_is_unscheduled_before_its_handler_runs(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        ctx.allow_nesting();
        let inner = log.clone();
        let im = Immediate::new(move |ev, im| {
            inner.add(format!("scheduled {}", im.is_scheduled()));
            ev.loop_wait().unwrap(); // nothing is left that could fire
        });
        im.schedule(&ctx);
        turns(&ctx, 1);
        assert_eq!(log.take(), ["scheduled false"]);
    }

    fn im_3_its_handler_may_schedule_it_again_to_the_tail(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let inner = log.clone();
        let again = Immediate::new(move |ev, im| {
            im.set_tag(im.tag() + 1);
            inner.add(format!("again {}", im.tag()));
            if im.tag() < 3 {
                im.schedule(ev);
                assert!(im.is_scheduled());
            }
        });
        again.schedule(&ctx);
        log_im(&ctx, &log, "other").schedule(&ctx);
        assert_eq!(run_ready(&ctx), 4, "each in a turn of its own");
        assert_eq!(log.take(), ["again 1", "other", "again 2", "again 3"]);
    }

    fn im_3_a_handler_for_one_schedule_may_schedule_the_next(backend) {
        type Once = Box<dyn FnOnce(&ContextRef, &ImmediateRef)>;
        fn step(log: Log, left: u32) -> Once {
            Box::new(move |ev, im| {
                log.add(left.to_string());
                if left > 0 {
                    im.schedule_with(ev, step(log, left - 1));
                }
            })
        }
        let (ctx, log) = (backend.context(), Log::new());
        let im = Immediate::empty();
        im.schedule_with(&ctx, step(log.clone(), 2));
        assert_eq!(run_ready(&ctx), 3);
        assert_eq!(log.take(), ["2", "1", "0"]);
    }

    fn im_3_reset_in_its_handler_undoes_what_that_has_scheduled(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let inner = log.clone();
        let im = Immediate::new(move |ev, im| {
            inner.add("ran");
            im.schedule(ev);
            im.reset();
        });
        im.schedule(&ctx);
        assert_eq!(run_ready(&ctx), 1);
        assert_eq!(log.take(), ["ran"]);
    }

    fn im_3_its_handler_may_free_it(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let (probe, drops) = CountDrop::new();
        let shelf = Rc::new(RefCell::new(None));
        let (own, inner) = (Rc::clone(&shelf), log.clone());
        let im = Immediate::new(move |ev, im| {
            im.schedule(ev); // to see that freeing cancels that too
            drop::<Option<Immediate>>(own.take());
            assert_eq!(probe.0.get(), 0, "what the handler owns lives until it returns");
            im.schedule(ev);
            assert!(!im.is_scheduled());
            inner.add("ran");
        });
        im.schedule(&ctx);
        *shelf.borrow_mut() = Some(im);
        assert_eq!(run_ready(&ctx), 1);
        assert_eq!((log.take().len(), drops.get()), (1, 1));
    }

    fn im_3_one_that_panicked_can_be_scheduled_again(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let im = log_im(&ctx, &log, "ran");
        im.schedule_with(&ctx, |_, _| panic!("in a handler"));
        assert!(catch_unwind(AssertUnwindSafe(|| ctx.loop_once())).is_err());
        assert!(!im.is_scheduled());
        im.schedule(&ctx);
        ctx.loop_wait().unwrap();
        assert_eq!(log.take(), ["ran"]);
    }

    fn im_3_may_be_entered_again_by_nesting(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        ctx.allow_nesting();
        let inner = log.clone();
        let im = Immediate::new(move |ev, im| {
            im.set_tag(im.tag() + 1);
            let call = im.tag();
            inner.add(format!("enter {call}"));
            if call < 3 {
                im.schedule(ev);
                ev.loop_once().unwrap();
            }
            inner.add(format!("leave {call}"));
        });
        im.schedule(&ctx);
        assert_eq!(run_ready(&ctx), 1, "the nested turns ran the rest");
        assert_eq!(log.take(), ["enter 1", "enter 2", "enter 3", "leave 3", "leave 2", "leave 1"]);
    }

    fn im_1_runs_inside_no_call_that_schedules(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let im = log_im(&ctx, &log, "immediate");
        let inner = log.clone();
        ctx.keep(ctx.add_timer(When::Zero, move |ev, _, _| {
            im.schedule(ev);
            inner.add("timer");
        }));
        turns(&ctx, 1);
        assert_eq!(log.take(), ["timer"]);
        turns(&ctx, 1);
        assert_eq!(log.take(), ["immediate"]);
    }
}
