//! From the kernel's errors to the request's (REQ-13).

use rustix::io::Errno;
use tevent_core::ReqError;

/// The request's error for a failed system call.
pub(crate) fn req_error(errno: Errno) -> ReqError {
    ReqError::from_errno(errno.raw_os_error())
}

/// Whether the call can be made again later: nothing was ready, or a signal came.
pub(crate) fn is_transient(errno: Errno) -> bool {
    errno == Errno::AGAIN || errno == Errno::WOULDBLOCK || errno == Errno::INTR
}
