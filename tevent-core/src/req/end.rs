//! Taking the result and freeing (REQ-8, REQ-12).

use super::{Req, ReqError, ReqRef, ReqState};
use crate::children::Until;
use crate::panics::Panics;
use crate::stack::bounded_drop;

impl<S: 'static> Req<S> {
    /// Takes the result and frees the request: the body of a `_recv` function.
    ///
    /// When the request is done, `take` is given the state, and what it returns is the result. Otherwise it is not
    /// called, and the request is freed all the same.
    ///
    /// C equivalent: `tevent_req_is_error`, then the outputs from the state, then `tevent_req_received`, and the
    /// caller's `TALLOC_FREE(subreq)`. Spec: REQ-8, REQ-9.
    ///
    /// ```
    /// use tevent_core::{Req, ReqError};
    ///
    /// fn answer_recv(req: Req<String>) -> Result<String, ReqError> {
    ///     req.recv(std::mem::take)
    /// }
    ///
    /// let (good, bad) = (Req::create(String::from("yes")), Req::create(String::new()));
    /// good.done();
    /// bad.error(ReqError::new(2));
    /// assert_eq!(answer_recv(good), Ok("yes".to_string()));
    /// assert_eq!(answer_recv(bad), Err(ReqError::new(2)));
    /// ```
    ///
    /// # Errors
    /// Why the request failed; in progress reads as an error (REQ-9).
    ///
    /// # Panics
    /// While the state is being worked on: it cannot be taken then.
    #[doc(alias = "tevent_req_received")]
    #[track_caller]
    pub fn recv<T>(self, take: impl FnOnce(&mut S) -> T) -> Result<T, ReqError> {
        self.result()?;
        let taken = self.with_state(take);
        // Before the result is made: one that is made already would leak if this panics.
        drop(self);
        taken.ok_or(ReqError::plain(ReqState::Received, 0))
    }
}

impl<S: 'static> Drop for Req<S> {
    fn drop(&mut self) {
        let req = &self.0;
        // Inert from here on, whatever may have to wait.
        req.0.freed.set(true);
        req.0.received.set(true);
        req.0.unpost();
        req.reset_endtime();
        req.bounded(ReqRef::tear_down);
    }
}

impl<S: 'static> ReqRef<S> {
    /// Marks the result as taken: the print and cancel functions, the posted callback and the end time are dropped,
    /// the state becomes [`Received`](ReqState::Received), cleanup runs, then the state is dropped with the events
    /// and sub-requests that belong to it. The callback never runs after this. What the request
    /// [keeps](Self::keep), such as a place in a queue, it keeps until it is freed.
    ///
    /// [`Req::recv`] does this by freeing the request; a Ref needs it where somebody else owns.
    ///
    /// C equivalent: `tevent_req_received`. Spec: REQ-8, REQ-16.
    ///
    /// ```
    /// use tevent_core::{Req, ReqState};
    ///
    /// let req = Req::create(vec![0; 4096]);
    /// req.done();
    /// req.received(); // the buffer is gone, the request is not
    /// assert_eq!(req.state(), ReqState::Received);
    /// assert!(req.is_error());
    /// ```
    #[doc(alias = "tevent_req_received")]
    pub fn received(&self) {
        self.0.received.set(true);
        self.0.unpost();
        self.reset_endtime();
        self.when_free(Self::end_state_now);
    }

    /// What is left of freeing once the request is inert. The state may be borrowed; then cleanup and the drop of the
    /// state wait, and all else goes now.
    fn tear_down(&self) {
        if self.is_plain() && self.0.children.get().is_none() && !self.0.state.is_borrowed() {
            return self.tear_down_plain();
        }
        let mut panics = Panics::default();
        let rare = self.0.had_rare();
        let recording = rare.and_then(|rare| rare.recording.take());
        if let Some(recording) = recording.filter(|_| self.0.finished.get().is_none()) {
            recording.vanish();
        }
        if self.0.state.is_borrowed() {
            self.close_children_of_state(&mut panics);
            self.when_free(Self::end_state_now);
        } else {
            self.end_state(&mut panics);
        }
        if let Some(children) = self.0.children.get() {
            panics.catch(|| children.close(Until::Freed));
        }
        panics.catch(|| self.clear_callback());
        let contexts = (self.0.ev.take(), rare.and_then(|rare| rare.defer_to.take()));
        drop(contexts);
        panics.resume();
    }

    /// The frequent case: there is nothing but a state and a callback.
    fn tear_down_plain(&self) {
        self.0.stands.set(ReqState::Received);
        self.0.code.set(0);
        let _context = self.0.ev.take();
        let _state = DropState(self);
        self.clear_callback();
    }

    fn end_state_now(&self) {
        let mut panics = Panics::default();
        self.end_state(&mut panics);
        panics.resume();
    }

    /// The state's end: received, or freed without it.
    fn end_state(&self, panics: &mut Panics) {
        let before = self.0.stands.replace(ReqState::Received);
        self.0.code.set(0);
        if before != ReqState::Received {
            if let Some(rare) = self.0.had_rare() {
                let asked = (rare.print.take(), rare.cancel.take(), rare.cause.take());
                panics.catch(|| bounded_drop(asked));
            }
            panics.catch(|| self.clear_callback());
            panics.catch(|| self.clean_up(ReqState::Received));
            if let Some(cleanup) = self.0.had_rare().and_then(|rare| rare.cleanup.take()) {
                panics.catch(|| bounded_drop(cleanup));
            }
        }
        self.close_children_of_state(panics);
        panics.catch(|| self.drop_state());
    }

    fn drop_state(&self) {
        if let Some(state) = self.0.state.take() {
            bounded_drop(state);
        }
    }

    fn close_children_of_state(&self, panics: &mut Panics) {
        if let Some(children) = self.0.children.get() {
            panics.catch(|| children.close(Until::Received));
        }
    }
}

/// After the callback, also when what that owned panics as it goes.
struct DropState<'a, S: 'static>(&'a ReqRef<S>);

impl<S: 'static> Drop for DropState<'_, S> {
    #[inline]
    fn drop(&mut self) {
        self.0.drop_state();
    }
}
