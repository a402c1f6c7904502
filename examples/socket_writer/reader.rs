//! Reading the stream and verifying every frame of it, as a request.

use std::rc::Rc;
use std::task::Poll;

use tevent::io::Stream;
use tevent::{ContextRef, FdFlags, Req, ReqError};

use crate::control::{Hello, Verdict};
use crate::failure::lost;
use crate::incoming::{Incoming, foreign};
use crate::progress::Progress;
use crate::tally::Tally;

/// The state of [`reader_send`]'s request.
pub(crate) struct Reader {
    incoming: Incoming,
    /// What the first frame has announced.
    hello: Option<Hello>,
    /// How many bytes came behind that.
    received: u64,
    tally: Tally,
    progress: Rc<Progress>,
    verdict: Verdict,
}

/// Reads as many bytes as the first frame announces, and looks which frames are in them.
pub(crate) fn reader_send(ev: &ContextRef, stream: &Stream, progress: &Rc<Progress>) -> Req<Reader> {
    let req = Req::create(Reader {
        incoming: Incoming::new(stream),
        hello: None,
        received: 0,
        tally: Tally::default(),
        progress: Rc::clone(progress),
        verdict: Verdict::default(),
    });
    let watched = req.add_fd(ev, stream, FdFlags::READ, |req, _flags| req.advance(Reader::read));
    if let Err(error) = watched {
        req.error(error);
        return req.post(ev);
    }
    req
}

/// What has arrived. Fails when the writing end vanished before all bytes came.
pub(crate) fn reader_recv(req: Req<Reader>) -> Result<Verdict, ReqError> {
    req.recv(|s| s.verdict)
}

impl Reader {
    fn read(&mut self) -> Poll<Result<(), ReqError>> {
        match self.incoming.read() {
            Ok(n) => self.received += n as u64,
            Err(error) => return Poll::Ready(Err(lost("writing", &error, &self.progress))),
        }
        match self.take_in() {
            Ok(false) => Poll::Pending,
            Ok(true) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Looks at what has come; says whether that was all.
    fn take_in(&mut self) -> Result<bool, ReqError> {
        let Some(hello) = self.take_hello()? else { return Ok(false) };
        let complete = self.received >= hello.bytes;
        if complete {
            self.incoming.parser.close();
        }
        while let Some((header, _payload)) = self.incoming.next_frame() {
            if !self.tally.count(&header) {
                return Err(foreign("it sent a frame that is no writer's"));
            }
        }
        self.progress.note(self.tally.whole(), self.received);
        self.verdict = self.tally.verdict(&hello);
        Ok(complete)
    }

    fn take_hello(&mut self) -> Result<Option<Hello>, ReqError> {
        if self.hello.is_some() {
            return Ok(self.hello);
        }
        let first = self.incoming.next_frame().map(|(header, payload)| {
            Hello::decode(&header, payload).map(|hello| (hello, header.frame_len() as u64))
        });
        if first.is_none() && self.incoming.parser.skipped() == 0 {
            return Ok(None);
        }
        let (hello, length) = first.flatten().ok_or_else(|| foreign("it did not begin with a hello"))?;
        self.received -= length;
        self.progress.expect(hello.frames, hello.bytes);
        self.hello = Some(hello);
        Ok(self.hello)
    }
}
