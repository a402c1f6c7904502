//! The call flow of requests (TRACE-4), on every backend.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]
#![allow(
    clippy::items_after_statements,
    reason = "functions whose names are told stand beside where they are set"
)]

mod support;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use support::{on_every_backend, run_ready, turns};
use tevent::{
    CallFlow, CallFlowEvent, CallFlowEvent::*, Queue, Req, ReqRef, ReqState, When, set_call_flow_callback,
};

/// What has been told since the last look.
struct Flow(Rc<RefCell<Vec<CallFlow>>>);

impl Flow {
    fn listen() -> Self {
        let seen = Rc::<RefCell<Vec<CallFlow>>>::default();
        let see = Rc::clone(&seen);
        set_call_flow_callback(Some(Rc::new(move |flow| see.borrow_mut().push(flow))));
        Flow(seen)
    }

    fn take(&self) -> Vec<(CallFlowEvent, u32)> {
        self.0.take().into_iter().map(|flow| (flow.event, flow.depth)).collect()
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        set_call_flow_callback(None);
    }
}

// Functions with names.
fn callback(_req: &ReqRef<u8>) {}

fn cancel(req: &ReqRef<u8>) -> bool {
    req.error(125)
}

fn cleanup(_req: &ReqRef<u8>, _state: ReqState) {}

fn trigger(req: &ReqRef<&str>) {
    req.done();
}

on_every_backend! {
    fn trace_4_what_happens_inside_a_callback_that_sets_another_is_not_told(backend) {
        let _ctx = backend.context();
        let told = Rc::new(Cell::new(0));
        let count = Rc::clone(&told);
        set_call_flow_callback(Some(Rc::new(move |_flow| {
            let count = Rc::clone(&count);
            set_call_flow_callback(Some(Rc::new(move |_flow| count.set(count.get() + 1))));
            drop(Req::create("inside"));
        })));
        let req = Req::create("outside");
        assert_eq!(told.get(), 0);
        req.done();
        assert!(told.get() > 0, "the new one is told of what comes after");
        set_call_flow_callback(None);
    }

    fn trace_4_create_cleanup_and_callback_with_depth(backend) {
        let ctx = backend.context();
        let flow = Flow::listen();
        let parent = Req::create("parent");
        let child = parent.within(|| Req::create("child"));
        assert_eq!(flow.take(), [(Create, 0), (Create, 1)]);
        let child = parent.add_subreq(child, |parent, child| {
            drop(child);
            parent.done();
        });
        let grandchild = child.add_subreq(Req::create("grandchild"), |child, grandchild| {
            drop(grandchild);
            child.done();
        });
        parent.set_callback(|_parent| {});
        assert_eq!(flow.take(), [(Create, 0)], "nobody knows its parent yet");
        grandchild.done();
        assert_eq!(flow.take(), [
            (Cleanup, 2), (NotifyCallback, 1), // the grandchild has finished, and calls the child's code
            (Cleanup, 2),                      // it is freed there
            (Cleanup, 1), (NotifyCallback, 0),
            (Cleanup, 1),
            (Cleanup, 0), (NotifyCallback, 0),
        ]);
        drop(ctx);
    }

    fn trace_4_names_and_places(backend) {
        let _ctx = backend.context();
        let flow = Flow::listen();
        let req = Req::create(1_u8);
        req.cancel(); // told without a function too
        req.set_callback(callback);
        req.set_cancel_fn(cancel);
        req.set_cleanup_fn(cleanup);
        assert!(req.cancel());
        let told = flow.0.take();
        let functions: Vec<_> = told.iter().map(|flow| flow.function.map(|name| name.rsplit("::").next().unwrap())).collect();
        assert_eq!(functions, [Some("u8"), None, Some("cancel"), Some("cleanup"), Some("callback")]);
        assert!(told.iter().all(|flow| flow.location == Some(req.location())));
        assert!(told.windows(2).all(|two| two[0].request == two[1].request && two[0].request.is_some()));
        let other = Req::create(2_u8);
        assert_ne!(flow.0.borrow()[0].request, told[0].request);
        drop(other);
    }

    fn trace_4_reset_follows_each_turn(backend) {
        let ctx = backend.context();
        let flow = Flow::listen();
        for _ in 0..3 {
            ctx.keep(ctx.add_timer(When::Zero, |_ev, _te, _now| {}));
        }
        turns(&ctx, 1);
        let told = flow.0.take();
        assert_eq!((told[0].event, told[0].depth, told[0].request, told.len()), (Reset, 0, None, 1));
        ctx.loop_wait().unwrap();
        assert_eq!(flow.take(), [(Reset, 0), (Reset, 0)]);
        ctx.set_wait_timeout(Duration::ZERO);
        assert!(ctx.loop_once().is_err());
        assert_eq!(flow.take(), [(Reset, 0)]);
        let (parent, child) = (Req::create(()), Req::create(()));
        let child = parent.keep(child);
        flow.take();
        child.reset_call_depth();
        assert_eq!(flow.take(), [(Reset, 1)]);
    }

    fn trace_4_a_request_freed_by_who_is_told_of_its_queue(backend) {
        for freed_at in [QueueEnter, QueueTrigger, QueueLeave] {
            let (ctx, queue) = (backend.context(), Queue::create("q"));
            let (req, next) = (ctx.keep(Req::create("freed")), Req::create("next"));
            let (held, runs) = (Rc::new(()), Rc::new(Cell::new(0)));
            let (watch, ran) = (Rc::clone(&held), Rc::clone(&runs));
            let (ev, told) = (ctx.clone(), req.clone());
            set_call_flow_callback(Some(Rc::new(move |flow| {
                if flow.event == freed_at {
                    drop(ev.take(&told));
                }
            })));
            let entry = queue.add_entry(&ctx, &req, move |_req| unreachable!("{held:?}")).unwrap();
            queue.add(&ctx, &next, move |_req| ran.set(ran.get() + 1)).unwrap();
            if freed_at == QueueLeave {
                drop(req.take(&entry));
            }
            run_ready(&ctx);
            set_call_flow_callback(None);
            assert_eq!((entry.is_queued(), Rc::strong_count(&watch)), (false, 1), "{freed_at:?}");
            assert_eq!((queue.len(), runs.get()), (1, 1), "{freed_at:?}");
            drop(next);
        }
    }

    fn trace_4_the_way_through_a_queue(backend) {
        let ctx = backend.context();
        let flow = Flow::listen();
        let queue = Queue::create("socket");
        let (first, second) = (Req::create("first"), Req::create("second"));
        flow.take();
        queue.add_optimize_empty(&ctx, &first, trigger).unwrap();
        assert_eq!(flow.take(), [(QueueEnter, 0), (Cleanup, 0)], "a direct trigger is not told");
        queue.add(&ctx, &second, trigger).unwrap();
        let told = flow.0.take();
        assert!(told[0].function.unwrap().ends_with("::trigger"), "{told:?}");
        drop(first);
        assert_eq!(flow.take(), [(Cleanup, 0), (QueueLeave, 0)]);
        turns(&ctx, 1);
        assert_eq!(flow.take(), [(QueueTrigger, 0), (Cleanup, 0), (Reset, 0)]);
        let third = Req::create("third");
        queue.add_blocker(&ctx, &third).unwrap();
        flow.0.take();
        drop(queue);
        let told = flow.0.take();
        assert_eq!(told.iter().map(|flow| (flow.event, flow.function.is_some())).collect::<Vec<_>>(),
            [(QueueLeave, true), (QueueLeave, false)], "each names itself");
        assert_ne!(told[0].request, told[1].request);
        drop((second, third));
    }

    fn trace_4_what_handlers_of_a_request_create_is_below_it(backend) {
        let ctx = backend.context();
        let req = Req::create(());
        let parent = Req::create(());
        let req = parent.keep(req);
        req.add_timer(&ctx, When::Zero, |_req, _te, _now| drop(Req::create("in a timer")));
        let im = req.add_immediate(|_req| drop(Req::create("in an immediate")));
        im.schedule(&ctx);
        ctx.keep(ctx.add_timer(When::Zero, |_ev, _te, _now| drop(Req::create("in nobody's timer"))));
        let flow = Flow::listen();
        let mut created = Vec::new();
        turns(&ctx, 3);
        created.extend(flow.take().into_iter().filter(|(event, _depth)| *event == Create).map(|(_event, depth)| depth));
        assert_eq!(created, [2, 2, 0]);
    }

    fn trace_4_a_callback_may_do_anything(backend) {
        let _ctx = backend.context();
        let calls = Rc::new(Cell::new(0));
        let count = Rc::clone(&calls);
        set_call_flow_callback(Some(Rc::new(move |_flow| {
            count.set(count.get() + 1);
            drop(Req::create("not told"));
        })));
        let req = Req::create(());
        assert_eq!(calls.get(), 1);
        let old = set_call_flow_callback(Some(Rc::new(|_flow| {
            set_call_flow_callback(None);
        })));
        assert!(old.is_some());
        req.done();
        assert!(set_call_flow_callback(None).is_none(), "it has taken itself away");
        set_call_flow_callback(Some(Rc::new(|_flow| panic!("on purpose"))));
        assert!(catch_unwind(AssertUnwindSafe(|| Req::create(()))).is_err());
        assert!(set_call_flow_callback(None).is_some());
        drop(Req::create(()));
        assert_eq!(calls.get(), 1);
    }

    fn trace_4_each_thread_has_its_own(backend) {
        let _ctx = backend.context();
        let flow = Flow::listen();
        std::thread::spawn(|| drop(Req::create(()))).join().unwrap();
        assert_eq!(flow.take(), []);
    }
}

/// A request in a thread-local that is dropped after the callback's own.
#[test]
fn trace_4_requests_may_outlive_the_callback_at_the_end_of_a_thread() {
    thread_local! {
        static LAST: Cell<Option<Req<()>>> = const { Cell::new(None) };
    }
    let ended = std::thread::spawn(|| {
        LAST.set(Some(Req::create(()))); // its destructor is registered first, and runs last
        set_call_flow_callback(Some(Rc::new(|_flow| {})));
    });
    assert!(ended.join().is_ok());
}

/// In the destructor of a thread-local that comes after the callback's own.
#[test]
fn trace_4_the_callback_may_be_reset_at_the_end_of_a_thread() {
    struct Resets;
    impl Drop for Resets {
        fn drop(&mut self) {
            assert!(set_call_flow_callback(None).is_none());
            set_call_flow_callback(Some(Rc::new(|_flow| {})));
        }
    }
    thread_local! {
        static LAST: Cell<Option<Resets>> = const { Cell::new(None) };
    }
    let ended = std::thread::spawn(|| {
        LAST.set(Some(Resets)); // its destructor is registered first, and runs last
        set_call_flow_callback(Some(Rc::new(|_flow| {})));
    });
    assert!(ended.join().is_ok());
}
