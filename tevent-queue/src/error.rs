//! Why a request cannot join a queue.

use std::error::Error;
use std::fmt;

/// Why a request cannot join a queue.
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
