//! From other errors to a request's, and back (REQ-13).

use std::collections::TryReserveError;
use std::io;

use super::ReqError;
use crate::error::LoopError;
use crate::fd_source::AddFdError;
use crate::signal::AddSignalError;

impl From<u64> for ReqError {
    fn from(code: u64) -> Self {
        ReqError::new(code)
    }
}

impl From<u32> for ReqError {
    /// For codes such as `NTSTATUS`.
    fn from(code: u32) -> Self {
        ReqError::new(u64::from(code))
    }
}

impl From<i32> for ReqError {
    /// [`from_errno`](Self::from_errno).
    fn from(errno: i32) -> Self {
        ReqError::from_errno(errno)
    }
}

impl From<io::Error> for ReqError {
    /// With its number, else the one closest to its kind. An error that was made of a `ReqError` with a cause is that one again.
    fn from(error: io::Error) -> Self {
        if let Some(errno) = error.raw_os_error().filter(|errno| *errno > 0) {
            return ReqError::from_errno(errno);
        }
        error.downcast().unwrap_or_else(|error| match error.kind() {
            io::ErrorKind::OutOfMemory => ReqError::NO_MEMORY,
            kind => ReqError::with_cause(kind, error),
        })
    }
}

impl From<io::ErrorKind> for ReqError {
    /// With the number closest to it.
    fn from(kind: io::ErrorKind) -> Self {
        match kind {
            io::ErrorKind::OutOfMemory => ReqError::NO_MEMORY,
            kind => ReqError::from_errno(errno_of(kind)),
        }
    }
}

/// The number that stands closest to the kind of an error that came without one.
fn errno_of(kind: io::ErrorKind) -> i32 {
    match kind {
        io::ErrorKind::NotFound => libc::ENOENT,
        io::ErrorKind::PermissionDenied => libc::EACCES,
        io::ErrorKind::ConnectionRefused => libc::ECONNREFUSED,
        io::ErrorKind::ConnectionReset => libc::ECONNRESET,
        io::ErrorKind::ConnectionAborted => libc::ECONNABORTED,
        io::ErrorKind::NotConnected => libc::ENOTCONN,
        io::ErrorKind::AddrInUse => libc::EADDRINUSE,
        io::ErrorKind::AddrNotAvailable => libc::EADDRNOTAVAIL,
        io::ErrorKind::BrokenPipe | io::ErrorKind::WriteZero | io::ErrorKind::UnexpectedEof => libc::EPIPE,
        io::ErrorKind::AlreadyExists => libc::EEXIST,
        io::ErrorKind::WouldBlock => libc::EAGAIN,
        io::ErrorKind::InvalidInput => libc::EINVAL,
        io::ErrorKind::InvalidData => libc::EBADMSG,
        io::ErrorKind::TimedOut => libc::ETIMEDOUT,
        io::ErrorKind::Interrupted => libc::EINTR,
        io::ErrorKind::Unsupported => libc::EOPNOTSUPP,
        _ => libc::EIO,
    }
}

impl From<AddFdError> for ReqError {
    fn from(error: AddFdError) -> Self {
        ReqError::from(io::Error::from(error))
    }
}

impl From<AddSignalError> for ReqError {
    fn from(error: AddSignalError) -> Self {
        ReqError::from(io::Error::from(error))
    }
}

impl From<LoopError> for ReqError {
    fn from(error: LoopError) -> Self {
        ReqError::from(io::Error::from(error))
    }
}

impl From<TryReserveError> for ReqError {
    fn from(_: TryReserveError) -> Self {
        ReqError::NO_MEMORY
    }
}

impl From<ReqError> for io::Error {
    /// With its [number](ReqError::errno). One with a cause is taken along instead, because an `io::Error` has room for one of both only:
    /// it has the [kind](ReqError::kind), and `downcast` gives the `ReqError`.
    fn from(error: ReqError) -> Self {
        match error.cause() {
            None => io::Error::from_raw_os_error(error.errno()),
            Some(_) => io::Error::new(error.kind(), error),
        }
    }
}
