//! Waiting for what the reading end says, as a request.

use std::task::Poll;

use tevent::io::Stream;
use tevent::{ContextRef, FdFlags, Req, ReqError};

use crate::control::Verdict;
use crate::incoming::{Incoming, foreign};

/// The state of [`verdict_send`]'s request.
pub(crate) struct Waiting {
    incoming: Incoming,
    verdict: Option<Verdict>,
}

/// Waits for the frame with which the reading end answers.
pub(crate) fn verdict_send(ev: &ContextRef, stream: &Stream) -> Req<Waiting> {
    let req = Req::create(Waiting { incoming: Incoming::new(stream), verdict: None });
    let watched = req.add_fd(ev, stream, FdFlags::READ, |req, _flags| req.advance(Waiting::read));
    if let Err(error) = watched {
        req.error(error);
        return req.post(ev);
    }
    req
}

pub(crate) fn verdict_recv(req: Req<Waiting>) -> Result<Verdict, ReqError> {
    req.recv(|s| s.verdict.take().unwrap_or_default())
}

impl Waiting {
    fn read(&mut self) -> Poll<Result<(), ReqError>> {
        if let Err(error) = self.incoming.read() {
            return Poll::Ready(Err(error));
        }
        let Some((header, payload)) = self.incoming.next_frame() else { return Poll::Pending };
        self.verdict = Verdict::decode(&header, payload);
        Poll::Ready(if self.verdict.is_some() { Ok(()) } else { Err(foreign("it answered with no verdict")) })
    }
}
