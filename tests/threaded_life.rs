//! What may happen to closures from other threads on their way, and to the handles (THR-1, THR-2, LOOP-8).

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use support::{Kind, on_every_backend, run_ready, turns};
use tevent::{Context, ContextRef, EventTracePoint, Immediate, Req, ThreadedContext};

/// What closures leave.
#[derive(Clone, Default)]
struct Ran(Arc<Mutex<Vec<usize>>>);

impl Ran {
    fn schedule(&self, handle: &ThreadedContext, n: usize) {
        let ran = self.clone();
        handle.schedule(move |_ev| ran.0.lock().unwrap().push(n)).unwrap();
    }

    fn take(&self) -> Vec<usize> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Counts that it was dropped, then does something.
struct OnDrop<F: FnMut()>(Arc<AtomicUsize>, F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        (self.1)();
    }
}

fn bomb(drops: &Arc<AtomicUsize>) -> OnDrop<impl FnMut() + Send + use<>> {
    OnDrop(Arc::clone(drops), || panic!("in a drop"))
}

/// Does something once, at the first immediate that is attached.
fn at_first_attach(ev: &ContextRef, work: impl Fn() + 'static) {
    let first = Cell::new(true);
    ev.trace().immediates().set(Rc::new(move |_im, at| {
        if at == EventTracePoint::Attach && first.replace(false) {
            work();
        }
    }));
}

/// A context that closures can drop, in the thread that it belongs to.
fn droppable(backend: Kind) -> ContextRef {
    thread_local!(static OWNER: RefCell<Option<Context>> = const { RefCell::new(None) });
    let ctx = backend.context();
    let ev = ctx.clone();
    OWNER.set(Some(ctx));
    ev.threaded().unwrap().schedule(|_ev| drop(OWNER.take())).unwrap();
    ev
}

on_every_backend! {
    fn thr_1_a_trace_callback_that_panics_loses_no_closure(backend) {
        let (ctx, ran) = (backend.context(), Ran::default());
        let handle = ctx.threaded().unwrap();
        (0..10).for_each(|n| ran.schedule(&handle, n));
        at_first_attach(&ctx, || panic!("in a trace callback"));
        assert!(catch_unwind(AssertUnwindSafe(|| ctx.loop_once())).is_err());
        ran.schedule(&handle, 10);
        run_ready(&ctx);
        assert!(ran.take().into_iter().eq(0..=10));
    }

    fn thr_1_the_order_is_kept_over_a_nested_turn_in_a_trace_callback(backend) {
        let (ctx, ran) = (backend.context(), Ran::default());
        ctx.allow_nesting();
        let handle = ctx.threaded().unwrap();
        (0..5).for_each(|n| ran.schedule(&handle, n));
        let (ev, later) = (ctx.clone(), ran.clone());
        let held = handle.clone();
        at_first_attach(&ctx, move || {
            (5..10).for_each(|n| later.schedule(&held, n));
            turns(&ev, 2);
        });
        run_ready(&ctx);
        assert!(ran.take().into_iter().eq(0..10));
    }

    fn thr_2_a_trace_callback_that_frees_the_context_has_all_closures_dropped_once(backend) {
        let ctx = backend.context();
        let (handle, drops) = (ctx.threaded().unwrap(), Arc::<AtomicUsize>::default());
        for _ in 0..10 {
            let probe = OnDrop(Arc::clone(&drops), || ());
            handle.schedule(move |_ev| unreachable!("{}", probe.0.load(Ordering::Relaxed))).unwrap();
        }
        let (ev, owner) = (ctx.clone(), RefCell::new(None));
        let owner = Rc::new(owner);
        let free = Rc::clone(&owner);
        at_first_attach(&ctx, move || drop(free.take()));
        owner.replace(Some(ctx));
        let _ended = ev.loop_once();
        assert!(ev.is_freed());
        assert_eq!(drops.load(Ordering::Relaxed), 10);
    }

    fn thr_2_the_context_may_be_dropped_in_a_closure(backend) {
        let (ev, drops) = (droppable(backend), Arc::<AtomicUsize>::default());
        let handle = ev.threaded().unwrap();
        for _ in 0..3 {
            let probe = OnDrop(Arc::clone(&drops), || ());
            handle.schedule(move |_ev| unreachable!("{}", probe.0.load(Ordering::Relaxed))).unwrap();
        }
        turns(&ev, 1);
        assert!(ev.is_freed());
        assert_eq!(drops.load(Ordering::Relaxed), 3);
        assert!(handle.schedule(|_ev| ()).is_err());
    }

    fn thr_1_the_last_handle_may_be_dropped_in_a_closure(backend) {
        let (ctx, ran) = (backend.context(), Ran::default());
        let handle = ctx.threaded().unwrap();
        let last = handle.clone();
        handle.schedule(move |_ev| drop(last)).unwrap();
        ran.schedule(&handle, 1);
        drop(handle);
        run_ready(&ctx);
        assert_eq!(ran.take(), [1]);
        ran.schedule(&ctx.threaded().unwrap(), 2);
        run_ready(&ctx);
        assert_eq!(ran.take(), [2]);
    }

    fn thr_2_closures_that_panic_in_their_drop_are_all_dropped_with_the_context(backend) {
        let ctx = backend.context();
        let (handle, drops) = (ctx.threaded().unwrap(), Arc::<AtomicUsize>::default());
        for n in 0..10 {
            let bomb = bomb(&drops);
            handle.schedule(move |_ev| drop(bomb)).unwrap();
            if n == 4 {
                // The first panics where it is meant to be dropped; four are left among the immediates.
                assert!(catch_unwind(AssertUnwindSafe(|| ctx.loop_once())).is_err());
            }
        }
        assert!(catch_unwind(AssertUnwindSafe(|| drop(ctx))).is_err(), "the first panic goes on");
        assert_eq!(drops.load(Ordering::Relaxed), 10);
    }

    fn thr_2_a_closure_dropped_with_the_context_is_refused_what_its_drop_schedules(backend) {
        let ctx = backend.context();
        let (handle, refused) = (ctx.threaded().unwrap(), Arc::<AtomicUsize>::default());
        for moved in [true, false] {
            let (again, refusals) = (handle.clone(), Arc::clone(&refused));
            let probe = OnDrop(Arc::default(), move || {
                refusals.fetch_add(usize::from(again.schedule(|_ev| ()).is_err()), Ordering::Relaxed);
            });
            handle.schedule(move |_ev| unreachable!("{}", probe.0.load(Ordering::Relaxed))).unwrap();
            if moved {
                let im = Immediate::new(|_, _| ());
                im.schedule(&ctx);
                turns(&ctx, 1);
            }
        }
        drop(ctx);
        assert_eq!(refused.load(Ordering::Relaxed), 2);
    }

    fn loop_8_closures_that_have_not_run_are_dropped_and_leave_nothing_behind(backend) {
        let ctx = backend.context();
        let (handle, drops) = (ctx.threaded().unwrap(), Arc::<AtomicUsize>::default());
        let never = || {
            let probe = OnDrop(Arc::clone(&drops), || ());
            handle.schedule(move |_ev| unreachable!("{}", probe.0.load(Ordering::Relaxed))).unwrap();
        };
        let im = Immediate::new(|_, _| ());
        im.schedule(&ctx);
        never();
        turns(&ctx, 1);
        never();
        ctx.re_initialise().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 2, "one was among the immediates, one was not");
        assert!(format!("{ctx:?}").contains("kept: 0,"), "{ctx:?}");
        assert_eq!(run_ready(&ctx), 0);
    }

    fn loop_8_in_a_closure_the_turn_ends_after_it(backend) {
        let (ctx, ran) = (backend.context(), Ran::default());
        let handle = ctx.threaded().unwrap();
        let (new, own) = (ran.clone(), handle.clone());
        handle.schedule(move |ev| {
            ev.re_initialise().unwrap();
            assert!(own.schedule(|_ev| ()).is_err());
            new.schedule(&ev.threaded().unwrap(), 1);
        }).unwrap();
        ran.schedule(&handle, 0);
        turns(&ctx, 1);
        assert_eq!(ran.take(), []);
        run_ready(&ctx);
        assert_eq!(ran.take(), [1]);
    }

    fn loop_8_what_dropped_handlers_begin_is_new(backend) {
        let (ctx, ran) = (backend.context(), Ran::default());
        let _old = ctx.threaded().unwrap();
        let hooked = Rc::new(Cell::new(0));
        let (ev, from_drop, calls, tasks) = (ctx.clone(), ran.clone(), Rc::clone(&hooked), Rc::default());
        let kept: Rc<RefCell<Vec<Req<_>>>> = Rc::clone(&tasks);
        let begins = OnDrop(Arc::default(), move || {
            from_drop.schedule(&ev.threaded().unwrap(), 1);
            let done = from_drop.clone();
            kept.borrow_mut().push(Req::from_future(&ev, async move {
                done.0.lock().unwrap().push(2);
                Ok(())
            }));
            let calls = Rc::clone(&calls);
            ev.set_nesting_hook(move |_ev, _nesting| { calls.set(calls.get() + 1); Ok(()) });
        });
        let te = ctx.add_timer(Duration::from_secs(1), move |_, _, _| { let _held = &begins; });
        // The slot of a timer lets go of its handler when the timer is freed; of an immediate when the context goes.
        let im = Immediate::empty();
        let held = RefCell::new(Some(te));
        im.schedule_with(&ctx, move |_, _| drop(held.take()));
        ctx.re_initialise().unwrap();
        run_ready(&ctx);
        let mut ran = ran.take();
        ran.sort_unstable();
        assert_eq!(ran, [1, 2]);
        assert!(hooked.get() > 0, "the hook is new too");
        drop(tasks);
    }

    fn thr_1_a_million_handles_come_and_go(backend) {
        let (ctx, ran) = (backend.context(), Ran::default());
        let handle = ctx.threaded().unwrap();
        let handles = vec![handle; 1_000_000];
        ran.schedule(&handles[999_999], 1);
        drop(handles);
        turns(&ctx, 1);
        assert_eq!((ran.take().len(), ctx.stats().waits), (1, 0));
    }
}

#[test]
fn loop_8_a_dead_handle_holds_no_virtual_clock() {
    let ctx = Kind::Simulated.context();
    let dead = ctx.threaded().unwrap();
    ctx.re_initialise().unwrap();
    // An hour, if the clock does not jump.
    let te = ctx.add_timer(Duration::from_secs(3600), |_, _, _| ());
    ctx.loop_wait().unwrap();
    assert!(!te.is_pending());
    drop(dead);
}

/// Both ends in other threads: the closure is made in one, scheduled by a second, and comes back to it.
#[test]
fn thr_2_a_refused_closure_comes_back_in_the_thread_that_scheduled_it() {
    let ctx = Kind::Epoll.context();
    let handle = ctx.threaded().unwrap();
    drop(ctx);
    let text = thread::spawn(move || {
        let text = String::from("mine");
        let refused = handle.schedule(move |_ev| drop(text)).unwrap_err();
        std::mem::size_of_val(&refused.into_inner())
    });
    assert_eq!(text.join().unwrap(), std::mem::size_of::<String>(), "the closure itself, in no box");
}
