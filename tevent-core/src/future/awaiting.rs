//! A request as a future.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::req::Req;
use crate::stack::bounded_drop;

/// Waits for a request to finish, and gives it back, as its `_recv` function wants it. Made by `req.await`.
///
/// Dropping it frees the request: its work ends, as with any dropped request. It can be awaited anywhere on its thread: in a
/// [task](Req::from_future) of its own loop, or in whatever else polls futures while the loop is turned. It takes the place of
/// the request's callback.
///
/// A request that has finished is ready at once, also one that would [post](crate::ReqRef::post) its callback, which nobody needs
/// then. One whose context has gone may never be.
///
/// ```
/// use std::time::Duration;
/// use tevent_core::{Context, wakeup_recv, wakeup_send};
///
/// let ctx = Context::new()?;
/// let ev = ctx.clone();
/// let came = ctx.block_on(async move {
///     let slept = wakeup_send(&ev, Duration::from_millis(1)).await;
///     Ok(wakeup_recv(slept))
/// })?;
/// assert!(came);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a future does nothing unless it is awaited"]
pub struct ReqFuture<S: 'static> {
    /// `None` once it was given back.
    req: Option<Req<S>>,
    waker: Rc<Cell<Option<Waker>>>,
}

impl<S: 'static> IntoFuture for Req<S> {
    type Output = Req<S>;
    type IntoFuture = ReqFuture<S>;

    fn into_future(self) -> ReqFuture<S> {
        let waker = Rc::new(Cell::new(None::<Waker>));
        let at_end = Wakes(Rc::clone(&waker));
        self.set_callback(move |_req| at_end.wake());
        ReqFuture { req: Some(self), waker }
    }
}

/// Part of the callback, which goes without a call when somebody marks the request as received.
struct Wakes(Rc<Cell<Option<Waker>>>);

impl Wakes {
    fn wake(&self) {
        if let Some(waker) = self.0.take() {
            waker.wake();
        }
    }
}

impl Drop for Wakes {
    fn drop(&mut self) {
        self.wake();
    }
}

impl<S: 'static> Future for ReqFuture<S> {
    type Output = Req<S>;

    /// # Panics
    /// When it is polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Req<S>> {
        let req = self.req.as_ref().expect("a ReqFuture is polled after it was ready");
        if req.is_in_progress() {
            let old = self.waker.replace(Some(task.waker().clone()));
            bounded_drop(old);
            // A waker may do anything while it is cloned or dropped: then nobody would be woken any more.
            if req.is_in_progress() {
                return Poll::Pending;
            }
        }
        bounded_drop(self.waker.take());
        let req = self.req.take().expect("it was there a moment ago");
        req.call_nobody();
        Poll::Ready(req)
    }
}

impl<S: 'static> Drop for ReqFuture<S> {
    fn drop(&mut self) {
        // Nobody waits any more.
        bounded_drop(self.waker.take());
    }
}

/// The request is not pinned: it can be moved while it is awaited.
impl<S: 'static> Unpin for ReqFuture<S> {}

impl<S: 'static> fmt::Debug for ReqFuture<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReqFuture").field(&self.req).finish()
    }
}
