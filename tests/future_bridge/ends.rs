//! How a future's request ends, and what becomes of the future.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use tevent::{FutureState, Req, ReqError, ReqState, future_recv};

use super::support::{CountDrop, on_every_backend, run_ready, turns};
use super::words::{Gate, yields};

/// A future that never ends, and the count of its drops.
fn endless() -> (impl Future<Output = Result<(), ReqError>>, Rc<Cell<usize>>) {
    let (probe, dropped) = CountDrop::new();
    let future = async move {
        let _probe = probe;
        pending::<()>().await;
        Ok(())
    };
    (future, dropped)
}

on_every_backend! {
    fn dropped_before_its_first_poll_and_while_it_waits(backend) {
        let ctx = backend.context();
        for polls in [0, 1] {
            let (future, dropped) = endless();
            let req = Req::from_future(&ctx, future);
            turns(&ctx, polls);
            drop(req);
            assert_eq!(dropped.get(), 1);
        }
        assert_eq!(run_ready(&ctx), 0);
    }

    fn an_end_time_ends_the_future(backend) {
        let ctx = backend.context();
        let (future, dropped) = endless();
        let req = Req::from_future(&ctx, future);
        req.set_endtime(&ctx, Duration::from_millis(1));
        req.poll(&ctx).unwrap();
        assert_eq!(dropped.get(), 1, "at the finish, not when the request goes");
        assert_eq!(future_recv(req).unwrap_err().state(), ReqState::TimedOut);
    }

    fn cancelling_ends_the_future(backend) {
        let ctx = backend.context();
        let (future, dropped) = endless();
        let req = Req::from_future(&ctx, future);
        turns(&ctx, 1);
        assert!(req.cancel());
        assert_eq!(dropped.get(), 1);
        assert_eq!(future_recv(req).unwrap_err().errno(), libc::ECANCELED);
    }

    fn a_future_may_drop_its_own_request(backend) {
        let ctx = backend.context();
        let own = Rc::new(RefCell::new(None::<Req<FutureState<()>>>));
        let (drop_own, (probe, dropped)) = (Rc::clone(&own), CountDrop::new());
        let seen = Rc::clone(&dropped);
        let req = Req::from_future(&ctx, async move {
            let _probe = probe;
            let taken = drop_own.take();
            drop(taken);
            assert_eq!(seen.get(), 0, "it is running");
            yields(1).await;
            unreachable!("nobody polls it any more");
            #[allow(unreachable_code, reason = "it says which error it has")]
            Ok::<(), ReqError>(())
        });
        *own.borrow_mut() = Some(req);
        turns(&ctx, 1);
        assert_eq!(dropped.get(), 1);
        assert_eq!(run_ready(&ctx), 0);
    }

    fn a_future_may_end_its_own_request_and_free_the_context(backend) {
        let owner = Rc::new(RefCell::new(Some(backend.context())));
        let ev: tevent::ContextRef = owner.borrow().as_deref().unwrap().clone();
        let free = Rc::clone(&owner);
        let (probe, dropped) = CountDrop::new();
        let req = Req::from_future(&ev, async move {
            let _probe = probe;
            let taken = free.take();
            drop(taken);
            Ok::<_, ReqError>(9)
        });
        ev.loop_once().unwrap();
        assert!(ev.is_freed());
        assert_eq!((future_recv(req), dropped.get()), (Ok(9), 1));
        let late = Req::from_future(&ev, async { Ok::<_, ReqError>(()) });
        assert!(late.is_error() && !late.is_in_progress(), "no loop would ever poll it");
    }

    fn a_context_that_begins_anew_polls_old_tasks_no_more(backend) {
        let ctx = backend.context();
        let (old, new) = (Gate::default(), Gate::default());
        let waiting = Req::from_future(&ctx, old.passed());
        turns(&ctx, 1);
        ctx.re_initialise().unwrap();
        let fresh = Req::from_future(&ctx, new.passed());
        turns(&ctx, 1);
        old.open();
        run_ready(&ctx);
        assert_eq!((old.polls(), new.polls()), (1, 1), "the old wake reaches nobody");
        new.open();
        run_ready(&ctx);
        assert!(waiting.is_in_progress() && !fresh.is_in_progress());
    }

    fn a_future_that_panics_fails_its_request_and_leaves_the_loop_going(backend) {
        let ctx = backend.context();
        let (probe, dropped) = CountDrop::new();
        let req = Req::from_future(&ctx, async move {
            let _probe = probe;
            yields(1).await;
            assert!(Rc::strong_count(&Rc::new(())) > 1, "on purpose");
            Ok::<(), ReqError>(())
        });
        let called = Rc::new(Cell::new(0));
        let call = Rc::clone(&called);
        req.set_callback(move |req| {
            assert_eq!(req.state(), ReqState::UserError);
            call.set(call.get() + 1);
        });
        let other = Req::from_future(&ctx, async { yields(3).await; Ok::<_, ReqError>(2) });
        turns(&ctx, 2);
        assert!(catch_unwind(AssertUnwindSafe(|| ctx.loop_once())).is_err());
        assert_eq!((dropped.get(), called.get()), (1, 0), "the callback is posted");
        run_ready(&ctx);
        assert_eq!(called.get(), 1);
        let error = future_recv(req).unwrap_err();
        assert_eq!((error.errno(), error.to_string().as_str()), (libc::EIO, "the future panicked"));
        assert_eq!(future_recv(other), Ok(2));
    }

    fn a_drop_that_panics_does_no_harm(backend) {
        struct Bad;
        impl Drop for Bad {
            fn drop(&mut self) { panic!("on purpose"); }
        }
        let ctx = backend.context();
        let req = Req::from_future(&ctx, async {
            let _bad = Bad;
            pending::<Result<(), ReqError>>().await
        });
        turns(&ctx, 1);
        assert!(catch_unwind(AssertUnwindSafe(|| drop(req))).is_err());
        assert_eq!(ctx.block_on(async { Ok::<_, ReqError>(1) }), Ok(1));
    }

    fn somebody_else_may_call_it_done(backend) {
        let ctx = backend.context();
        let (future, dropped) = endless();
        let req = Req::from_future(&ctx, future);
        turns(&ctx, 1);
        req.done();
        assert_eq!(dropped.get(), 1);
        assert_eq!(future_recv(req).unwrap_err().errno(), libc::EINVAL);
    }
}
