//! The REQ clauses, third part: what belongs to a request, and goes when it goes (REQ-12).

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

use std::rc::Rc;
use std::time::Duration;

use support::{CountDrop, Log, on_every_backend, pair, run_ready, turns};
use tevent::{Context, FdFlags, Immediate, Queue, Req, ReqRef, ReqState, When, wakeup_send};

const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

/// A state that logs its drop.
struct Named(&'static str, Log);

impl Drop for Named {
    fn drop(&mut self) {
        self.1.add(format!("drop {}", self.0));
    }
}

/// Gives a request one child of each kind, all of which are ready to run and log it.
fn add_one_of_each<S>(ctx: &Context, log: &Log, queue: &Queue, req: &ReqRef<S>) {
    let say = |what: &'static str| {
        let log = log.clone();
        move || log.add(what)
    };
    let (near, far) = pair();
    let (fd, timer, im) = (say("fd"), say("timer"), say("immediate"));
    let writable = move |_: &ReqRef<S>, _| {
        let _open = &far;
        fd();
    };
    req.add_fd(ctx, Rc::new(near), FdFlags::WRITE, writable).unwrap();
    req.add_timer(ctx, When::Zero, move |_, _, _| timer());
    req.add_immediate(move |_| im()).schedule(ctx);
    let (subreq, own, entry) = (say("subreq"), say("subreq's own"), say("trigger"));
    let child = req.add_subreq(wakeup_send(ctx, When::Zero), move |_, _| subreq());
    child.add_timer(ctx, When::Zero, move |_, _, _| own());
    queue.add(ctx, req, move |_| entry()).unwrap();
    let callback = say("callback");
    req.set_callback(move |_| callback());
    req.set_endtime(ctx, When::Zero);
}

#[test]
fn req_12_sub_requests_go_with_their_parent_the_newest_first_and_without_a_callback() {
    let log = Log::new();
    let parent = Req::create(Named("parent", log.clone()));
    let child = |name| Req::create(Named(name, log.clone()));
    let elder = parent.add_subreq(child("elder"), |_, _| unreachable!("no callback runs"));
    elder.add_subreq(child("grandchild"), |_, _| unreachable!("no callback runs"));
    parent.add_subreq(child("younger"), |_, _| unreachable!("no callback runs"));
    drop(parent);
    assert_eq!(log.take(), ["drop younger", "drop grandchild", "drop elder", "drop parent"]);
}

#[test]
fn req_12_cleanup_can_still_look_at_the_children() {
    let log = Log::new();
    let parent = Req::create(());
    let child = parent.add_subreq(Req::create(Named("child", log.clone())), |_, _| {});
    let inner = log.clone();
    parent.set_cleanup_fn(move |_, _| inner.add(format!("cleanup {:?}", child.state())));
    drop(parent);
    assert_eq!(log.take(), ["cleanup InProgress", "drop child"]);
}

#[test]
fn req_12_a_finished_sub_request_is_handed_over_by_value_and_has_left_its_parent() {
    let log = Log::new();
    let parent = Req::create("parent");
    let inner = log.clone();
    let child = parent.add_subreq(Req::create("child"), move |parent, child| {
        assert!(parent.take(&ReqRef::clone(&child)).is_none());
        let names = (parent.with_state(|s| *s).unwrap(), child.recv(|s| *s).unwrap());
        inner.add(format!("{names:?}"));
        parent.done();
    });
    assert!(child.done());
    assert_eq!(log.take(), [r#"("parent", "child")"#]);
    assert_eq!((parent.state(), child.state()), (ReqState::Done, ReqState::Received));
}

#[test]
fn req_12_a_callback_of_a_sub_request_may_free_the_parent() {
    let (home, log) = (Req::create(()), Log::new());
    let parent = home.keep(Req::create(Named("parent", log.clone())));
    let (owner, inner) = (home.clone(), log.clone());
    let child = parent.add_subreq(Req::create(Named("child", log.clone())), move |parent, child| {
        drop(owner.take(parent));
        inner.add(format!("child is still {:?}", child.state()));
    });
    child.done();
    assert_eq!(log.take(), ["drop parent", "child is still Done", "drop child"]);
}

#[test]
fn req_12_a_sub_request_can_be_freed_early() {
    let log = Log::new();
    let parent = Req::create(());
    let child =
        parent.add_subreq(Req::create(Named("child", log.clone())), |_, _| unreachable!("no callback runs"));
    drop(parent.take(&child));
    assert_eq!(log.take(), ["drop child"]);
    assert!(!child.done() && parent.take(&child).is_none());
    assert!(parent.is_in_progress());
}

#[test]
fn req_4_a_sub_request_that_finished_before_calls_back_at_once_where_no_loop_is_known() {
    let (parent, child, log) = (Req::create(()), Req::create(()), Log::new());
    child.error(5);
    let inner = log.clone();
    parent.add_subreq(child, move |_, child| inner.add(format!("{:?}", child.state())));
    assert_eq!(log.take(), ["UserError"]);
}

on_every_backend! {
    fn req_12_freeing_frees_fds_timers_sub_requests_and_queue_entries(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let req = Req::create(());
        add_one_of_each(&ctx, &log, &queue, &req);
        drop(req);
        assert!(queue.is_empty());
        ctx.set_wait_timeout(Duration::ZERO);
        ctx.loop_wait().unwrap(); // no event is left
        assert_eq!(log.len(), 0, "no handler, trigger or callback runs");
    }

    fn req_12_each_of_them_would_have_run(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let req = Req::create(());
        add_one_of_each(&ctx, &log, &queue, &req);
        turns(&ctx, 16);
        let mut ran = log.take();
        ran.sort();
        ran.dedup();
        // The child's callback drops the child, and its timer with it.
        assert_eq!(ran, ["callback", "fd", "immediate", "subreq", "timer", "trigger"]);
    }

    fn req_8_received_frees_what_belongs_to_the_state(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let req = Req::create(());
        add_one_of_each(&ctx, &log, &queue, &req);
        req.received();
        run_ready(&ctx);
        assert_eq!(log.take(), ["trigger"], "a queue entry belongs to the request (REQ-16)");
    }

    fn req_12_freeing_the_context_that_keeps_it_frees_all_of_it(backend) {
        let (ctx, log, queue) = (backend.context(), Log::new(), Queue::create("q"));
        let req = ctx.keep(Req::create(Named("state", log.clone())));
        add_one_of_each(&ctx, &log, &queue, &req);
        drop(ctx);
        assert_eq!(log.take(), ["drop state"]);
        assert_eq!((req.state(), queue.len()), (ReqState::Received, 0));
    }

    fn req_12_what_is_added_to_a_request_that_is_gone_goes_at_once(backend) {
        for free in [true, false] {
            let (ctx, (near, _far)) = (backend.context(), pair());
            let (probe, drops) = CountDrop::new();
            let req = Req::create(());
            let gone = req.clone();
            let owner = if free { drop(req); None } else { req.received(); Some(req) };
            gone.add_fd(&ctx, &near, FdFlags::WRITE, |_, _| unreachable!()).unwrap();
            gone.add_timer(&ctx, When::Zero, |_, _, _| unreachable!());
            gone.add_immediate(|_| unreachable!()).schedule(&ctx);
            let subreq = gone.add_subreq(Req::create(probe), |_, _| unreachable!());
            assert_eq!((drops.get(), subreq.state()), (1, ReqState::Received));
            assert_eq!(run_ready(&ctx), 0);
            let kept = gone.keep(Immediate::new(|_, _| {}));
            assert_eq!(gone.take(&kept).is_some(), owner.is_some(), "keeping is for the request's life");
        }
    }

    fn req_12_a_timer_that_has_fired_leaves_its_request(backend) {
        let (ctx, req) = (backend.context(), Req::create(()));
        let (probe, drops) = CountDrop::new();
        let te = req.add_timer(&ctx, When::Zero, move |_, te, _| {
            te.set_tag(te.tag() + 1);
            assert!(te.tag() == 2 || te.update(When::Zero));
            assert_eq!(probe.0.get(), 0);
        });
        turns(&ctx, 1);
        assert_eq!(drops.get(), 0, "armed again, it stays");
        turns(&ctx, 1);
        assert_eq!(drops.get(), 1);
        assert!(req.take(&te).is_none());
    }

    fn req_12_a_handler_of_a_child_gets_its_request_and_may_free_it(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let (near, _far) = pair();
        for child in ["fd", "timer", "immediate"] {
            let req = ctx.keep(Req::create(Named(child, log.clone())));
            let (ev, expected) = (ctx.clone(), req.clone());
            let free = move |req: &ReqRef<Named>| {
                assert_eq!(*req, expected);
                drop(ev.take(req));
            };
            match child {
                "fd" => drop(req.add_fd(&ctx, &near, FdFlags::WRITE, move |req, _| free(req)).unwrap()),
                "timer" => drop(req.add_timer(&ctx, When::Zero, move |req, _, _| free(req))),
                _ => req.add_immediate(free).schedule(&ctx),
            }
            ctx.loop_wait().unwrap();
            assert_eq!(log.take(), [format!("drop {child}")]);
        }
    }

    fn req_12_a_child_can_be_taken_back_and_lives_on(backend) {
        let (ctx, log, req) = (backend.context(), Log::new(), Req::create(()));
        let inner = log.clone();
        let te = req.add_timer(&ctx, NEVER, move |_, _, _| inner.add("fired"));
        let own = req.take(&te).unwrap();
        drop(req);
        own.update(When::Zero);
        turns(&ctx, 1);
        assert_eq!(log.take(), ["fired"]);
    }

    fn req_4_a_sub_request_that_finished_before_calls_back_in_a_later_turn(backend) {
        // Who knows a loop: the sub-request by its post or by a deferral, or the parent by a timer.
        for (posted, deferred) in [(true, false), (false, true), (false, false)] {
            let (ctx, log) = (backend.context(), Log::new());
            let (parent, child) = (Req::create(()), Req::create(()));
            if deferred {
                child.defer_callback(&ctx);
            } else if !posted {
                parent.add_timer(&ctx, NEVER, |_, _, _| {});
            }
            child.done();
            let child = if posted { child.post(&ctx) } else { child };
            let inner = log.clone();
            parent.add_subreq(child, move |_, child| inner.add(format!("{:?}", child.state())));
            assert_eq!(log.len(), 0);
            assert_eq!(run_ready(&ctx), 1);
            assert_eq!(log.take(), ["Done"], "once");
        }
    }

    fn req_12_a_posted_callback_of_a_sub_request_does_not_run_once_the_parent_is_gone(backend) {
        for free in [true, false] {
            let ctx = backend.context();
            let (parent, child) = (Req::create(()), Req::create(()));
            child.done();
            let child = parent.add_subreq(child.post(&ctx), |_, _| unreachable!("no callback runs"));
            let _left = if free { drop(parent); None } else { parent.received(); Some(parent) };
            assert_eq!((run_ready(&ctx), child.state()), (0, ReqState::Received));
        }
    }
}
