//! A socket that several requests share.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{RecvFlags, SocketType};
use tevent_core::FdSource;

use crate::broken::StreamBroken;

/// A socket or pipe that several requests share. A cheap clone; the file is closed with the last, those of the requests and events
/// on it included.
///
/// It remembers when a writer ended in the middle of its bytes: then the stream is broken, because whatever is written
/// next would be read as the rest of that writer's frame, and every later write on it fails with [`StreamBroken`].
///
/// It may be a datagram socket too, in spite of its name. Then a write is one datagram, which goes out whole or not at all, so that
/// it never breaks; see [`writev_send`](crate::writev_send) and [`read_packet_send`](crate::read_packet_send).
///
/// Give it to [`ContextRef::add_fd`](tevent_core::ContextRef::add_fd) as `&stream` or as it is; the event shares it.
///
/// C equivalent: the fd number that the requests are given.
#[derive(Clone)]
pub struct Stream(Rc<Inner>);

struct Inner {
    file: OwnedFd,
    kind: OnceCell<Kind>,
    broken: RefCell<Option<StreamBroken>>,
    writes: Cell<u64>,
    partial_writes: Cell<u64>,
}

/// What a file is, as far as reading and writing differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A socket with one byte after the other: TCP, a Unix stream.
    Bytes,
    /// A socket on which what is sent in one call arrives as one: UDP, a Unix datagram or sequenced-packet socket.
    Datagrams,
    /// No socket, such as a pipe.
    Other,
}

impl Stream {
    /// Takes a socket or pipe, such as a `TcpStream`, a `UnixStream`, a `UdpSocket`, a listener, a `PipeReader` or an `OwnedFd`.
    pub fn new(file: impl Into<OwnedFd>) -> Self {
        Stream(Rc::new(Inner {
            file: file.into(),
            kind: OnceCell::new(),
            broken: RefCell::new(None),
            writes: Cell::new(0),
            partial_writes: Cell::new(0),
        }))
    }

    /// Reads what is there, without waiting for more; none at all is the end of the stream. For handlers of
    /// [`FdFlags::READ`](tevent_core::FdFlags::READ).
    ///
    /// Of datagrams it reads one. What the buffer has no room for is lost, as with every `recv`; none at all is an empty datagram.
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
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when nothing is there, `ECONNRESET` after a reset, else what the system call gave.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len();
        Ok(self.read_now(buffer)?.min(room))
    }

    /// More than the buffer has room for is the length of a datagram that was cut.
    pub(crate) fn read_now(&self, buffer: &mut [u8]) -> rustix::io::Result<usize> {
        let flags = match self.kind() {
            Kind::Bytes => RecvFlags::DONTWAIT,
            Kind::Datagrams => RecvFlags::DONTWAIT | RecvFlags::TRUNC,
            Kind::Other => return read_if_ready(self, buffer),
        };
        rustix::net::recv(self, buffer, flags).map(|(_, length)| length)
    }

    /// Of the next datagram, which stays there.
    pub(crate) fn datagram_length(&self) -> rustix::io::Result<usize> {
        let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK | RecvFlags::TRUNC;
        rustix::net::recv(self, &mut [0_u8; 0], flags).map(|(_, length)| length)
    }

    /// The kernel is asked once.
    pub(crate) fn kind(&self) -> Kind {
        *self.0.kind.get_or_init(|| match rustix::net::sockopt::socket_type(self) {
            Ok(SocketType::STREAM) => Kind::Bytes,
            Ok(_) => Kind::Datagrams,
            Err(_) => Kind::Other,
        })
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

impl From<Stream> for FdSource {
    fn from(stream: Stream) -> Self {
        FdSource::from(stream.0)
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
