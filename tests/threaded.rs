//! Scheduling from other threads (THR-1, THR-2), and its place in a turn (LOOP-1, LOOP-3).

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use support::{Log, on_every_backend, run_ready, turns};
use tevent::{Context, Immediate, ThreadedContext};

thread_local! {
    /// What closures from other threads leave in the loop's thread.
    static ARRIVED: RefCell<Vec<(usize, usize)>> = const { RefCell::new(Vec::new()) };
}

/// Counts where it goes: run or dropped.
struct Parcel {
    ran: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
}

impl Drop for Parcel {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

fn send_each(handle: &ThreadedContext, thread: usize, count: usize) {
    for n in 0..count {
        handle.schedule(move |_ev| ARRIVED.with_borrow_mut(|all| all.push((thread, n)))).unwrap();
    }
}

on_every_backend! {
    fn thr_1_what_threads_schedule_runs_in_the_owners_thread_in_each_threads_order(backend) {
        let ctx = backend.context();
        ARRIVED.take();
        let threads: Vec<_> = (0..4).map(|thread| {
            let handle = ctx.threaded().unwrap();
            thread::spawn(move || send_each(&handle, thread, 1000))
        }).collect();
        ctx.loop_until(|| ARRIVED.with_borrow(|all| all.len() == 4000)).unwrap();
        for thread in threads {
            thread.join().unwrap();
        }
        let arrived = ARRIVED.take();
        for thread in 0..4 {
            let of_thread = arrived.iter().filter(|item| item.0 == thread).map(|item| item.1);
            assert!(of_thread.eq(0..1000), "the order of thread {thread}");
        }
    }

    fn thr_1_a_sleeping_loop_is_woken(backend) {
        let ctx = backend.context();
        ctx.set_wait_timeout(None);
        ARRIVED.take();
        let handle = ctx.threaded().unwrap();
        // One answer after the other: each finds the loop asleep, or about to be.
        let (ask, asked) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            for n in asked {
                send_each(&handle, n, 1);
            }
        });
        for n in 1..=100 {
            ask.send(n).unwrap();
            ctx.loop_until(|| ARRIVED.with_borrow(|all| all.len() == n)).unwrap();
        }
        drop(ask);
        thread.join().unwrap();
    }

    fn thr_1_a_loop_that_has_been_woken_is_not_woken_again(backend) {
        let ctx = backend.context();
        ARRIVED.take();
        let handle = ctx.threaded().unwrap();
        let thread = thread::spawn(move || send_each(&handle, 0, 10_000));
        thread.join().unwrap();
        ctx.loop_until(|| ARRIVED.with_borrow(|all| all.len() == 10_000)).unwrap();
        run_ready(&ctx);
        assert!(ctx.stats().waits <= 3, "one bell for all of them: {:?}", ctx.stats());
    }

    fn thr_1_a_closure_may_schedule_free_and_panic(backend) {
        let ctx = backend.context();
        let handle = ctx.threaded().unwrap();
        let again = handle.clone();
        handle.schedule(move |ev| {
            ev.keep(Immediate::new(|_, _| {})).schedule(ev);
            again.schedule(|_ev| panic!("in a closure")).unwrap();
        }).unwrap();
        drop(handle);
        turns(&ctx, 2);
        assert!(catch_unwind(AssertUnwindSafe(|| turns(&ctx, 1))).is_err());
        run_ready(&ctx);
    }

    fn loop_1_what_threads_schedule_joins_the_tail_of_the_immediates(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let handle = ctx.threaded().unwrap();
        let first = log.clone();
        let im = Immediate::new(move |_, _| first.add("scheduled here"));
        ARRIVED.take();
        send_each(&handle, 7, 1);
        im.schedule(&ctx);
        turns(&ctx, 1);
        assert_eq!((log.take().len(), ARRIVED.with_borrow(Vec::len)), (1, 0));
        turns(&ctx, 1);
        assert_eq!(ARRIVED.take(), [(7, 0)]);
    }

    fn loop_3_a_threaded_context_does_not_keep_the_loop_going(backend) {
        let ctx = backend.context();
        let _handle = ctx.threaded().unwrap();
        ctx.loop_wait().unwrap();
        assert_eq!(ctx.stats().waits, 0);
    }

    fn thr_2_after_the_context_is_gone_the_closure_comes_back(backend) {
        let ctx = backend.context();
        let handle = ctx.threaded().unwrap();
        let reference = ctx.clone();
        drop(ctx);
        let text = String::from("mine");
        let refused = handle.schedule(move |_ev| drop(text)).unwrap_err();
        assert_eq!(refused.to_string(), "the context has been freed");
        (refused.into_inner())(&reference);
        assert!(reference.threaded().is_err());
    }

    fn thr_2_what_was_accepted_and_did_not_run_is_dropped_with_the_context(backend) {
        let ctx = backend.context();
        let handle = ctx.threaded().unwrap();
        let (ran, dropped) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        for _ in 0..10 {
            let parcel = Parcel { ran: Arc::clone(&ran), dropped: Arc::clone(&dropped) };
            handle.schedule(move |_ev| { parcel.ran.fetch_add(1, Ordering::Relaxed); }).unwrap();
        }
        turns(&ctx, 3);
        drop(ctx);
        assert_eq!((ran.load(Ordering::Relaxed), dropped.load(Ordering::Relaxed)), (3, 10));
    }
}

#[test]
fn thr_1_the_handle_can_go_anywhere() {
    fn anywhere<T: Send + Sync + Clone + 'static>(_: &T) {}
    let ctx = Context::new().unwrap();
    anywhere(&ctx.threaded().unwrap());
}
