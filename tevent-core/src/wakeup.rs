//! The request that only waits (WAKE-1).

use crate::context::ContextRef;
use crate::req::{Req, ReqState};
use crate::timer::When;

/// The state of [`wakeup_send`]'s request.
#[derive(Debug)]
pub struct Wakeup {
    _nothing: (),
}

/// A request that finishes at that time.
///
/// C equivalent: `tevent_wakeup_send`. Spec: WAKE-1.
///
/// ```
/// use std::time::Duration;
/// use tevent_core::{Context, wakeup_recv, wakeup_send};
///
/// let ctx = Context::new()?;
/// let req = wakeup_send(&ctx, Duration::from_millis(1));
/// req.poll(&ctx)?;
/// assert!(wakeup_recv(req));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "tevent_wakeup_send")]
#[track_caller]
pub fn wakeup_send(ev: &ContextRef, when: impl Into<When>) -> Req<Wakeup> {
    let req = Req::create(Wakeup { _nothing: () });
    req.set_endtime(ev, when);
    req
}

/// Whether the time has come; false when the request ended in another way, or not yet.
///
/// C equivalent: `tevent_wakeup_recv`. Spec: WAKE-1.
#[doc(alias = "tevent_wakeup_recv")]
#[must_use]
pub fn wakeup_recv(req: Req<Wakeup>) -> bool {
    let ended = req.recv(|_state| ());
    ended.is_err_and(|error| error.state() == ReqState::TimedOut)
}
