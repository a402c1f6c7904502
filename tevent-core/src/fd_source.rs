//! How an fd event holds the file it watches, and gives it back when it cannot watch it.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;

/// The file of an fd event, and whether the event keeps it open.
///
/// Made by `From`, so that [`add_fd`](crate::ContextRef::add_fd) takes each of these as it is:
///
/// | given | held | C equivalent |
/// |---|---|---|
/// | `&socket`, or a plain number | borrowed: closing it before the event is freed is the caller's care | `tevent_add_fd` |
/// | `Rc<Socket>` | shared: the file stays open as long as the event lives | `talloc_reference`, roughly |
/// | `OwnedFd` | owned: closed when the event is freed, after it is no longer watched (FD-8) | `tevent_fd_set_auto_close` |
///
/// Adding an event is a system call, and so are freeing it and changing its flags. Where the file is shared and somebody else holds
/// the `Rc` too, the program's own field or another event, freeing and narrowing wait until the loop waits next: the `Rc` shows
/// that the number still stands for the same file. A request that adds an event for each read or write of one socket then costs no system call
/// beside the read and the wait, once the first was added.
///
/// ```
/// use std::os::unix::net::UnixStream;
/// use std::rc::Rc;
/// use tevent_core::{Context, FdFlags};
///
/// let ctx = Context::new()?;
/// let (a, b) = UnixStream::pair()?;
/// let shared = Rc::new(a);
/// let _borrowed = ctx.add_fd(&shared, FdFlags::READ, |_ev, _fde, _flags| {})?;
/// let _shared = ctx.add_fd(Rc::clone(&shared), FdFlags::READ, |_ev, _fde, _flags| {})?;
/// let _owned = ctx.add_fd(std::os::fd::OwnedFd::from(b), FdFlags::READ, |_ev, _fde, _flags| {})?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FdSource {
    pub(crate) number: RawFd,
    pub(crate) hold: Hold,
}

/// What keeps the file open.
#[derive(Default)]
pub(crate) enum Hold {
    #[default]
    Borrowed,
    Shared(Rc<dyn Any>),
    Owned(OwnedFd),
}

impl From<RawFd> for FdSource {
    fn from(number: RawFd) -> Self {
        FdSource { number, hold: Hold::Borrowed }
    }
}

impl<T: AsRawFd + ?Sized> From<&T> for FdSource {
    fn from(file: &T) -> Self {
        FdSource::from(file.as_raw_fd())
    }
}

impl<T: AsFd + 'static> From<Rc<T>> for FdSource {
    fn from(file: Rc<T>) -> Self {
        FdSource { number: file.as_fd().as_raw_fd(), hold: Hold::Shared(file) }
    }
}

impl From<OwnedFd> for FdSource {
    fn from(file: OwnedFd) -> Self {
        FdSource { number: file.as_raw_fd(), hold: Hold::Owned(file) }
    }
}

impl fmt::Debug for FdSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hold = match self.hold {
            Hold::Borrowed => "borrowed",
            Hold::Shared(_) => "shared",
            Hold::Owned(_) => "owned",
        };
        write!(f, "FdSource({}, {hold})", self.number)
    }
}

/// Why a file cannot be watched. Hands back the file, which can be given to
/// [`add_fd`](crate::ContextRef::add_fd) again.
#[derive(Debug)]
pub struct AddFdError {
    file: FdSource,
    error: io::Error,
}

impl AddFdError {
    pub(crate) fn new(file: FdSource, error: io::Error) -> Self {
        AddFdError { file, error }
    }

    /// The number that was refused.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.file.number
    }

    /// The file that was passed in, still open if the event was to own or share it.
    ///
    /// ```
    /// use std::os::{fd::OwnedFd, unix::net::UnixStream};
    /// use tevent_core::{Context, FdFlags};
    ///
    /// let (near, _far) = UnixStream::pair()?;
    /// let gone = Context::new()?.clone(); // a Ref whose owner is dropped right here
    /// let refused = gone.add_fd(OwnedFd::from(near), FdFlags::READ, |_ev, _fde, _flags| {});
    /// let file = refused.expect_err("the context is gone").into_source();
    /// let ctx = Context::new()?;
    /// let fde = ctx.add_fd(file, FdFlags::READ, |_ev, _fde, _flags| {})?;
    /// assert_eq!(fde.flags(), FdFlags::READ);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn into_source(self) -> FdSource {
        self.file
    }
}

impl fmt::Display for AddFdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot watch fd {}: {}", self.fd(), self.error)
    }
}

impl Error for AddFdError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

impl From<AddFdError> for io::Error {
    fn from(error: AddFdError) -> Self {
        error.error
    }
}
