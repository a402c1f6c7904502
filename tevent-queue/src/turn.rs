//! What an entry's turn brings, inside the entry's one allocation.

use std::any::type_name;
use std::cell::{Cell, RefCell};

use tevent_core::{CallFlowEvent, ReqRef, drop_each};

/// A trigger, or none.
pub(crate) trait Act<S> {
    fn act(&self, req: &ReqRef<S>);

    /// What the call flow calls it; `None` for none.
    fn name() -> Option<&'static str>;
}

impl<S, F: Fn(&ReqRef<S>)> Act<S> for F {
    fn act(&self, req: &ReqRef<S>) {
        self(req);
    }

    fn name() -> Option<&'static str> {
        Some(type_name::<F>())
    }
}

/// No trigger: the entry holds its place until it leaves.
pub(crate) struct Blocker;

impl<S> Act<S> for Blocker {
    fn act(&self, _req: &ReqRef<S>) {}

    fn name() -> Option<&'static str> {
        None
    }
}

/// A turn of a request of any type. `ended` says whether it is not to be called any more.
pub(crate) trait Turn {
    /// Calls the trigger.
    fn call(&self, ended: &Cell<bool>);

    /// Tells the call flow of the request.
    fn tell(&self, event: CallFlowEvent, ended: &Cell<bool>);

    fn is_blocker(&self) -> bool;

    /// Drops the trigger, unless somebody is calling it: whoever does drops what has ended as soon as that has returned.
    fn drop_if_idle(&self);
}

/// A request and its trigger.
pub(crate) struct OfReq<S: 'static, A: 'static>(RefCell<Option<(ReqRef<S>, A)>>);

impl<S, A: Act<S>> OfReq<S, A> {
    pub(crate) fn new(req: &ReqRef<S>, act: A) -> Self {
        OfReq(RefCell::new(Some((req.clone(), act))))
    }

    /// Under a shared borrow, so that a nested turn may come here again.
    fn with(&self, ended: &Cell<bool>, work: impl FnOnce(&ReqRef<S>, &A)) {
        if ended.get() {
            return;
        }
        // Dropped in the reverse order: first the borrow.
        let _after = Return { turn: self, ended };
        if let Some((req, act)) = &*self.0.borrow() {
            work(req, act);
        }
    }

    fn take_if_idle(&self) -> Option<(ReqRef<S>, A)> {
        self.0.try_borrow_mut().ok()?.take()
    }
}

impl<S, A: Act<S>> Turn for OfReq<S, A> {
    fn call(&self, ended: &Cell<bool>) {
        self.with(ended, |req, act| req.within(|| act.act(req)));
    }

    fn tell(&self, event: CallFlowEvent, ended: &Cell<bool>) {
        self.with(ended, |req, _act| req.tell_queue(event, A::name()));
    }

    fn is_blocker(&self) -> bool {
        A::name().is_none()
    }

    fn drop_if_idle(&self) {
        drop(self.take_if_idle());
    }
}

/// The end of a call, also of one that panics.
struct Return<'a, S: 'static, A: Act<S> + 'static> {
    turn: &'a OfReq<S, A>,
    ended: &'a Cell<bool>,
}

impl<S, A: Act<S>> Drop for Return<'_, S, A> {
    fn drop(&mut self) {
        if self.ended.get() {
            drop_each(self.turn.take_if_idle());
        }
    }
}
