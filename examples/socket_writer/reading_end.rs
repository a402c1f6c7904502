//! The reading end: accepts one connection, verifies what comes, and answers with the verdict.

use std::rc::Rc;
use std::time::Instant;

use tevent::io::{self, Stream};
use tevent::{ContextRef, Req, ReqError, ReqRef};

use crate::control::Verdict;
use crate::endpoint::Listening;
use crate::failure::{lost, told};
use crate::progress::Progress;
use crate::reader::{reader_recv, reader_send};
use crate::report::Report;

/// The state of [`reading_end_send`]'s request.
pub(crate) struct ReadingEnd {
    ev: ContextRef,
    /// Gone once somebody has connected.
    listening: Option<Listening>,
    progress: Rc<Progress>,
    started: Instant,
    report: Report,
}

pub(crate) fn reading_end_send(
    ev: &ContextRef,
    listening: Listening,
    progress: &Rc<Progress>,
) -> Req<ReadingEnd> {
    let accepting = io::accept_send(ev, listening.stream());
    let req = Req::create(ReadingEnd {
        ev: ev.clone(),
        listening: Some(listening),
        progress: Rc::clone(progress),
        started: ev.now(),
        report: Report::default(),
    });
    req.add_subreq(accepting, |req, subreq| match io::accept_recv(subreq) {
        Ok(socket) => read_all(req, &Stream::new(socket)),
        Err(error) => {
            req.error(told("cannot accept a connection", error));
        }
    });
    req
}

pub(crate) fn reading_end_recv(req: Req<ReadingEnd>) -> Result<Report, ReqError> {
    req.recv(|s| s.report)
}

fn read_all(req: &ReqRef<ReadingEnd>, stream: &Stream) {
    let begun = req.with_state(|s| {
        s.listening = None;
        s.started = s.ev.now();
        reader_send(&s.ev, stream, &s.progress)
    });
    let Some(subreq) = begun else { return };
    let stream = stream.clone();
    req.add_subreq(subreq, move |req, subreq| match reader_recv(subreq) {
        Ok(verdict) => answer(req, &stream, verdict),
        Err(error) => {
            req.error(error);
        }
    });
}

fn answer(req: &ReqRef<ReadingEnd>, stream: &Stream, verdict: Verdict) {
    let sent = req.with_state(|s| {
        let time = s.ev.now() - s.started;
        s.report = Report { verdict, time, partial_writes: None, longest_queue: None };
        io::writev_send(&s.ev, None, stream, false, vec![verdict.encode()])
    });
    let Some(subreq) = sent else { return };
    req.add_subreq(subreq, |req, subreq| match io::writev_recv(subreq) {
        Ok(_) => {
            req.done();
        }
        Err(error) => {
            if let Some(lost) = req.with_state(|s| lost("writing", &error, &s.progress)) {
                req.error(lost);
            }
        }
    });
}
