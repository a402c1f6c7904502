//! The place of a handler inside its event's one allocation.

use std::cell::{Cell, Ref, RefCell};

use crate::stack::bounded_drop;

/// Holds a handler that is called under a shared borrow, so that a nested turn may enter it again, and that
/// can be dismissed at any moment: at once when it is idle, otherwise when its outermost call returns.
pub(crate) struct Slot<F> {
    handler: RefCell<Option<F>>,
    dismissed: Cell<bool>,
}

impl<F: 'static> Slot<F> {
    pub(crate) const fn new(handler: F) -> Self {
        Slot::from_option(Some(handler))
    }

    pub(crate) const fn from_option(handler: Option<F>) -> Self {
        Slot { handler: RefCell::new(handler), dismissed: Cell::new(false) }
    }

    /// Whether there is a handler that may still be called.
    pub(crate) fn is_filled(&self) -> bool {
        !self.dismissed.get() && self.handler.borrow().is_some()
    }

    pub(crate) fn call(&self, run: impl FnOnce(&F)) {
        if self.dismissed.get() {
            return;
        }
        // Dropped in the reverse order: first the borrow, then `_after` looks whether it was the last.
        let _after = DropIfDismissed(self);
        let handler: Ref<'_, Option<F>> = self.handler.borrow();
        if let Some(handler) = &*handler {
            run(handler);
        }
    }

    /// No call begins after this. The handler is dropped now, or when its running call returns.
    pub(crate) fn dismiss(&self) {
        self.dismissed.set(true);
        self.drop_if_idle();
    }

    fn drop_if_idle(&self) {
        let handler = match self.handler.try_borrow_mut() {
            Ok(mut handler) => handler.take(),
            Err(_running) => return,
        };
        // Outside the borrow: what the handler owns may call back into the loop as it is dropped.
        bounded_drop(handler);
    }
}

struct DropIfDismissed<'a, F: 'static>(&'a Slot<F>);

impl<F: 'static> Drop for DropIfDismissed<'_, F> {
    fn drop(&mut self) {
        if self.0.dismissed.get() {
            self.0.drop_if_idle();
        }
    }
}
