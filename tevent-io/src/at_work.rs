//! What all of the requests do: they wait with one event, which goes when they finish, and can be cancelled.

use rustix::io::Errno;
use tevent_core::{AddFdError, ContextRef, FdFlags, FdRef, ReqRef};

use crate::errno::req_error;
use crate::stream::Stream;

/// A part of each request's state, so that its functions capture nothing and need no allocation.
#[derive(Debug)]
pub(crate) struct AtWork {
    pub(crate) ev: ContextRef,
    watch: Option<FdRef>,
}

impl AtWork {
    pub(crate) fn on(ev: &ContextRef) -> Self {
        AtWork { ev: ev.clone(), watch: None }
    }
}

/// The state of such a request.
pub(crate) trait Working: 'static {
    fn at_work(&mut self) -> &mut AtWork;

    /// Whether nothing was read or written, so that it can be cancelled (REQ-7).
    fn is_untouched(&self) -> bool {
        true
    }

    /// What else is to be done when it finishes or goes.
    fn clean_up(&mut self) {}
}

/// Sets the cleanup and the cancel function.
pub(crate) fn begin<S: Working>(req: &ReqRef<S>) {
    req.set_cleanup_fn(|req, _state| {
        let watch = req.with_state(|s| {
            s.clean_up();
            s.at_work().watch.take()
        });
        // Before the callback, which may close the file.
        if let Some(watch) = watch.flatten() {
            drop(req.take(&watch));
        }
    });
    req.set_cancel_fn(|req| req.with_state(|s| s.is_untouched()) == Some(true) && cancel(req));
}

/// Waits for the file.
pub(crate) fn watch<S: Working>(
    req: &ReqRef<S>,
    stream: &Stream,
    flags: FdFlags,
    handler: impl Fn(&ReqRef<S>, FdFlags) + 'static,
) -> Result<(), AddFdError> {
    let Some(ev) = req.with_state(|s| s.at_work().ev.clone()) else { return Ok(()) };
    let watch = req.add_fd(&ev, stream, flags, handler)?;
    req.with_state(|s| s.at_work().watch = Some(watch));
    Ok(())
}

/// Ends it with `ECANCELED`, its callback deferred; says whether it had not ended before.
pub(crate) fn cancel<S: Working>(req: &ReqRef<S>) -> bool {
    let ev = req.with_state(|s| s.at_work().ev.clone()).filter(|_| req.is_in_progress());
    if let Some(ev) = &ev {
        req.defer_callback(ev);
        req.error(req_error(Errno::CANCELED));
    }
    ev.is_some()
}
