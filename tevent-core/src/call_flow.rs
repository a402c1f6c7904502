//! What requests do on a thread, and how deep in the tree of requests that is (TRACE-4).

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::context::ContextRef;
use crate::location::Location;
use crate::req::{Known, ReqRef};
use crate::stack::bounded_drop;

/// What a request does.
///
/// C equivalent: `enum tevent_thread_call_depth_cmd`. Spec: TRACE-4.
#[doc(alias = "tevent_thread_call_depth_cmd")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallFlowEvent {
    /// It was created.
    #[doc(alias = "TEVENT_CALL_FLOW_REQ_CREATE")]
    Create,
    /// A turn of the loop has ended, or [`ReqRef::reset_call_depth`] was called.
    #[doc(alias = "TEVENT_CALL_FLOW_REQ_RESET")]
    Reset,
    /// It is asked to end early.
    #[doc(alias = "TEVENT_CALL_FLOW_REQ_CANCEL")]
    Cancel,
    /// It cleans up.
    #[doc(alias = "TEVENT_CALL_FLOW_REQ_CLEANUP")]
    Cleanup,
    /// It calls back.
    #[doc(alias = "TEVENT_CALL_FLOW_REQ_NOTIFY_CB")]
    NotifyCallback,
    /// It joins a queue.
    #[doc(alias = "TEVENT_CALL_FLOW_REQ_QUEUE_ENTER")]
    QueueEnter,
    /// Its turn in the queue has come.
    #[doc(alias = "TEVENT_CALL_FLOW_REQ_QUEUE_TRIGGER")]
    QueueTrigger,
    /// It leaves the queue.
    #[doc(alias = "TEVENT_CALL_FLOW_REQ_QUEUE_LEAVE")]
    QueueLeave,
}

/// One event of the call flow, as a [callback](set_call_flow_callback) is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallFlow {
    /// What happens.
    pub event: CallFlowEvent,
    /// How many requests stand above this one: its parent's and one. For [`NotifyCallback`](CallFlowEvent::NotifyCallback) it is
    /// the parent's, which is where the call goes. 0 for one without a parent.
    pub depth: u32,
    /// The function that is about to be called, by the name of its type; for [`Create`](CallFlowEvent::Create) the type of the
    /// state. `None` where none is set.
    pub function: Option<&'static str>,
    /// Where the request was created; `None` without a request.
    pub location: Option<Location>,
    /// Tells one request from another as long as both live.
    pub request: Option<usize>,
}

/// Is told of each event of the call flow.
pub type CallFlowCallback = Rc<dyn Fn(CallFlow)>;

thread_local! {
    /// Somebody may listen: the one branch of all that follows. With the feature `tracing` a subscriber may come at any time.
    static ON: Cell<bool> = const { Cell::new(cfg!(feature = "tracing")) };
    /// A callback runs.
    static SILENT: Cell<bool> = const { Cell::new(false) };
    static CALLBACK: RefCell<Option<CallFlowCallback>> = const { RefCell::new(None) };
    /// The depth of the request whose code runs.
    static CURRENT: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Sets, with `None` resets, what is told of all requests of this thread; gives back what was set before. It is called inside
/// whatever it is told of, and may do anything; what happens inside of it is not told.
///
/// A request's parent is the request that [keeps](ReqRef::keep) it or was given it by [`add_subreq`](ReqRef::add_subreq), which comes
/// after its creation. So [`Create`](CallFlowEvent::Create) has the depth below the request whose handler or callback is running, or
/// that is [named](ReqRef::within); from the adoption on the parent counts.
///
/// C equivalent: `tevent_thread_call_depth_set_callback`; before 0.15 `tevent_thread_call_depth_activate`. Spec: TRACE-4.
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
/// use tevent_core::{CallFlowEvent, Req, set_call_flow_callback};
///
/// let seen = Rc::new(RefCell::new(Vec::new()));
/// let see = Rc::clone(&seen);
/// set_call_flow_callback(Some(Rc::new(move |flow| see.borrow_mut().push((flow.event, flow.depth)))));
/// let parent = Req::create("parent");
/// let child = parent.within(|| Req::create("child"));
/// set_call_flow_callback(None);
/// assert_eq!(*seen.borrow(), [(CallFlowEvent::Create, 0), (CallFlowEvent::Create, 1)]);
/// # drop(child);
/// ```
#[doc(alias = "tevent_thread_call_depth_set_callback")]
#[doc(alias = "tevent_thread_call_depth_activate")]
#[doc(alias = "tevent_thread_call_depth_deactivate")]
#[allow(clippy::must_use_candidate, reason = "most callers have set none before")]
pub fn set_call_flow_callback(callback: Option<CallFlowCallback>) -> Option<CallFlowCallback> {
    // At the end of the thread there is no place for one any more, and none is called.
    let old = CALLBACK.try_with(|place| place.replace(callback)).ok().flatten();
    ON.set(somebody_listens());
    old
}

fn somebody_listens() -> bool {
    !SILENT.get() && (cfg!(feature = "tracing") || callback().is_some())
}

/// None is left at the end of the thread, when requests in its other thread-locals may still be dropped.
fn callback() -> Option<CallFlowCallback> {
    CALLBACK.try_with(|callback| callback.borrow().clone()).ok().flatten()
}

/// Whether anybody listens to what the requests of this thread do: nothing has to be found out for [`ReqRef::tell_queue`] if not.
/// For crates that bring queues.
///
/// Spec: TRACE-4, TRACE-6.
#[must_use]
#[inline]
pub fn is_call_flow_told() -> bool {
    is_on()
}

/// Whether anybody listens.
#[inline]
pub(crate) fn is_on() -> bool {
    ON.get() && (cfg!(not(feature = "tracing")) || is_listened_to())
}

/// The depth costs a walk up the tree, so a subscriber is asked first.
fn is_listened_to() -> bool {
    #[cfg(feature = "tracing")]
    if crate::trace::crate_tracing::wants_call_flow() {
        return true;
    }
    callback().is_some()
}

/// The depth of a request that is created now.
pub(crate) fn depth_of_new() -> u32 {
    CURRENT.get().map_or(0, |depth| depth + 1)
}

/// The end of a turn.
#[inline]
pub(crate) fn reset() {
    if is_on() {
        tell(CallFlow {
            event: CallFlowEvent::Reset,
            depth: 0,
            function: None,
            location: None,
            request: None,
        });
    }
}

/// An event of a request.
#[inline]
pub(crate) fn of_request(req: &dyn Known, event: CallFlowEvent, function: Option<&'static str>) {
    if is_on() {
        let depth = match event {
            CallFlowEvent::NotifyCallback => req.depth().saturating_sub(1),
            _ => req.depth(),
        };
        let (location, request) = (Some(req.location()), Some(req.address()));
        tell(CallFlow { event, depth, function, location, request });
    }
}

#[cold]
fn tell(flow: CallFlow) {
    #[cfg(feature = "tracing")]
    crate::trace::crate_tracing::call_flow(flow);
    let callback = callback();
    if let Some(callback) = &callback {
        let _silent = Silence::begin();
        callback(flow);
    }
    bounded_drop(callback);
}

/// Nothing is told meanwhile.
struct Silence;

impl Silence {
    fn begin() -> Self {
        SILENT.set(true);
        ON.set(false);
        Silence
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        SILENT.set(false);
        ON.set(somebody_listens());
    }
}

/// The code of that request runs.
#[inline]
pub(crate) fn within<R>(req: &dyn Known, run: impl FnOnce() -> R) -> R {
    if !is_on() {
        return run();
    }
    let _after = Within(CURRENT.replace(Some(req.depth())));
    run()
}

/// The code of whoever that request answers to runs.
#[inline]
pub(crate) fn within_parent<R>(req: &dyn Known, run: impl FnOnce() -> R) -> R {
    if !is_on() {
        return run();
    }
    let _after = Within(CURRENT.replace(req.depth().checked_sub(1)));
    run()
}

struct Within(Option<u32>);

impl Drop for Within {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

impl<S: 'static> ReqRef<S> {
    /// Runs the closure as a part of this request's work: what it creates is one deeper than this in the
    /// [call flow](set_call_flow_callback). Its own handlers and callbacks are run so anyway. For `_send` functions that create
    /// sub-requests, where the call flow matters.
    ///
    /// C equivalent: `tevent_thread_call_depth_start`. Spec: TRACE-4.
    #[doc(alias = "tevent_thread_call_depth_start")]
    pub fn within<R>(&self, work: impl FnOnce() -> R) -> R {
        within(self.known(), work)
    }

    /// Tells the [call flow](set_call_flow_callback) that what comes belongs to this request, at its depth.
    ///
    /// C equivalent: `tevent_thread_call_depth_reset_from_req`. Spec: TRACE-4.
    #[doc(alias = "tevent_thread_call_depth_reset_from_req")]
    pub fn reset_call_depth(&self) {
        of_request(self.known(), CallFlowEvent::Reset, None);
    }

    /// It joins a queue whose loop is `ev`. For crates that bring queues.
    pub fn joins_queue(&self, ev: &ContextRef) {
        self.know(ev);
    }

    /// Tells the [call flow](set_call_flow_callback) what becomes of it in a queue, and which function its trigger is. For crates
    /// that bring queues.
    #[inline]
    pub fn tell_queue(&self, event: CallFlowEvent, trigger: Option<&'static str>) {
        of_request(self.known(), event, trigger);
    }
}
