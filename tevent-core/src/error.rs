//! Why a turn of the loop fails.

use std::error::Error;
use std::fmt;
use std::io;

/// Why a turn of the loop failed.
///
/// Raised by [`loop_once`](crate::ContextRef::loop_once), [`loop_wait`](crate::ContextRef::loop_wait),
/// [`loop_until`](crate::ContextRef::loop_until) and [`ReqRef::poll`](crate::ReqRef::poll). The loop can be
/// turned again after it, unless its context is gone.
///
/// C equivalent: the return value −1 with `errno`, which the [`io::Error`] made from it has. Spec: LOOP-2, LOOP-3.
///
/// ```
/// use std::{io, time::Duration};
/// use tevent_core::Context;
///
/// let ctx = Context::new()?;
/// ctx.set_wait_timeout(Duration::ZERO);
/// let error = ctx.loop_once().map_err(io::Error::from).expect_err("nothing is ready");
/// assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum LoopError {
    /// The wait timeout is 0 and nothing was ready (`EAGAIN`, LOOP-2).
    WouldBlock,
    /// The context has been freed.
    Freed,
    /// The [nesting hook](crate::ContextRef::set_nesting_hook) failed.
    Hook(Box<dyn Error + Send + Sync>),
    /// The kernel failed to wait, or the simulated loop would wait for ever.
    Wait(io::Error),
}

impl fmt::Display for LoopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoopError::WouldBlock => f.write_str("nothing is ready, and the loop may not wait"),
            LoopError::Freed => f.write_str("the context has been freed"),
            LoopError::Hook(error) => write!(f, "the nesting hook failed: {error}"),
            LoopError::Wait(error) => write!(f, "waiting for events failed: {error}"),
        }
    }
}

impl Error for LoopError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            LoopError::Wait(error) => Some(error),
            LoopError::Hook(error) => Some(&**error),
            LoopError::WouldBlock | LoopError::Freed => None,
        }
    }
}

impl From<LoopError> for io::Error {
    fn from(error: LoopError) -> Self {
        match error {
            LoopError::WouldBlock => io::Error::from_raw_os_error(libc::EAGAIN),
            LoopError::Freed => io::Error::new(io::ErrorKind::NotConnected, error),
            LoopError::Hook(error) => io::Error::other(error),
            LoopError::Wait(error) => error,
        }
    }
}
