//! Finishing a request (REQ-2, REQ-6, REQ-10, REQ-15).

use std::task::Poll;

use super::{ReqError, ReqRef, ReqState};
use crate::call_flow;
use crate::context::ContextRef;
use crate::error::LoopError;
use crate::location::Location;
use crate::panics::Panics;
use crate::stack;
use crate::timer::When;

impl<S: 'static> ReqRef<S> {
    /// Works on the state, and finishes the request if the work says so: `Ready(Ok(()))` is [`done`](Self::done),
    /// `Ready(Err(e))` is [`error`](Self::error). The finish, with its callback, comes after the work has returned.
    ///
    /// Nothing happens when the request has finished or is freed. When the state is being worked on already, this
    /// work waits until that has returned, and so do a finish or a callback of a sub-request that come up meanwhile;
    /// they run in the order in which they came.
    ///
    /// C equivalent: work on `tevent_req_data`, then `tevent_req_done` or `tevent_req_error`. Spec: REQ-2, REQ-15.
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
        self.when_free(move |req| {
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
    /// state is being worked on they wait until that has returned, and a [deferred](Self::defer_callback) callback
    /// comes in a later turn. Only the first finish counts (REQ-15).
    ///
    /// C equivalent: `tevent_req_done`. Spec: REQ-2, REQ-15.
    ///
    /// ```
    /// use tevent_core::{Req, ReqError};
    ///
    /// let req = Req::create("state");
    /// assert!(req.done());
    /// assert!(!req.error(ReqError::new(5))); // too late
    /// assert_eq!(req.recv(|s| *s), Ok("state"));
    /// ```
    #[doc(alias = "tevent_req_done")]
    #[track_caller]
    pub fn done(&self) -> bool {
        self.finish(Ok(()), Location::caller())
    }

    /// Finishes the request with an error, as [`done`](Self::done) does with success; says whether this call did it.
    /// An error with code 0 is no error: nothing happens, and this says false.
    ///
    /// C equivalent: `tevent_req_error`. Spec: REQ-2.
    ///
    /// ```
    /// use std::io;
    /// use tevent_core::{Req, ReqError};
    ///
    /// let req = Req::create(());
    /// assert!(!req.error(0_i32)); // no error
    /// assert!(req.error(io::Error::from_raw_os_error(32)));
    /// assert_eq!(req.result().map_err(|e| e.errno()), Err(32)); // EPIPE
    /// ```
    #[doc(alias = "tevent_req_error")]
    #[track_caller]
    pub fn error(&self, error: impl Into<ReqError>) -> bool {
        self.finish(Err(error.into()), Location::caller())
    }

    /// Finishes the request because memory ran out.
    ///
    /// C equivalent: `tevent_req_oom`. Spec: REQ-2.
    ///
    /// ```
    /// use tevent_core::{Req, ReqError};
    ///
    /// let req = Req::create(Vec::<u8>::new());
    /// let reserved = req.with_state(|s| s.try_reserve(usize::MAX).is_ok());
    /// assert!(reserved == Some(false) && req.oom());
    /// assert_eq!(req.result(), Err(ReqError::NO_MEMORY));
    /// ```
    #[doc(alias = "tevent_req_oom")]
    #[track_caller]
    pub fn oom(&self) -> bool {
        self.finish(Err(ReqError::NO_MEMORY), Location::caller())
    }

    /// [`oom`](Self::oom) if there is nothing, as from a failed allocation; says whether there was nothing.
    ///
    /// C equivalent: `tevent_req_nomem`. Spec: REQ-2.
    ///
    /// ```
    /// use tevent_core::{Req, ReqState};
    ///
    /// let req = Req::create(());
    /// assert!(!req.nomem(Some("a string")));
    /// assert!(req.nomem(None::<&str>));
    /// assert_eq!(req.state(), ReqState::NoMemory);
    /// ```
    #[doc(alias = "tevent_req_nomem")]
    #[track_caller]
    pub fn nomem<T: ?Sized>(&self, pointer: Option<&T>) -> bool {
        if pointer.is_none() {
            self.finish(Err(ReqError::NO_MEMORY), Location::caller());
        }
        pointer.is_none()
    }

    /// Finishes the request with [`TimedOut`](ReqState::TimedOut) at that time, if it has not finished before. A
    /// second call replaces the first. It finishes in a turn of the loop, never inside this call. Nothing happens
    /// when the request has finished already.
    ///
    /// C equivalent: `tevent_req_set_endtime`. Spec: REQ-6.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tevent_core::{Backend, Context, Req, ReqError};
    ///
    /// let ctx = Context::builder().backend(Backend::Simulated { seed: 1 }).build()?;
    /// let req = Req::create(());
    /// req.set_endtime(&ctx, Duration::from_secs(30));
    /// req.poll(&ctx)?;
    /// assert_eq!(req.recv(|_state| ()), Err(ReqError::TIMED_OUT));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "tevent_req_set_endtime")]
    #[track_caller]
    pub fn set_endtime(&self, ev: &ContextRef, when: impl Into<When>) {
        if self.is_closed() {
            return;
        }
        self.know(ev);
        let at = Location::caller();
        let req = self.clone();
        let timer = ev.add_internal_timer(when.into(), move |_ev, _te, _now| {
            req.finish(Err(ReqError::TIMED_OUT), at);
        });
        let old = self.0.rare().end_time.replace(Some(timer));
        drop(old);
    }

    /// Drops the end time.
    ///
    /// C equivalent: `tevent_req_reset_endtime`. Spec: REQ-6.
    #[doc(alias = "tevent_req_reset_endtime")]
    pub fn reset_endtime(&self) {
        let old = self.0.had_rare().and_then(|rare| rare.end_time.take());
        drop(old);
    }

    /// Turns the loop until the request is no longer in progress. A deferred or posted callback may still be to come.
    ///
    /// C equivalent: `tevent_req_poll`. Spec: REQ-10.
    ///
    /// ```
    /// use tevent_core::{Context, When, wakeup_recv, wakeup_send};
    ///
    /// let ctx = Context::new()?;
    /// let req = wakeup_send(&ctx, When::Zero);
    /// req.poll(&ctx)?;
    /// assert!(wakeup_recv(req));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A failing turn ends it with that failure.
    ///
    /// # Panics
    /// On a request in progress, inside a handler of the same context without
    /// [`allow_nesting`](ContextRef::allow_nesting).
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
        self.when_free(move |req| req.finish_now(result, at));
        true
    }

    fn finish_now(&self, result: Result<(), ReqError>, at: Location) {
        if self.state() == ReqState::Received {
            return;
        }
        self.reset_endtime();
        let (state, code) = match result {
            Ok(()) => (ReqState::Done, 0),
            Err(mut error) => {
                if let Some(cause) = error.take_cause() {
                    self.0.rare().cause.replace(Some(cause));
                }
                (error.state(), error.code())
            }
        };
        self.0.stands.set(state);
        self.0.code.set(code);
        self.0.finished.set(Some(at));
        if self.0.had_rare().is_some()
            && let Some(recording) = self.known().recording()
        {
            recording.note_state(self.known());
        }
        if self.is_plain()
            && let Some(_level) = stack::room()
        {
            self.0.cleaned.set(state);
            return self.call_back();
        }
        // Where it has to wait for its place on the stack, somebody may work on the state by then.
        self.bounded(|req| req.when_free(Self::conclude));
    }

    /// What follows a finish.
    fn conclude(&self) {
        // It calls back also when cleanup, or who is told of it, panics.
        let mut panics = Panics::default();
        panics.catch(|| self.clean_up(self.state()));
        panics.catch(|| self.call_back_or_post());
        panics.resume();
    }

    /// Whether no function but the callback is set, and nobody listens to what requests do.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.0.had_rare().is_none() && !call_flow::is_on()
    }

    /// Whether no finish can be accepted any more.
    fn is_closed(&self) -> bool {
        self.0.claimed.get() || !self.is_in_progress()
    }
}
