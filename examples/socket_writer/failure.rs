//! Errors that a person can read.

use std::fmt::Display;

use rustix::io::Errno;
use tevent::ReqError;

use crate::progress::Progress;

/// The error, and what could not be done because of it.
pub(crate) fn told(what: impl Display, error: impl Into<ReqError>) -> ReqError {
    let error = error.into();
    let code = u64::from(error.errno().unsigned_abs());
    ReqError::with_cause(code, format!("{what}: {error}"))
}

/// The connection failed: what the other end did, and how far it had come.
pub(crate) fn lost(other_end: &str, error: &ReqError, progress: &Progress) -> ReqError {
    let gone = [Errno::PIPE, Errno::CONNRESET, Errno::TIMEDOUT].map(Errno::raw_os_error);
    let what = if gone.contains(&error.errno()) { "vanished" } else { "cannot be reached any more" };
    let code = u64::from(error.errno().unsigned_abs());
    ReqError::with_cause(code, format!("the {other_end} end {what} ({error}); {progress}"))
}
