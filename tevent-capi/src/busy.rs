//! Objects that are freed while their handlers run: the memory stays until they have returned.

use std::cell::Cell;
use std::ffi::c_int;

use crate::chunk::Chunk;
use crate::export::abort;
use crate::talloc;

/// How many calls of an object's handler stand on the stack, and whether it was freed meanwhile.
#[derive(Default)]
pub struct Busy {
    calls: Cell<u32>,
    destroyed: Cell<bool>,
}

impl Busy {
    pub fn is_busy(&self) -> bool {
        self.calls.get() > 0
    }

    pub fn is_destroyed(&self) -> bool {
        self.destroyed.get()
    }
}

pub trait Handled {
    fn busy(&self) -> &Busy;
}

/// Calls a handler of the object. Says whether the object is gone after it.
#[inline]
pub fn during<T: Handled>(object: Chunk<T>, handler: impl FnOnce()) -> bool {
    enter(object);
    handler();
    leave(object)
}

pub fn enter<T: Handled>(object: Chunk<T>) {
    let calls = &object.busy().calls;
    calls.set(calls.get() + 1);
}

/// The other end of [`enter`].
pub fn leave<T: Handled>(object: Chunk<T>) -> bool {
    let busy = object.busy();
    busy.calls.set(busy.calls.get() - 1);
    if !busy.destroyed.get() {
        return false;
    }
    if !busy.is_busy() {
        talloc::clear_destructor(object);
        talloc::end(object);
        talloc::free(object);
    }
    true
}

/// The end of an object's destructor, with what that gives: a busy object's memory stays.
pub fn end<T: Handled>(object: Chunk<T>, complaint: &str) -> c_int {
    let busy = object.busy();
    if busy.destroyed.replace(true) {
        refuse_double_free(object, complaint);
    }
    if busy.is_busy() {
        return -1;
    }
    talloc::end(object);
    0
}

/// An object that was freed already, in its handler, is freed by name a second time. With its parent it may go as often
/// as that goes.
pub fn refuse_double_free<T>(object: Chunk<T>, complaint: &str) {
    if !talloc::is_going(talloc::parent(object.parent())) {
        abort(None, complaint);
    }
}
