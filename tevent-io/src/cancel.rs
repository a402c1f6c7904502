//! Ending a request before it has done anything (REQ-7).

use rustix::io::Errno;
use tevent_core::{ContextRef, ReqRef};

use crate::errno::req_error;

/// Lets the request be cancelled as long as it is `untouched`.
pub(crate) fn allow<S: 'static>(req: &ReqRef<S>, ev: &ContextRef, untouched: fn(&S) -> bool) {
    let ev = ev.clone();
    req.set_cancel_fn(move |req| req.with_state(|s| untouched(s)) == Some(true) && cancel(req, &ev));
}

/// Ends it with `ECANCELED`, its callback deferred; says whether it had not ended before.
pub(crate) fn cancel<S: 'static>(req: &ReqRef<S>, ev: &ContextRef) -> bool {
    let in_progress = req.is_in_progress();
    if in_progress {
        req.defer_callback(ev);
        req.error(req_error(Errno::CANCELED));
    }
    in_progress
}
