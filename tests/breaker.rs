//! What a breaker has found in the loop that was made faster.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tevent::{Context, Immediate, When};

/// The heap counts from 10^9 seconds before its first deadline; that very moment is no farther away than those before it.
#[test]
fn a_deadline_at_the_very_base_of_the_heap_comes_first() {
    let ctx = Context::new().expect("a context");
    let order = Rc::new(RefCell::new(Vec::new()));
    let first_added = ctx.now() - Duration::from_millis(1);
    let Some(base) = first_added.checked_sub(Duration::from_secs(1_000_000_000)) else { return };
    let note = |name: &'static str, when| {
        let order = Rc::clone(&order);
        ctx.keep(ctx.add_timer(When::At(when), move |_ev, _te, _now| order.borrow_mut().push(name)));
    };
    note("third", first_added);
    note("second", base);
    note("first", base - Duration::from_nanos(1));
    ctx.loop_wait().expect("no failure");
    assert_eq!(*order.borrow(), ["first", "second", "third"]);
}

/// An immediate keeps its context for the next time; the context keeps its trace callbacks.
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
