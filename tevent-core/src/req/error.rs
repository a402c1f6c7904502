//! How a request stands, and why it failed.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

/// How a request stands. The numbers are C's, and the order is theirs.
///
/// C equivalent: `enum tevent_req_state`. Spec: REQ-3, REQ-9.
#[doc(alias = "tevent_req_state")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ReqState {
    /// Not begun. A request of this library never reads so.
    #[doc(alias = "TEVENT_REQ_INIT")]
    Init = 0,
    /// At work.
    #[doc(alias = "TEVENT_REQ_IN_PROGRESS")]
    InProgress = 1,
    /// Finished by `done`.
    #[doc(alias = "TEVENT_REQ_DONE")]
    Done = 2,
    /// Finished by `error`.
    #[doc(alias = "TEVENT_REQ_USER_ERROR")]
    UserError = 3,
    /// Finished by its end time.
    #[doc(alias = "TEVENT_REQ_TIMED_OUT")]
    TimedOut = 4,
    /// Finished by `oom`.
    #[doc(alias = "TEVENT_REQ_NO_MEMORY")]
    NoMemory = 5,
    /// The result was taken; the state is gone.
    #[doc(alias = "TEVENT_REQ_RECEIVED")]
    Received = 6,
}

/// Why a request failed: the state it finished in, the 64-bit code of a [`UserError`](ReqState::UserError), and the
/// error it was made from where there was one.
///
/// Codes are the program's own; most use Unix error numbers. To and from them:
///
/// | from | by |
/// |---|---|
/// | a Unix number, such as `libc::EPIPE` | [`from_errno`](Self::from_errno), or `into()` |
/// | an [`io::Error`] | `into()` or `?`: its number, else the one closest to its kind, with the error as the [cause](Self::cause) |
/// | why something could not be added, such as [`AddFdError`](crate::AddFdError) | `into()` or `?` |
/// | a code of another kind, such as an `NTSTATUS` | [`new`](Self::new), or `into()` from a `u32` or `u64` |
/// | a code with a story | [`with_cause`](Self::with_cause) |
///
/// | to | by |
/// |---|---|
/// | a Unix number | [`errno`](Self::errno) |
/// | an [`io::Error`] | `into()` or `?`; from there `into()` gives a `ReqError` with the same `errno` |
/// | an [`io::ErrorKind`] | [`kind`](Self::kind) |
///
/// C equivalent: the state and the code that `tevent_req_is_error` gives. Spec: REQ-9, REQ-13.
///
/// ```
/// use std::io;
/// use tevent_core::{ReqError, ReqState};
///
/// let error = ReqError::from(io::Error::from_raw_os_error(libc::EPIPE));
/// assert_eq!((error.state(), error.code()), (ReqState::UserError, 32));
/// assert_eq!(error, ReqError::from_errno(libc::EPIPE));
/// assert_eq!(error.to_string(), "Broken pipe (os error 32)");
/// assert_eq!(ReqError::TIMED_OUT.errno(), libc::ETIMEDOUT);
/// ```
#[derive(Clone)]
pub struct ReqError {
    state: ReqState,
    code: u64,
    cause: Option<Cause>,
}

pub(super) type Cause = Arc<dyn Error + Send + Sync>;

impl ReqError {
    /// The request's end time came.
    pub const TIMED_OUT: ReqError = ReqError::plain(ReqState::TimedOut, 0);
    /// Memory ran out.
    pub const NO_MEMORY: ReqError = ReqError::plain(ReqState::NoMemory, 0);

    pub(crate) const fn plain(state: ReqState, code: u64) -> Self {
        ReqError::from_parts(state, code, None)
    }

    pub(super) const fn from_parts(state: ReqState, code: u64, cause: Option<Cause>) -> Self {
        ReqError { state, code, cause }
    }

    pub(super) fn take_cause(&mut self) -> Option<Cause> {
        self.cause.take()
    }

    /// An error with a code. For Unix numbers there is [`from_errno`](Self::from_errno).
    #[must_use]
    pub const fn new(code: u64) -> Self {
        ReqError::plain(ReqState::UserError, code)
    }

    /// An error with a Unix number. A negative one is taken bit by bit, as C's conversion does.
    ///
    /// C equivalent: `tevent_req_error(req, errno)`. Spec: REQ-13.
    ///
    /// ```
    /// use tevent_core::ReqError;
    ///
    /// const CANCELLED: ReqError = ReqError::from_errno(libc::ECANCELED);
    /// assert_eq!(CANCELLED.errno(), libc::ECANCELED);
    /// ```
    #[must_use]
    pub const fn from_errno(errno: i32) -> Self {
        ReqError::new((errno as i64).cast_unsigned())
    }

    /// An error with a code and what it comes from, which [`Display`](fmt::Display) then shows. The code is given as a number, or
    /// as anything else an error can be made from.
    ///
    /// ```
    /// use tevent_core::ReqError;
    ///
    /// let bad = "12x".parse::<u32>().expect_err("no number");
    /// let error = ReqError::with_cause(libc::EINVAL, bad.clone());
    /// assert_eq!(error.to_string(), bad.to_string());
    /// assert!(error.cause().is_some_and(|cause| cause.is::<std::num::ParseIntError>()));
    /// ```
    #[must_use]
    pub fn with_cause(code: impl Into<ReqError>, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        ReqError { cause: Some(Arc::from(cause.into())), ..code.into() }
    }

    /// The state the request finished in. A request that was asked too early gives
    /// [`InProgress`](ReqState::InProgress).
    #[must_use]
    pub const fn state(&self) -> ReqState {
        self.state
    }

    /// The code of a [`UserError`](ReqState::UserError), else 0.
    #[must_use]
    pub const fn code(&self) -> u64 {
        self.code
    }

    /// What it was made from, for `downcast_ref`.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.cause.as_deref()
    }

    /// The Unix error number: `ETIMEDOUT`, `ENOMEM`, the code, or `EINVAL` for everything else, codes beyond Unix's
    /// included.
    ///
    /// C equivalent: `tevent_req_is_unix_error`. Spec: REQ-13.
    #[doc(alias = "tevent_req_is_unix_error")]
    #[must_use]
    pub fn errno(&self) -> i32 {
        match self.state {
            ReqState::TimedOut => libc::ETIMEDOUT,
            ReqState::NoMemory => libc::ENOMEM,
            ReqState::UserError => i32::try_from(self.code).unwrap_or(libc::EINVAL),
            _ => libc::EINVAL,
        }
    }

    /// What the standard library calls the [Unix number](Self::errno).
    ///
    /// Spec: REQ-13.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use tevent_core::ReqError;
    ///
    /// assert_eq!(ReqError::TIMED_OUT.kind(), ErrorKind::TimedOut);
    /// assert_eq!(ReqError::from_errno(libc::ECONNREFUSED).kind(), ErrorKind::ConnectionRefused);
    /// ```
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        io::Error::from_raw_os_error(self.errno()).kind()
    }
}

impl fmt::Display for ReqError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.state, &self.cause) {
            (_, Some(cause)) => write!(f, "{cause}"),
            (ReqState::UserError, None) => match i32::try_from(self.code) {
                Ok(errno) => write!(f, "{}", io::Error::from_raw_os_error(errno)),
                Err(_) => write!(f, "the request failed with code {:#x}", self.code),
            },
            (ReqState::TimedOut, None) => f.write_str("the request's end time has come"),
            (ReqState::NoMemory, None) => f.write_str("the request ran out of memory"),
            (ReqState::Received, None) => f.write_str("the request's result was taken before"),
            (_, None) => f.write_str("the request has not finished"),
        }
    }
}

impl fmt::Debug for ReqError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReqError({:?}, {}, \"{self}\")", self.state, self.code)
    }
}

impl Error for ReqError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The cause's own text is this error's text already.
        self.cause.as_ref()?.source()
    }
}

impl PartialEq for ReqError {
    /// Whether state and code are the same; causes are not compared.
    fn eq(&self, other: &Self) -> bool {
        (self.state, self.code) == (other.state, other.code)
    }
}

impl Eq for ReqError {}
