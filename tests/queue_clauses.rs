//! The QUEUE clauses, first part: order, adding, and the advance rule.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/queues.rs"]
mod queues;
mod support;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use queues::{jobs, logs};
use support::{Log, on_every_backend, run_ready, turns};
use tevent::{Immediate, Queue, QueueEntryRef, Req};

#[test]
fn queue_1_has_a_name_and_runs_from_the_start() {
    let queue = Queue::create("socket");
    assert_eq!(queue.name(), "socket");
    assert!(queue.is_running() && queue.is_empty() && !queue.is_freed());
}

on_every_backend! {
    fn queue_1_keeps_entries_in_order_also_when_one_leaves_from_the_middle(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a, b, c, d] = jobs(["a", "b", "c", "d"]);
        for req in [&d, &b, &c, &a] {
            queue.add(&ctx, req, logs(&log)).unwrap();
        }
        drop(b);
        for req in [d, c, a] {
            run_ready(&ctx);
            drop(req);
        }
        assert_eq!(log.take(), ["d", "c", "a"]);
    }

    fn queue_1_length_counts_the_running_head(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a, b] = jobs(["a", "b"]);
        queue.add(&ctx, &a, logs(&log)).unwrap();
        queue.add(&ctx, &b, logs(&log)).unwrap();
        assert_eq!(queue.len(), 2);
        run_ready(&ctx);
        assert_eq!(queue.len(), 2);
        drop(a);
        assert_eq!(queue.len(), 1);
        drop(b);
        assert!(queue.is_empty());
    }

    fn queue_2_entries_take_turns_in_the_order_added(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let reqs = jobs(["a", "b", "c"]);
        for req in &reqs {
            queue.add(&ctx, req, logs(&log)).unwrap();
        }
        for (n, req) in reqs.into_iter().enumerate() {
            assert_eq!(run_ready(&ctx), 1);
            assert_eq!(log.len(), n + 1, "one at a time");
            drop(req);
        }
        assert_eq!(run_ready(&ctx), 0);
        assert_eq!(log.take(), ["a", "b", "c"]);
    }

    fn queue_2_a_trigger_never_runs_inside_add(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a, b] = jobs(["a", "b"]);
        queue.add(&ctx, &a, logs(&log)).unwrap();
        let entry = queue.add_entry(&ctx, &b, logs(&log)).unwrap();
        assert_eq!(log.len(), 0);
        turns(&ctx, 1);
        assert_eq!(log.take(), ["a"]);
        drop(a);
        assert_eq!(log.len(), 0, "nor inside the drop that passes the turn on");
        assert!(!entry.is_triggered());
        turns(&ctx, 1);
        assert!(entry.is_triggered());
        assert_eq!(log.take(), ["b"]);
    }

    fn queue_2_the_trigger_comes_in_line_with_other_immediates(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a] = jobs(["a"]);
        let first = Immediate::empty();
        let second = Immediate::empty();
        let say = |name: &'static str| { let log = log.clone(); move |_: &_, _: &_| log.add(name) };
        first.schedule_with(&ctx, say("before"));
        queue.add(&ctx, &a, logs(&log)).unwrap();
        second.schedule_with(&ctx, say("after"));
        turns(&ctx, 3);
        assert_eq!(log.take(), ["before", "a", "after"]);
    }

    fn queue_2_the_head_is_marked_and_its_trigger_called_with_its_request(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a] = jobs(["a"]);
        let own = Rc::new(RefCell::new(None::<QueueEntryRef>));
        let (shelf, inner, expected) = (Rc::clone(&own), log.clone(), a.clone());
        let entry = queue.add_entry(&ctx, &a, move |req| {
            assert_eq!(*req, expected);
            inner.add(format!("triggered {}", shelf.take().unwrap().is_triggered()));
        }).unwrap();
        assert!(entry.is_queued() && !entry.is_triggered());
        own.replace(Some(entry.clone()));
        turns(&ctx, 1);
        assert!(entry.is_queued() && entry.is_triggered());
        assert_eq!(log.take(), ["triggered true"]);
    }

    fn queue_2_each_trigger_runs_in_the_loop_it_was_added_for(backend) {
        let (here, there, log, queue) =
            (backend.context(), backend.context(), Log::new(), Queue::create("q"));
        let [a, b] = jobs(["a", "b"]);
        queue.add(&here, &a, logs(&log)).unwrap();
        queue.add(&there, &b, logs(&log)).unwrap();
        assert_eq!((run_ready(&there), run_ready(&here)), (0, 1));
        assert_eq!(log.take(), ["a"]);
        drop(a);
        assert_eq!((run_ready(&here), run_ready(&there)), (0, 1));
        assert_eq!(log.take(), ["b"]);
    }

    fn queue_2_a_head_is_never_triggered_twice(backend) {
        // add, free, add_optimize_empty: the immediate of the first add is still scheduled.
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a, b, c] = jobs(["a", "b", "c"]);
        queue.add(&ctx, &a, logs(&log)).unwrap();
        drop(a);
        queue.add_optimize_empty(&ctx, &b, logs(&log)).unwrap();
        assert_eq!(log.take(), ["b"]);
        queue.add(&ctx, &c, logs(&log)).unwrap();
        run_ready(&ctx);
        assert_eq!(log.len(), 0, "b is not triggered again, and c has to wait");
        drop(b);
        run_ready(&ctx);
        assert_eq!(log.take(), ["c"]);
    }

    fn queue_2_stop_and_start_trigger_no_head_twice(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a] = jobs(["a"]);
        queue.add(&ctx, &a, logs(&log)).unwrap();
        queue.stop();
        queue.start();
        queue.start();
        assert_eq!(run_ready(&ctx), 1);
        queue.stop();
        queue.start();
        run_ready(&ctx);
        assert_eq!(log.take(), ["a"]);
    }

    fn queue_2_a_trigger_may_add_to_its_queue_and_free_its_request(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a, b] = jobs(["a", "b"]);
        let (ev, own_queue, inner) = (ctx.clone(), queue.clone(), log.clone());
        let a = ctx.keep(a);
        let b = ctx.keep(b);
        queue.add(&ctx, &a, move |req| {
            own_queue.add(&ev, &b, logs(&inner)).unwrap();
            drop(ev.take(req));
            inner.add("a is freed");
        }).unwrap();
        turns(&ctx, 1);
        assert_eq!((log.take(), queue.len()), (vec!["a is freed".to_owned()], 1));
        turns(&ctx, 1);
        assert_eq!(log.take(), ["b"]);
    }

    fn queue_2_a_trigger_that_panicked_still_has_the_turn(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a, b] = jobs(["a", "b"]);
        let entry = queue.add_entry(&ctx, &a, |_| panic!("in a trigger")).unwrap();
        queue.add(&ctx, &b, logs(&log)).unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| ctx.loop_once())).is_err());
        assert!(entry.is_triggered());
        assert_eq!(run_ready(&ctx), 0);
        drop(a);
        assert_eq!(run_ready(&ctx), 1);
        assert_eq!(log.take(), ["b"]);
    }

    fn queue_3_freeing_the_request_removes_its_entry(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a, b, c] = jobs(["a", "b", "c"]);
        let entry = queue.add_entry(&ctx, &a, logs(&log)).unwrap();
        queue.add(&ctx, &b, logs(&log)).unwrap();
        queue.add(&ctx, &c, logs(&log)).unwrap();
        drop(b);
        assert_eq!(queue.len(), 2);
        drop(a);
        assert_eq!((queue.len(), entry.is_queued()), (1, false));
        run_ready(&ctx);
        assert_eq!(log.take(), ["c"], "the untriggered head was passed over");
    }

    fn queue_3_receiving_is_not_leaving(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a, b] = jobs(["a", "b"]);
        let entry = queue.add_entry(&ctx, &a, |req| { req.done(); }).unwrap();
        queue.add(&ctx, &b, logs(&log)).unwrap();
        run_ready(&ctx);
        a.received();
        run_ready(&ctx);
        assert_eq!((queue.len(), entry.is_queued(), log.len()), (2, true, 0));
        drop(a);
        run_ready(&ctx);
        assert_eq!(log.take(), ["b"]);
    }

    fn queue_3_removing_another_entry_does_not_advance_a_triggered_head(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a, b, c] = jobs(["a", "b", "c"]);
        for req in [&a, &b, &c] {
            queue.add(&ctx, req, logs(&log)).unwrap();
        }
        run_ready(&ctx);
        drop(b);
        assert_eq!(run_ready(&ctx), 0);
        assert_eq!(log.take(), ["a"]);
    }

    fn queue_3_removing_any_entry_schedules_an_untriggered_head(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a, b] = jobs(["a", "b"]);
        queue.add(&ctx, &a, logs(&log)).unwrap();
        queue.add(&ctx, &b, logs(&log)).unwrap();
        // The immediate moves behind this one, to which removing b sends it.
        let im = Immediate::empty();
        let inner = log.clone();
        im.schedule_with(&ctx, move |_, _| inner.add("immediate"));
        drop(b);
        run_ready(&ctx);
        assert_eq!(log.take(), ["immediate", "a"]);
    }

    fn queue_3_one_request_may_stand_in_several_queues(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let queues = ["q1", "q2"].map(Queue::create);
        let [a, b] = jobs(["a", "b"]);
        for queue in &queues {
            queue.add(&ctx, &a, |_| {}).unwrap();
            queue.add(&ctx, &b, logs(&log)).unwrap();
        }
        run_ready(&ctx);
        assert_eq!(log.len(), 0);
        drop(a);
        assert_eq!(run_ready(&ctx), 2);
        assert_eq!(log.take(), ["b", "b"]);
    }

    fn queue_3_a_request_that_is_freed_already_cannot_hold_a_queue(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a, b] = jobs(["a", "b"]);
        let gone = a.clone();
        drop(a);
        let _ = queue.add(&ctx, &gone, |_| unreachable!("its request is gone"));
        let _ = queue.add_optimize_empty(&ctx, &gone, |_| unreachable!("its request is gone"));
        assert!(queue.is_empty());
        queue.add(&ctx, &b, logs(&log)).unwrap();
        run_ready(&ctx);
        assert_eq!(log.take(), ["b"]);
    }

    fn queue_3_a_long_queue_is_worked_off_in_order(backend) {
        let (ctx, queue) = (backend.context(), Queue::create("q"));
        let next = Rc::new(Cell::new(0));
        for n in 0..10_000 {
            let req = ctx.keep(Req::create(()));
            let (next, ev) = (Rc::clone(&next), ctx.clone());
            queue.add(&ctx, &req, move |req| {
                assert_eq!(next.replace(n + 1), n);
                drop(ev.take(req));
            }).unwrap();
        }
        assert_eq!(run_ready(&ctx), 10_000);
        assert!(queue.is_empty());
    }
}
