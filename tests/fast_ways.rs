//! Cases in which what makes the loop fast once told another story than the plain way: stale places, far deadlines, kept contexts.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tevent::{Context, EventTracePoint, Immediate, Queue, Req, ReqRef, When};

/// 10^9 seconds before the first deadline is where the heap counted from.
#[test]
fn a_deadline_decades_before_the_first_comes_before_it() {
    let ctx = Context::new().expect("a context");
    let order = Rc::new(RefCell::new(Vec::new()));
    let now = ctx.now();
    let (Some(first_added), Some(decades)) =
        (now.checked_sub(Duration::from_secs(1)), now.checked_sub(Duration::from_secs(1_000_000_001)))
    else {
        return;
    };
    let note = |name: &'static str, when| {
        let order = Rc::clone(&order);
        ctx.keep(ctx.add_timer(When::At(when), move |_ev, _te, _now| order.borrow_mut().push(name)));
    };
    note("second", first_added);
    note("first", decades);
    ctx.loop_wait().expect("no failure");
    assert_eq!(*order.borrow(), ["first", "second"]);
}

/// An immediate remembers its context for the next time; the context keeps its trace callbacks.
#[test]
fn an_immediate_that_a_trace_callback_owns_goes_with_its_context() {
    let ctx = Context::new().expect("a context");
    let held = Rc::new(());
    let in_handler = Rc::clone(&held);
    let im = Immediate::new(move |_ev, _im| drop(Rc::clone(&in_handler)));
    im.schedule(&ctx);
    ctx.loop_wait().expect("no failure");
    let owned = Cell::new(Some(im));
    ctx.trace().points().set(Rc::new(move |_ev, _point| drop(owned.replace(None))));
    // The trace callback was never called.
    drop(ctx);
    assert_eq!(Rc::strong_count(&held), 1, "nothing leaks");
}

/// What was posted is told of a new place while its list, which has gone, is emptied: it must not take that for a place in
/// the new one.
#[test]
fn a_post_that_a_new_beginning_has_dropped_takes_nobody_out_of_the_new_list() {
    let ctx = Context::new().expect("a context");
    let mut old: Vec<Immediate> = (0..500).map(|_| Immediate::new(|_ev, _im| unreachable!())).collect();
    for im in &old {
        im.schedule(&ctx);
    }
    let posted: Vec<Req<()>> = (0..20).map(|_| Req::create(()).post(&ctx)).collect();
    old.drain(100..400); // gaps in the middle
    ctx.re_initialise().expect("a new beginning");
    let ran = Rc::new(Cell::new(0));
    let new: Vec<Immediate> = (0..400)
        .map(|_| {
            let ran = Rc::clone(&ran);
            Immediate::new(move |_ev, _im| ran.set(ran.get() + 1))
        })
        .collect();
    for im in &new {
        im.schedule(&ctx);
    }
    drop(posted);
    ctx.loop_wait().expect("no failure");
    assert_eq!(ran.get(), 400);
}

/// TRACE-2: exactly one DETACH for each ATTACH, also of an entry that outlives its context.
#[test]
fn a_queue_entry_that_outlives_its_context_is_detached_once() {
    let ctx = Context::new().expect("a context");
    let balance = Rc::new(Cell::new(0));
    let told = Rc::clone(&balance);
    ctx.trace().queue_entries().set(Rc::new(move |_entry, point| match point {
        EventTracePoint::Attach => told.set(told.get() + 1),
        EventTracePoint::Detach => told.set(told.get() - 1),
        EventTracePoint::BeforeHandler => {}
    }));
    let queue = Queue::create("queue");
    let req = Req::create(());
    queue.add(&ctx, &req, |_req| {}).expect("queued");
    assert_eq!(balance.get(), 1);
    drop(ctx);
    drop(req);
    assert_eq!(balance.get(), 0);
}

/// The state goes after the callback.
#[test]
fn what_a_callback_owns_finds_the_state_as_it_goes() {
    struct Looks(ReqRef<u32>, Rc<Cell<Option<u32>>>);
    impl Drop for Looks {
        fn drop(&mut self) {
            self.1.set(self.0.with_state(|state| *state));
        }
    }
    let (req, seen) = (Req::create(7), Rc::new(Cell::new(None)));
    let looks = Looks(req.clone(), Rc::clone(&seen));
    req.set_callback(move |_req| _ = &looks);
    drop(req);
    assert_eq!(seen.get(), Some(7));
}
