//! WAKE-1, the request that only waits, and TRACE-3, the user tags.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

use std::time::Duration;

use support::{Log, on_every_backend, pair, run_ready, turns};
use tevent::{FdFlags, Immediate, Queue, Req, ReqState, When, wakeup_recv, wakeup_send};

const MS: Duration = Duration::from_millis(1);
const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

on_every_backend! {
    fn wake_1_finishes_by_its_end_time_and_recv_says_true(backend) {
        let ctx = backend.context();
        let at = ctx.now() + 2 * MS;
        let req = wakeup_send(&ctx, at);
        assert!(req.is_in_progress());
        req.poll(&ctx).unwrap();
        assert!(ctx.now() >= at);
        assert!(!backend.is_simulated() || ctx.now() == at);
        assert_eq!(req.state(), ReqState::TimedOut);
        assert!(wakeup_recv(req));
    }

    fn wake_1_calls_back_in_a_turn_also_for_the_zero_time(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let req = wakeup_send(&ctx, When::Zero);
        let inner = log.clone();
        req.set_callback(move |req| inner.add(format!("{:?}", req.state())));
        assert_eq!(log.len(), 0);
        turns(&ctx, 1);
        assert_eq!(log.take(), ["TimedOut"]);
    }

    fn wake_1_several_wake_in_the_order_of_their_times(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let parent = Req::create(());
        for (name, delay) in [("late", 3 * MS), ("early", MS)] {
            let log = log.clone();
            parent.add_subreq(wakeup_send(&ctx, delay), move |_, subreq| {
                assert!(wakeup_recv(subreq));
                log.add(name);
            });
        }
        ctx.loop_wait().unwrap();
        assert_eq!(log.take(), ["early", "late"]);
    }

    fn wake_1_recv_says_false_when_it_ended_otherwise_or_not_yet(backend) {
        let ctx = backend.context();
        assert!(!wakeup_recv(wakeup_send(&ctx, NEVER)));
        let failed = wakeup_send(&ctx, NEVER);
        failed.error(5);
        assert!(!wakeup_recv(failed));
        let done = wakeup_send(&ctx, NEVER);
        done.done();
        assert!(!wakeup_recv(done));
        ctx.loop_wait().unwrap(); // no timer is left
    }

    fn wake_1_freeing_it_ends_the_wait(backend) {
        let ctx = backend.context();
        drop(wakeup_send(&ctx, When::Zero));
        assert_eq!(run_ready(&ctx), 0);
    }

    fn trace_3_a_timer_keeps_its_tag_over_updates_and_firing(backend) {
        let ctx = backend.context();
        let te = ctx.add_timer(NEVER, |_, te, _| {
            assert_eq!(te.tag(), u64::MAX);
        });
        assert_eq!(te.tag(), 0);
        te.clone().set_tag(u64::MAX);
        te.update(When::Zero);
        assert_eq!(te.tag(), u64::MAX);
        turns(&ctx, 1);
        assert_eq!(te.tag(), u64::MAX);
    }

    fn trace_3_an_immediate_keeps_its_tag_over_every_schedule(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let inner = log.clone();
        let im = Immediate::new(move |_, im| inner.add(format!("{}", im.tag())));
        assert_eq!((im.tag(), Immediate::empty().tag()), (0, 0));
        im.set_tag(1 << 63);
        im.schedule(&ctx);
        im.schedule(&ctx);
        turns(&ctx, 1);
        im.schedule_with(&ctx, |_, im| assert_eq!(im.tag(), 1 << 63));
        turns(&ctx, 1);
        im.reset();
        assert_eq!(im.tag(), 1 << 63);
        assert_eq!(log.take(), [(1_u64 << 63).to_string()]);
    }

    fn trace_3_an_fd_event_keeps_its_tag_over_changed_flags_and_firing(backend) {
        let (ctx, (a, _b)) = (backend.context(), pair());
        let fde = ctx.add_fd(&a, FdFlags::NONE, |_, fde, _| {
            assert_eq!(fde.tag(), 7);
            fde.set_tag(8);
            fde.set_flags(FdFlags::READ);
        }).unwrap();
        let sibling = ctx.add_fd(&a, FdFlags::READ, |_, _, _| {}).unwrap();
        assert_eq!((fde.tag(), sibling.tag()), (0, 0));
        fde.set_tag(7);
        fde.set_flags(FdFlags::WRITE);
        turns(&ctx, 1);
        assert_eq!((fde.tag(), fde.flags()), (8, FdFlags::READ));
        assert_eq!(sibling.tag(), 0, "each event has its own");
    }

    fn trace_3_a_queue_entry_keeps_its_tag_over_triggers(backend) {
        let (ctx, queue, req) = (backend.context(), Queue::create("q"), Req::create(()));
        let entry = queue.add_entry(&ctx, &req, |_| {}).unwrap();
        let second = queue.add_blocker(&ctx, &req).unwrap();
        assert_eq!((entry.tag(), second.tag()), (0, 0));
        entry.set_tag(u64::MAX);
        turns(&ctx, 1);
        queue.stop();
        entry.untrigger();
        queue.start();
        turns(&ctx, 1);
        assert_eq!((entry.tag(), entry.is_triggered(), second.tag()), (u64::MAX, true, 0));
    }

    fn trace_3_a_tag_is_read_on_an_event_that_has_outlived_its_context(backend) {
        let ctx = backend.context();
        let te = ctx.add_timer(NEVER, |_, _, _| {});
        te.set_tag(9);
        drop(ctx);
        assert_eq!(te.tag(), 9);
    }
}
