//! The place of a handler inside its event's one allocation.

use std::cell::{Cell, UnsafeCell};
use std::mem::MaybeUninit;

use crate::stack::bounded_drop;

/// Holds a handler that is called through a shared reference, so that a nested turn may enter it again, and that can be
/// dismissed at any moment: it is dropped at once when it is idle, otherwise when its outermost call returns.
///
/// In place of a `RefCell<Option<F>>`, which takes two words more.
pub(crate) struct Slot<F: 'static> {
    state: Cell<State>,
    /// Holds a handler for as long as it is not `EMPTY`.
    handler: UnsafeCell<MaybeUninit<F>>,
}

/// How many calls of it stand on the stack, more than one by nesting, in units of `CALL`; and below that what is the matter
/// with it.
type State = u32;

const DISMISSED: State = 1;
const EMPTY: State = 2;
const CALL: State = 4;

impl<F: 'static> Slot<F> {
    pub(crate) const fn new(handler: F) -> Self {
        Slot { state: Cell::new(0), handler: UnsafeCell::new(MaybeUninit::new(handler)) }
    }

    /// Without a handler: calling it does nothing.
    pub(crate) const fn empty() -> Self {
        Slot { state: Cell::new(EMPTY), handler: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// # Panics
    /// When more than 2³⁰ calls stand on top of each other, for which no stack has room.
    #[inline]
    pub(crate) fn call(&self, run: impl FnOnce(&F)) {
        let state = self.state.get();
        if state & (DISMISSED | EMPTY) != 0 {
            return;
        }
        self.state.set(state.checked_add(CALL).expect("fewer calls than fill any stack"));
        let _after = Return(self);
        // SAFETY: it is not empty, and stays so: only `drop_if_idle` empties it, which does nothing while a call is counted, as
        // this one is until `_after` is dropped; and the slot itself is borrowed. No `&mut` to the handler is ever made.
        let handler = unsafe { &*self.handler.get() };
        // SAFETY: as it is not empty it holds a handler.
        run(unsafe { handler.assume_init_ref() });
    }

    /// No call begins after this. The handler is dropped now, or when its running call returns.
    #[inline]
    pub(crate) fn dismiss(&self) {
        self.state.set(self.state.get() | DISMISSED);
        self.drop_if_idle();
    }

    #[inline]
    fn drop_if_idle(&self) {
        let state = self.state.get();
        if state >= CALL || state & EMPTY != 0 {
            return;
        }
        self.state.set(state | EMPTY);
        // SAFETY: no call runs, so nobody has a reference to it, and no call begins, as it counts as empty.
        let handler = unsafe { &*self.handler.get() };
        // SAFETY: it was not empty until the line above, and is read this once.
        let handler = unsafe { handler.assume_init_read() };
        // Last, because what the handler owns may call back into the loop as it is dropped.
        bounded_drop(handler);
    }
}

impl<F: 'static> Drop for Slot<F> {
    #[inline]
    fn drop(&mut self) {
        if self.state.get() & EMPTY == 0 {
            self.drop_if_idle();
        }
    }
}

/// The end of a call, also of one that panics.
struct Return<'a, F: 'static>(&'a Slot<F>);

impl<F: 'static> Drop for Return<'_, F> {
    #[inline]
    fn drop(&mut self) {
        let slot = self.0;
        slot.state.set(slot.state.get() - CALL);
        if slot.state.get() & DISMISSED != 0 {
            slot.drop_if_idle();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn a_dismissed_handler_is_dropped_when_its_outermost_call_returns() {
        let held = Rc::new(());
        let watch = Rc::clone(&held);
        let slot = Slot::new(move || Rc::strong_count(&held));
        slot.call(|_outer| {
            slot.call(|inner| {
                slot.dismiss();
                assert_eq!(inner(), 2);
            });
            assert_eq!(slot.state.get(), CALL | DISMISSED);
            assert_eq!(Rc::strong_count(&watch), 2, "the outer call goes on");
            slot.call(|_third| unreachable!("it was dismissed"));
        });
        assert_eq!(Rc::strong_count(&watch), 1);
        slot.dismiss();
        assert_eq!(slot.state.get(), DISMISSED | EMPTY);
    }

    #[test]
    fn a_handler_goes_with_its_slot_also_when_it_panicked() {
        let held = Rc::new(());
        let watch = Rc::clone(&held);
        let slot = Slot::new(move || panic!("as asked, with {held:?}"));
        let call = || slot.call(|handler| handler());
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err());
        assert_eq!(slot.state.get(), 0);
        drop(slot);
        assert_eq!(Rc::strong_count(&watch), 1);
        drop(Slot::<Rc<()>>::empty());
    }

    #[test]
    fn it_takes_half_a_word_beside_its_handler() {
        assert_eq!((size_of::<Slot<fn()>>(), size_of::<Slot<()>>()), (16, 4));
    }
}
