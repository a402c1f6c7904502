//! Requests (REQ): computations that finish later, in callbacks.

mod callback;
mod cell;
mod children;
mod conversions;
mod end;
mod error;
mod finish;
mod known;
mod named;
mod print;
mod profile;
mod rare;

use std::any::type_name;
use std::cell::{Cell, OnceCell};
use std::ops::Deref;
use std::rc::Rc;

use crate::call_flow::{self, CallFlowEvent};
use crate::children::{AnyReq, ChildRef, Children, HomeLink};
use crate::context::ContextRef;
use crate::fifo::Ticket;
use crate::location::Location;
use crate::sys::in_place;
use callback::Shared;
use cell::StateCell;
use known::Acquaintance;
use rare::Rare;

pub use error::{ReqError, ReqState};
pub(crate) use known::Known;
pub use profile::{Profile, ProfileError};

/// A request: a computation with a state of its own that finishes later and calls back. Owns: dropping it is
/// `talloc_free`.
///
/// A ported `_send` function creates one and returns it; the matching `_recv` takes it by value and calls
/// [`recv`](Req::recv). All other methods are those of [`ReqRef`], to which it derefs; `req.clone()` gives such
/// a Ref.
///
/// Dropping it at any moment ends it: its events are freed, its sub-requests too, its queue entries leave their
/// queues, its [cleanup](ReqRef::set_cleanup_fn) runs, its state is dropped, and no callback runs. A state that is being
/// worked on is dropped when that work returns.
///
/// C equivalent: `struct tevent_req`. Spec: REQ-1 to REQ-16.
///
/// ```
/// use std::task::Poll;
/// use std::time::Duration;
/// use tevent_core::{Context, ContextRef, Req, ReqError};
///
/// struct Count { left: u32, ticks: u32 }
///
/// fn count_send(ev: &ContextRef, n: u32) -> Req<Count> {
///     let req = Req::create(Count { left: n, ticks: 0 });
///     if n == 0 {
///         req.done();
///         return req.post(ev);
///     }
///     let tick = Duration::from_millis(1);
///     req.add_timer(ev, tick, move |req, te, _now| {
///         te.update(tick);
///         req.advance(|s| {
///             s.left -= 1;
///             s.ticks += 1;
///             if s.left == 0 { Poll::Ready(Ok(())) } else { Poll::Pending }
///         });
///     });
///     req
/// }
///
/// fn count_recv(req: Req<Count>) -> Result<u32, ReqError> {
///     req.recv(|s| s.ticks)
/// }
///
/// let ctx = Context::new()?;
/// let req = count_send(&ctx, 3);
/// req.poll(&ctx)?;
/// assert_eq!(count_recv(req)?, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "tevent_req")]
#[must_use = "dropping a Req frees it: its work ends and no callback runs"]
pub struct Req<S: 'static>(ReqRef<S>);

/// A handle on a [`Req`]: a cheap clone that frees nothing and turns inert when the owner goes.
pub struct ReqRef<S: 'static>(Rc<Inner<S>>);

struct Inner<S: 'static> {
    created: Location,
    home: HomeLink,
    /// How it stands, the code of a failure, and where it finished.
    stands: Cell<ReqState>,
    code: Cell<u64>,
    finished: Cell<Option<Location>>,
    /// A finish was accepted; it may still wait for the end of a borrow (REQ-15).
    claimed: Cell<bool>,
    freed: Cell<bool>,
    /// Received or freed; the end of the state may still wait for the end of a borrow.
    received: Cell<bool>,
    /// The latest state that cleanup ran for (REQ-3).
    cleaned: Cell<ReqState>,
    /// The context that this request was last told of; while its callback is posted, the one that it is posted on.
    ev: Cell<Option<Acquaintance>>,
    /// Its place among the immediates of that context, while its callback is posted.
    posted: Cell<Option<Ticket>>,
    /// Made with the first that it keeps.
    children: OnceCell<Rc<Children>>,
    callback: Cell<Option<Shared<S>>>,
    rare: OnceCell<Box<Rare<S>>>,
    state: StateCell<S>,
}

impl<S: 'static> Req<S> {
    /// Creates a request in progress, with its state.
    ///
    /// C equivalent: `tevent_req_create`. Spec: REQ-1.
    ///
    /// ```
    /// use tevent_core::{Req, ReqState};
    ///
    /// struct Lookup { name: String }
    ///
    /// let req = Req::create(Lookup { name: "smb.example".into() });
    /// assert_eq!(req.state(), ReqState::InProgress);
    /// assert_eq!(req.with_state(|s| s.name.len()), Some(11));
    /// ```
    #[doc(alias = "tevent_req_create")]
    #[doc(alias = "__tevent_req_create")]
    #[track_caller]
    pub fn create(state: S) -> Self {
        let created = Location::caller();
        let req = Req(ReqRef(in_place::rc(|| Inner {
            created,
            home: HomeLink::new(),
            stands: Cell::new(ReqState::InProgress),
            code: Cell::new(0),
            finished: Cell::new(None),
            claimed: Cell::new(false),
            freed: Cell::new(false),
            received: Cell::new(false),
            cleaned: Cell::new(ReqState::Init),
            ev: Cell::new(None),
            posted: Cell::new(None),
            children: OnceCell::new(),
            callback: Cell::new(None),
            rare: OnceCell::new(),
            state: StateCell::new(state),
        })));
        if call_flow::is_on() {
            req.known().set_depth(call_flow::depth_of_new());
            call_flow::of_request(req.known(), CallFlowEvent::Create, Some(type_name::<S>()));
        }
        req
    }

    /// Schedules the callback from an immediate, and returns the request: the last line of a `_send` function whose
    /// request has finished already. See [`ReqRef::post`].
    ///
    /// As a statement of its own, `req.post(ev);` drops the request that it returns, which frees it. Where the owner is
    /// to be kept, post by a Ref: `req.clone().post(ev)`.
    ///
    /// C equivalent: `return tevent_req_post(req, ev);`. Spec: REQ-4.
    ///
    /// ```
    /// use tevent_core::{Context, ContextRef, Req};
    ///
    /// fn answer_send(ev: &ContextRef) -> Req<u32> {
    ///     let req = Req::create(42);
    ///     req.done(); // no callback is set yet
    ///     req.post(ev)
    /// }
    ///
    /// let ctx = Context::new()?;
    /// ctx.add_subreq(answer_send(&ctx), |_ctx, req| assert_eq!(req.recv(|s| *s), Ok(42)));
    /// ctx.loop_wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "tevent_req_post")]
    pub fn post(self, ev: &ContextRef) -> Self {
        self.0.post(ev);
        self
    }
}

impl<S: 'static> Deref for Req<S> {
    type Target = ReqRef<S>;

    fn deref(&self) -> &ReqRef<S> {
        &self.0
    }
}

impl<S: 'static> ReqRef<S> {
    /// How the request stands. A freed request reads [`Received`](ReqState::Received).
    #[must_use]
    pub fn state(&self) -> ReqState {
        if self.0.received.get() {
            return ReqState::Received;
        }
        self.0.stands.get()
    }

    /// Whether it is at work.
    ///
    /// C equivalent: `tevent_req_is_in_progress`. Spec: REQ-9.
    #[doc(alias = "tevent_req_is_in_progress")]
    #[must_use]
    pub fn is_in_progress(&self) -> bool {
        self.state() == ReqState::InProgress
    }

    /// `Ok` when done, else why not; in progress, and after the result was taken, reads as an error.
    ///
    /// C equivalent: `tevent_req_is_error`. Spec: REQ-9.
    ///
    /// ```
    /// use tevent_core::{Req, ReqError, ReqState};
    ///
    /// let req = Req::create(());
    /// assert_eq!(req.result().map_err(|e| e.state()), Err(ReqState::InProgress));
    /// req.error(ReqError::new(5));
    /// assert_eq!(req.result(), Err(ReqError::new(5)));
    /// ```
    ///
    /// # Errors
    /// The state, the code and the cause.
    #[doc(alias = "tevent_req_is_error")]
    pub fn result(&self) -> Result<(), ReqError> {
        if self.0.received.get() {
            return Err(ReqError::plain(ReqState::Received, 0));
        }
        match self.0.stands.get() {
            ReqState::Done => Ok(()),
            state => {
                let cause = self.0.had_rare().and_then(|rare| rare.cause.borrow().clone());
                Err(ReqError::from_parts(state, self.0.code.get(), cause))
            }
        }
    }

    /// Whether [`result`](Self::result) is an error: true also while the request is at work.
    ///
    /// C equivalent: `tevent_req_is_error`. Spec: REQ-9.
    #[doc(alias = "tevent_req_is_error")]
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.state() != ReqState::Done
    }

    /// Works on the state; `None` when it is gone.
    ///
    /// A finish, a callback of a sub-request or a drop that comes up meanwhile waits until the work has returned. For
    /// work that may finish the request [`advance`](Self::advance) is the right door.
    ///
    /// C equivalent: `tevent_req_data`, `tevent_req_callback_data`. Spec: REQ-1.
    ///
    /// ```
    /// use tevent_core::Req;
    ///
    /// let req = Req::create(vec![1]);
    /// req.with_state(|s| s.push(2));
    /// assert_eq!(req.with_state(|s| s.len()), Some(2));
    /// req.received();
    /// assert_eq!(req.with_state(|s| s.len()), None); // the state is gone
    /// ```
    ///
    /// # Panics
    /// While the state is being worked on already: two may not have it at the same time.
    #[doc(alias = "tevent_req_data")]
    #[doc(alias = "tevent_req_callback_data")]
    #[doc(alias = "tevent_req_callback_data_void")]
    #[track_caller]
    pub fn with_state<R>(&self, work: impl FnOnce(&mut S) -> R) -> Option<R> {
        self.0.state.lend(work).expect("the state of this request is being worked on already")
    }

    /// Where the request was created.
    #[must_use]
    pub fn location(&self) -> Location {
        self.0.created
    }

    /// Where it was finished; `None` before.
    #[must_use]
    pub fn finish_location(&self) -> Option<Location> {
        self.0.finished.get()
    }

    /// The name of the state's type.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        type_name::<S>()
    }

    fn is_freed(&self) -> bool {
        self.0.freed.get()
    }
}

impl<S: 'static> Clone for ReqRef<S> {
    fn clone(&self) -> Self {
        ReqRef(Rc::clone(&self.0))
    }
}

impl<S: 'static> PartialEq for ReqRef<S> {
    /// Whether both stand for the same request.
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl<S: 'static> Eq for ReqRef<S> {}

impl<S: 'static> ChildRef for ReqRef<S> {
    type Owner = Req<S>;

    fn home(&self) -> &HomeLink {
        &self.0.home
    }

    fn as_request(&self) -> Option<AnyReq> {
        Some(AnyReq(Rc::clone(&self.0) as _))
    }
}
