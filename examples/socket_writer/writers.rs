//! The writers: requests that send one frame after the other, all on one socket.

use std::cell::Cell;
use std::rc::Rc;

use tevent::io::{self, Stream};
use tevent::{ContextRef, Queue, QueueRef, Req, ReqError, ReqRef};

use crate::frame::{HEADER_LEN, Header};
use crate::plan::{Plan, Pool, Window};
use crate::progress::Progress;

/// What all writers share: the socket, and the queue in which they take turns.
pub(crate) struct Line {
    ev: ContextRef,
    stream: Stream,
    /// `None` lets them race.
    queue: Option<Queue>,
    plan: Plan,
    pool: Pool,
    progress: Rc<Progress>,
    /// How many frames have joined the queue.
    joined: Cell<u64>,
    longest_queue: Cell<usize>,
}

impl Line {
    pub(crate) fn new(
        ev: &ContextRef,
        stream: Stream,
        queue: Option<Queue>,
        plan: Plan,
        progress: &Rc<Progress>,
    ) -> Rc<Self> {
        Rc::new(Line {
            ev: ev.clone(),
            stream,
            queue,
            pool: Pool::new(&plan),
            plan,
            progress: Rc::clone(progress),
            joined: Cell::new(0),
            longest_queue: Cell::new(0),
        })
    }

    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// How long the queue was at most; `None` without one.
    pub(crate) fn longest_queue(&self) -> Option<usize> {
        self.queue.as_ref().map(|_queue| self.longest_queue.get())
    }

    /// A frame of that writer, written when its turn comes.
    fn write_send(&self, writer: u32, sequence: u32) -> Req<io::Writev<Part>> {
        let payload = self.pool.payload(&self.plan, writer, sequence);
        let place = self.joined.replace(self.joined.get() + 1);
        let header = Header::data(writer, sequence, place, payload.as_ref());
        let frame = vec![Part::Header(header.encode()), Part::Payload(payload)];

        let queue = self.queue.as_deref();
        let req = io::writev_send(&self.ev, queue, &self.stream, false, frame);
        let length = queue.map_or(0, QueueRef::len);
        self.longest_queue.set(self.longest_queue.get().max(length));
        req
    }
}

/// A buffer of a frame.
enum Part {
    Header([u8; HEADER_LEN]),
    Payload(Window),
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        match self {
            Part::Header(header) => header,
            Part::Payload(payload) => payload.as_ref(),
        }
    }
}

/// The state of [`writer_send`]'s request.
pub(crate) struct Writer {
    line: Rc<Line>,
    number: u32,
    sequence: u32,
}

/// Sends all frames of one writer, one after the other; each waits in the queue for its turn.
pub(crate) fn writer_send(line: &Rc<Line>, number: u32) -> Req<Writer> {
    let req = Req::create(Writer { line: Rc::clone(line), number, sequence: 0 });
    send_next(&req);
    if req.is_in_progress() { req } else { req.post(&line.ev) }
}

pub(crate) fn writer_recv(req: Req<Writer>) -> Result<(), ReqError> {
    req.recv(|_state| ())
}

fn send_next(req: &ReqRef<Writer>) {
    let Some(subreq) = req.with_state(Writer::next_frame).flatten() else {
        req.done();
        return;
    };
    req.add_subreq(subreq, |req, subreq| match io::writev_recv(subreq) {
        Ok(written) => {
            req.with_state(|s| s.line.progress.add(1, written as u64));
            send_next(req);
        }
        Err(error) => {
            req.error(error);
        }
    });
}

impl Writer {
    fn next_frame(&mut self) -> Option<Req<io::Writev<Part>>> {
        let sequence = self.sequence;
        self.sequence += 1;
        (sequence < self.line.plan.frames_of(self.number))
            .then(|| self.line.write_send(self.number, sequence))
    }
}
