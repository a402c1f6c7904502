//! The QUEUE clauses, second part: the direct trigger, leaving, blockers, stopping, the queue's end, waiting.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/queues.rs"]
mod queues;
mod support;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use queues::{jobs, logs};
use support::{CountDrop, Log, on_every_backend, run_ready, turns};
use tevent::queue::{wait_recv, wait_send};
use tevent::{Queue, QueueError, ReqState};

on_every_backend! {
    fn queue_4_triggers_at_once_when_empty_running_and_without_a_callback(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a] = jobs(["a"]);
        let entry = queue.add_optimize_empty(&ctx, &a, logs(&log)).unwrap();
        assert_eq!(log.take(), ["a"]);
        assert!(entry.is_triggered() && queue.len() == 1);
        assert_eq!(run_ready(&ctx), 0, "not a second time");
        assert_eq!(log.len(), 0);
    }

    fn queue_4_does_not_trigger_at_once_when_not_empty(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a, b] = jobs(["a", "b"]);
        queue.add(&ctx, &a, logs(&log)).unwrap();
        queue.add_optimize_empty(&ctx, &b, logs(&log)).unwrap();
        assert_eq!(log.len(), 0);
        run_ready(&ctx);
        drop(a);
        run_ready(&ctx);
        assert_eq!(log.take(), ["a", "b"]);
    }

    fn queue_4_does_not_trigger_at_once_when_stopped(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a] = jobs(["a"]);
        queue.stop();
        queue.add_optimize_empty(&ctx, &a, logs(&log)).unwrap();
        assert_eq!((run_ready(&ctx), log.len()), (0, 0));
        queue.start();
        assert_eq!((run_ready(&ctx), log.len()), (1, 1));
    }

    fn queue_4_does_not_trigger_at_once_when_the_request_has_a_callback(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a] = jobs(["a"]);
        a.set_callback(|_| {});
        queue.add_optimize_empty(&ctx, &a, logs(&log)).unwrap();
        assert_eq!(log.len(), 0);
        assert_eq!(run_ready(&ctx), 1);
        assert_eq!(log.take(), ["a"]);
    }

    fn queue_4_a_direct_trigger_may_finish_with_a_deferred_callback(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a] = jobs(["a"]);
        a.defer_callback(&ctx);
        queue.add_optimize_empty(&ctx, &a, |req| { req.done(); }).unwrap();
        a.set_callback(logs(&log)); // as the caller of a `_send` function does
        assert_eq!((a.state(), log.len()), (ReqState::Done, 0));
        run_ready(&ctx);
        assert_eq!(log.take(), ["a"]);
    }

    fn queue_4_a_direct_trigger_may_free_its_request(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a, b] = jobs(["a", "b"]);
        let (a, ev) = (ctx.keep(a), ctx.clone());
        let entry = queue.add_optimize_empty(&ctx, &a, move |req| drop(ev.take(req))).unwrap();
        assert!(queue.is_empty() && !entry.is_queued());
        queue.add(&ctx, &b, logs(&log)).unwrap();
        run_ready(&ctx);
        assert_eq!(log.take(), ["b"]);
    }

    fn queue_5_freeing_an_entry_leaves_the_queue_without_freeing_the_request(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a, b, c] = jobs(["a", "b", "c"]);
        let (probe, drops) = CountDrop::new();
        let head = queue.add_entry(&ctx, &a, move |_| { let _owned = &probe; }).unwrap();
        run_ready(&ctx);
        let next = queue.add_optimize_empty(&ctx, &b, logs(&log)).unwrap();
        queue.add(&ctx, &c, logs(&log)).unwrap();
        drop(a.take(&head));
        assert_eq!((queue.len(), head.is_queued(), drops.get()), (2, false, 1));
        assert!(a.is_in_progress());
        assert!(a.take(&head).is_none(), "it is gone");
        drop(b.take(&next));
        run_ready(&ctx);
        assert!(b.is_in_progress());
        assert_eq!(log.take(), ["c"]);
    }

    fn queue_5_an_entry_may_leave_inside_its_own_trigger(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a, b] = jobs(["a", "b"]);
        let (probe, drops) = CountDrop::new();
        let own = Rc::new(RefCell::new(None));
        let (shelf, inner) = (Rc::clone(&own), log.clone());
        let entry = queue.add_entry(&ctx, &a, move |req| {
            let entry = shelf.take().unwrap();
            drop(req.take(&entry));
            assert_eq!(probe.0.get(), 0, "what the trigger owns lives until it returns");
            inner.add("left");
        }).unwrap();
        own.replace(Some(entry));
        queue.add(&ctx, &b, logs(&log)).unwrap();
        assert_eq!(run_ready(&ctx), 2);
        assert_eq!((log.take(), drops.get()), (vec!["left".to_owned(), "b".to_owned()], 1));
    }

    fn queue_6_a_blocker_holds_its_place_until_it_is_freed(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a, b, c] = jobs(["a", "b", "c"]);
        queue.add(&ctx, &a, logs(&log)).unwrap();
        let blocker = queue.add_blocker(&ctx, &b).unwrap();
        queue.add(&ctx, &c, logs(&log)).unwrap();
        run_ready(&ctx);
        assert!(!blocker.is_triggered());
        drop(a);
        run_ready(&ctx);
        assert!(blocker.is_triggered(), "its turn has come");
        assert_eq!(log.take(), ["a"]);
        drop(b.take(&blocker));
        run_ready(&ctx);
        assert_eq!((log.take(), b.is_in_progress()), (vec!["c".to_owned()], true));
    }

    fn queue_7_stop_keeps_the_active_entry_going_but_triggers_no_more(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a, b] = jobs(["a", "b"]);
        let active = queue.add_entry(&ctx, &a, logs(&log)).unwrap();
        queue.add(&ctx, &b, logs(&log)).unwrap();
        run_ready(&ctx);
        queue.stop();
        assert!(!queue.is_running() && active.is_queued() && active.is_triggered());
        a.done();
        drop(a);
        assert_eq!((queue.len(), run_ready(&ctx)), (1, 0));
        assert_eq!(log.take(), ["a"]);
        queue.start();
        assert!(queue.is_running());
        run_ready(&ctx);
        assert_eq!(log.take(), ["b"]);
    }

    fn queue_7_stop_holds_a_trigger_that_is_already_on_its_way(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a] = jobs(["a"]);
        queue.add(&ctx, &a, logs(&log)).unwrap();
        queue.stop();
        run_ready(&ctx);
        assert_eq!(log.len(), 0);
        queue.start();
        assert_eq!(log.len(), 0, "never inside start");
        turns(&ctx, 1);
        assert_eq!(log.take(), ["a"]);
    }

    fn queue_7_a_stopped_queue_takes_entries_and_lets_them_go(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        queue.stop();
        let [a, b, c] = jobs(["a", "b", "c"]);
        for req in [&a, &b, &c] {
            queue.add(&ctx, req, logs(&log)).unwrap();
        }
        drop(a);
        assert_eq!((queue.len(), run_ready(&ctx)), (2, 0));
        queue.start();
        run_ready(&ctx);
        assert_eq!(log.take(), ["b"]);
    }

    fn queue_8_untrigger_lets_the_head_be_triggered_again_after_start(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a, b] = jobs(["a", "b"]);
        let entry = queue.add_entry(&ctx, &a, logs(&log)).unwrap();
        queue.add(&ctx, &b, logs(&log)).unwrap();
        run_ready(&ctx);
        queue.stop();
        entry.untrigger();
        assert!(!entry.is_triggered());
        assert_eq!(run_ready(&ctx), 0);
        queue.start();
        run_ready(&ctx);
        assert!(entry.is_triggered());
        assert_eq!(log.take(), ["a", "a"]);
    }

    fn queue_8_untrigger_is_allowed_inside_the_trigger(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a] = jobs(["a"]);
        let own = Rc::new(RefCell::new(None));
        let (shelf, inner, own_queue) = (Rc::clone(&own), log.clone(), queue.clone());
        let entry = queue.add_entry(&ctx, &a, move |_| {
            inner.add("triggered");
            if let Some(entry) = shelf.take() {
                own_queue.stop();
                tevent::QueueEntryRef::untrigger(&entry);
            }
        }).unwrap();
        own.replace(Some(entry));
        run_ready(&ctx);
        queue.start();
        run_ready(&ctx);
        assert_eq!(log.take(), ["triggered", "triggered"]);
    }

    fn queue_9_freeing_the_queue_removes_all_entries_and_the_requests_live_on(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let (probe, drops) = CountDrop::new();
        let [a, b] = jobs(["a", "b"]);
        let active = queue.add_entry(&ctx, &a, move |_| { let _owned = &probe; }).unwrap();
        run_ready(&ctx);
        let waiting = queue.add_entry(&ctx, &b, logs(&log)).unwrap();
        let left = queue.clone();
        drop(queue);
        assert_eq!((left.len(), left.is_running(), left.is_freed()), (0, false, true));
        assert!(!active.is_queued() && !waiting.is_queued());
        assert_eq!(drops.get(), 1, "triggers are dropped");
        assert_eq!(run_ready(&ctx), 0);
        assert!(a.is_in_progress() && b.is_in_progress());
        drop((a, b));
        assert_eq!(log.len(), 0);
    }

    fn queue_9_all_entries_leave_though_what_a_trigger_owns_panics_as_it_is_dropped(backend) {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("in a drop");
            }
        }
        let (ctx, queue, [a, b], bomb) = (backend.context(), Queue::create("q"), jobs(["a", "b"]), Bomb);
        queue.add(&ctx, &a, move |_| { let _owned = &bomb; }).unwrap();
        let second = queue.add_entry(&ctx, &b, |_| {}).unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| drop(queue))).is_err());
        assert!(!second.is_queued());
    }

    fn queue_9_a_trigger_that_is_on_its_way_does_not_run(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a] = jobs(["a"]);
        queue.add(&ctx, &a, logs(&log)).unwrap();
        drop(queue);
        assert_eq!((run_ready(&ctx), log.len()), (0, 0));
    }

    fn queue_9_a_freed_queue_takes_nobody_and_cannot_be_started(backend) {
        let (ctx, queue) = (backend.context(), Queue::create("gone"));
        let left = queue.clone();
        drop(queue);
        left.start();
        assert!(!left.is_running());
        let [a] = jobs(["a"]);
        let freed = QueueError::Freed("gone".to_owned());
        assert_eq!(left.add(&ctx, &a, |_| {}), Err(freed.clone()));
        assert_eq!(left.add_entry(&ctx, &a, |_| {}).unwrap_err(), freed);
        assert_eq!(left.add_blocker(&ctx, &a).unwrap_err(), freed);
        assert_eq!(left.add_optimize_empty(&ctx, &a, |_| unreachable!()).unwrap_err(), freed);
        assert_eq!(freed.to_string(), "the queue `gone` has been freed");
    }

    fn queue_9_a_trigger_may_free_its_queue(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a, b] = jobs(["a", "b"]);
        let shelf = Rc::new(RefCell::new(None));
        let (own, inner) = (Rc::clone(&shelf), log.clone());
        queue.add(&ctx, &a, move |req| {
            drop::<Option<Queue>>(own.take());
            inner.add(req.with_state(|name| *name).unwrap());
        }).unwrap();
        queue.add(&ctx, &b, logs(&log)).unwrap();
        shelf.replace(Some(queue));
        run_ready(&ctx);
        assert_eq!(log.take(), ["a"]);
    }

    fn queue_9_a_context_may_keep_a_queue(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let [a] = jobs(["a"]);
        let queue = ctx.keep(Queue::create("kept"));
        queue.add(&ctx, &a, logs(&log)).unwrap();
        run_ready(&ctx);
        assert_eq!(log.take(), ["a"]);
        drop(ctx);
        assert!(queue.is_freed());
    }

    fn queue_10_is_done_when_its_turn_comes_and_holds_the_queue_until_freed(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a, c] = jobs(["a", "c"]);
        queue.add(&ctx, &a, logs(&log)).unwrap();
        let wait = wait_send(&ctx, &queue);
        queue.add(&ctx, &c, logs(&log)).unwrap();
        run_ready(&ctx);
        assert!(wait.is_in_progress());
        drop(a);
        run_ready(&ctx);
        assert_eq!((wait.state(), queue.len()), (ReqState::Done, 2));
        assert_eq!(log.take(), ["a"]);
        assert_eq!(wait_recv(wait), Ok(()));
        run_ready(&ctx);
        assert_eq!(log.take(), ["c"]);
    }

    fn queue_10_calls_back_in_a_turn_also_when_the_queue_is_empty(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let wait = wait_send(&ctx, &queue);
        assert!(wait.is_in_progress(), "its caller has had no chance to set a callback");
        let inner = log.clone();
        wait.set_callback(move |req| inner.add(format!("{:?}", req.state())));
        run_ready(&ctx);
        assert_eq!(log.take(), ["Done"]);
    }

    fn queue_10_freeing_it_before_its_turn_leaves_the_queue(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let [a, c] = jobs(["a", "c"]);
        queue.add(&ctx, &a, logs(&log)).unwrap();
        let wait = wait_send(&ctx, &queue);
        queue.add(&ctx, &c, logs(&log)).unwrap();
        drop(wait);
        drop(a);
        run_ready(&ctx);
        assert_eq!(log.take(), ["c"]);
    }

    fn queue_10_on_a_freed_queue_fails_in_a_later_turn(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let left = queue.clone();
        drop(queue);
        let wait = wait_send(&ctx, &left);
        let inner = log.clone();
        wait.set_callback(move |req| inner.add(format!("{:?}", req.state())));
        run_ready(&ctx);
        assert_eq!(log.take(), ["UserError"]);
        assert_eq!(wait_recv(wait).unwrap_err().errno(), rustix::io::Errno::INVAL.raw_os_error());
    }
}
