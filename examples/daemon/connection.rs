//! A client: one request, with sub-requests that read and write. Its replies leave through a queue, in order and whole.

use std::io::ErrorKind;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tevent::io::{
    Stream, WaitForRead, Writev, wait_for_read_recv, wait_for_read_send, writev_recv, writev_send,
};
use tevent::{Queue, Req, ReqError, ReqRef};

use crate::commands::{Session, execute};
use crate::daemon::Daemon;
use crate::reply::{Outgoing, Piece, Reply};
use crate::resp::Parser;

/// While so much waits to leave, nothing more is read or done for this client. One reply may go beyond it.
const MAX_UNSENT: usize = 256 << 10;

/// How long a client may take to read its replies, where `--idle-timeout` asks for no less.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Connection {
    daemon: Rc<Daemon>,
    stream: Stream,
    queue: Queue,
    parser: Parser,
    session: Session,
    reading: Option<ReqRef<WaitForRead>>,
    /// Bytes of replies on their way, and what of all clients' buffers is this one's.
    unsent: usize,
    held: usize,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Open,
    /// Nothing more is read; what has arrived is answered.
    Ending,
    /// The last reply is on its way.
    Closing,
}

pub(crate) fn connection_send(daemon: &Rc<Daemon>, stream: Stream, id: i64) -> Req<Connection> {
    let req = Req::create(Connection {
        daemon: daemon.clone(),
        stream,
        queue: Queue::create("replies"),
        parser: Parser::default(),
        session: Session::new(id),
        reading: None,
        unsent: 0,
        held: 0,
        phase: Phase::Open,
    });
    connection_next(&req);
    req
}

/// How it ended: well if the client has ended it, or the daemon stops.
pub(crate) fn connection_recv(req: Req<Connection>) -> Result<(), ReqError> {
    req.recv(|_connection| ())
}

/// It finishes when all that has arrived whole is answered.
pub(crate) fn connection_drain(req: &ReqRef<Connection>) {
    let reading = req.with_state(|connection| {
        connection.end();
        connection.reading.take()
    });
    drop(reading.flatten().and_then(|reading| req.take(&reading)));
    connection_next(req);
}

/// After anything has happened: does what can be done now, and sends for what comes next.
fn connection_next(req: &ReqRef<Connection>) {
    let sent = req.with_state(|connection| (connection.write(), connection.read(), connection.outcome()));
    let Some((write, read, outcome)) = sent else { return };
    if let Some(write) = write {
        req.add_subreq(write, connection_write_done);
    }
    if let Some(read) = read {
        let reading = req.add_subreq(read, connection_read_done);
        req.with_state(|connection| connection.reading = Some(reading));
    }
    req.advance(|_connection| outcome);
}

fn connection_read_done(req: &ReqRef<Connection>, subreq: Req<WaitForRead>) {
    let ready = wait_for_read_recv(subreq);
    match req.with_state(|connection| ready.and_then(|()| connection.take_in())) {
        Some(Err(error)) => drop(req.error(error)),
        _ => connection_next(req),
    }
}

fn connection_write_done(req: &ReqRef<Connection>, subreq: Req<Writev<Piece>>) {
    match writev_recv(subreq) {
        Ok(written) => {
            req.with_state(|connection| connection.unsent -= written);
            connection_next(req);
        }
        Err(error) => drop(req.error(error)),
    }
}

impl Connection {
    /// Reads what there is.
    fn take_in(&mut self) -> Result<(), ReqError> {
        self.reading = None;
        // One buffer for all clients: ten thousand that are idle need none.
        let mut buffer = self.daemon.buffer.borrow_mut();
        match self.stream.try_read(&mut buffer) {
            Ok(0) => self.phase = Phase::Ending,
            Ok(n) => self.parser.feed(&buffer[..n]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn end(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Ending;
        }
    }

    /// Answers what has arrived, as far as there is room for the replies.
    fn write(&mut self) -> Option<Req<Writev<Piece>>> {
        let mut replies = Outgoing::default();
        while self.phase != Phase::Closing && self.unsent + replies.len() < MAX_UNSENT {
            match self.parser.next() {
                Ok(Some(request)) => replies.put(&execute(&request, &mut self.session, &self.daemon)),
                Ok(None) if self.phase == Phase::Open => break,
                Ok(None) => self.phase = Phase::Closing,
                Err(error) => {
                    replies.put(&Reply::Error(format!("ERR Protocol error: {error}").into()));
                    self.phase = Phase::Closing;
                }
            }
            if self.session.quit {
                self.phase = Phase::Closing;
            }
        }
        if replies.len() == 0 {
            return None;
        }
        self.unsent += replies.len();
        let (ev, pieces) = (&self.daemon.ev, replies.into_pieces());
        let write = writev_send(ev, Some(&self.queue), &self.stream, false, pieces);
        // Most have left by now.
        if write.is_in_progress() {
            write.set_endtime(
                ev,
                self.daemon.options.idle_timeout.map_or(PATIENCE, |idle| idle.min(PATIENCE)),
            );
        }
        Some(write)
    }

    /// Waits for more, if there is room for it.
    fn read(&self) -> Option<Req<WaitForRead>> {
        let wanted = self.phase == Phase::Open && self.reading.is_none() && self.unsent < MAX_UNSENT;
        wanted.then(|| {
            let read = wait_for_read_send(&self.daemon.ev, &self.stream, false);
            if let Some(idle) = self.daemon.options.idle_timeout {
                read.set_endtime(&self.daemon.ev, idle);
            }
            read
        })
    }

    /// Whether it is over, and how.
    fn outcome(&mut self) -> Poll<Result<(), ReqError>> {
        let held = self.parser.held() + self.unsent;
        if !self.daemon.hold(std::mem::replace(&mut self.held, held), held) {
            return Poll::Ready(Err(ReqError::with_cause(12, "the buffers of all clients are full"))); // ENOMEM
        }
        if self.phase == Phase::Closing && self.unsent == 0 { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.daemon.hold(self.held, 0);
    }
}
