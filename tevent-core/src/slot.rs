//! The place of a handler inside its event's one allocation.

use std::cell::{Cell, Ref, RefCell};

use crate::stack::bounded_drop;

/// Holds a handler that is called under a shared borrow, so that a nested turn may enter it again, and that
/// can be dismissed at any moment: at once when it is idle, otherwise when its outermost call returns.
///
/// Whether it was dismissed stands among the flags of the event, where it takes no room.
pub(crate) struct Slot<F>(RefCell<Option<F>>);

impl<F: 'static> Slot<F> {
    pub(crate) const fn new(handler: F) -> Self {
        Slot::from_option(Some(handler))
    }

    pub(crate) const fn from_option(handler: Option<F>) -> Self {
        Slot(RefCell::new(handler))
    }

    /// Whether there is a handler.
    pub(crate) fn is_filled(&self) -> bool {
        self.0.borrow().is_some()
    }

    pub(crate) fn call(&self, dismissed: &Cell<bool>, run: impl FnOnce(&F)) {
        if dismissed.get() {
            return;
        }
        // Dropped in the reverse order: first the borrow, then `_after` looks whether it was the last.
        let _after = DropIfDismissed(self, dismissed);
        let handler: Ref<'_, Option<F>> = self.0.borrow();
        if let Some(handler) = &*handler {
            run(handler);
        }
    }

    /// No call begins after this. The handler is dropped now, or when its running call returns.
    pub(crate) fn dismiss(&self, dismissed: &Cell<bool>) {
        dismissed.set(true);
        self.drop_if_idle();
    }

    fn drop_if_idle(&self) {
        let handler = match self.0.try_borrow_mut() {
            Ok(mut handler) => handler.take(),
            Err(_running) => return,
        };
        // Outside the borrow: what the handler owns may call back into the loop as it is dropped.
        bounded_drop(handler);
    }
}

struct DropIfDismissed<'a, F: 'static>(&'a Slot<F>, &'a Cell<bool>);

impl<F: 'static> Drop for DropIfDismissed<'_, F> {
    fn drop(&mut self) {
        if self.1.get() {
            self.0.drop_if_idle();
        }
    }
}
