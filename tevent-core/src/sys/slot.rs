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
    /// Holds a handler for as long as `state.filled` is true.
    handler: UnsafeCell<MaybeUninit<F>>,
}

#[derive(Clone, Copy)]
struct State {
    /// How many calls of it stand on the stack: more than one by nesting.
    running: u16,
    /// No call begins any more.
    dismissed: bool,
    filled: bool,
}

impl<F: 'static> Slot<F> {
    pub(crate) const fn new(handler: F) -> Self {
        let state = State { running: 0, dismissed: false, filled: true };
        Slot { state: Cell::new(state), handler: UnsafeCell::new(MaybeUninit::new(handler)) }
    }

    /// Without a handler: calling it does nothing.
    pub(crate) const fn empty() -> Self {
        let state = State { running: 0, dismissed: false, filled: false };
        Slot { state: Cell::new(state), handler: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// # Panics
    /// When more than 65,535 calls stand on top of each other, for which no stack has room.
    #[inline]
    pub(crate) fn call(&self, run: impl FnOnce(&F)) {
        let state = self.state.get();
        if state.dismissed || !state.filled {
            return;
        }
        let running = state.running.checked_add(1).expect("fewer calls than fill any stack");
        self.state.set(State { running, ..state });
        let _after = Return(self);
        // SAFETY: it is filled, and stays so: only `drop_if_idle` empties it, which does nothing while a call is counted, as this
        // one is until `_after` is dropped; and the slot itself is borrowed. No `&mut` to it is ever made but there.
        let handler = unsafe { &*self.handler.get() };
        // SAFETY: as it is filled it holds a handler.
        run(unsafe { handler.assume_init_ref() });
    }

    /// No call begins after this. The handler is dropped now, or when its running call returns.
    #[inline]
    pub(crate) fn dismiss(&self) {
        self.state.set(State { dismissed: true, ..self.state.get() });
        self.drop_if_idle();
    }

    #[inline]
    fn drop_if_idle(&self) {
        let state = self.state.get();
        if state.running > 0 || !state.filled {
            return;
        }
        self.state.set(State { filled: false, ..state });
        // SAFETY: no call runs, so nobody has a reference to it, and no call begins, as it counts as empty.
        let handler = unsafe { &*self.handler.get() };
        // SAFETY: it was filled until the line above, and is read this once.
        let handler = unsafe { handler.assume_init_read() };
        // Last, because what the handler owns may call back into the loop as it is dropped.
        bounded_drop(handler);
    }
}

impl<F: 'static> Drop for Slot<F> {
    fn drop(&mut self) {
        self.drop_if_idle();
    }
}

/// The end of a call, also of one that panics.
struct Return<'a, F: 'static>(&'a Slot<F>);

impl<F: 'static> Drop for Return<'_, F> {
    #[inline]
    fn drop(&mut self) {
        let slot = self.0;
        let state = slot.state.get();
        slot.state.set(State { running: state.running - 1, ..state });
        if state.dismissed {
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
            assert_eq!(slot.state.get().running, 1);
            assert_eq!(Rc::strong_count(&watch), 2, "the outer call goes on");
            slot.call(|_third| unreachable!("it was dismissed"));
        });
        assert_eq!(Rc::strong_count(&watch), 1);
        slot.dismiss();
        assert!(!slot.state.get().filled && slot.state.get().running == 0);
    }

    #[test]
    fn a_handler_goes_with_its_slot_also_when_it_panicked() {
        let held = Rc::new(());
        let watch = Rc::clone(&held);
        let slot = Slot::new(move || panic!("as asked, with {held:?}"));
        let call = || slot.call(|handler| handler());
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err());
        assert!(slot.state.get().filled && slot.state.get().running == 0);
        drop(slot);
        assert_eq!(Rc::strong_count(&watch), 1);
        drop(Slot::<Rc<()>>::empty());
    }

    #[test]
    fn it_takes_half_a_word_beside_its_handler() {
        assert_eq!((size_of::<Slot<fn()>>(), size_of::<Slot<()>>()), (16, 4));
    }
}
