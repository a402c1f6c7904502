//! Finishing a request and calling back (REQ-2 to REQ-7, REQ-10, REQ-15, REQ-16).

use std::rc::Rc;
use std::task::Poll;

use super::{Callback, Outcome, ReqError, ReqRef, ReqState};
use crate::context::ContextRef;
use crate::error::LoopError;
use crate::immediate::Immediate;
use crate::location::Location;
use crate::stack::{bounded, bounded_drop};
use crate::timer::When;

impl<S: 'static> ReqRef<S> {
    /// Works on the state, and finishes the request if the work says so: `Ready(Ok(()))` is [`done`](Self::done),
    /// `Ready(Err(e))` is [`error`](Self::error). The finish, with its callback, comes after the work has returned.
    ///
    /// Nothing happens when the request has finished or is freed. When the state is being worked on already, this
    /// work waits until that has returned, and so do a finish or a callback of a sub-request that come up meanwhile;
    /// they run in the order in which they came.
    ///
    /// ```
    /// use std::task::Poll;
    /// use tevent_core::{Req, ReqState};
    ///
    /// let req = Req::create(1_u32);
    /// req.advance(|s| { *s += 1; Poll::Pending });
    /// req.advance(|s| { *s += 1; Poll::Ready(Ok(())) });
    /// req.advance(|s| { *s += 1; Poll::Pending }); // too late
    /// assert_eq!(req.state(), ReqState::Done);
    /// assert_eq!(req.recv(|s| *s), Ok(3));
    /// ```
    #[track_caller]
    pub fn advance(&self, work: impl FnOnce(&mut S) -> Poll<Result<(), ReqError>> + 'static) {
        let at = Location::caller();
        let req = self.clone();
        self.0.state.when_free(move || {
            if req.is_closed() {
                return;
            }
            if let Ok(Some(Poll::Ready(result))) = req.0.state.lend(work) {
                req.finish(result, at);
            }
        });
    }

    /// Finishes the request with success; says whether this call did it.
    ///
    /// The end time is dropped, the cleanup function runs, then the callback, before this returns; but while the
    /// state is being worked on they wait until that has returned. Only the first finish counts (REQ-15).
    ///
    /// C equivalent: `tevent_req_done`. Spec: REQ-2.
    #[doc(alias = "tevent_req_done")]
    #[track_caller]
    pub fn done(&self) -> bool {
        self.finish(Ok(()), Location::caller())
    }

    /// Finishes the request with an error, as [`done`](Self::done) does with success; says whether this call did it.
    /// An error with code 0 is no error: nothing happens, and this says false.
    ///
    /// C equivalent: `tevent_req_error`. Spec: REQ-2.
    #[doc(alias = "tevent_req_error")]
    #[track_caller]
    pub fn error(&self, error: impl Into<ReqError>) -> bool {
        self.finish(Err(error.into()), Location::caller())
    }

    /// Finishes the request because memory ran out.
    ///
    /// C equivalent: `tevent_req_oom`. Spec: REQ-2.
    #[doc(alias = "tevent_req_oom")]
    #[track_caller]
    pub fn oom(&self) -> bool {
        self.finish(Err(ReqError::NO_MEMORY), Location::caller())
    }

    /// [`oom`](Self::oom) if there is nothing, as from a failed allocation; says whether there was nothing.
    ///
    /// C equivalent: `tevent_req_nomem`. Spec: REQ-2.
    #[doc(alias = "tevent_req_nomem")]
    #[track_caller]
    pub fn nomem<T: ?Sized>(&self, pointer: Option<&T>) -> bool {
        if pointer.is_none() {
            self.finish(Err(ReqError::NO_MEMORY), Location::caller());
        }
        pointer.is_none()
    }

    /// Sets what runs when the request finishes. It replaces an earlier callback, also one of
    /// [`add_subreq`](Self::add_subreq).
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

    /// Calls the callback now, without a change of the state.
    ///
    /// C equivalent: `tevent_req_notify_callback`. Spec: REQ-16.
    #[doc(alias = "tevent_req_notify_callback")]
    pub fn notify_callback(&self) {
        let req = self.clone();
        bounded(move || req.call_back());
    }

    fn call_back(&self) {
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

    /// Finishes the request with [`TimedOut`](ReqState::TimedOut) at that time, if it has not finished before. A
    /// second call replaces the first.
    ///
    /// C equivalent: `tevent_req_set_endtime`. Spec: REQ-6.
    #[doc(alias = "tevent_req_set_endtime")]
    #[track_caller]
    pub fn set_endtime(&self, ev: &ContextRef, when: impl Into<When>) {
        if self.is_closed() {
            return;
        }
        self.know(ev);
        let at = Location::caller();
        let req = self.clone();
        let timer = ev.add_timer(when, move |_ev, _te, _now| {
            req.finish(Err(ReqError::TIMED_OUT), at);
        });
        let old = self.0.end_time.replace(Some(timer));
        drop(old);
    }

    /// Drops the end time.
    ///
    /// C equivalent: `tevent_req_reset_endtime`. Spec: REQ-6.
    #[doc(alias = "tevent_req_reset_endtime")]
    pub fn reset_endtime(&self) {
        let old = self.0.end_time.take();
        drop(old);
    }

    /// Turns the loop until the request is no longer in progress. A deferred or posted callback may still be to come.
    ///
    /// C equivalent: `tevent_req_poll`. Spec: REQ-10.
    ///
    /// # Errors
    /// A failing turn ends it with that failure.
    ///
    /// # Panics
    /// Inside a handler of the same context without [`allow_nesting`](ContextRef::allow_nesting).
    #[doc(alias = "tevent_req_poll")]
    #[track_caller]
    pub fn poll(&self, ev: &ContextRef) -> Result<(), LoopError> {
        while self.is_in_progress() {
            ev.loop_once()?;
        }
        Ok(())
    }

    /// Accepts the first finish and refuses all later ones (REQ-15).
    pub(super) fn finish(&self, result: Result<(), ReqError>, at: Location) -> bool {
        let is_no_error = matches!(&result, Err(error) if *error == ReqError::new(0));
        if is_no_error || self.is_closed() {
            return false;
        }
        self.0.claimed.set(true);
        let req = self.clone();
        self.0.state.when_free(move || req.finish_now(result, at));
        true
    }

    fn finish_now(&self, result: Result<(), ReqError>, at: Location) {
        if self.state() == ReqState::Received {
            return;
        }
        self.reset_endtime();
        let finished = Some(at);
        *self.0.outcome.borrow_mut() = Outcome { result, finished };
        let req = self.clone();
        bounded(move || {
            req.clean_up(req.state());
            let defer_to = req.0.defer_to.take();
            match defer_to {
                Some(ev) => req.post(&ev),
                None => req.call_back(),
            }
        });
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

    pub(super) fn replace_callback(&self, callback: Callback<S>) {
        let unused = if self.state() == ReqState::Received {
            Some(callback)
        } else {
            self.0.callback.replace(Some(callback))
        };
        bounded_drop(unused);
    }

    /// Whether no finish can be accepted any more.
    fn is_closed(&self) -> bool {
        self.0.claimed.get() || !self.is_in_progress()
    }
}
