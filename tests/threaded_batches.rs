//! Closures of other threads that were taken together: to everybody who looks each is an immediate of its own, at its own place
//! (THR-1, LOOP-1, TRACE-2).

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::{Kind, Log, on_every_backend, run_ready, turns};
use tevent::{Context, ContextRef, EventKind, EventTracePoint, Immediate, ThreadedContext};

thread_local! {
    static RAN: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

fn note(what: &'static str) {
    RAN.with_borrow_mut(|ran| ran.push(what));
}

fn schedule(handle: &ThreadedContext, what: &'static str) {
    handle.schedule(move |_ev| note(what)).unwrap();
}

/// Notes what immediates are told of, each with where it was created.
fn listen(ev: &ContextRef) {
    ev.trace().immediates().set(Rc::new(|im, at| {
        assert!(im.location().file().ends_with("threaded_batches.rs"));
        note(match at {
            EventTracePoint::Attach => "attach",
            EventTracePoint::BeforeHandler => "before",
            EventTracePoint::Detach => "detach",
        });
    }));
}

/// A context in whose list closures stand: their turn is next.
fn with_closures(backend: Kind, closures: &[&'static str]) -> Context {
    let ctx = backend.context();
    RAN.take();
    let handle = ctx.threaded().unwrap();
    schedule(&handle, "first");
    for what in closures {
        schedule(&handle, what);
    }
    turns(&ctx, 1);
    assert_eq!(RAN.take(), ["first"]);
    ctx
}

on_every_backend! {
    fn loop_1_what_is_scheduled_here_stands_between_what_was_taken_before_and_after(backend) {
        let ctx = backend.context();
        let handle = ctx.threaded().unwrap();
        RAN.take();
        let again = handle.clone();
        let im = Rc::new(Immediate::new(|_, _| note("here")));
        thread_local!(static IM: RefCell<Option<Rc<Immediate>>> = const { RefCell::new(None) });
        IM.set(Some(Rc::clone(&im)));
        handle.schedule(move |ev| {
            // The loop has looked; this joins them in the next turn, and so stands behind the immediate.
            schedule(&again, "c");
            IM.with_borrow(|im| im.as_ref().unwrap().schedule(ev));
            schedule(&again, "d");
        }).unwrap();
        schedule(&handle, "a");
        schedule(&handle, "b");
        turns(&ctx, 2);
        let places: Vec<_> = ctx.dump().events.iter().map(|event| (event.kind, event.location)).collect();
        assert_eq!(places.len(), 4, "b, here, c, d");
        assert!(places.iter().all(|(kind, _)| *kind == EventKind::Immediate));
        assert_eq!(places[1].1, im.location());
        assert!(places[0].1 == places[2].1 && places[2].1 == places[3].1, "{places:?}");
        assert!(format!("{ctx:?}").contains("immediates: 4,"), "{ctx:?}");
        run_ready(&ctx);
        assert_eq!(RAN.take(), ["a", "b", "here", "c", "d"]);
        assert_eq!(ctx.stats().handled.immediates, 6);
        IM.take();
    }

    fn thr_1_one_that_panics_leaves_the_rest_to_the_next_turns(backend) {
        let ctx = backend.context();
        let handle = ctx.threaded().unwrap();
        RAN.take();
        handle.schedule(|_ev| panic!("as asked")).unwrap();
        schedule(&handle, "next");
        assert!(catch_unwind(AssertUnwindSafe(|| turns(&ctx, 1))).is_err());
        turns(&ctx, 1);
        assert_eq!(RAN.take(), ["next"]);
    }

    fn thr_1_a_nested_turn_in_a_closure_runs_the_next(backend) {
        let ctx = backend.context();
        ctx.allow_nesting();
        let handle = ctx.threaded().unwrap();
        RAN.take();
        handle.schedule(|ev| {
            turns(ev, 1);
            note("outer");
        }).unwrap();
        schedule(&handle, "inner");
        schedule(&handle, "last");
        turns(&ctx, 2);
        assert_eq!(RAN.take(), ["inner", "outer", "last"]);
    }

    fn trace_2_who_listens_from_now_on_is_told_of_those_that_stand_there(backend) {
        let ctx = with_closures(backend, &["a", "b"]);
        listen(&ctx);
        schedule(&ctx.threaded().unwrap(), "c");
        turns(&ctx, 1);
        assert_eq!(RAN.take(), ["attach", "before", "a", "detach"]);
        turns(&ctx, 2);
        assert_eq!(RAN.take(), ["before", "b", "detach", "before", "c", "detach"]);
    }

    fn trace_2_who_begins_to_listen_in_a_closure_is_told_that_it_leaves(backend) {
        let ctx = backend.context();
        let handle = ctx.threaded().unwrap();
        RAN.take();
        handle.schedule(listen).unwrap();
        handle.schedule(|ev| {
            ev.trace().immediates().clear();
            note("deaf");
        }).unwrap();
        schedule(&handle, "a");
        turns(&ctx, 3);
        assert_eq!(RAN.take(), ["detach", "before", "deaf", "a"]);
    }

    fn trace_2_who_frees_an_untold_one_before_its_handler_has_it_not_run(backend) {
        let ctx = with_closures(backend, &["a", "b"]);
        let log = Log::new();
        let seen = log.clone();
        ctx.trace().immediates().set(Rc::new(move |im, at| {
            seen.add(format!("{at:?}"));
            if at == EventTracePoint::BeforeHandler {
                im.reset();
            }
        }));
        turns(&ctx, 1);
        assert_eq!(log.take(), ["BeforeHandler", "Detach"]);
        ctx.trace().immediates().clear();
        turns(&ctx, 1);
        assert_eq!(RAN.take(), ["b"]);
    }

    fn trace_2_each_leaves_with_the_context(backend) {
        let ctx = with_closures(backend, &["a", "b"]);
        listen(&ctx);
        drop(ctx);
        assert_eq!(RAN.take(), ["detach", "detach"]);
    }

    fn loop_8_those_that_stand_there_are_dropped_once_though_one_panics(backend) {
        struct Bomb(Arc<AtomicUsize>);
        impl Drop for Bomb {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
                panic!("in a drop");
            }
        }
        let ctx = backend.context();
        let (handle, drops) = (ctx.threaded().unwrap(), Arc::<AtomicUsize>::default());
        handle.schedule(|_ev| ()).unwrap();
        for _ in 0..3 {
            let bomb = Bomb(Arc::clone(&drops));
            handle.schedule(move |_ev| drop(bomb)).unwrap();
        }
        turns(&ctx, 1);
        assert!(catch_unwind(AssertUnwindSafe(|| ctx.re_initialise())).is_err());
        assert_eq!(drops.load(Ordering::Relaxed), 3);
        assert_eq!(run_ready(&ctx), 0);
    }
}

/// More at a time than the room that is kept, and again while they run.
#[test]
fn thr_1_bursts_on_top_of_bursts_run_in_order() {
    thread_local!(static NUMBERS: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) });
    let ctx = Kind::Epoll.context();
    let handle = ctx.threaded().unwrap();
    let mut next = 0;
    for burst in [5_000, 10, 3_000, 1, 1_024, 1_025, 20_000] {
        for n in next..next + burst {
            handle.schedule(move |_ev| NUMBERS.with_borrow_mut(|all| all.push(n))).unwrap();
        }
        next += burst;
        turns(&ctx, burst / 2);
    }
    run_ready(&ctx);
    assert!(NUMBERS.take().into_iter().eq(0..next));
}
