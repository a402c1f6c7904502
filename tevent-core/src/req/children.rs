//! What belongs to a request: its events and sub-requests (REQ-12).

use std::marker::PhantomData;
use std::ops::Deref;
use std::time::Instant;

use super::callback::{Once, Shared};
use super::{Req, ReqRef, ReqState};
use crate::children::{ChildRef, Children, Until};
use crate::context::ContextRef;
use crate::fd::FdRef;
use crate::fd_flags::FdFlags;
use crate::fd_source::{AddFdError, FdSource};
use crate::immediate::{Immediate, ImmediateRef};
use crate::timer::{TimerRef, When};

impl<S: 'static> ReqRef<S> {
    /// Watches a file for this request; the event goes when the request is received or freed. The handler is given
    /// the request and the flags, else see [`ContextRef::add_fd`]. On a request that was received or freed already the
    /// event goes at once.
    ///
    /// C equivalent: `tevent_add_fd(ev, state, fd, flags, handler, req)`. Spec: REQ-12.
    ///
    /// ```
    /// use std::{io::Write, os::unix::net::UnixStream};
    /// use tevent_core::{Context, FdFlags, Req};
    ///
    /// let ctx = Context::new()?;
    /// let (near, mut far) = UnixStream::pair()?;
    /// let req = Req::create(());
    /// req.add_fd(&ctx, &near, FdFlags::READ, |req, _flags| {
    ///     req.done();
    /// })?;
    /// far.write_all(b"x")?;
    /// req.poll(&ctx)?;
    /// drop(req); // and with it the watch
    /// ctx.loop_wait()?; // nothing is left to wait for
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`ContextRef::add_fd`].
    #[doc(alias = "tevent_add_fd")]
    #[track_caller]
    pub fn add_fd(
        &self,
        ev: &ContextRef,
        fd: impl Into<FdSource>,
        flags: FdFlags,
        handler: impl Fn(&ReqRef<S>, FdFlags) + 'static,
    ) -> Result<FdRef, AddFdError> {
        self.know(ev);
        let req = self.clone();
        let fde = ev.add_fd(fd, flags, move |_ev, _fde, flags| req.within(|| handler(&req, flags)))?;
        Ok(self.keep_until(Until::Received, fde))
    }

    /// Adds a timer for this request; it goes when it has fired, or when the request is received or freed. The handler
    /// is given the request, the timer and the time, else see [`ContextRef::add_timer`]. On a request that was received
    /// or freed already it goes at once.
    ///
    /// C equivalent: `tevent_add_timer(ev, state, when, handler, req)`. Spec: REQ-12.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tevent_core::{Context, Req};
    ///
    /// let ctx = Context::new()?;
    /// let req = Req::create(0);
    /// req.add_timer(&ctx, Duration::from_millis(1), |req, _te, _now| {
    ///     req.with_state(|s| *s = 7);
    ///     req.done();
    /// });
    /// req.poll(&ctx)?;
    /// assert_eq!(req.recv(|s| *s)?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "tevent_add_timer")]
    #[track_caller]
    pub fn add_timer(
        &self,
        ev: &ContextRef,
        when: impl Into<When>,
        handler: impl Fn(&ReqRef<S>, &TimerRef, Option<Instant>) + 'static,
    ) -> TimerRef {
        self.know(ev);
        let req = self.clone();
        let te = ev.add_timer(when, move |_ev, te, now| req.within(|| handler(&req, te, now)));
        self.keep_until(Until::Received, te)
    }

    /// Makes an immediate for this request, not scheduled yet; it goes when the request is received or freed. The
    /// handler is given the request, else see [`Immediate::new`]. On a request that was received or freed already it
    /// goes at once.
    ///
    /// C equivalent: `tevent_create_immediate(state)`. Spec: REQ-12.
    ///
    /// ```
    /// use tevent_core::{Context, Req};
    ///
    /// let ctx = Context::new()?;
    /// let req = Req::create(());
    /// let im = req.add_immediate(|req| {
    ///     req.done();
    /// });
    /// im.schedule(&ctx);
    /// req.poll(&ctx)?;
    /// drop(req);
    /// im.schedule(&ctx); // it went with the request: nothing happens
    /// assert!(!im.is_scheduled());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "tevent_create_immediate")]
    #[track_caller]
    pub fn add_immediate(&self, handler: impl Fn(&ReqRef<S>) + 'static) -> ImmediateRef {
        let req = self.clone();
        self.keep_until(Until::Received, Immediate::new(move |_ev, _im| req.within(|| handler(&req))))
    }

    /// Owns a sub-request, and calls back with this request and the finished sub-request, by value: normally to give it
    /// to its `_recv` function. It goes when this request is received or freed; then the callback does not run.
    ///
    /// The callback runs under the call that finishes the sub-request. While this request's state is being worked on it
    /// waits until that has returned. If the sub-request has finished already it is posted, on the context that it or
    /// this request was last told of; where neither knows one, the callback runs before this returns.
    ///
    /// C equivalent: `tevent_req_set_callback(subreq, callback, req)`, with `talloc_steal` to the state. Spec: REQ-12.
    ///
    /// ```
    /// use tevent_core::{Context, Req, When, wakeup_recv, wakeup_send};
    ///
    /// let ctx = Context::new()?;
    /// let req = Req::create(());
    /// req.add_subreq(wakeup_send(&ctx, When::Zero), |req, subreq| {
    ///     assert!(wakeup_recv(subreq));
    ///     req.done();
    /// });
    /// req.poll(&ctx)?;
    /// assert_eq!(req.recv(|()| "woken"), Ok("woken"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Complexity
    /// O(1). While this request is [profiled](Self::set_profile), O(n) in the number of requests below the sub-request; while somebody
    /// listens to the [call flow](crate::set_call_flow_callback), in that of those above it.
    #[doc(alias = "tevent_req_set_callback")]
    pub fn add_subreq<T: 'static>(
        &self,
        subreq: Req<T>,
        callback: impl FnOnce(&ReqRef<S>, Req<T>) + 'static,
    ) -> ReqRef<T> {
        let name = named(&callback);
        let (req, child) = (self.clone(), subreq.clone());
        let deliver = move || {
            req.when_free(move |req| {
                // Not there any more if the parent was received or freed meanwhile.
                if let Some(subreq) = req.take(&child) {
                    callback(req, subreq);
                }
            });
        };
        subreq.replace_callback(Shared::new(Once::new(deliver, name)));
        let subreq = self.keep_until(Until::Received, subreq);
        self.adopt(&subreq);
        let own_context = self.known_context();
        if let (None, Some(ev)) = (subreq.known_context(), &own_context) {
            subreq.know(ev);
        }
        subreq.call_back_if_finished(own_context);
        subreq
    }

    /// Keeps an owner as long as the request lives, and gives its Ref. It stays when the result is taken, and goes
    /// when the request is freed. One that is freed already drops it at once.
    ///
    /// C equivalent: `talloc_steal(req, owner)`. Spec: REQ-12, REQ-16.
    ///
    /// ```
    /// use tevent_core::{Immediate, Req};
    ///
    /// let req = Req::create(());
    /// let im = req.keep(Immediate::new(|_ev, _im| {}));
    /// req.received(); // takes the result
    /// assert!(req.take(&im).is_some()); // still kept
    /// ```
    #[doc(alias = "talloc_steal")]
    pub fn keep<O>(&self, owner: O) -> O::Target
    where
        O: Deref + 'static,
        O::Target: ChildRef<Owner = O>,
    {
        let child = self.keep_until(Until::Freed, owner);
        self.adopt(&child);
        child
    }

    /// Gives back an owner that the request has, whether it was added or kept; `None` if it does not. C code frees a
    /// child early all the time; here that is `drop(req.take(&child))`.
    ///
    /// C equivalent: `talloc_steal` to another parent; `drop(req.take(&child))` is `talloc_free(child)`.
    ///
    /// ```
    /// use tevent_core::{Context, Req, When, wakeup_send};
    ///
    /// let ctx = Context::new()?;
    /// let req = Req::create(());
    /// let subreq = req.add_subreq(wakeup_send(&ctx, When::Zero), |_req, _subreq| unreachable!());
    /// drop(req.take(&subreq)); // ends it, and its callback never runs
    /// ctx.loop_wait()?;
    /// assert!(req.is_in_progress());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Complexity
    /// O(1), however many it has.
    pub fn take<R: ChildRef>(&self, child: &R) -> Option<R::Owner> {
        self.0.children.get()?.take(child)
    }

    /// For a callback that was set too late to be called by the finish.
    fn call_back_if_finished(&self, parents_context: Option<ContextRef>) {
        if self.is_in_progress() {
            return;
        }
        let own_context = self.known_context();
        match own_context.or(parents_context) {
            Some(ev) => self.post(&ev),
            None => self.notify_callback(),
        }
    }

    /// Nothing can belong any more to a state, or a request, that is gone: it is dropped at once.
    fn keep_until<O>(&self, until: Until, owner: O) -> O::Target
    where
        O: Deref + 'static,
        O::Target: ChildRef<Owner = O>,
    {
        let children = self.0.children.get_or_init(|| Children::new(Some(self.weak())));
        let gone = match until {
            Until::Received => self.state() == ReqState::Received,
            Until::Freed => self.is_freed(),
        };
        if gone {
            children.refuse(until);
        }
        children.keep(until, owner)
    }
}

fn named<C>(_callback: &C) -> PhantomData<C> {
    PhantomData
}

impl ContextRef {
    /// Owns a request, and calls back with the context and the finished request, by value. It goes when the context
    /// goes; then the callback does not run.
    ///
    /// This is the home of a request that has no parent request. The callback runs under the call that finishes the
    /// request; if that has finished already it is posted.
    ///
    /// C equivalent: `tevent_req_set_callback(req, callback, NULL)` on a request parented to the context.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tevent_core::{Context, wakeup_recv, wakeup_send};
    ///
    /// let ctx = Context::new()?;
    /// ctx.add_subreq(wakeup_send(&ctx, Duration::from_millis(1)), |_ctx, req| {
    ///     assert!(wakeup_recv(req));
    /// });
    /// ctx.loop_wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Complexity
    /// O(1), however many it has.
    #[doc(alias = "tevent_req_set_callback")]
    pub fn add_subreq<T: 'static>(
        &self,
        req: Req<T>,
        callback: impl FnOnce(&ContextRef, Req<T>) + 'static,
    ) -> ReqRef<T> {
        let name = named(&callback);
        let (ctx, child) = (self.clone(), req.clone());
        let deliver = move || {
            if let Some(req) = ctx.take(&child) {
                callback(&ctx, req);
            }
        };
        req.replace_callback(Shared::new(Once::new(deliver, name)));
        let req = self.keep(req);
        if req.known_context().is_none() {
            req.know(self);
        }
        req.call_back_if_finished(Some(self.clone()));
        req
    }
}
