//! What a request calls: its callback, now or from an immediate, and its cleanup and cancel functions
//! (REQ-3 to REQ-5, REQ-7, REQ-16).

use std::rc::Rc;

use super::{Callback, ReqRef, ReqState};
use crate::context::ContextRef;
use crate::immediate::Immediate;
use crate::stack::{bounded, bounded_drop};

impl<S: 'static> ReqRef<S> {
    /// Sets what runs when the request finishes. It replaces an earlier callback, also one of
    /// [`add_subreq`](Self::add_subreq).
    ///
    /// The callback is given a Ref. To take the result in a callback, as nearly all C callbacks do, use `add_subreq` of
    /// the parent request, or [of the context](ContextRef::add_subreq) at the top: that hands the request over by value,
    /// as `_recv` functions want it.
    ///
    /// It runs under the call that finishes the request, or from an immediate after [`post`](Self::post) or
    /// [`defer_callback`](Self::defer_callback); never after the request was received or freed. It may do anything,
    /// dropping the request included. On a request that has finished already it is not called by itself: that is
    /// what `post` is for.
    ///
    /// C equivalent: `tevent_req_set_callback`.
    #[doc(alias = "tevent_req_set_callback")]
    pub fn set_callback(&self, callback: impl Fn(&ReqRef<S>) + 'static) {
        self.replace_callback(Callback::Every(Rc::new(callback)));
    }

    /// Whether there is a callback that would run.
    #[must_use]
    pub fn has_callback(&self) -> bool {
        self.0.callback.borrow().is_some()
    }

    /// Calls the callback now, without a change of the state.
    ///
    /// C equivalent: `tevent_req_notify_callback`. Spec: REQ-16.
    #[doc(alias = "tevent_req_notify_callback")]
    pub fn notify_callback(&self) {
        let req = self.clone();
        bounded(move || req.call_back());
    }

    /// Runs the callback from an immediate, in a later turn. Cleanup has run by then, if the request has finished.
    ///
    /// It is how a request that finished inside its own `_send` function reaches the callback that the caller sets
    /// only after that has returned; there, use [`Req::post`](crate::Req::post). Posting a request in progress calls back while it is
    /// still in progress.
    ///
    /// C equivalent: `tevent_req_post`. Spec: REQ-4.
    #[doc(alias = "tevent_req_post")]
    pub fn post(&self, ev: &ContextRef) {
        if self.state() == ReqState::Received {
            return;
        }
        self.know(ev);
        let mut trigger = self.0.trigger.borrow_mut();
        let trigger = trigger.get_or_insert_with(|| {
            let req = self.clone();
            Immediate::new(move |_ev, _im| req.notify_callback())
        });
        trigger.schedule(ev);
    }

    /// Makes the next finish [`post`](Self::post) instead of calling back at once. One time.
    ///
    /// C equivalent: `tevent_req_defer_callback`. Spec: REQ-5.
    #[doc(alias = "tevent_req_defer_callback")]
    pub fn defer_callback(&self, ev: &ContextRef) {
        if !self.is_freed() {
            self.know(ev);
            let old = self.0.defer_to.replace(Some(ev.clone()));
            drop(old);
        }
    }

    /// Sets what runs once when the request finishes and once when it is received, or freed without having been
    /// received: with the state it finished in, and with [`Received`](ReqState::Received). At the finish it comes
    /// before the callback. It can work on the state.
    ///
    /// C equivalent: `tevent_req_set_cleanup_fn`. Spec: REQ-3.
    #[doc(alias = "tevent_req_set_cleanup_fn")]
    pub fn set_cleanup_fn(&self, cleanup: impl Fn(&ReqRef<S>, ReqState) + 'static) {
        if self.state() != ReqState::Received {
            bounded_drop(self.0.cleanup.replace(Some(Rc::new(cleanup))));
        }
    }

    /// Sets what [`cancel`](Self::cancel) asks: true means that the request will finish because of it, normally with
    /// `ECANCELED`.
    ///
    /// C equivalent: `tevent_req_set_cancel_fn`. Spec: REQ-7.
    #[doc(alias = "tevent_req_set_cancel_fn")]
    pub fn set_cancel_fn(&self, cancel: impl Fn(&ReqRef<S>) -> bool + 'static) {
        if self.state() != ReqState::Received {
            let cancel = move |req: &ReqRef<S>, ()| cancel(req);
            bounded_drop(self.0.cancel.replace(Some(Rc::new(cancel))));
        }
    }

    /// Asks the request to end early. False means that it cannot, or has no cancel function.
    ///
    /// C equivalent: `tevent_req_cancel`. Spec: REQ-7.
    #[doc(alias = "tevent_req_cancel")]
    pub fn cancel(&self) -> bool {
        let cancel = self.0.cancel.borrow().clone();
        let cancelled = cancel.as_ref().is_some_and(|cancel| cancel(self, ()));
        bounded_drop(cancel);
        cancelled
    }

    pub(super) fn call_back(&self) {
        // It may have had to wait for its place on the stack, and the request is gone meanwhile.
        if self.state() == ReqState::Received {
            return;
        }
        let callback = match &mut *self.0.callback.borrow_mut() {
            Some(Callback::Every(callback)) => Some(Callback::Every(Rc::clone(callback))),
            once => once.take(),
        };
        match callback {
            Some(Callback::Every(callback)) => callback(self),
            Some(Callback::Once(callback)) => callback(),
            None => {}
        }
    }

    pub(super) fn replace_callback(&self, callback: Callback<S>) {
        let unused = if self.state() == ReqState::Received {
            Some(callback)
        } else {
            self.0.callback.replace(Some(callback))
        };
        bounded_drop(unused);
    }

    /// Runs the cleanup function, at most once per state, in rising order (REQ-3).
    pub(super) fn clean_up(&self, state: ReqState) {
        if self.0.cleaned.get() >= state {
            return;
        }
        self.0.cleaned.set(state);
        let cleanup = self.0.cleanup.borrow().clone();
        if let Some(cleanup) = &cleanup {
            cleanup(self, state);
        }
        bounded_drop(cleanup);
    }
}
