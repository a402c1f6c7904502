//! A future as a request: when it is polled, and how it ends.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;
#[path = "support/wakers.rs"]
mod wakers;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use support::{CountDrop, Log, on_every_backend, run_ready, turns};
use tevent::{
    Context, ContextRef, FutureState, Immediate, Req, ReqError, ReqRef, ReqState, When, future_recv,
    wakeup_send,
};
use wakers::{pending, yield_now};

type Place<T> = Rc<RefCell<Option<T>>>;

/// The request, its polls, the waker of the latest, and the drops of the future.
type Idle = (Req<FutureState<()>>, Rc<Cell<usize>>, Place<Waker>, Rc<Cell<usize>>);

/// Never ready; counts its polls, notes its waker and has something to drop.
fn idle(ev: &ContextRef) -> Idle {
    let (polls, waker) = (Rc::new(Cell::new(0)), Place::default());
    let (count, place) = (Rc::clone(&polls), Rc::clone(&waker));
    let (probe, drops) = CountDrop::new();
    let req = Req::from_future(
        ev,
        poll_fn(move |cx| {
            let _probe = &probe;
            count.set(count.get() + 1);
            let old = place.replace(Some(cx.waker().clone()));
            drop(old);
            Poll::Pending
        }),
    );
    (req, polls, waker, drops)
}

fn wake(waker: &Place<Waker>) {
    let waker = waker.borrow().clone();
    waker.unwrap().wake();
}

/// A future that does something in its first poll and is pending then.
fn doing(ev: &ContextRef, work: impl FnOnce() + 'static) -> (Req<FutureState<()>>, Rc<Cell<usize>>) {
    let (probe, drops) = CountDrop::new();
    let mut work = Some(work);
    let req = Req::from_future(
        ev,
        poll_fn(move |_cx| {
            let _probe = &probe;
            if let Some(work) = work.take() {
                work();
            }
            Poll::Pending
        }),
    );
    (req, drops)
}

on_every_backend! {
    fn loop_8_what_old_events_start_as_they_go_belongs_to_the_new_beginning(backend) {
        struct Starts(ContextRef, Rc<Cell<usize>>, Place<Req<FutureState<()>>>);
        impl Drop for Starts {
            fn drop(&mut self) {
                let ran = Rc::clone(&self.1);
                let req = Req::from_future(&self.0, async move {
                    yield_now().await;
                    ran.set(ran.get() + 1);
                    Ok(())
                });
                self.2.replace(Some(req));
                self.0.set_nesting_hook(|_ev, _nesting| Ok(()));
            }
        }
        let (ctx, ran, place) = (backend.context(), Rc::new(Cell::new(0)), Place::default());
        let starts = Starts(ctx.clone(), Rc::clone(&ran), Rc::clone(&place));
        let im = ctx.keep(Immediate::empty());
        im.schedule_with(&ctx, move |_ev, _im| drop(starts));
        ctx.re_initialise().unwrap();
        ctx.loop_wait().unwrap();
        assert_eq!(ran.get(), 1);
        assert_eq!(place.take().map(future_recv), Some(Ok(())));
    }

    fn a_future_whose_drop_panics_ends_its_request_all_the_same(backend) {
        for (ready, in_poll) in [(true, false), (false, true)] {
            let ctx = backend.context();
            let bad = PanicsAtDrop;
            let req = Req::from_future(
                &ctx,
                poll_fn(move |_cx| {
                    let _bad = &bad;
                    assert!(!in_poll, "on purpose, in the poll");
                    if ready { Poll::Ready(Ok(7)) } else { Poll::Pending }
                }),
            );
            assert!(catch_unwind(AssertUnwindSafe(|| ctx.loop_once())).is_err());
            assert!(!req.is_in_progress(), "else nobody would ever hear of it");
            run_ready(&ctx);
            assert_eq!(future_recv(req).map_err(|e| e.errno()), Err(libc::EIO));
        }
    }

    fn a_poll_is_an_immediate_first_in_first_out_with_others(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let note = |name: &'static str| {
            let log = log.clone();
            Immediate::new(move |_ev, _im| log.add(name))
        };
        let (before, between, after) = (note("before"), note("between"), note("after"));
        before.schedule(&ctx);
        let task = |name: &'static str| {
            let log = log.clone();
            Req::from_future(&ctx, async move {
                log.add(format!("{name} 1"));
                yield_now().await;
                log.add(format!("{name} 2"));
                Ok(())
            })
        };
        let _a = task("a");
        between.schedule(&ctx);
        let _b = task("b");
        after.schedule(&ctx);
        assert!(log.take().is_empty(), "not polled inside the call");
        for expected in ["before", "a 1", "between", "b 1", "after", "a 2", "b 2"] {
            turns(&ctx, 1);
            assert_eq!(log.take(), [expected], "one a turn");
        }
        assert_eq!(run_ready(&ctx), 0);
    }

    fn a_wake_in_the_loops_thread_joins_the_immediates_when_the_next_turn_begins(backend) {
        let ctx = backend.context();
        let (_req, polls, waker, _drops) = idle(&ctx);
        turns(&ctx, 1);
        let (first, last) = (Immediate::new(|_, _| {}), Immediate::new(|_, _| {}));
        first.schedule(&ctx);
        wake(&waker);
        assert_eq!(polls.get(), 1, "not polled inside the wake");
        last.schedule(&ctx);
        for _ in 0..10 {
            wake(&waker); // is one poll
        }
        turns(&ctx, 1);
        let later = Immediate::new(|_, _| {});
        later.schedule(&ctx);
        turns(&ctx, 1);
        assert_eq!((polls.get(), first.is_scheduled(), last.is_scheduled()), (1, false, false));
        turns(&ctx, 1);
        assert_eq!((polls.get(), later.is_scheduled()), (2, true));
        run_ready(&ctx);
        assert_eq!(polls.get(), 2);
    }

    fn awaiting_requests_of_the_same_loop_asks_the_kernel_nothing(backend) {
        let ctx = backend.context();
        let ev = ctx.clone();
        ctx.block_on(async move {
            for _ in 0..30 {
                drop(wakeup_send(&ev, When::Zero).await);
            }
            Ok(())
        }).unwrap();
        assert_eq!((ctx.stats().waits, ctx.stats().changes), (0, 1), "the wake-up fd is watched, and never rung");
    }

    fn req_12_dropping_the_request_drops_the_future_at_once(backend) {
        let ctx = backend.context();
        for turned in [0, 1] {
            let (req, polls, waker, drops) = idle(&ctx);
            turns(&ctx, turned);
            drop(req);
            assert_eq!((polls.get(), drops.get()), (turned, 1));
            if turned > 0 {
                wake(&waker);
            }
            assert_eq!(run_ready(&ctx), 0, "neither a poll that was scheduled nor a wake of later polls it");
        }
    }

    fn req_12_a_future_that_drops_its_own_request_is_dropped_when_the_poll_returns(backend) {
        let ctx = backend.context();
        let own = Place::<Req<FutureState<()>>>::default();
        let (in_poll, drops_then) = (Rc::clone(&own), Rc::new(Cell::new(usize::MAX)));
        let drops_place = Place::<Rc<Cell<usize>>>::default();
        let (see, seen) = (Rc::clone(&drops_place), Rc::clone(&drops_then));
        let (req, drops) = doing(&ctx, move || {
            let own = in_poll.take();
            drop(own);
            seen.set(see.borrow().as_ref().unwrap().get());
        });
        let handle = req.clone();
        own.replace(Some(req));
        drops_place.replace(Some(Rc::clone(&drops)));
        turns(&ctx, 1);
        assert_eq!((drops_then.get(), drops.get(), handle.state()), (0, 1, ReqState::Received));
        assert_eq!(run_ready(&ctx), 0);
    }

    fn req_6_at_its_end_time_the_future_is_dropped_before_the_callback(backend) {
        let ctx = backend.context();
        let (req, _polls, waker, drops) = idle(&ctx);
        req.set_endtime(&ctx, Duration::from_millis(1));
        let (seen, see) = (Rc::new(Cell::new(0)), Rc::clone(&drops));
        let note = Rc::clone(&seen);
        req.set_callback(move |_req| note.set(see.get()));
        req.poll(&ctx).unwrap();
        assert_eq!((seen.get(), drops.get()), (1, 1));
        wake(&waker);
        assert_eq!(run_ready(&ctx), 0);
        assert_eq!(future_recv(req), Err(ReqError::TIMED_OUT));
    }

    fn req_7_cancel_drops_the_future_and_finishes_with_ecanceled(backend) {
        let ctx = backend.context();
        for turned in [0, 1] {
            let (req, _polls, _waker, drops) = idle(&ctx);
            turns(&ctx, turned);
            assert!(req.cancel());
            assert_eq!((drops.get(), run_ready(&ctx)), (1, 0));
            assert!(!req.cancel(), "it has finished");
            assert_eq!(future_recv(req).map_err(|e| e.errno()), Err(libc::ECANCELED));
        }
    }

    fn req_7_a_future_may_cancel_its_own_request(backend) {
        let ctx = backend.context();
        let own = Place::<ReqRef<FutureState<()>>>::default();
        let in_poll = Rc::clone(&own);
        let (req, drops) = doing(&ctx, move || {
            let own = in_poll.take().unwrap();
            assert!(own.cancel() && own.state() == ReqState::UserError);
        });
        own.replace(Some(req.clone()));
        turns(&ctx, 1);
        assert_eq!(drops.get(), 1);
        assert_eq!(future_recv(req).map_err(|e| e.errno()), Err(libc::ECANCELED));
    }

    fn req_2_the_future_is_gone_in_the_callback_and_its_output_is_dropped_once(backend) {
        let ctx = backend.context();
        let (in_future, future_drops) = CountDrop::new();
        let (output, output_drops) = CountDrop::new();
        let req = Req::from_future(&ctx, async move {
            let _in_future = in_future;
            Ok(output)
        });
        let seen = Rc::clone(&future_drops);
        req.set_callback(move |_req| assert_eq!(seen.get(), 1));
        req.poll(&ctx).unwrap();
        assert_eq!(output_drops.get(), 0);
        drop(req);
        assert_eq!((future_drops.get(), output_drops.get()), (1, 1));
    }

    fn req_2_code_0_is_no_error_and_ends_with_einval(backend) {
        let ctx = backend.context();
        let ended = ctx.block_on(async { Err::<(), _>(ReqError::new(0)) });
        assert_eq!(ended.map_err(|e| e.errno()), Err(libc::EINVAL));
    }

    fn a_future_that_panics_ends_its_request_and_the_loop_goes_on(backend) {
        let ctx = backend.context();
        let (req, drops) = doing(&ctx, || panic!("in a poll"));
        let called = Rc::new(Cell::new(false));
        let call = Rc::clone(&called);
        req.set_callback(move |_req| call.set(true));
        let panic = catch_unwind(AssertUnwindSafe(|| ctx.loop_once())).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"in a poll"));
        assert!(!called.get(), "nothing of the user's runs while a panic is under way");
        assert_eq!(drops.get(), 1);
        turns(&ctx, 1);
        assert!(called.get());
        let error = future_recv(req).unwrap_err();
        assert_eq!((error.errno(), error.to_string().as_str()), (libc::EIO, "the future panicked"));
        assert_eq!(ctx.block_on(async { yield_now().await; Ok(1) }), Ok(1));
    }

    fn loop_7_a_context_that_is_dropped_inside_a_poll_polls_no_more(backend) {
        let ctx = backend.context();
        let ev = ctx.clone();
        let place = Place::<Context>::default();
        let in_poll = Rc::clone(&place);
        let (req, drops) = doing(&ctx, move || drop(in_poll.take()));
        let kept = idle(&ctx);
        ctx.keep(kept.0);
        place.replace(Some(ctx));
        turns(&ev, 1);
        assert!(ev.is_freed());
        assert_eq!((drops.get(), kept.3.get(), req.is_in_progress()), (0, 1, true));
        drop(req);
        assert_eq!(drops.get(), 1);
        let late = Req::from_future(&ev, async { Ok(()) });
        assert!(future_recv(late).is_err(), "nobody is left to poll it");
    }

    fn loop_8_a_new_beginning_polls_old_futures_no_more_and_new_ones(backend) {
        let ctx = backend.context();
        let (req, polls, waker, drops) = idle(&ctx);
        turns(&ctx, 1);
        wake(&waker);
        ctx.re_initialise().unwrap();
        assert_eq!((run_ready(&ctx), polls.get()), (0, 1));
        wake(&waker);
        assert_eq!((run_ready(&ctx), polls.get(), req.is_in_progress()), (0, 1, true));
        drop(req);
        assert_eq!(drops.get(), 1);
        // And threads can wake what is made after it.
        let (_req, polls, waker, _drops) = idle(&ctx);
        turns(&ctx, 1);
        let newer = waker.borrow().clone().unwrap();
        std::thread::spawn(move || newer.wake()).join().unwrap();
        run_ready(&ctx);
        assert_eq!(polls.get(), 2);
    }

    fn loop_5_a_loop_inside_a_poll_does_not_poll_the_same_future(backend) {
        let ctx = backend.context();
        ctx.allow_nesting();
        let (inside, polls) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(0)));
        let (ev, count) = (ctx.clone(), Rc::clone(&polls));
        let other_ran = Rc::new(Cell::new(0));
        let other = Rc::clone(&other_ran);
        let req = Req::from_future(&ctx, poll_fn(move |cx| {
            assert!(!inside.replace(true), "entered again");
            count.set(count.get() + 1);
            if count.get() == 1 {
                cx.waker().wake_by_ref();
                let other = Rc::clone(&other);
                ev.block_on(async move {
                    for _ in 0..10 {
                        yield_now().await;
                        other.set(other.get() + 1);
                    }
                    Ok(())
                }).unwrap();
            }
            inside.set(false);
            if count.get() == 2 { Poll::Ready(Ok(())) } else { Poll::Pending }
        }));
        req.poll(&ctx).unwrap();
        assert_eq!((polls.get(), other_ran.get()), (2, 10));
    }

    fn loop_3_a_scheduled_poll_keeps_the_loop_going_and_a_pending_future_does_not(backend) {
        let ctx = backend.context();
        let (_req, polls, _waker, _drops) = idle(&ctx);
        ctx.loop_wait().unwrap();
        assert_eq!((polls.get(), ctx.stats().waits), (1, 0));
    }

    fn a_chain_of_100_000_awaits_runs_in_bounded_stack(backend) {
        let ctx = backend.context();
        let ev = ctx.clone();
        let work = async move {
            for n in 0..100_000_u32 {
                let req = Req::create(n);
                if n % 2 == 0 {
                    req.done();
                    assert_eq!(req.post(&ev).await.recv(|s| *s), Ok(n));
                } else {
                    drop(wakeup_send(&ev, When::Zero).await);
                }
            }
            Ok(())
        };
        assert_eq!(ctx.block_on(work), Ok(()));
    }

    fn a_chain_of_futures_that_await_each_other_ends_in_bounded_stack(backend) {
        let ctx = backend.context();
        for finish in [true, false] {
            let first = Req::create(());
            let handle = first.clone();
            let mut last = Req::from_future(&ctx, async move { first.await.recv(|()| 0) });
            for _ in 0..20_000 {
                let before = last;
                last = Req::from_future(&ctx, async move { Ok(future_recv(before.await)? + 1) });
            }
            run_ready(&ctx);
            if finish {
                handle.done();
                last.poll(&ctx).unwrap();
                assert_eq!(future_recv(last), Ok(20_000));
            } else {
                drop(last);
                assert_eq!(handle.state(), ReqState::Received);
            }
        }
    }

    fn block_on_gives_the_result_while_all_else_goes_on(backend) {
        let (ctx, ticks) = (backend.context(), Rc::new(Cell::new(0)));
        let count = Rc::clone(&ticks);
        let ms = Duration::from_millis(1);
        ctx.keep(ctx.add_timer(ms, move |_ev, te, _now| {
            count.set(count.get() + 1);
            te.update(ms);
        }));
        let ev = ctx.clone();
        let answer = ctx.block_on(async move {
            drop(wakeup_send(&ev, 5 * ms).await);
            Ok("slept")
        });
        assert_eq!(answer, Ok("slept"));
        assert!((1..=5).contains(&ticks.get()));
        ctx.set_wait_timeout(Duration::ZERO);
        let refused = ctx.block_on(async { pending().await; Ok(()) });
        assert_eq!(refused.map_err(|e| e.errno()), Err(libc::EAGAIN));
    }
}

struct PanicsAtDrop;

impl Drop for PanicsAtDrop {
    fn drop(&mut self) {
        panic!("on purpose, in the drop");
    }
}
