//! Why a request cannot join a queue.

use std::error::Error;
use std::fmt;
use std::io;

use tevent_core::ReqError;

/// Why a request cannot join a queue. A request that fails because of it fails with `EINVAL`:
///
/// ```
/// use std::io::ErrorKind;
/// use tevent_core::{Context, Req};
/// use tevent_queue::{Queue, QueueError};
///
/// let ctx = Context::new()?;
/// let gone = Queue::create("near").clone(); // a Ref whose owner is dropped right here
/// let req = Req::create(());
/// if let Err(error) = gone.add(&ctx, &req, |_req| {}) {
///     req.error(error);
/// }
/// let error = req.recv(|()| ()).expect_err("its turn would never come");
/// assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::InvalidInput, "the queue `near` has been freed"));
/// assert!(error.cause().is_some_and(|cause| cause.is::<QueueError>()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueueError {
    /// The queue of this name has been freed: the request's turn would never come.
    Freed(String),
}

impl fmt::Display for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QueueError::Freed(name) => write!(f, "the queue `{name}` has been freed"),
        }
    }
}

impl Error for QueueError {}

impl From<QueueError> for io::Error {
    fn from(error: QueueError) -> Self {
        io::Error::new(io::ErrorKind::InvalidInput, error)
    }
}

impl From<QueueError> for ReqError {
    fn from(error: QueueError) -> Self {
        ReqError::with_cause(io::ErrorKind::InvalidInput, error)
    }
}
