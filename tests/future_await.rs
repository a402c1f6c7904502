//! A request as a future: when it is ready, whom it wakes, and what dropping it does.

#![allow(unsafe_code, reason = "a waker of another kind is made of raw functions")]
#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;
#[path = "support/wakers.rs"]
mod wakers;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use support::{CountDrop, Log, on_every_backend, run_ready, turns};
use tevent::io::{Stream, writev_recv, writev_send};
use tevent::{Req, ReqError, ReqFuture, ReqState, When, wakeup_recv, wakeup_send};
use wakers::{CountWakes, poll_once};

/// The request if the future is ready.
fn ready<S>(future: &mut ReqFuture<S>, waker: &Waker) -> Option<Req<S>> {
    match poll_once(future, waker) {
        Poll::Ready(req) => Some(req),
        Poll::Pending => None,
    }
}

on_every_backend! {
    fn send_await_recv_reads_naturally(backend) {
        let ctx = backend.context();
        let (near, far) = support::pair();
        let (ev, stream) = (ctx.clone(), Stream::new(near));
        let written = ctx.block_on(async move {
            let first = writev_recv(writev_send(&ev, None, &stream, false, vec!["one "]).await)?;
            let second = writev_recv(writev_send(&ev, None, &stream, false, vec!["three"]).await)?;
            Ok((first, second))
        });
        assert_eq!(written, Ok((4, 5)));
        assert_eq!(support::drain(&far), 9);
    }

    fn a_failure_arrives_through_the_question_mark(backend) {
        let ctx = backend.context();
        let ev = ctx.clone();
        let failed = ctx.block_on(async move {
            let req = Req::create(());
            req.set_endtime(&ev, When::Zero);
            req.await.recv(|()| ())?;
            unreachable!("it has timed out")
        });
        assert_eq!(failed, Err::<(), _>(ReqError::TIMED_OUT));
    }

    fn req_4_a_posted_request_is_ready_at_once_and_its_post_is_dropped(backend) {
        let ctx = backend.context();
        let (woken, waker) = CountWakes::new();
        let req = Req::create(7);
        req.done();
        let mut future = req.post(&ctx).into_future();
        let req = ready(&mut future, &waker).unwrap();
        assert_eq!(run_ready(&ctx), 0, "nothing is left to call");
        assert_eq!((req.recv(|s| *s), woken.wakes()), (Ok(7), 0));
    }

    fn req_5_a_deferred_request_wakes_in_a_later_turn_and_is_ready_before(backend) {
        let ctx = backend.context();
        let (woken, waker) = CountWakes::new();
        for polled_before in [true, false] {
            let (req, before) = (Req::create(()), woken.wakes());
            req.defer_callback(&ctx);
            let handle = req.clone();
            let mut future = req.into_future();
            assert!(ready(&mut future, &waker).is_none());
            handle.done();
            assert_eq!(woken.wakes(), before, "not inside `done`");
            if polled_before {
                assert!(ready(&mut future, &waker).is_some());
                run_ready(&ctx);
                assert_eq!(woken.wakes(), before);
            } else {
                turns(&ctx, 1);
                assert_eq!(woken.wakes(), before + 1);
                assert!(ready(&mut future, &waker).is_some());
            }
        }
    }

    fn a_request_whose_context_goes_stays_pending(backend) {
        let ctx = backend.context();
        let (woken, waker) = CountWakes::new();
        let mut future = wakeup_send(&ctx, When::Zero).into_future();
        assert!(ready(&mut future, &waker).is_none());
        drop(ctx);
        assert!(ready(&mut future, &waker).is_none());
        assert_eq!(woken.wakes(), 0);
    }

    fn polling_inside_the_requests_own_handlers_is_pending_until_it_has_finished(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let (woken, waker) = CountWakes::new();
        let req = Req::create(());
        let handle = req.clone();
        let future = Rc::new(RefCell::new(req.into_future()));
        let (polled, note) = (Rc::clone(&future), log.clone());
        let look = move |place: &str| {
            let is_ready = ready(&mut polled.borrow_mut(), &waker).is_some();
            note.add(format!("{place}: {is_ready}"));
        };
        let look = Rc::new(look);
        let in_advance = Rc::clone(&look);
        handle.add_timer(&ctx, When::Zero, move |req, _te, _now| {
            look("in a handler");
            let look = Rc::clone(&in_advance);
            let in_work = req.clone();
            req.advance(move |()| {
                in_work.done(); // waits until this work has returned
                look("finished, and the state is lent");
                Poll::Pending
            });
            assert!(req.finish_location().is_some());
            in_advance("in a handler, finished");
        });
        turns(&ctx, 1);
        let expected =
            ["in a handler: false", "finished, and the state is lent: false", "in a handler, finished: true"];
        assert_eq!(log.take(), expected);
        assert_eq!(woken.wakes(), 1);
    }

    fn req_12_dropping_the_future_frees_the_request_and_nothing_wakes(backend) {
        let ctx = backend.context();
        let (woken, waker) = CountWakes::new();
        for polls in 0..2 {
            let (probe, drops) = CountDrop::new();
            let req = Req::create(probe);
            let handle = req.clone();
            req.add_timer(&ctx, Duration::ZERO, |_, _, _| unreachable!("it went with the request"));
            let mut future = req.into_future();
            for _ in 0..polls {
                assert!(ready(&mut future, &waker).is_none());
            }
            drop(future);
            assert_eq!((drops.get(), handle.state()), (1, ReqState::Received));
            assert_eq!(run_ready(&ctx), 0);
        }
        assert_eq!(woken.wakes(), 0);
    }

    fn a_future_that_was_ready_gives_a_request_that_can_get_a_callback(backend) {
        let ctx = backend.context();
        let ev = ctx.clone();
        let woken = Rc::new(Cell::new(false));
        let see = Rc::clone(&woken);
        ctx.block_on(async move {
            let req = wakeup_send(&ev, When::Zero).await;
            assert!(!req.has_callback(), "no waker is left on it");
            ev.add_subreq(req, move |_ev, req| see.set(wakeup_recv(req)));
            Ok(())
        }).unwrap();
        ctx.loop_wait().unwrap();
        assert!(woken.get());
    }
}

#[test]
fn the_newest_waker_is_the_one_that_is_woken() {
    let ((old_wakes, old), (new_wakes, new)) = (CountWakes::new(), CountWakes::new());
    let req = Req::create(());
    let handle = req.clone();
    let mut future = req.into_future();
    for waker in [&old, &old, &new] {
        assert!(ready(&mut future, waker).is_none());
    }
    drop(old);
    assert_eq!(std::sync::Arc::strong_count(&old_wakes), 1, "the old one is not kept");
    handle.done();
    assert_eq!((old_wakes.wakes(), new_wakes.wakes()), (0, 1));
    assert!(ready(&mut future, &new).is_some());
    assert_eq!(std::sync::Arc::strong_count(&new_wakes), 2, "nor the new one, when it is over");
}

#[test]
fn req_2_a_callback_of_before_is_replaced_and_one_of_later_replaces_the_wake() {
    let (woken, waker) = CountWakes::new();
    let (probe, drops) = CountDrop::new();
    let req = Req::create(());
    let handle = req.clone();
    req.set_callback(move |_req| {
        let _probe = &probe;
        unreachable!("it was replaced")
    });
    let mut future = req.into_future();
    assert_eq!(drops.get(), 1);
    assert!(ready(&mut future, &waker).is_none());
    let called = Rc::new(Cell::new(0));
    let count = Rc::clone(&called);
    handle.set_callback(move |_req| count.set(count.get() + 1));
    handle.done();
    assert_eq!(
        (called.get(), woken.wakes()),
        (1, 1),
        "the wake went when it was replaced; nobody hears of the end"
    );
    assert!(ready(&mut future, &waker).is_some());
}

#[test]
fn req_16_a_notification_wakes_and_the_poll_finds_the_request_at_work() {
    let (woken, waker) = CountWakes::new();
    let req = Req::create(());
    let handle = req.clone();
    let mut future = req.into_future();
    for n in 1..=3 {
        assert!(ready(&mut future, &waker).is_none());
        handle.notify_callback();
        assert_eq!(woken.wakes(), n);
    }
    assert!(ready(&mut future, &waker).is_none());
    handle.done();
    assert_eq!(woken.wakes(), 4);
}

#[test]
fn req_8_what_somebody_else_marks_as_received_is_ready() {
    let (woken, waker) = CountWakes::new();
    let req = Req::create(());
    let handle = req.clone();
    let mut future = req.into_future();
    assert!(ready(&mut future, &waker).is_none());
    handle.received();
    assert_eq!(woken.wakes(), 1);
    let req = ready(&mut future, &waker).unwrap();
    assert_eq!(req.recv(|()| ()).map_err(|e| e.state()), Err(ReqState::Received));
}

#[test]
#[should_panic(expected = "polled after it was ready")]
fn polling_after_it_was_ready_is_a_bug_of_the_caller() {
    let (_wakes, waker) = CountWakes::new();
    let req = Req::create(());
    req.done();
    let mut future = req.into_future();
    assert!(ready(&mut future, &waker).is_some());
    let _ = ready(&mut future, &waker);
}

/// A waker of somebody else's may do anything, also when it is cloned.
#[test]
fn a_request_that_finishes_while_its_waker_is_cloned_is_not_waited_for() {
    use std::task::{RawWaker, RawWakerVTable};
    thread_local! {
        static LAST: RefCell<Option<tevent::ReqRef<()>>> = const { RefCell::new(None) };
    }
    static TABLE: RawWakerVTable = RawWakerVTable::new(
        |_| {
            if let Some(req) = LAST.take() {
                req.done();
            }
            RawWaker::new(std::ptr::null(), &TABLE)
        },
        |_| {},
        |_| {},
        |_| {},
    );
    // SAFETY: the functions use no pointer; its thread is the only one.
    let waker = unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &TABLE)) };
    let req = Req::create(());
    LAST.set(Some(req.clone()));
    let mut future = req.into_future();
    assert!(poll_once(&mut future, &waker).is_ready(), "nobody would wake it any more");
}
