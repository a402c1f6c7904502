//! The writing end: connects, says what will come, runs the writers, and waits for the verdict.

use std::rc::Rc;
use std::time::Instant;

use tevent::io::{self, Stream};
use tevent::{ContextRef, Queue, Req, ReqError, ReqRef};

use crate::args::Options;
use crate::control::Hello;
use crate::dial::{dial_recv, dial_send};
use crate::endpoint::Endpoint;
use crate::failure::lost;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::report::Report;
use crate::verdict::{verdict_recv, verdict_send};
use crate::writers::{Line, writer_recv, writer_send};

/// The state of [`writing_end_send`]'s request.
pub(crate) struct WritingEnd {
    ev: ContextRef,
    plan: Plan,
    with_queue: bool,
    progress: Rc<Progress>,
    /// How many writers are at work.
    writing: u32,
    started: Instant,
    report: Report,
}

pub(crate) fn writing_end_send(
    ev: &ContextRef,
    target: &Endpoint,
    options: &Options,
    progress: &Rc<Progress>,
) -> Req<WritingEnd> {
    let req = Req::create(WritingEnd {
        ev: ev.clone(),
        plan: options.plan.clone(),
        with_queue: options.queue,
        progress: Rc::clone(progress),
        writing: 0,
        started: ev.now(),
        report: Report::default(),
    });
    req.add_subreq(dial_send(ev, target, options.sndbuf), |req, subreq| match dial_recv(subreq) {
        Ok(stream) => say_hello(req, stream),
        Err(error) => {
            req.error(error);
        }
    });
    req
}

pub(crate) fn writing_end_recv(req: Req<WritingEnd>) -> Result<Report, ReqError> {
    req.recv(|s| s.report)
}

fn say_hello(req: &ReqRef<WritingEnd>, stream: Stream) {
    let said = req.with_state(|s| {
        s.started = s.ev.now();
        let hello = Hello { frames: u64::from(s.plan.messages), bytes: s.plan.total_bytes() };
        s.progress.expect(hello.frames, hello.bytes);
        io::writev_send(&s.ev, None, &stream, false, vec![hello.encode()])
    });
    let Some(subreq) = said else { return };
    req.add_subreq(subreq, |req, subreq| match io::writev_recv(subreq) {
        Ok(_) => start_writers(req, stream),
        Err(error) => fail(req, &error),
    });
}

fn start_writers(req: &ReqRef<WritingEnd>, stream: Stream) {
    let line = req.with_state(|s| {
        s.writing = s.plan.writers;
        let queue = s.with_queue.then(|| Queue::create("the frames"));
        (Line::new(&s.ev, stream, queue, s.plan.clone(), &s.progress), s.plan.writers)
    });
    let Some((line, writers)) = line else { return };
    for writer in 0..writers {
        let line = Rc::clone(&line);
        req.add_subreq(writer_send(&line, writer), move |req, subreq| match writer_recv(subreq) {
            Ok(()) => writer_ended(req, &line),
            Err(error) => fail(req, &error),
        });
    }
}

fn writer_ended(req: &ReqRef<WritingEnd>, line: &Rc<Line>) {
    let asked = req.with_state(|s| {
        s.writing -= 1;
        (s.writing == 0).then(|| verdict_send(&s.ev, line.stream()))
    });
    let Some(subreq) = asked.flatten() else { return };
    let line = Rc::clone(line);
    req.add_subreq(subreq, move |req, subreq| match verdict_recv(subreq) {
        Ok(verdict) => {
            req.with_state(|s| {
                s.report = Report {
                    verdict,
                    time: s.ev.now() - s.started,
                    partial_writes: Some(line.stream().partial_writes()),
                    longest_queue: line.longest_queue(),
                };
            });
            req.done();
        }
        Err(error) => fail(req, &error),
    });
}

fn fail(req: &ReqRef<WritingEnd>, error: &ReqError) {
    if let Some(lost) = req.with_state(|s| lost("reading", error, &s.progress)) {
        req.error(lost);
    }
}
