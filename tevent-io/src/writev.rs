//! Writing all of some buffers (IO-1).

use std::fmt;
use std::io::IoSlice;
use std::task::Poll;

use rustix::io::Errno;
use tevent_core::{ContextRef, FdFlags, Req, ReqError, ReqRef};
use tevent_queue::{QueueEntryRef, QueueRef};

use crate::at_work::{self, AtWork, Working};
use crate::errno::{is_transient, req_error};
use crate::stream::{Kind, Stream};
use crate::write::write_now;

/// The state of [`writev_send`]'s request.
pub struct Writev<B> {
    at_work: AtWork,
    stream: Stream,
    buffers: Vec<B>,
    total: usize,
    written: usize,
    /// The first buffer that is not written to its end, and how much of it is.
    current: usize,
    offset: usize,
    /// What ends the wait for room: WRITE and ERROR, and READ when bytes from the peer are an error.
    watched: FdFlags,
    entry: Option<QueueEntryRef>,
}

impl<B> fmt::Debug for Writev<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writev")
            .field("stream", &self.stream)
            .field("written", &self.written)
            .field("total", &self.total)
            .finish_non_exhaustive()
    }
}

/// Writes all bytes of the buffers, in order, over as many calls as needed.
///
/// Without a queue the first write waits until the stream is ready, and the callback runs in the turn in which the last byte is written.
/// With a queue the request waits for its turn; then
/// the first write is tried at once, which may be inside this call. Its callback then comes from an immediate, and the
/// turn is given back when the request is freed, which [`writev_recv`] does. An error at once is called back in a later turn too.
///
/// With `err_on_readability` bytes or an end of file from the peer end the request. Without it a peer that has shut down
/// its sending side still counts as gone as soon as the writer has to wait (without a queue: always), because the loop
/// tells it as ERROR.
///
/// One that is dropped, or ends by its end time or an error, after part of its bytes leaves the stream broken: no later
/// writer goes on in the middle of its frame, but each fails with [`StreamBroken`](crate::StreamBroken).
/// One that is dropped while it waits just leaves the queue.
///
/// [`cancel`](ReqRef::cancel) works until the first byte is written: the request leaves the queue and finishes with
/// `ECANCELED`, its callback deferred. After that it is refused.
///
/// Never blocks on a socket or a pipe, whatever its mode, and raises no `SIGPIPE` on a socket. A request to write no
/// bytes at all is done when its turn comes, without a queue when the stream is ready.
///
/// On a datagram socket, which has to be connected, the buffers are one datagram. It goes out whole or not at all, and none at
/// all is an empty one.
///
/// What it has in common with the other requests stands in the [crate's docs](crate#what-they-have-in-common).
///
/// C equivalent: `writev_send`. Spec: IO-1.
///
/// ```
/// use std::{io::Read, os::unix::net::UnixStream};
/// use tevent_core::Context;
/// use tevent_io::{Stream, writev_recv, writev_send};
///
/// let ctx = Context::new()?;
/// let (near, mut far) = UnixStream::pair()?;
/// let req = writev_send(&ctx, None, &Stream::new(near), false, vec!["head ", "body"]);
/// req.poll(&ctx)?;
/// assert_eq!(writev_recv(req)?, 9);
/// let mut text = [0; 9];
/// far.read_exact(&mut text)?;
/// assert_eq!(&text, b"head body");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn writev_send<B: AsRef<[u8]> + 'static>(
    ev: &ContextRef,
    queue: Option<&QueueRef>,
    stream: &Stream,
    err_on_readability: bool,
    buffers: Vec<B>,
) -> Req<Writev<B>> {
    let total = buffers.iter().map(|buffer| buffer.as_ref().len()).sum();
    let req = Req::create(Writev {
        at_work: AtWork::on(ev),
        stream: stream.clone(),
        buffers,
        total,
        written: 0,
        current: 0,
        offset: 0,
        watched: FdFlags::WRITE
            | FdFlags::ERROR
            | if err_on_readability { FdFlags::READ } else { FdFlags::NONE },
        entry: None,
    });
    req.with_state(|s| s.step_over(0));
    at_work::begin(&req);
    req.set_cancel_fn(cancel);

    if let Some(broken) = stream.broken() {
        req.error(broken);
        return req.post(ev);
    }
    let Some(queue) = queue else {
        watch(&req);
        return if req.is_in_progress() { req } else { req.post(ev) };
    };
    req.defer_callback(ev);
    match queue.add_optimize_empty(ev, &req, trigger) {
        Ok(entry) => {
            req.with_state(|s| s.entry = Some(entry));
        }
        Err(error) => {
            req.error(error);
        }
    }
    req
}

/// How many bytes were written: all of them. Frees the request, so that the queue goes on.
///
/// The example of [`writev_send`] ends with it. C equivalent: `writev_recv`. Spec: IO-1.
///
/// # Errors
/// - `EPIPE` when the peer has hung up, the stream has failed, or (where asked for) the peer has sent something;
/// - `EPIPE` with [`StreamBroken`](crate::StreamBroken) as its [cause](ReqError::cause) when an earlier writer ended in the middle;
/// - `EINVAL` with [`QueueError`](tevent_queue::QueueError) as its cause when the queue has been freed;
/// - `ECANCELED`, or what [`errno`](ReqError::errno) says of a request that timed out or has not finished;
/// - `EMSGSIZE` for a datagram that is longer than its socket takes, or of more than 1024 buffers;
/// - else what the system call gave: `ECONNRESET`, `ENOTCONN` without a peer, `ECONNREFUSED` on a datagram socket to which
///   nobody listens.
pub fn writev_recv<B>(req: Req<Writev<B>>) -> Result<usize, ReqError> {
    req.recv(|s| s.written)
}

/// Its turn has come: the first write is tried at once.
fn trigger<B: AsRef<[u8]> + 'static>(req: &ReqRef<Writev<B>>) {
    req.advance(Writev::write_once);
    if req.is_in_progress() {
        watch(req);
    }
}

fn watch<B: AsRef<[u8]> + 'static>(req: &ReqRef<Writev<B>>) {
    let Some((stream, watched)) = req.with_state(|s| (s.stream.clone(), s.watched)) else { return };
    if let Err(error) = at_work::watch(req, &stream, watched, on_ready) {
        req.error(error);
    }
}

fn on_ready<B: AsRef<[u8]> + 'static>(req: &ReqRef<Writev<B>>, flags: FdFlags) {
    if flags.intersects(FdFlags::READ | FdFlags::ERROR) {
        req.error(req_error(Errno::PIPE));
    } else {
        req.advance(Writev::write_once);
    }
}

/// It leaves the queue, too.
fn cancel<B: 'static>(req: &ReqRef<Writev<B>>) -> bool {
    let untouched = req.is_in_progress() && req.with_state(|s| s.is_untouched()) == Some(true);
    if untouched && let Some(entry) = req.with_state(|s| s.entry.take()).flatten() {
        drop(req.take(&entry));
    }
    untouched && at_work::cancel(req)
}

impl<B: 'static> Working for Writev<B> {
    fn at_work(&mut self) -> &mut AtWork {
        &mut self.at_work
    }

    fn is_untouched(&self) -> bool {
        self.written == 0
    }

    fn clean_up(&mut self) {
        if 0 < self.written && self.written < self.total {
            self.stream.note_broken(self.written, self.total);
        }
    }
}

impl<B: AsRef<[u8]>> Writev<B> {
    /// One write, as after each readiness.
    fn write_once(&mut self) -> Poll<Result<(), ReqError>> {
        if let Some(broken) = self.stream.broken() {
            return Poll::Ready(Err(broken.into()));
        }
        // An empty datagram goes out as any other.
        if self.total == 0 && self.stream.kind() != Kind::Datagrams {
            return Poll::Ready(Ok(()));
        }
        match self.write_rest() {
            Ok(0) if self.total > 0 => Poll::Ready(Err(req_error(Errno::PIPE))),
            Ok(n) => {
                self.step_over(n);
                self.stream.note_write(self.written < self.total);
                if self.written < self.total { Poll::Pending } else { Poll::Ready(Ok(())) }
            }
            Err(errno) if is_transient(errno) => Poll::Pending,
            Err(errno) => Poll::Ready(Err(req_error(errno))),
        }
    }

    /// As many buffers as there is room for, or, where they are one datagram, all of them.
    fn write_rest(&self) -> rustix::io::Result<usize> {
        let mut room = [IoSlice::new(&[]); 16];
        let rest = &self.buffers[self.current..];
        if rest.len() > room.len() && self.stream.kind() == Kind::Datagrams {
            let filled = rest.iter().map(AsRef::as_ref).filter(|buffer| !buffer.is_empty());
            return write_now(&self.stream, &filled.map(IoSlice::new).collect::<Vec<_>>());
        }
        write_now(&self.stream, rest_of(rest, self.offset, &mut room))
    }

    /// Counts bytes as written, and steps over the buffers that end with them, empty ones included.
    fn step_over(&mut self, n: usize) {
        self.written += n;
        self.offset += n;
        while let Some(length) = self.buffers.get(self.current).map(|buffer| buffer.as_ref().len())
            && length <= self.offset
        {
            self.offset -= length;
            self.current += 1;
        }
    }
}

/// The buffers from one byte on, as far as there is room for slices.
fn rest_of<'a, 'r, B: AsRef<[u8]>>(
    buffers: &'a [B],
    mut skip: usize,
    room: &'r mut [IoSlice<'a>],
) -> &'r [IoSlice<'a>] {
    let mut used = 0;
    for (slice, buffer) in room.iter_mut().zip(buffers) {
        *slice = IoSlice::new(buffer.as_ref().get(skip..).unwrap_or_default());
        skip = 0;
        used += 1;
    }
    &room[..used]
}
