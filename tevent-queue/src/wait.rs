//! Waiting for one's turn (QUEUE-10).

use tevent_core::{ContextRef, Req, ReqError};

use crate::queue::QueueRef;

/// The state of [`wait_send`]'s request.
#[derive(Debug)]
pub struct QueueWait {
    _nothing: (),
}

/// A request that is done when its turn in the queue has come, and holds the queue until it is freed.
///
/// C equivalent: `tevent_queue_wait_send`. Spec: QUEUE-10.
///
/// ```
/// use tevent_core::Context;
/// use tevent_queue::{Queue, wait_send};
///
/// let ctx = Context::new()?;
/// let queue = Queue::create("exclusive");
/// let (mine, yours) = (wait_send(&ctx, &queue), wait_send(&ctx, &queue));
/// mine.poll(&ctx)?;
/// assert!(yours.is_in_progress()); // until mine is dropped
/// drop(mine);
/// yours.poll(&ctx)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "tevent_queue_wait_send")]
#[track_caller]
pub fn wait_send(ev: &ContextRef, queue: &QueueRef) -> Req<QueueWait> {
    let req = Req::create(QueueWait { _nothing: () });
    let added = queue.add(ev, &req, |req| {
        req.done();
    });
    if let Err(error) = added {
        req.error(error);
        return req.post(ev);
    }
    req
}

/// Takes the result of [`wait_send`] **and gives the turn back**, because it frees the request. To hold the queue after
/// the wait, keep the request and look at [`result`](tevent_core::ReqRef::result).
///
/// C equivalent: `tevent_queue_wait_recv`, which leaves the freeing to its caller. Spec: QUEUE-10.
///
/// ```
/// use tevent_core::Context;
/// use tevent_queue::{Queue, wait_recv, wait_send};
///
/// let (ctx, queue) = (Context::new()?, Queue::create("exclusive"));
/// let req = wait_send(&ctx, &queue);
/// req.poll(&ctx)?;
/// wait_recv(req)?;
/// assert!(queue.is_empty()); // the turn is over
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Why the wait failed: the queue had been freed, or the request was given an end time.
#[doc(alias = "tevent_queue_wait_recv")]
pub fn wait_recv(req: Req<QueueWait>) -> Result<(), ReqError> {
    req.recv(|_state| ())
}
