//! How an fd event holds the file it watches.

use std::any::Any;
use std::fmt;
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
pub(crate) enum Hold {
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
