//! What stands deeper than the bound on callbacks and drops: put off, and still right.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;

use support::{Kind, Log, on_every_backend, turns};
use tevent::{Immediate, Req, ReqState};

/// Runs the case with that many callbacks below it on the stack, or put off where the stack is not to grow so far.
fn at_depth(depth: u32, case: Rc<dyn Fn()>) {
    // A request that is dropped while its callback is put off has none.
    let held = Rc::default();
    call(depth, case, &held);
}

fn call(depth: u32, case: Rc<dyn Fn()>, held: &Rc<RefCell<Vec<Req<()>>>>) {
    let req = Req::create(());
    let reference = req.clone();
    held.borrow_mut().push(req);
    let held = Rc::downgrade(held);
    reference.set_callback(move |_req| match (depth, held.upgrade()) {
        (1, _) | (_, None) => case(),
        (_, Some(held)) => call(depth - 1, Rc::clone(&case), &held),
    });
    reference.done();
}

/// Deeper than any bound that would make sense.
const DEEP: u32 = 200;

struct Chain(#[allow(dead_code, reason = "only owned")] Option<Req<Chain>>);

fn chain(length: u32) -> Req<Chain> {
    let mut head = Req::create(Chain(None));
    for _ in 1..length {
        head = Req::create(Chain(Some(head)));
    }
    head
}

on_every_backend! {
    fn loop_5_a_panic_of_what_was_put_off_leaves_other_loops_usable(backend) {
        let other = Rc::new(backend.context());
        let inner = Rc::clone(&other);
        let case = move || {
            let req = Req::create(());
            req.set_callback(|_req| panic!("put off, and panics"));
            req.done();
            inner.loop_wait().unwrap();
            let _ = inner.loop_once();
        };
        for depth in [62, 63, 64, 65, DEEP] {
            let case = Rc::new(case.clone());
            assert!(catch_unwind(AssertUnwindSafe(|| at_depth(depth, case))).is_err());
            let im = Immediate::new(|_ev, im| im.set_tag(1));
            im.schedule(&other);
            turns(&other, 1);
            assert_eq!(im.tag(), 1);
        }
    }

    fn req_3_a_cleanup_that_was_put_off_waits_for_the_end_of_a_borrow(backend) {
        let ctx = Rc::new(backend.context());
        let log = Log::new();
        let (inner, noted) = (Rc::clone(&ctx), log.clone());
        let case = move || {
            let req = Req::create(0);
            let noted = noted.clone();
            req.set_cleanup_fn(move |req, state| {
                req.with_state(|n| *n += 1);
                noted.add(format!("{state:?}"));
            });
            req.done();
            // The nested loop works off what was put off, while this borrow lasts.
            req.with_state(|_n| {
                let im = Immediate::new(|_, _| {});
                im.schedule(&inner);
                inner.loop_wait().unwrap();
            });
        };
        for depth in [1, 63, 64, 65, DEEP] {
            at_depth(depth, Rc::new(case.clone()));
            let log = log.take();
            assert_eq!(log.last().unwrap(), "Received", "depth {depth}");
        }
    }
}

#[test]
fn req_2_a_nested_loop_sees_the_callbacks_that_it_waits_for() {
    let ctx = Rc::new(Kind::Epoll.context());
    let done = Rc::new(Cell::new(0));
    let (inner, count) = (Rc::clone(&ctx), Rc::clone(&done));
    let case = move || {
        let (parent, child) = (Req::create(()), Req::create(()));
        let child = parent.add_subreq(child, |parent, _child| {
            parent.done();
        });
        let im = Immediate::new(move |_, _| {
            child.done();
        });
        im.schedule(&inner);
        parent.poll(&inner).unwrap();
        assert_eq!(parent.state(), ReqState::Done);
        count.set(count.get() + 1);
    };
    at_depth(DEEP, Rc::new(case));
    assert_eq!(done.get(), 1);
}

#[test]
fn req_12_a_long_chain_that_ends_with_its_thread_is_dropped() {
    thread_local!(static HELD: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) });
    let case = || {
        HELD.with_borrow_mut(|held| *held = Some(Box::new(chain(100_000))));
        // What the bound keeps for this thread is there before the end of the thread, and gone after it.
        drop(chain(DEEP));
    };
    let thread = thread::Builder::new().stack_size(512 << 10).spawn(case).unwrap();
    thread.join().unwrap();
}

/// Quadratic, this would take minutes.
#[test]
fn req_12_a_wide_tree_far_down_is_dropped() {
    struct Wide(#[allow(dead_code, reason = "only owned")] Vec<Req<Chain>>);
    let dropped = Rc::new(Cell::new(false));
    let noted = Rc::clone(&dropped);
    let case = move || {
        let wide = Req::create(Wide((0..200_000).map(|_| chain(2)).collect()));
        drop(wide);
        noted.set(true);
    };
    at_depth(DEEP, Rc::new(case));
    assert!(dropped.get());
}
