//! Connecting (IO-3).

use std::task::Poll;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use tevent_core::{ContextRef, FdFlags, Req, ReqError, ReqRef};

use crate::address::Address;
use crate::at_work::{self, AtWork, Working};
use crate::errno::req_error;
use crate::stream::Stream;

/// The state of [`connect_send`]'s request.
#[derive(Debug)]
pub struct Connect {
    at_work: AtWork,
    stream: Stream,
    /// The mode to restore, where it was changed.
    old_mode: Option<OFlags>,
}

/// Connects a stream. It is non-blocking while the request is at work, and has its old mode back when it finishes or is
/// freed; nothing is watched then any more.
///
/// A Unix socket and a datagram socket are connected, or refused, inside this call; the callback then comes from an immediate, as after
/// any error at once. Otherwise it runs in the turn in which the kernel says how it went.
///
/// [`cancel`](ReqRef::cancel) works as long as the request has not finished. It ends with `ECANCELED`, its callback deferred.
///
/// **One that is cancelled, out of time or dropped midway stops waiting; the kernel goes on connecting.** The stream may
/// be connected a moment later; until then another attempt on it fails with `EALREADY`. To give the connection up, drop the stream too:
/// the file is closed with its last clone. For another attempt take a new [`socket`](Address::socket).
///
/// What it has in common with the other requests stands in the [crate's docs](crate#what-they-have-in-common).
///
/// C equivalent: `async_connect_send`. Spec: IO-3.
///
/// ```
/// use std::{net::TcpListener, time::Duration};
/// use tevent_core::Context;
/// use tevent_io::{Address, connect_recv, connect_send};
///
/// let ctx = Context::new()?;
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let address = Address::from(listener.local_addr()?);
/// let stream = address.socket()?;
/// let req = connect_send(&ctx, &stream, &address);
/// req.set_endtime(&ctx, Duration::from_secs(10)); // the kernel alone would try for minutes
/// req.poll(&ctx)?;
/// connect_recv(req)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "async_connect_send")]
#[track_caller]
pub fn connect_send(ev: &ContextRef, stream: &Stream, address: &Address) -> Req<Connect> {
    let req = Req::create(Connect { at_work: AtWork::on(ev), stream: stream.clone(), old_mode: None });
    at_work::begin(&req);
    if let Err(error) = start(&req, stream, address) {
        req.error(error);
    }
    if req.is_in_progress() { req } else { req.post(ev) }
}

/// Whether the stream is connected. Frees the request.
///
/// The example of [`connect_send`] ends with it. C equivalent: `async_connect_recv`. Spec: IO-3.
///
/// # Errors
/// What the connection failed with:
/// - `ECONNREFUSED` where nobody listens, `ENOENT` where there is no such path, `EHOSTUNREACH` or `ENETUNREACH`;
/// - `ETIMEDOUT` when the request's end time has come, and when the kernel has given up: the [state](ReqError::state) tells which;
/// - `ECANCELED`;
/// - `EAGAIN` from a Unix listener whose backlog is full: try again later;
/// - `EALREADY` when the stream is being connected, `EISCONN` when it is connected, `EPROTOTYPE` when a Unix listener is of
///   another kind than the stream;
/// - `ENAMETOOLONG` or `EINVAL` for a path or name that is no address;
/// - what [`errno`](ReqError::errno) says of a request that has not finished.
#[doc(alias = "async_connect_recv")]
pub fn connect_recv(req: Req<Connect>) -> Result<(), ReqError> {
    req.recv(|_state| ())
}

fn start(req: &ReqRef<Connect>, stream: &Stream, address: &Address) -> Result<(), ReqError> {
    let mode = fcntl_getfl(stream).map_err(req_error)?;
    if !mode.contains(OFlags::NONBLOCK) {
        fcntl_setfl(stream, mode | OFlags::NONBLOCK).map_err(req_error)?;
        req.with_state(|s| s.old_mode = Some(mode));
    }
    match address.for_kernel().and_then(|address| rustix::net::connect(stream, &address)) {
        Ok(()) => {
            req.done();
        }
        // An interrupted connect goes on by itself.
        Err(Errno::INPROGRESS | Errno::INTR) => {
            let watched = FdFlags::WRITE | FdFlags::ERROR;
            at_work::watch(req, stream, watched, |req, _flags| req.advance(Connect::look))?;
        }
        Err(errno) => return Err(req_error(errno)),
    }
    Ok(())
}

impl Working for Connect {
    fn at_work(&mut self) -> &mut AtWork {
        &mut self.at_work
    }

    fn clean_up(&mut self) {
        if let Some(mode) = self.old_mode.take() {
            // It fails only for a file that is not open, and this one is.
            let _ = fcntl_setfl(&self.stream, mode);
        }
    }
}

impl Connect {
    /// The stream is ready: connected, or failed.
    fn look(&mut self) -> Poll<Result<(), ReqError>> {
        let outcome = rustix::net::sockopt::socket_error(&self.stream);
        Poll::Ready(outcome.and_then(|outcome| outcome).map_err(req_error))
    }
}
