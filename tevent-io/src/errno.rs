//! From the kernel's errors to the request's.

use std::io;

use rustix::io::Errno;
use tevent_core::ReqError;

/// The request's error for a failed system call.
pub(crate) fn req_error(errno: Errno) -> ReqError {
    ReqError::from(io::Error::from(errno))
}

/// The code that a request's error has for it.
pub(crate) fn code_of(errno: Errno) -> u64 {
    u64::from(errno.raw_os_error().unsigned_abs())
}

/// Whether the call can be made again later: nothing was ready, or a signal came.
pub(crate) fn is_transient(errno: Errno) -> bool {
    errno == Errno::AGAIN || errno == Errno::WOULDBLOCK || errno == Errno::INTR
}
