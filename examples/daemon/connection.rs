//! A client: one request, with sub-requests that wait for bytes and write replies. These leave through a queue, whole and in order.

use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use tevent::io::{
    Stream, WaitForRead, Writev, wait_for_read_recv, wait_for_read_send, writev_recv, writev_send,
};
use tevent::{Queue, Req, ReqError, ReqRef};

use crate::commands::{Session, execute};
use crate::daemon::Daemon;
use crate::resp::{parse, write_reply};

/// While so much waits to leave, nothing more is read or done for this client. One reply may go beyond it.
const MAX_UNSENT: usize = 256 << 10;

pub(crate) struct Connection {
    daemon: Rc<Daemon>,
    stream: Stream,
    queue: Queue,
    session: Session,
    /// What has arrived and is not done.
    input: Vec<u8>,
    waiting: Option<ReqRef<WaitForRead>>,
    unsent: usize,
    /// Nothing more is read, because the client has ended its side or the daemon stops.
    ending: bool,
}

pub(crate) fn connection_send(daemon: &Rc<Daemon>, stream: Stream, session: Session) -> Req<Connection> {
    let (daemon, queue) = (daemon.clone(), Queue::create("replies"));
    let (input, waiting, unsent, ending) = Default::default();
    let req = Req::create(Connection { daemon, stream, queue, session, input, waiting, unsent, ending });
    connection_next(&req);
    req
}

/// It finishes when all that has arrived whole is answered.
pub(crate) fn connection_drain(req: &ReqRef<Connection>) {
    let waiting = req.with_state(|connection| {
        let waiting = connection.waiting.take();
        let _ = waiting.is_some() && connection.read().is_ok(); // what has arrived in the same moment
        connection.ending = true;
        waiting
    });
    drop(waiting.flatten().and_then(|waiting| req.take(&waiting)));
    connection_next(req);
}

/// After anything has happened: does what can be done now, and sends for what comes next.
fn connection_next(req: &ReqRef<Connection>) {
    req.with_state(|connection| {
        let replies = connection.answer();
        if !replies.is_empty() {
            connection.write(req, replies);
        }
        if connection.session.quit && connection.unsent == 0 {
            req.done();
        }
        let full = connection.unsent >= MAX_UNSENT;
        if !full && !connection.ending && !connection.session.quit && connection.waiting.is_none() {
            let wait = wait_for_read_send(&connection.daemon.ev, &connection.stream, false);
            wait.set_endtime(&connection.daemon.ev, connection.daemon.options.patience());
            connection.waiting = Some(req.add_subreq(wait, connection_readable));
        }
    });
}

fn connection_readable(req: &ReqRef<Connection>, subreq: Req<WaitForRead>) {
    let ready = wait_for_read_recv(subreq);
    match req.with_state(|connection| ready.and_then(|()| connection.read())) {
        Some(Err(error)) => drop(req.error(error)),
        _ => connection_next(req),
    }
}

fn connection_written(req: &ReqRef<Connection>, subreq: Req<Writev<Vec<u8>>>) {
    match writev_recv(subreq) {
        Ok(written) => {
            req.with_state(|connection| connection.unsent -= written);
            connection_next(req);
        }
        Err(error) => drop(req.error(error)),
    }
}

impl Connection {
    fn read(&mut self) -> Result<(), ReqError> {
        self.waiting = None;
        let mut buffer = self.daemon.buffer.borrow_mut();
        match self.stream.try_read(&mut buffer) {
            Ok(0) => self.ending = true,
            Ok(n) => self.input.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Does what has arrived, as far as there is room for the replies.
    fn answer(&mut self) -> Vec<u8> {
        let (mut replies, mut done) = (Vec::with_capacity(if self.input.is_empty() { 0 } else { 512 }), 0);
        while !self.session.quit && self.unsent + replies.len() < MAX_UNSENT {
            let outcome = match parse(&self.input[done..]) {
                Ok(None) => {
                    self.session.quit = self.ending;
                    break;
                }
                Ok(Some((args, rest))) => {
                    done = self.input.len() - rest.len();
                    if args.is_empty() {
                        continue;
                    }
                    execute(&args, &mut self.session, &self.daemon)
                }
                Err(error) => {
                    self.session.quit = true; // nothing that follows would make sense
                    Err(format!("ERR Protocol error: {error}").into())
                }
            };
            let _ = write_reply(&mut replies, outcome.as_ref()); // memory takes it
        }
        self.input.drain(..done);
        if self.input.is_empty() {
            self.input = Vec::new(); // ten thousand idle clients hold none
        }
        replies
    }

    fn write(&mut self, req: &ReqRef<Connection>, replies: Vec<u8>) {
        self.unsent += replies.len();
        let write = writev_send(&self.daemon.ev, Some(&self.queue), &self.stream, false, vec![replies]);
        if write.is_in_progress() {
            write.set_endtime(&self.daemon.ev, self.daemon.options.patience().min(Duration::from_secs(60)));
        }
        req.add_subreq(write, connection_written);
    }
}
