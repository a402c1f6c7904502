//! Waiting for a file, without reading or writing it (IO-4).

use std::task::Poll;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::{Errno, retry_on_intr};
use tevent_core::{ContextRef, FdFlags, Req, ReqError};

use crate::at_work::{self, AtWork, Working};
use crate::errno::req_error;
use crate::stream::Stream;

/// The state of [`wait_for_read_send`]'s request.
#[derive(Debug)]
pub struct WaitForRead {
    at_work: AtWork,
    stream: Stream,
    check_errors: bool,
}

/// The state of [`wait_for_error_send`]'s request.
#[derive(Debug)]
pub struct WaitForError {
    at_work: AtWork,
    stream: Stream,
}

/// Waits until something can be read, and reads nothing. With `check_errors` the end of the stream is `EPIPE`; without it that
/// counts as something to be read, and so does an error.
///
/// An empty datagram looks like the end. On a listener, which is readable when a connection is there, leave `check_errors` out.
///
/// The callback runs in the turn in which that is so, and the file is not watched any more then; with an error at once, in a later turn.
/// [`cancel`](ReqRef::cancel) works as long as the request has not finished. Dropping it in any state has no effect on the stream. What
/// it has in common with the other requests stands in the [crate's docs](crate#what-they-have-in-common).
///
/// C equivalent: `wait_for_read_send`. Spec: IO-4.
///
/// ```
/// use std::{io::Write, os::unix::net::UnixStream};
/// use tevent_core::Context;
/// use tevent_io::{Stream, wait_for_read_recv, wait_for_read_send};
///
/// let ctx = Context::new()?;
/// let (near, mut far) = UnixStream::pair()?;
/// let stream = Stream::new(near);
/// let req = wait_for_read_send(&ctx, &stream, true);
/// far.write_all(b"x")?;
/// req.poll(&ctx)?;
/// wait_for_read_recv(req)?;
/// drop(far);
/// let mut byte = [0];
/// stream.try_read(&mut byte)?;
/// let req = wait_for_read_send(&ctx, &stream, true);
/// req.poll(&ctx)?;
/// assert_eq!(wait_for_read_recv(req).map_err(|e| e.errno()), Err(32)); // EPIPE: the peer is gone
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn wait_for_read_send(ev: &ContextRef, stream: &Stream, check_errors: bool) -> Req<WaitForRead> {
    let req = Req::create(WaitForRead { at_work: AtWork::on(ev), stream: stream.clone(), check_errors });
    begin(req, ev, stream, FdFlags::READ, WaitForRead::look)
}

/// Whether something can be read. Frees the request.
///
/// The example of [`wait_for_read_send`] ends with it. C equivalent: `wait_for_read_recv`. Spec: IO-4.
///
/// # Errors
/// - `EPIPE` where the end was to be checked for and nothing is left, after a reset too;
/// - `EINVAL` with `check_errors` on a listener;
/// - `ECANCELED`, or what [`errno`](ReqError::errno) says of a request that timed out or has not finished;
/// - what the system call gave.
pub fn wait_for_read_recv(req: Req<WaitForRead>) -> Result<(), ReqError> {
    req.recv(|_state| ())
}

/// Waits until the stream fails or its peer closes it; so it never succeeds.
///
/// For a server that wants to know that its client is gone while it works on an answer. It reads nothing, so what the client has
/// sent stays there.
///
/// The callback runs in the turn in which that is so, and the file is not watched any more then; with an error at once, in a later turn.
/// [`cancel`](ReqRef::cancel) works as long as the request has not finished. Dropping it in any state has no effect on the stream. What
/// it has in common with the other requests stands in the [crate's docs](crate#what-they-have-in-common).
///
/// C equivalent: `wait_for_error_send`. Spec: IO-4.
///
/// ```
/// use std::{net::Shutdown, os::unix::net::UnixStream};
/// use tevent_core::Context;
/// use tevent_io::{Stream, wait_for_error_recv, wait_for_error_send};
///
/// let ctx = Context::new()?;
/// let (near, far) = UnixStream::pair()?;
/// let req = wait_for_error_send(&ctx, &Stream::new(near));
/// far.shutdown(Shutdown::Write)?;
/// req.poll(&ctx)?;
/// assert_eq!(wait_for_error_recv(req).map_err(|e| e.errno()), Err(104)); // ECONNRESET: a half-close
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn wait_for_error_send(ev: &ContextRef, stream: &Stream) -> Req<WaitForError> {
    let req = Req::create(WaitForError { at_work: AtWork::on(ev), stream: stream.clone() });
    begin(req, ev, stream, FdFlags::ERROR, WaitForError::look)
}

/// How it failed. Frees the request.
///
/// The example of [`wait_for_error_send`] ends with it. C equivalent: `wait_for_error_recv`. Spec: IO-4.
///
/// # Errors
/// Always, unless somebody else called the request done:
/// - `ECONNRESET` when the peer has shut down its sending side, or has reset the connection;
/// - `EPIPE` when it has hung up, a pipe's other end included;
/// - else the socket's own error, such as `ECONNREFUSED` on a datagram socket;
/// - `ECANCELED`, or what [`errno`](ReqError::errno) says of a request that timed out or has not finished.
pub fn wait_for_error_recv(req: Req<WaitForError>) -> Result<(), ReqError> {
    req.recv(|_state| ())
}

fn begin<S: Working>(
    req: Req<S>,
    ev: &ContextRef,
    stream: &Stream,
    flags: FdFlags,
    look: impl Fn(&mut S) -> Poll<Result<(), ReqError>> + Copy + 'static,
) -> Req<S> {
    at_work::begin(&req);
    let watched = at_work::watch(&req, stream, flags, move |req, _flags| req.advance(look));
    if let Err(error) = watched {
        req.error(error);
        return req.post(ev);
    }
    req
}

impl Working for WaitForRead {
    fn at_work(&mut self) -> &mut AtWork {
        &mut self.at_work
    }
}

impl Working for WaitForError {
    fn at_work(&mut self) -> &mut AtWork {
        &mut self.at_work
    }
}

impl WaitForRead {
    fn look(&mut self) -> Poll<Result<(), ReqError>> {
        if self.check_errors {
            match rustix::io::ioctl_fionread(&self.stream) {
                Ok(0) => return Poll::Ready(Err(req_error(Errno::PIPE))),
                Ok(_) => {}
                Err(errno) => return Poll::Ready(Err(req_error(errno))),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl WaitForError {
    fn look(&mut self) -> Poll<Result<(), ReqError>> {
        let mut files = [PollFd::new(&self.stream, PollFlags::RDHUP)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        if let Err(errno) = retry_on_intr(|| rustix::event::poll(&mut files, Some(&at_once))) {
            return Poll::Ready(Err(req_error(errno)));
        }
        let found = files[0].revents();
        let errno = if found.contains(PollFlags::ERR) {
            match rustix::net::sockopt::socket_error(&self.stream) {
                Ok(Err(errno)) => errno,
                _ => Errno::PIPE,
            }
        } else if found.contains(PollFlags::HUP) {
            Errno::PIPE
        } else if found.contains(PollFlags::RDHUP) {
            Errno::CONNRESET
        } else {
            return Poll::Pending;
        };
        Poll::Ready(Err(req_error(errno)))
    }
}
