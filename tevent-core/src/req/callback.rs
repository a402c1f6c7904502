//! What a request calls: its callback, now or from an immediate, and its cleanup and cancel functions
//! (REQ-3 to REQ-5, REQ-7, REQ-16).

use std::any::type_name;
use std::cell::Cell;
use std::marker::PhantomData;
use std::rc::Rc;

use super::named::{Plain, ReqFn, nowhere};
use super::{ReqRef, ReqState};
use crate::call_flow::{self, CallFlowEvent};
use crate::context::ContextRef;
use crate::look::look;
use crate::scheduled::Scheduled;
use crate::stack::{self, bounded_drop};

/// What a request calls when it has finished.
pub(super) trait Callback<S: 'static> {
    fn call(&self, req: &ReqRef<S>);

    fn name(&self) -> &'static str;

    /// By `notify_callback`, by `post` and by the finish. One that takes the sub-request by value runs once.
    fn runs_again(&self) -> bool;
}

/// A callback that may be called while it is called, and be replaced by itself.
pub(super) enum Shared<S: 'static> {
    /// One that captures nothing, and so takes no room and needs no drop.
    Nowhere(&'static dyn Callback<S>),
    Counted(Rc<dyn Callback<S>>),
    /// Runs one time.
    Once(Rc<dyn Callback<S>>),
}

impl<S: 'static> Shared<S> {
    pub(super) fn new<C: Callback<S> + 'static>(callback: C) -> Self {
        match nowhere(callback) {
            Ok(callback) => Shared::Nowhere(callback),
            Err(callback) if callback.runs_again() => Shared::Counted(Rc::new(callback)),
            Err(callback) => Shared::Once(Rc::new(callback)),
        }
    }

    /// The end of it, or of one share of it. No borrow may be held around the call.
    fn let_go(self) {
        match self {
            Shared::Nowhere(_) => {}
            Shared::Counted(callback) if Rc::strong_count(&callback) > 1 => drop(callback),
            Shared::Counted(callback) | Shared::Once(callback) => bounded_drop(callback),
        }
    }
}

/// One that is called, and is let go of after that, also when it panics.
struct Called<S: 'static>(Option<Rc<dyn Callback<S>>>);

impl<S: 'static> Drop for Called<S> {
    #[inline]
    fn drop(&mut self) {
        if let Some(callback) = self.0.take() {
            Shared::Counted(callback).let_go();
        }
    }
}

impl<S: 'static, F: Fn(&ReqRef<S>)> Callback<S> for Plain<F> {
    fn call(&self, req: &ReqRef<S>) {
        (self.0)(req);
    }

    fn name(&self) -> &'static str {
        type_name::<F>()
    }

    fn runs_again(&self) -> bool {
        true
    }
}

/// Hands the sub-request over, by the name of the callback that it is handed to.
pub(super) struct Once<D, C> {
    deliver: Cell<Option<D>>,
    _callback: PhantomData<C>,
}

impl<D: FnOnce(), C> Once<D, C> {
    pub(super) fn new(deliver: D, callback: PhantomData<C>) -> Self {
        Once { deliver: Cell::new(Some(deliver)), _callback: callback }
    }
}

impl<S: 'static, D: FnOnce(), C> Callback<S> for Once<D, C> {
    fn call(&self, _req: &ReqRef<S>) {
        if let Some(deliver) = self.deliver.take() {
            deliver();
        }
    }

    fn name(&self) -> &'static str {
        type_name::<C>()
    }

    fn runs_again(&self) -> bool {
        false
    }
}

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
    /// C equivalent: `tevent_req_set_callback`. Spec: REQ-2, REQ-8.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// use tevent_core::{Req, ReqState};
    ///
    /// let seen = Rc::new(Cell::new(None));
    /// let see = Rc::clone(&seen);
    /// let req = Req::create(());
    /// req.set_callback(move |req| see.set(Some(req.state())));
    /// req.done();
    /// assert_eq!(seen.get(), Some(ReqState::Done)); // it ran inside `done`
    /// ```
    #[doc(alias = "tevent_req_set_callback")]
    #[doc(alias = "_tevent_req_set_callback")]
    #[doc(alias = "tevent_req_fn")]
    pub fn set_callback(&self, callback: impl Fn(&ReqRef<S>) + 'static) {
        self.replace_callback(Shared::new(Plain(callback)));
    }

    /// Takes the callback off; nobody is called any more.
    ///
    /// C equivalent: `tevent_req_set_callback(req, NULL, NULL)`. Spec: REQ-2.
    #[doc(alias = "tevent_req_set_callback")]
    pub fn clear_callback(&self) {
        if let Some(callback) = self.0.callback.take() {
            callback.let_go();
        }
    }

    /// Whether there is a callback that would run.
    #[must_use]
    pub fn has_callback(&self) -> bool {
        look(&self.0.callback, |_callback| ()).is_some()
    }

    /// Calls the callback now, without a change of the state. One of [`add_subreq`](Self::add_subreq) takes the request
    /// by value, finished or not, and so runs once.
    ///
    /// C equivalent: `tevent_req_notify_callback`. Spec: REQ-16.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// use tevent_core::Req;
    ///
    /// let calls = Rc::new(Cell::new(0));
    /// let count = Rc::clone(&calls);
    /// let req = Req::create(());
    /// req.set_callback(move |_req| count.set(count.get() + 1));
    /// req.notify_callback(); // "there is progress"
    /// assert!(req.is_in_progress());
    /// req.done();
    /// assert_eq!(calls.get(), 2);
    /// ```
    #[doc(alias = "tevent_req_notify_callback")]
    pub fn notify_callback(&self) {
        self.bounded(Self::call_back_or_post);
    }

    /// A deferral holds for whatever would call back next.
    pub(super) fn call_back_or_post(&self) {
        let defer_to = self.0.had_rare().and_then(|rare| rare.defer_to.take());
        match defer_to {
            Some(ev) => self.post(&ev),
            None => self.call_back(),
        }
    }

    /// Runs the callback from an immediate, in a later turn. Cleanup has run by then, if the request has finished.
    ///
    /// It is how a request that finished inside its own `_send` function reaches the callback that the caller sets
    /// only after that has returned; there, use [`Req::post`](crate::Req::post). Posting a request in progress calls
    /// back while it is still in progress. A second post before the callback ran only moves it to the tail. Nothing
    /// happens when the result was taken, or when the request or the context is freed before that turn.
    ///
    /// An end time is dropped when the posted callback is due, also while the request is in progress, as in C.
    ///
    /// C equivalent: `tevent_req_post`. Spec: REQ-4.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// use tevent_core::{Context, Req};
    ///
    /// let ctx = Context::new()?;
    /// let req = Req::create(());
    /// req.done(); // nobody is called: no callback is set
    /// let called = Rc::new(Cell::new(false));
    /// let call = Rc::clone(&called);
    /// req.set_callback(move |_req| call.set(true));
    /// req.clone().post(&ctx); // by a Ref, so that the owner stays
    /// ctx.loop_once()?;
    /// assert!(called.get());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "tevent_req_post")]
    pub fn post(&self, ev: &ContextRef) {
        if self.state() == ReqState::Received {
            return;
        }
        self.0.unpost();
        if !ev.is_freed() {
            self.remember_post(ev);
            let key = ev.immediates().borrow_mut().push_back(|| Scheduled::Posted(Rc::clone(&self.0) as _));
            self.0.posted.set(Some(key));
            ev.is_due_earlier();
        }
    }

    /// Does that now, or, where too many callbacks stand on top of each other, once the last of them has returned.
    #[inline]
    pub(super) fn bounded(&self, job: impl FnOnce(&Self) + 'static) {
        if let Some(_level) = stack::room() {
            job(self);
        } else {
            let req = self.clone();
            stack::put_off(move || job(&req));
        }
    }

    /// Does that now, or, while somebody works on the state, when that has ended.
    #[inline]
    pub(super) fn when_free(&self, job: impl FnOnce(&Self) + 'static) {
        if self.0.state.is_borrowed() {
            let req = self.clone();
            self.0.state.put_off(move || job(&req));
        } else {
            job(self);
        }
    }

    /// Its turn has come.
    pub(super) fn call_posted(&self) {
        self.0.posted.set(None);
        // As in C, where a posted callback is a finish in the state that the request is in.
        self.reset_endtime();
        self.bounded(Self::call_back_or_post);
    }

    /// Makes whatever would call back next, mostly the finish, [`post`](Self::post) instead. One time. If the context is
    /// gone by then, the callback does not run.
    ///
    /// C equivalent: `tevent_req_defer_callback`. Spec: REQ-5.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// use tevent_core::{Context, Req};
    ///
    /// let ctx = Context::new()?;
    /// let called = Rc::new(Cell::new(false));
    /// let call = Rc::clone(&called);
    /// let req = Req::create(());
    /// req.set_callback(move |_req| call.set(true));
    /// req.defer_callback(&ctx);
    /// req.done();
    /// assert!(!called.get()); // not inside `done`
    /// ctx.loop_once()?;
    /// assert!(called.get());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "tevent_req_defer_callback")]
    pub fn defer_callback(&self, ev: &ContextRef) {
        if !self.is_freed() {
            self.know(ev);
            let old = self.0.rare().defer_to.replace(Some(ev.clone()));
            drop(old);
        }
    }

    /// Sets what runs once when the request finishes and once when it is received, or freed without having been
    /// received: with the state it finished in, and with [`Received`](ReqState::Received). At the finish it comes
    /// before the callback. It can work on the state.
    ///
    /// C equivalent: `tevent_req_set_cleanup_fn`. Spec: REQ-3.
    ///
    /// ```
    /// use std::{cell::RefCell, rc::Rc};
    /// use tevent_core::{Req, ReqState};
    ///
    /// let log = Rc::new(RefCell::new(Vec::new()));
    /// let note = Rc::clone(&log);
    /// let req = Req::create(());
    /// req.set_cleanup_fn(move |_req, state| note.borrow_mut().push(state));
    /// req.done();
    /// drop(req);
    /// assert_eq!(*log.borrow(), [ReqState::Done, ReqState::Received]);
    /// ```
    ///
    /// One that captures nothing costs no allocation of its own.
    #[doc(alias = "tevent_req_set_cleanup_fn")]
    #[doc(alias = "tevent_req_cleanup_fn")]
    pub fn set_cleanup_fn(&self, cleanup: impl Fn(&ReqRef<S>, ReqState) + 'static) {
        if self.state() != ReqState::Received {
            bounded_drop(self.0.rare().cleanup.replace(Some(ReqFn::new(cleanup))));
        }
    }

    /// Sets what [`cancel`](Self::cancel) asks: true means that the request will finish because of it, normally with
    /// `ECANCELED`. It replaces an earlier one. It may finish the request itself, and can work on the state.
    ///
    /// C equivalent: `tevent_req_set_cancel_fn`. Spec: REQ-7.
    ///
    /// ```
    /// use tevent_core::{Req, ReqError};
    ///
    /// let req = Req::create("not begun");
    /// req.set_cancel_fn(|req| {
    ///     let untouched = req.with_state(|s| *s == "not begun") == Some(true);
    ///     untouched && req.error(ReqError::new(125)) // ECANCELED
    /// });
    /// assert!(req.cancel());
    /// assert_eq!(req.recv(|_state| ()), Err(ReqError::new(125)));
    /// ```
    ///
    /// One that captures nothing costs no allocation of its own.
    #[doc(alias = "tevent_req_set_cancel_fn")]
    #[doc(alias = "tevent_req_cancel_fn")]
    pub fn set_cancel_fn(&self, cancel: impl Fn(&ReqRef<S>) -> bool + 'static) {
        if self.state() != ReqState::Received {
            bounded_drop(self.0.rare().cancel.replace(Some(ReqFn::new(Plain(cancel)))));
        }
    }

    /// Asks the request to end early. False means that it cannot, or has no cancel function.
    ///
    /// C equivalent: `tevent_req_cancel`. Spec: REQ-7.
    ///
    /// ```
    /// use tevent_core::Req;
    ///
    /// let req = Req::create(());
    /// assert!(!req.cancel()); // it has no cancel function
    /// assert!(req.is_in_progress());
    /// ```
    #[doc(alias = "tevent_req_cancel")]
    pub fn cancel(&self) -> bool {
        let cancel = self.0.had_rare().and_then(|rare| rare.cancel.borrow().clone());
        call_flow::of_request(
            self.known(),
            CallFlowEvent::Cancel,
            cancel.as_ref().map(|cancel| cancel.name()),
        );
        let call = |cancel: &ReqFn<_, _, _>| call_flow::within(self.known(), || cancel.call(self, ()));
        let cancelled = cancel.as_ref().is_some_and(call);
        bounded_drop(cancel);
        cancelled
    }

    pub(super) fn call_back(&self) {
        // It may have had to wait for its place on the stack, and the request is gone meanwhile.
        if self.state() == ReqState::Received {
            return;
        }
        match self.0.callback.take() {
            Some(Shared::Nowhere(callback)) => {
                self.0.callback.set(Some(Shared::Nowhere(callback)));
                self.call(callback);
            }
            Some(Shared::Counted(callback)) => {
                self.0.callback.set(Some(Shared::Counted(Rc::clone(&callback))));
                let called = Called(Some(callback));
                called.0.iter().for_each(|callback| self.call(&**callback));
            }
            Some(Shared::Once(callback)) => {
                let called = Called(Some(callback));
                called.0.iter().for_each(|callback| self.call(&**callback));
            }
            None => {}
        }
    }

    #[inline]
    fn call(&self, callback: &dyn Callback<S>) {
        if call_flow::is_on() {
            call_flow::of_request(self.known(), CallFlowEvent::NotifyCallback, Some(callback.name()));
            call_flow::within_parent(self.known(), || callback.call(self));
        } else {
            callback.call(self);
        }
    }

    /// Nobody is called any more, now or from a post.
    pub(crate) fn call_nobody(&self) {
        self.0.unpost();
        self.clear_callback();
    }

    pub(super) fn replace_callback(&self, callback: Shared<S>) {
        let unused = if self.state() == ReqState::Received {
            Some(callback)
        } else {
            self.0.callback.replace(Some(callback))
        };
        if let Some(unused) = unused {
            unused.let_go();
        }
    }

    /// Runs the cleanup function, at most once per state, in rising order (REQ-3).
    pub(super) fn clean_up(&self, state: ReqState) {
        if self.0.cleaned.get() >= state {
            return;
        }
        self.0.cleaned.set(state);
        let cleanup = self.0.had_rare().and_then(|rare| rare.cleanup.borrow().clone());
        call_flow::of_request(
            self.known(),
            CallFlowEvent::Cleanup,
            cleanup.as_ref().map(|cleanup| cleanup.name()),
        );
        if let Some(cleanup) = &cleanup {
            call_flow::within(self.known(), || cleanup.call(self, state));
        }
        bounded_drop(cleanup);
    }
}
