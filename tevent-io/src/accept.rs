//! Accepting a connection (IO-4).

use std::os::fd::OwnedFd;
use std::task::Poll;

use rustix::io::Errno;
use rustix::net::SocketFlags;
use tevent_core::{ContextRef, FdFlags, Req, ReqError};

use crate::at_work::{self, AtWork, Working};
use crate::errno::{is_transient, req_error};
use crate::stream::Stream;

/// The state of [`accept_send`]'s request.
#[derive(Debug)]
pub struct Accept {
    at_work: AtWork,
    listener: Stream,
    accepted: Option<OwnedFd>,
}

/// Accepts one connection, close-on-exec. For the next one, send another request.
///
/// The callback runs in the turn in which a connection is there; with an error at once, in a later one. Dropped, cancelled or out of
/// time it takes no connection: those that came stay with the listener. [`cancel`](tevent_core::ReqRef::cancel) works as long as it has not
/// finished. Dropped after it, the connection is closed. What it has in common with the other requests stands in the
/// [crate's docs](crate#what-they-have-in-common).
///
/// A listener that other processes accept from too should be non-blocking: a connection that one of them takes between
/// the report and the accept would block this one.
///
/// C equivalent: `accept_send`. Spec: IO-4.
///
/// ```
/// use std::net::TcpListener;
/// use tevent_core::Context;
/// use tevent_io::{Address, Stream, accept_recv, accept_send, connect_recv, connect_send};
///
/// let ctx = Context::new()?;
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let address = Address::from(listener.local_addr()?);
/// let accepting = accept_send(&ctx, &Stream::new(listener));
/// let client = address.socket()?;
/// let connecting = connect_send(&ctx, &client, &address);
/// accepting.poll(&ctx)?;
/// let server = Stream::new(accept_recv(accepting)?);
/// # connecting.poll(&ctx)?;
/// # connect_recv(connecting)?;
/// assert_eq!(server.writes(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn accept_send(ev: &ContextRef, listener: &Stream) -> Req<Accept> {
    let at_work = AtWork::on(ev);
    let req = Req::create(Accept { at_work, listener: listener.clone(), accepted: None });
    at_work::begin(&req);
    let watched = at_work::watch(&req, listener, FdFlags::READ, |req, _flags| req.advance(Accept::accept));
    if let Err(error) = watched {
        req.error(error);
        return req.post(ev);
    }
    req
}

/// The accepted connection: for `TcpStream::from`, `UnixStream::from` or [`Stream::new`]. Frees the request.
///
/// The example of [`accept_send`] ends with it. C equivalent: `accept_recv`. Spec: IO-4.
///
/// # Errors
/// - `EINVAL` when the stream does not listen, `EOPNOTSUPP` when it is a datagram socket, `ENOTSOCK` when it is no socket;
/// - `EMFILE` or `ENFILE` when too many files are open. The connection stays there: a next request fails at once as well, so close
///   something first, or wait;
/// - `ECANCELED`, or what [`errno`](ReqError::errno) says of a request that timed out or has not finished;
/// - `EINVAL` when somebody else called the request done.
pub fn accept_recv(req: Req<Accept>) -> Result<OwnedFd, ReqError> {
    let accepted = req.recv(|s| s.accepted.take())?;
    accepted.ok_or_else(|| req_error(Errno::INVAL))
}

impl Working for Accept {
    fn at_work(&mut self) -> &mut AtWork {
        &mut self.at_work
    }
}

impl Accept {
    fn accept(&mut self) -> Poll<Result<(), ReqError>> {
        match rustix::net::accept_with(&self.listener, SocketFlags::CLOEXEC) {
            Ok(accepted) => {
                self.accepted = Some(accepted);
                Poll::Ready(Ok(()))
            }
            // The next one may be there already; the loop looks again.
            Err(errno) if is_transient(errno) || errno == Errno::CONNABORTED => Poll::Pending,
            Err(errno) => Poll::Ready(Err(req_error(errno))),
        }
    }
}
