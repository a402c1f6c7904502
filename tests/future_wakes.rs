//! Wakes from other threads: none is lost, few are polls, and late ones do nothing (THR-1, THR-2).

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;
#[path = "support/wakers.rs"]
mod wakers;

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use support::{on_every_backend, run_ready};
use tevent::{Backend, Context, ContextRef, FutureState, Req, ReqState, wakeup_recv, wakeup_send};
use wakers::yield_now;

/// What a thread finishes and a task waits for.
#[derive(Default)]
struct Signal {
    count: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

impl Signal {
    fn raise(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let waker = self.waker.lock().unwrap().clone();
        waker.into_iter().for_each(Waker::wake);
    }

    /// Ready when the count has come so far.
    fn reaches(
        self: &Arc<Self>,
        count: usize,
        polls: &Rc<Cell<usize>>,
    ) -> impl Future<Output = ()> + 'static {
        let (signal, polls) = (Arc::clone(self), Rc::clone(polls));
        poll_fn(move |cx| {
            polls.set(polls.get() + 1);
            let mut place = signal.waker.lock().unwrap();
            let old = place.replace(cx.waker().clone());
            drop(place);
            drop(old);
            if signal.count.load(Ordering::Relaxed) >= count { Poll::Ready(()) } else { Poll::Pending }
        })
    }
}

/// A task that is pending, and the only clone of its waker.
fn sleeper(ev: &ContextRef) -> (Req<FutureState<()>>, Waker, Rc<Cell<usize>>) {
    let (place, polls) = (Rc::new(Cell::new(None)), Rc::<Cell<usize>>::default());
    let (out, count) = (Rc::clone(&place), Rc::clone(&polls));
    let req = Req::from_future(
        ev,
        poll_fn(move |cx| {
            count.set(count.get() + 1);
            if count.get() == 1 {
                out.set(Some(cx.waker().clone()));
            }
            Poll::Pending
        }),
    );
    ev.loop_until(|| polls.get() == 1).unwrap();
    (req, place.take().unwrap(), polls)
}

/// A waker that may come from another thread does not hold a virtual clock: whoever waits for it says so.
fn hold_clock(ev: &ContextRef, backend: support::Kind) -> Option<tevent::ClockHold> {
    backend.is_simulated().then(|| ev.hold_clock())
}

on_every_backend! {
    fn thr_1_a_thread_wakes_a_sleeping_loop(backend) {
        let ctx = backend.context();
        let _held = hold_clock(&ctx, backend);
        ctx.set_wait_timeout(None);
        let (signal, polls) = (Arc::<Signal>::default(), Rc::<Cell<usize>>::default());
        // One answer after the other: each finds the loop asleep, or about to be.
        let (ask, asked) = mpsc::channel::<()>();
        let raised = Arc::clone(&signal);
        let thread = thread::spawn(move || asked.iter().for_each(|()| raised.raise()));
        for n in 1..=100 {
            ask.send(()).unwrap();
            let reached = signal.reaches(n, &polls);
            ctx.block_on(async move { reached.await; Ok(()) }).unwrap();
        }
        drop(ask);
        thread.join().unwrap();
        assert!((100..=300).contains(&polls.get()), "{} polls", polls.get());
    }

    fn thr_1_a_million_wakes_from_4_threads_lose_none_and_ring_seldom(backend) {
        const EACH: usize = 250_000;
        let ctx = backend.context();
        let _held = hold_clock(&ctx, backend);
        ctx.set_wait_timeout(None);
        let (signal, polls) = (Arc::<Signal>::default(), Rc::<Cell<usize>>::default());
        let reached = signal.reaches(4 * EACH, &polls);
        let threads: Vec<_> = (0..4).map(|_| {
            let signal = Arc::clone(&signal);
            thread::spawn(move || (0..EACH).for_each(|_| signal.raise()))
        }).collect();
        ctx.block_on(async move { reached.await; Ok(()) }).unwrap();
        for thread in threads {
            thread.join().unwrap();
        }
        run_ready(&ctx);
        let (polls, stats) = (polls.get(), ctx.stats());
        assert!(polls <= 4 * EACH + 1, "a wake is at most one poll: {polls} polls");
        // A ring is followed by a poll, and is one wait; after every 32 polls may come a look at the fds.
        let waits = usize::try_from(stats.waits).unwrap();
        assert!(waits <= polls + polls / 32 + 2, "{polls} polls, {stats:?}");
        println!("{polls} polls, {stats:?}");
    }

    fn thr_1_wakes_before_a_poll_are_one_poll_and_one_ring(backend) {
        let ctx = backend.context();
        let (_req, waker, polls) = sleeper(&ctx);
        let threads: Vec<_> = (0..4).map(|_| {
            let waker = waker.clone();
            thread::spawn(move || (0..10_000).for_each(|_| waker.wake_by_ref()))
        }).collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(polls.get(), 1, "never polled inside a wake");
        let waits = ctx.stats().waits;
        run_ready(&ctx);
        assert_eq!(polls.get(), 2);
        assert_eq!(ctx.stats().waits - waits, 2, "one finds the bell, one finds nothing");
    }

    fn thr_1_a_wake_during_the_poll_polls_again(backend) {
        let ctx = backend.context();
        let mut polls = 0;
        let counted = ctx.block_on(poll_fn(move |cx| {
            polls += 1;
            let waker = cx.waker().clone();
            thread::spawn(move || waker.wake()).join().unwrap();
            if polls == 100 { Poll::Ready(Ok(polls)) } else { Poll::Pending }
        }));
        assert_eq!(counted, Ok(100));
    }

    fn thr_1_a_thread_may_finish_what_a_task_and_a_callback_wait_for(backend) {
        let ctx = backend.context();
        let handle = ctx.threaded().unwrap();
        let (signal, polls) = (Arc::<Signal>::default(), Rc::<Cell<usize>>::default());
        let (closure_ran, raised) = (Arc::<AtomicBool>::default(), Arc::clone(&signal));
        let ran = Arc::clone(&closure_ran);
        let thread = thread::spawn(move || {
            handle.schedule(move |_ev| ran.store(true, Ordering::Relaxed)).unwrap();
            raised.raise();
        });
        let reached = signal.reaches(1, &polls);
        ctx.block_on(async move { reached.await; Ok(()) }).unwrap();
        thread.join().unwrap();
        run_ready(&ctx);
        assert!(closure_ran.load(Ordering::Relaxed));
    }

    fn thr_2_wakes_after_the_end_of_task_or_context_do_nothing(backend) {
        let ctx = backend.context();
        let (ended, ended_waker, ended_polls) = sleeper(&ctx);
        let (req, waker, polls) = sleeper(&ctx);
        let wake_everywhere = |waker: &Waker| {
            waker.wake_by_ref();
            let waker = waker.clone();
            thread::spawn(move || waker.wake()).join().unwrap();
        };
        drop(ended);
        wake_everywhere(&ended_waker);
        run_ready(&ctx);
        assert_eq!((ended_polls.get(), polls.get()), (1, 1));
        drop(ctx);
        wake_everywhere(&waker);
        assert_eq!((polls.get(), req.state()), (1, ReqState::InProgress));
        drop(req);
        wake_everywhere(&waker);
    }

    fn thr_2_a_waker_may_outlive_everything_and_be_dropped_anywhere(backend) {
        let (ctx, (send, receive)) = (backend.context(), mpsc::channel::<Waker>());
        let thread = thread::spawn(move || {
            for waker in receive {
                waker.wake_by_ref();
                drop(waker);
            }
        });
        for _ in 0..100 {
            let (req, waker, _polls) = sleeper(&ctx);
            send.send(waker).unwrap();
            drop(req);
        }
        let (_req, last, _polls) = sleeper(&ctx);
        send.send(last.clone()).unwrap();
        drop(ctx);
        send.send(last).unwrap();
        drop(send);
        thread.join().unwrap();
    }

    fn wakes_of_thousands_of_tasks_from_threads_reach_each(backend) {
        let ctx = backend.context();
        let _held = hold_clock(&ctx, backend);
        let tasks: Vec<_> = (0..2000).map(|_| {
            let (signal, polls) = (Arc::<Signal>::default(), Rc::<Cell<usize>>::default());
            let reached = signal.reaches(1, &polls);
            (signal, Req::from_future(&ctx, async move { reached.await; Ok(()) }))
        }).collect();
        let mut signals = tasks.iter().map(|(signal, _req)| Arc::clone(signal)).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| {
            let part = signals.split_off(signals.len() - 500);
            thread::spawn(move || part.iter().for_each(|signal| signal.raise()))
        }).collect();
        for (_signal, req) in &tasks {
            req.poll(&ctx).unwrap();
        }
        for thread in threads {
            thread.join().unwrap();
        }
    }
}

fn simulated() -> Context {
    Context::builder().backend(Backend::Simulated { seed: 1 }).build().unwrap()
}

#[test]
fn the_virtual_clock_jumps_for_a_task_that_awaits_requests() {
    let (ctx, year) = (simulated(), Duration::from_secs(365 * 24 * 3600));
    let (ev, began) = (ctx.clone(), ctx.now());
    let slept = ctx.block_on(async move {
        yield_now().await;
        let nested =
            Req::from_future(&ev.clone(), async move { Ok(wakeup_recv(wakeup_send(&ev, year).await)) });
        tevent::future_recv(nested.await)
    });
    assert_eq!((slept, ctx.now() - began), (Ok(true), year));
}

#[test]
fn the_virtual_clock_waits_for_a_thread_while_it_is_held_and_no_longer() {
    let ctx = simulated();
    let (_req, waker, polls) = sleeper(&ctx);
    let (hour, began) = (Duration::from_secs(3600), ctx.now());
    let late = ctx.add_timer(hour, |_, _, _| {});
    let held = ctx.hold_clock();
    let thread = thread::spawn(move || waker.wake());
    ctx.loop_until(|| polls.get() == 2).unwrap();
    thread.join().unwrap();
    assert!(late.is_pending() && ctx.now() - began < hour, "the clock has waited for the thread");
    drop(held);
    ctx.loop_until(|| !late.is_pending()).unwrap();
    assert_eq!(ctx.now() - began, hour);
}

/// In the destructor of a thread-local, of the loop's thread and of another.
#[test]
fn a_waker_may_be_woken_at_the_end_of_a_thread() {
    struct Wakes(Waker);
    impl Drop for Wakes {
        fn drop(&mut self) {
            self.0.wake_by_ref();
        }
    }
    thread_local! {
        static LAST: Cell<Option<Wakes>> = const { Cell::new(None) };
    }
    let ended = thread::spawn(|| {
        let ctx = Context::new().unwrap();
        let (place, polls) = (Rc::new(Cell::new(None)), Rc::new(Cell::new(0)));
        let (waker, count) = (Rc::clone(&place), Rc::clone(&polls));
        let _req = Req::from_future(
            &ctx,
            std::future::poll_fn(move |cx| {
                count.set(count.get() + 1);
                waker.set(Some(cx.waker().clone()));
                std::task::Poll::<Result<(), tevent::ReqError>>::Pending
            }),
        );
        ctx.loop_once().unwrap();
        let waker = place.take().unwrap();
        let of_another = waker.clone();
        thread::spawn(move || LAST.set(Some(Wakes(of_another)))).join().unwrap();
        ctx.loop_wait().unwrap();
        assert_eq!(polls.get(), 2);
        LAST.set(Some(Wakes(waker)));
    });
    assert!(ended.join().is_ok());
}
