//! A socket that several requests share.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::RecvFlags;
use tevent_core::{FdSource, ReqError};

use crate::errno::code_of;

/// A connected or listening socket that several requests share. A cheap clone; the file is closed with the last.
///
/// It remembers when a writer ended in the middle of its bytes: then the stream is broken, because whatever is written
/// next would be read as the rest of that writer's frame, and every later write on it fails with [`StreamBroken`].
///
/// Give it to [`ContextRef::add_fd`](tevent_core::ContextRef::add_fd) as `&stream`; the event shares it.
#[derive(Clone)]
pub struct Stream(Rc<Inner>);

struct Inner {
    file: OwnedFd,
    broken: RefCell<Option<StreamBroken>>,
    writes: Cell<u64>,
    partial_writes: Cell<u64>,
}

/// A writer ended after part of its bytes, so that nothing more can be written to its stream.
///
/// It is the [cause](ReqError::cause) of the error, `EPIPE`, with which the writers behind it fail. C has no
/// equivalent: there the next writer goes on in the middle of the frame.
///
/// ```
/// use std::os::unix::net::UnixStream;
/// use tevent_core::Context;
/// use tevent_io::{Stream, StreamBroken, writev_recv, writev_send};
/// use tevent_queue::Queue;
///
/// let (ctx, queue) = (Context::new()?, Queue::create("near"));
/// let (near, _far) = UnixStream::pair()?;
/// let stream = Stream::new(near);
/// drop(writev_send(&ctx, Some(&queue), &stream, false, vec![vec![0; 8 << 20]])); // part of it was written
/// let next = writev_send(&ctx, Some(&queue), &stream, false, vec!["frame"]);
/// next.poll(&ctx)?;
/// let error = writev_recv(next).expect_err("the stream is broken");
/// assert!(error.cause().is_some_and(|cause| cause.is::<StreamBroken>()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamBroken {
    written: usize,
    total: usize,
}

impl StreamBroken {
    /// How many bytes the writer had written, of how many.
    #[must_use]
    pub fn progress(&self) -> (usize, usize) {
        (self.written, self.total)
    }
}

impl fmt::Display for StreamBroken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StreamBroken { written, total } = self;
        write!(f, "the stream is broken: a writer ended after {written} of its {total} bytes")
    }
}

impl Error for StreamBroken {}

impl From<StreamBroken> for ReqError {
    fn from(broken: StreamBroken) -> Self {
        ReqError::with_cause(code_of(Errno::PIPE), broken)
    }
}

impl Stream {
    /// Takes a socket, such as a `TcpStream`, a `UnixStream`, a listener or an `OwnedFd`.
    pub fn new(socket: impl Into<OwnedFd>) -> Self {
        Stream(Rc::new(Inner {
            file: socket.into(),
            broken: RefCell::new(None),
            writes: Cell::new(0),
            partial_writes: Cell::new(0),
        }))
    }

    /// Reads what is there, without waiting for more; none at all is the end of the stream. For handlers of
    /// [`FdFlags::READ`](tevent_core::FdFlags::READ).
    ///
    /// ```
    /// use std::{io::Write, os::unix::net::UnixStream};
    /// use tevent_core::{Context, FdFlags};
    /// use tevent_io::Stream;
    ///
    /// let ctx = Context::new()?;
    /// let (near, mut far) = UnixStream::pair()?;
    /// let stream = Stream::new(near);
    /// let reader = stream.clone();
    /// let _fde = ctx.add_fd(&stream, FdFlags::READ, move |_ev, fde, _flags| {
    ///     let mut buffer = [0; 100];
    ///     assert!(matches!(reader.try_read(&mut buffer), Ok(5)));
    ///     fde.set_flags(FdFlags::NONE);
    /// })?;
    /// far.write_all(b"hello")?;
    /// ctx.loop_wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when nothing is there, else what the system call gave.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match rustix::net::recv(self, &mut *buffer, RecvFlags::DONTWAIT) {
            Err(Errno::NOTSOCK) => Ok(read_if_ready(self, buffer)?),
            received => Ok(received?.0),
        }
    }

    /// Whether it is a socket, and not some other file such as a pipe.
    pub(crate) fn is_socket(&self) -> bool {
        rustix::net::sockopt::socket_type(self).is_ok()
    }

    /// Why nothing more can be written, if a writer ended in the middle of its bytes.
    ///
    /// ```
    /// use std::os::unix::net::UnixStream;
    /// use tevent_core::Context;
    /// use tevent_io::{Stream, writev_send};
    /// use tevent_queue::Queue;
    ///
    /// let (ctx, queue) = (Context::new()?, Queue::create("near"));
    /// let (near, _far) = UnixStream::pair()?;
    /// let stream = Stream::new(near);
    /// let req = writev_send(&ctx, Some(&queue), &stream, false, vec![vec![0; 8 << 20]]);
    /// assert_eq!(stream.broken(), None); // it waits for room
    /// drop(req);
    /// assert_eq!(stream.broken().map(|b| b.progress().1), Some(8 << 20));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn broken(&self) -> Option<StreamBroken> {
        self.0.broken.borrow().clone()
    }

    /// How many writes the kernel took bytes from, since the stream was made.
    ///
    /// ```
    /// use std::os::unix::net::UnixStream;
    /// use tevent_core::Context;
    /// use tevent_io::{Stream, writev_recv, writev_send};
    ///
    /// let ctx = Context::new()?;
    /// let (near, _far) = UnixStream::pair()?;
    /// let stream = Stream::new(near);
    /// let req = writev_send(&ctx, None, &stream, false, vec!["one ", "two"]);
    /// req.poll(&ctx)?;
    /// assert_eq!((writev_recv(req)?, stream.writes()), (7, 1)); // both buffers in one call
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.0.writes.get()
    }

    /// How many of the [writes](Self::writes) took only a part of what the writer still had.
    ///
    /// ```
    /// use std::os::unix::net::UnixStream;
    /// use tevent_core::Context;
    /// use tevent_io::{Stream, writev_send};
    /// use tevent_queue::Queue;
    ///
    /// let (ctx, queue) = (Context::new()?, Queue::create("near"));
    /// let (near, _far) = UnixStream::pair()?;
    /// let stream = Stream::new(near);
    /// let _req = writev_send(&ctx, Some(&queue), &stream, false, vec![vec![0; 8 << 20]]);
    /// assert_eq!(stream.partial_writes(), 1); // more than the socket's buffer holds
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn partial_writes(&self) -> u64 {
        self.0.partial_writes.get()
    }

    pub(crate) fn note_write(&self, partial: bool) {
        self.0.writes.set(self.0.writes.get() + 1);
        self.0.partial_writes.set(self.0.partial_writes.get() + u64::from(partial));
    }

    /// The first writer that ended early is the one that broke it.
    pub(crate) fn note_broken(&self, written: usize, total: usize) {
        self.0.broken.borrow_mut().get_or_insert(StreamBroken { written, total });
    }
}

/// For files that are no sockets: such a read takes what is there.
fn read_if_ready(file: impl AsFd, buffer: &mut [u8]) -> rustix::io::Result<usize> {
    let mut files = [PollFd::new(&file, PollFlags::IN)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    if retry_on_intr(|| rustix::event::poll(&mut files, Some(&at_once)))? == 0 {
        return Err(Errno::AGAIN);
    }
    rustix::io::read(&file, buffer)
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.file.as_fd()
    }
}

impl AsFd for Inner {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl From<&Stream> for FdSource {
    fn from(stream: &Stream) -> Self {
        FdSource::from(Rc::clone(&stream.0))
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("fd", &self.0.file.as_raw_fd())
            .field("broken", &self.broken())
            .field("writes", &self.writes())
            .finish_non_exhaustive()
    }
}
