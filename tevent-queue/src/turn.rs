//! What an entry's turn brings: its trigger, inside the entry's allocation.

use std::any::type_name;
use std::cell::{Cell, RefCell};

use tevent_core::{ReqRef, drop_each};

pub(crate) trait Turn {
    /// Calls the trigger, unless it has ended.
    fn call(&self);

    /// What the call flow calls it; `None` for a blocker.
    fn name(&self) -> Option<&'static str>;

    /// No call begins after this.
    fn end(&self);

    /// Drops the trigger once it has ended, unless a call of it is running: that does it as it returns.
    fn drop_if_idle(&self);
}

/// A trigger with its request.
pub(crate) struct Trigger<S: 'static, F: 'static> {
    /// Borrowed while it is called, by each of the calls where a nested turn calls it again.
    bound: RefCell<Option<(ReqRef<S>, F)>>,
    ended: Cell<bool>,
}

impl<S, F: Fn(&ReqRef<S>)> Trigger<S, F> {
    pub(crate) fn new(req: &ReqRef<S>, trigger: F) -> Self {
        Trigger { bound: RefCell::new(Some((req.clone(), trigger))), ended: Cell::new(false) }
    }
}

impl<S, F: Fn(&ReqRef<S>)> Turn for Trigger<S, F> {
    fn call(&self) {
        if self.ended.get() {
            return;
        }
        // Dropped in the reverse order: first the borrow, then what ended meanwhile.
        let _after = Return(self);
        if let Some((req, trigger)) = &*self.bound.borrow() {
            trigger(req);
        }
    }

    fn name(&self) -> Option<&'static str> {
        Some(type_name::<F>())
    }

    fn end(&self) {
        self.ended.set(true);
    }

    fn drop_if_idle(&self) {
        let bound = self.bound.try_borrow_mut().ok().and_then(|mut bound| bound.take());
        drop(bound);
    }
}

/// The end of a call, also of one that panics.
struct Return<'a, S: 'static, F: Fn(&ReqRef<S>) + 'static>(&'a Trigger<S, F>);

impl<S, F: Fn(&ReqRef<S>)> Drop for Return<'_, S, F> {
    fn drop(&mut self) {
        let Return(trigger) = self;
        if trigger.ended.get() {
            drop_each(trigger.bound.try_borrow_mut().ok().and_then(|mut bound| bound.take()));
        }
    }
}

/// No trigger: the entry holds its place until it leaves.
pub(crate) struct Blocker;

impl Turn for Blocker {
    fn call(&self) {}

    fn name(&self) -> Option<&'static str> {
        None
    }

    fn end(&self) {}

    fn drop_if_idle(&self) {}
}
