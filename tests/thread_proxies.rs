//! Thread proxies (THR-3): as threaded contexts, and the loop waits for them (LOOP-3).

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use support::{on_every_backend, run_ready, turns};
use tevent::{ThreadProxy, When};

/// What closures leave, and in which thread.
type Arrived = Arc<Mutex<Vec<(usize, usize, thread::ThreadId)>>>;

fn send_each(proxy: &ThreadProxy, thread: usize, count: usize, into: &Arrived) {
    for n in 0..count {
        let into = Arc::clone(into);
        proxy.schedule(move |_ev| into.lock().unwrap().push((thread, n, thread::current().id()))).unwrap();
    }
}

/// Counts its drops.
struct Parcel(Arc<AtomicUsize>);

impl Drop for Parcel {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

on_every_backend! {
    fn thr_3_closures_run_in_the_owners_thread_and_each_threads_order_is_kept(backend) {
        let (ctx, arrived) = (backend.context(), Arrived::default());
        let proxy = ctx.thread_proxy().unwrap();
        let threads: Vec<_> = (0..4).map(|thread| {
            let (proxy, into) = (proxy.clone(), Arc::clone(&arrived));
            thread::spawn(move || send_each(&proxy, thread, 1000, &into))
        }).collect();
        drop(proxy);
        // It ends when the threads are through, and not before.
        ctx.loop_wait().unwrap();
        let arrived = std::mem::take(&mut *arrived.lock().unwrap());
        assert_eq!(arrived.len(), 4000);
        assert!(arrived.iter().all(|item| item.2 == thread::current().id()));
        for thread in 0..4 {
            let of_thread = arrived.iter().filter(|item| item.0 == thread).map(|item| item.1);
            assert!(of_thread.eq(0..1000), "the order of thread {thread}");
        }
        for thread in threads {
            thread.join().unwrap();
        }
    }

    fn thr_3_the_order_is_kept_between_two_wakeups(backend) {
        let (ctx, arrived) = (backend.context(), Arrived::default());
        let proxy = ctx.thread_proxy().unwrap();
        // The loop does not turn meanwhile: C would run these the other way round.
        send_each(&proxy, 0, 10, &arrived);
        run_ready(&ctx);
        assert!(arrived.lock().unwrap().iter().map(|item| item.1).eq(0..10));
    }

    fn thr_3_a_proxy_and_a_handle_of_one_thread_share_their_order(backend) {
        let (ctx, arrived) = (backend.context(), Arrived::default());
        let (proxy, handle) = (ctx.thread_proxy().unwrap(), ctx.threaded().unwrap());
        for n in 0..10 {
            let into = Arc::clone(&arrived);
            let note = move |_ev: &_| into.lock().unwrap().push((0, n, thread::current().id()));
            if n % 2 == 0 { proxy.schedule(note).unwrap() } else { handle.schedule(note).unwrap() }
        }
        run_ready(&ctx);
        assert!(arrived.lock().unwrap().iter().map(|item| item.1).eq(0..10));
    }

    fn thr_3_a_closure_owns_its_data_which_goes_once_where_it_ran(backend) {
        let ctx = backend.context();
        let (proxy, drops) = (ctx.thread_proxy().unwrap(), Arc::<AtomicUsize>::default());
        let (parcel, seen) = (Parcel(Arc::clone(&drops)), Arc::<AtomicUsize>::default());
        let see = Arc::clone(&seen);
        let data = vec![7_usize; 1000];
        thread::spawn(move || {
            proxy.schedule(move |_ev| {
                see.store(data.iter().sum(), Ordering::Relaxed);
                assert_eq!(parcel.0.load(Ordering::Relaxed), 0, "not before it has run");
            }).unwrap();
        });
        ctx.loop_wait().unwrap();
        assert_eq!((seen.load(Ordering::Relaxed), drops.load(Ordering::Relaxed)), (7000, 1));
    }

    fn loop_3_loop_wait_waits_as_long_as_a_proxy_lives_and_sleeps_meanwhile(backend) {
        let ctx = backend.context();
        // Only a wake-up ends these waits.
        ctx.set_wait_timeout(None);
        let proxy = ctx.thread_proxy().unwrap();
        let (ready, go) = (Arc::new(Barrier::new(2)), Arc::<AtomicUsize>::default());
        let (at_gate, late) = (Arc::clone(&ready), Arc::clone(&go));
        let thread = thread::spawn(move || {
            let other = proxy.clone();
            at_gate.wait();
            drop(proxy);
            let thread = thread::spawn(move || {
                late.fetch_add(1, Ordering::SeqCst);
                drop(other);
            });
            thread.join().unwrap();
        });
        ready.wait();
        ctx.loop_wait().unwrap();
        assert_eq!(go.load(Ordering::SeqCst), 1, "it ended with the last clone");
        thread.join().unwrap();
        // On a virtual clock each handle that goes wakes it, to see whether the clock may jump.
        assert!(ctx.stats().waits <= 4, "it slept: {:?}", ctx.stats());
    }

    fn loop_3_a_closure_counts_until_it_has_run_though_its_proxy_is_gone(backend) {
        let (ctx, arrived) = (backend.context(), Arrived::default());
        let proxy = ctx.thread_proxy().unwrap();
        send_each(&proxy, 0, 3, &arrived);
        drop(proxy);
        ctx.loop_wait().unwrap();
        assert_eq!(arrived.lock().unwrap().len(), 3);
        assert_eq!((ctx.stats().turns, ctx.stats().waits), (3, 0));
        ctx.loop_wait().unwrap();
        assert_eq!(ctx.stats().turns, 3, "nothing is left");
    }

    fn loop_3_a_proxy_of_the_loops_own_thread_may_go_in_a_handler(backend) {
        let ctx = backend.context();
        let proxy = std::cell::RefCell::new(Some(ctx.thread_proxy().unwrap()));
        ctx.keep(ctx.add_timer(When::Zero, move |_ev, _te, _now| drop(proxy.take())));
        ctx.loop_wait().unwrap();
        assert_eq!(ctx.stats().turns, 1);
    }

    fn loop_3_a_proxy_that_a_closure_carries_counts_until_the_closure_has_run(backend) {
        let (ctx, arrived) = (backend.context(), Arrived::default());
        let proxy = ctx.thread_proxy().unwrap();
        let (carried, into) = (proxy.clone(), Arc::clone(&arrived));
        proxy.schedule(move |_ev| send_each(&carried, 0, 1, &into)).unwrap();
        drop(proxy);
        ctx.loop_wait().unwrap();
        assert_eq!(arrived.lock().unwrap().len(), 1);
    }

    fn loop_3_one_that_panics_counts_no_more(backend) {
        let ctx = backend.context();
        let proxy = ctx.thread_proxy().unwrap();
        proxy.schedule(|_ev| panic!("on purpose")).unwrap();
        drop(proxy);
        assert!(catch_unwind(AssertUnwindSafe(|| ctx.loop_wait())).is_err());
        ctx.loop_wait().unwrap();
        assert_eq!(ctx.dump().thread_proxies, 0);
    }

    fn thr_3_after_the_context_is_gone_the_closure_comes_back_with_its_data(backend) {
        let ctx = backend.context();
        let (proxy, reference) = (ctx.thread_proxy().unwrap(), ctx.clone());
        drop(ctx);
        let (into, results) = mpsc::channel();
        let thread = thread::spawn(move || {
            let data = vec![1, 2, 3];
            proxy.schedule(move |_ev| into.send(data).unwrap()).unwrap_err().into_inner()
        });
        let closure = thread.join().unwrap();
        closure(&reference);
        assert_eq!(results.recv().unwrap(), [1, 2, 3]);
        assert!(reference.thread_proxy().is_err());
    }

    fn thr_3_what_was_accepted_and_did_not_run_is_dropped_with_the_context(backend) {
        let ctx = backend.context();
        let (proxy, drops) = (ctx.thread_proxy().unwrap(), Arc::<AtomicUsize>::default());
        for _ in 0..10 {
            let parcel = Parcel(Arc::clone(&drops));
            proxy.schedule(move |_ev| drop(parcel)).unwrap();
        }
        turns(&ctx, 3);
        assert_eq!(drops.load(Ordering::Relaxed), 3);
        drop(ctx);
        assert_eq!(drops.load(Ordering::Relaxed), 10);
        drop(proxy);
    }

    fn loop_8_a_proxy_is_dead_after_a_new_beginning_and_not_waited_for(backend) {
        let ctx = backend.context();
        let proxy = ctx.thread_proxy().unwrap();
        proxy.schedule(|_ev| unreachable!("it is dropped")).unwrap();
        ctx.re_initialise().unwrap();
        ctx.loop_wait().unwrap();
        assert_eq!(ctx.stats().turns, 0);
        assert!(proxy.schedule(|_ev| ()).is_err());
        let new = ctx.thread_proxy().unwrap();
        assert_eq!(ctx.dump().thread_proxies, 1);
        drop((proxy, new));
        ctx.loop_wait().unwrap();
    }

    fn loop_3_a_loop_waiting_for_a_timer_is_not_ended_by_a_proxy_that_goes(backend) {
        let ctx = backend.context();
        let te = ctx.add_timer(Duration::from_millis(5), |_, _, _| ());
        let proxy = ctx.thread_proxy().unwrap();
        let thread = thread::spawn(move || drop(proxy));
        ctx.loop_wait().unwrap();
        assert!(!te.is_pending());
        thread.join().unwrap();
    }
}

/// The last of many goes at any moment: the loop is never left asleep.
#[test]
fn loop_3_a_loop_that_falls_asleep_while_the_last_proxy_goes_is_woken() {
    let ctx = support::Kind::Epoll.context();
    ctx.set_wait_timeout(None);
    let (hand_out, proxies) = mpsc::channel();
    let thread = thread::spawn(move || proxies.iter().for_each(drop::<ThreadProxy>));
    for _ in 0..10_000 {
        hand_out.send(ctx.thread_proxy().unwrap()).unwrap();
        ctx.loop_wait().unwrap();
    }
    drop(hand_out);
    thread.join().unwrap();
}

#[test]
fn thr_3_a_proxy_can_go_anywhere() {
    fn anywhere<T: Send + Sync + Clone + 'static>(_: &T) {}
    let ctx = support::Kind::Epoll.context();
    anywhere(&ctx.thread_proxy().unwrap());
}
