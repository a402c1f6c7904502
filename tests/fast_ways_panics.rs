//! Panics of callbacks, states and closures at bad moments, where the fast ways do without a catch.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use tevent::{Context, Immediate, Req};

/// Panics when it is dropped, also while a panic is on its way.
struct Bomb(Rc<Cell<u32>>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
        panic!("as asked");
    }
}

/// A callback that frees its request and panics, and captures what panics when it goes: it goes as the callback returns.
#[test]
fn a_callback_that_panics_and_whose_drop_panics_does_not_abort() {
    let drops = Rc::new(Cell::new(0));
    let bomb = Bomb(Rc::clone(&drops));
    let owner = Rc::new(Cell::new(None));
    let place = Rc::clone(&owner);
    let req = Req::create(());
    req.set_callback(move |_req| {
        let _bomb = &bomb;
        drop(place.take());
        panic!("as asked");
    });
    let finish = req.clone();
    owner.set(Some(req));
    assert!(catch_unwind(AssertUnwindSafe(|| finish.done())).is_err());
    assert_eq!(drops.get(), 1);
}

/// The same of an immediate, a timer and an fd event.
#[test]
fn a_handler_that_frees_itself_and_panics_and_whose_drop_panics_does_not_abort() {
    let ctx = Context::new().expect("a context");
    let drops = Rc::new(Cell::new(0));
    let bomb = Bomb(Rc::clone(&drops));
    let owner = Rc::new(Cell::new(None));
    let place = Rc::clone(&owner);
    let im = Immediate::new(move |_ev, _im| {
        let _bomb = &bomb;
        drop(place.take());
        panic!("as asked");
    });
    im.schedule(&ctx);
    owner.set(Some(im));
    assert!(catch_unwind(AssertUnwindSafe(|| ctx.loop_once())).is_err());
    let bomb = Bomb(Rc::clone(&drops));
    let owner = Rc::new(Cell::new(None));
    let place = Rc::clone(&owner);
    let te = ctx.add_timer(tevent::When::Zero, move |_ev, _im, _now| {
        let _bomb = &bomb;
        drop(place.take());
        panic!("as asked");
    });
    owner.set(Some(te));
    assert!(catch_unwind(AssertUnwindSafe(|| ctx.loop_once())).is_err());
    assert_eq!(drops.get(), 2);
}

/// A callback, a state and a deferred context all at once: all go though each panics.
#[test]
fn a_request_whose_callback_and_state_panic_as_they_go_does_not_abort() {
    let drops = Rc::new(Cell::new(0));
    let req = Req::create(Bomb(Rc::clone(&drops)));
    let bomb = Bomb(Rc::clone(&drops));
    req.set_callback(move |_req| drop(Rc::new(&bomb)));
    assert!(catch_unwind(AssertUnwindSafe(move || drop(req))).is_err());
    assert_eq!(drops.get(), 2);
}
