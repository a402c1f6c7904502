//! Wakes from other threads, and how much a wake costs.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread;

use tevent::{Req, ReqError, future_recv};

use super::support::{on_every_backend, run_ready, turns};
use super::words::{Gate, yields};

on_every_backend! {
    fn a_wake_from_another_thread_ends_the_sleep(backend) {
        let ctx = backend.context();
        let _hold = backend.is_simulated().then(|| ctx.hold_clock());
        for round in 0..200 {
            let ready = Arc::new(AtomicUsize::new(0));
            let set = Arc::clone(&ready);
            let mut worker = None;
            let future = poll_fn(move |task| {
                    if ready.load(Ordering::Acquire) == 1 {
                        return Poll::Ready(Ok::<_, ReqError>(round));
                    }
                    if worker.is_none() {
                        let (waker, set) = (task.waker().clone(), Arc::clone(&set));
                        worker = Some(thread::spawn(move || {
                            set.store(1, Ordering::Release);
                            waker.wake();
                        }));
                    }
                    Poll::Pending
                });
            assert_eq!(ctx.block_on(future), Ok(round));
        }
    }

    fn a_storm_of_wakes_from_four_threads_loses_none(backend) {
        const WAKES: usize = 50_000;
        let ctx = backend.context();
        let _hold = backend.is_simulated().then(|| ctx.hold_clock());
        let (told, polls) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (seen, count) = (Arc::clone(&told), Arc::clone(&polls));
        let gate = Gate::default();
        let passed = gate.passed();
        let task = Req::from_future(&ctx, async move {
            let mut passed = Box::pin(passed);
            poll_fn(move |task| {
                count.fetch_add(1, Ordering::Relaxed);
                let _ = passed.as_mut().poll(task);
                if seen.load(Ordering::Acquire) == 4 * WAKES { Poll::Ready(Ok::<_, ReqError>(())) } else { Poll::Pending }
            }).await
        });
        turns(&ctx, 1);
        let threads: Vec<_> = (0..4).map(|_| {
            let (told, waker) = (Arc::clone(&told), gate.waker());
            thread::spawn(move || for _ in 0..WAKES {
                told.fetch_add(1, Ordering::Release);
                waker.wake_by_ref();
            })
        }).collect();
        task.poll(&ctx).unwrap();
        assert_eq!(future_recv(task), Ok(()));
        for thread in threads {
            thread.join().unwrap();
        }
        let polls = polls.load(Ordering::Relaxed);
        assert!(polls <= 4 * WAKES + 1, "{polls} polls");
        assert!(ctx.stats().wakeups <= polls as u64, "a ring only for a task that is not woken");
    }

    fn wakes_on_the_loops_own_thread_ring_nobody(backend) {
        let ctx = backend.context();
        drop(ctx.threaded().unwrap());
        run_ready(&ctx);
        let before = ctx.stats();
        let ev = ctx.clone();
        ctx.block_on(async move {
            yields(20).await;
            drop(tevent::wakeup_send(&ev, tevent::When::Zero).await);
            Ok::<_, ReqError>(())
        }).unwrap();
        let after = ctx.stats();
        assert_eq!((after.wakeups, after.waits), (before.wakeups, before.waits));
    }

    fn wakes_after_the_end_are_quiet(backend) {
        let ctx = backend.context();
        let gate = Gate::default();
        let req = Req::from_future(&ctx, gate.passed());
        turns(&ctx, 1);
        let waker = gate.waker();
        gate.open();
        turns(&ctx, 1);
        assert!(!req.is_in_progress());
        waker.wake_by_ref();
        let again = waker.clone();
        thread::spawn(move || again.wake()).join().unwrap();
        run_ready(&ctx);
        drop(req);
        assert_eq!(gate.polls(), 2);
        let gate = Gate::default();
        let req = Req::from_future(&ctx, gate.passed());
        turns(&ctx, 1);
        let waker = gate.waker();
        drop(ctx);
        waker.wake_by_ref();
        thread::spawn(move || waker.wake()).join().unwrap();
        assert!(req.is_in_progress());
        drop(req);
        assert_eq!(gate.polls(), 1);
    }
}
