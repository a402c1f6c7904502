//! A request of any kind that waits, on any kind of file, and what lets it finish.

#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

use std::cell::RefCell;
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::rc::Rc;
use std::time::Duration;

use rustix::net::SendFlags;
use tevent::io::{
    Stream, accept_send, connect_send, read_packet_send, wait_for_error_send, wait_for_read_send, writev_send,
};
use tevent::{ContextRef, Queue, Req, ReqError};

use super::media::Medium::{self, Fifo, Pipe, Tcp, Udp, Unix, UnixDatagram};
use super::media::{put, take_all};
use super::streams::{FullListener, TempPath};

/// A request, whatever its state's type is.
pub trait AnyReq {
    fn is_in_progress(&self) -> bool;
    fn cancel(&self) -> bool;
    fn result(&self) -> Result<(), ReqError>;
    fn set_endtime(&self, ev: &ContextRef, when: Duration);
    fn on_callback(&self, call: Box<dyn Fn()>);
}

impl<S: 'static> AnyReq for Req<S> {
    fn is_in_progress(&self) -> bool {
        (**self).is_in_progress()
    }

    fn cancel(&self) -> bool {
        (**self).cancel()
    }

    fn result(&self) -> Result<(), ReqError> {
        (**self).result()
    }

    fn set_endtime(&self, ev: &ContextRef, when: Duration) {
        (**self).set_endtime(ev, when);
    }

    fn on_callback(&self, call: Box<dyn Fn()>) {
        self.set_callback(move |_req| call());
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Has to wait for room: on byte streams in the middle of its frame.
    Writev,
    /// Stands in the queue, behind another.
    WritevInQueue,
    ReadPacket,
    /// Of a listener that takes no connection any more.
    Connect,
    Accept,
    WaitForRead,
    WaitForError,
}

/// Every kind of request on every kind of file on which it can have to wait. UDP takes all that is written; whether the other end of a
/// Unix datagram socket is there the kernel does not tell; a Unix or datagram socket connects at once.
pub fn all() -> impl Iterator<Item = (What, Medium)> {
    let on = |what, media: &'static [Medium]| media.iter().map(move |medium| (what, *medium));
    on(What::Writev, &[Tcp, Unix, Pipe, Fifo, UnixDatagram])
        .chain(on(What::WritevInQueue, &Medium::ALL))
        .chain(on(What::ReadPacket, &Medium::ALL))
        .chain(on(What::Connect, &[Tcp]))
        .chain(on(What::Accept, &[Tcp, Unix]))
        .chain(on(What::WaitForRead, &Medium::ALL))
        .chain(on(What::WaitForError, &[Tcp, Unix, Pipe, Fifo, Udp]))
}

pub struct Waiting {
    req: Rc<RefCell<Option<Box<dyn AnyReq>>>>,
    /// What it is on, in blocking mode.
    pub stream: Stream,
    /// The other end, where it has one.
    pub far: Option<OwnedFd>,
    /// Whether something was written already, so that it is too late to cancel.
    pub begun: bool,
    finish: Finish,
}

/// Also keeps what the request needs.
type Finish = Box<dyn FnOnce(&ContextRef, &mut Waiting)>;

/// More than any file here takes at once.
const FRAME: usize = 4 << 20;

impl Waiting {
    #[track_caller]
    pub fn new(what: What, medium: Medium, ev: &ContextRef, queue: &Queue) -> Self {
        let waiting = match what {
            What::Writev => writing(medium, ev, queue),
            What::WritevInQueue => standing_in_queue(medium, ev, queue),
            What::ReadPacket => {
                let ends = medium.reading();
                let req = read_packet_send(ev, &ends.0, 1, |_packet| Ok::<_, Infallible>(0));
                Waiting::on(ends, req, |_ev, waiting| put(waiting.far.as_ref().unwrap(), b"x"))
            }
            What::Connect => connecting(ev),
            What::Accept => accepting(medium, ev),
            What::WaitForRead => {
                let ends = medium.reading();
                let req = wait_for_read_send(ev, &ends.0, true);
                Waiting::on(ends, req, |_ev, waiting| put(waiting.far.as_ref().unwrap(), b"x"))
            }
            What::WaitForError => {
                let ends = if medium == Pipe { medium.writing() } else { medium.reading() };
                let req = wait_for_error_send(ev, &ends.0);
                Waiting::on(ends, req, move |_ev, waiting| {
                    waiting.far = None;
                    if medium == Udp {
                        put(&waiting.stream, b"to nobody");
                    }
                })
            }
        };
        assert!(waiting.is_in_progress());
        waiting
    }

    fn of<S: 'static>(
        stream: Stream,
        req: Req<S>,
        finish: impl FnOnce(&ContextRef, &mut Waiting) + 'static,
    ) -> Self {
        let req: Box<dyn AnyReq> = Box::new(req);
        let req = Rc::new(RefCell::new(Some(req)));
        Waiting { req, stream, far: None, begun: false, finish: Box::new(finish) }
    }

    fn on<S: 'static>(
        (stream, far): (Stream, OwnedFd),
        req: Req<S>,
        finish: impl FnOnce(&ContextRef, &mut Waiting) + 'static,
    ) -> Self {
        Waiting { far: Some(far), ..Waiting::of(stream, req, finish) }
    }

    /// Turns the loop until it has finished, or is gone.
    #[track_caller]
    pub fn finish(&mut self, ev: &ContextRef) {
        let finish = self.take_finish();
        finish(ev, self);
        ev.loop_until(|| !self.is_in_progress()).unwrap();
    }

    fn take_finish(&mut self) -> Finish {
        std::mem::replace(&mut self.finish, Box::new(|_ev, _waiting| {}))
    }

    /// What it needs and what stands before it goes; it will not finish any more.
    pub fn let_others_go(&mut self) {
        drop(self.take_finish());
    }

    fn with<T>(&self, look: impl FnOnce(&(dyn AnyReq + 'static)) -> T) -> Option<T> {
        self.req.borrow().as_deref().map(look)
    }

    pub fn is_in_progress(&self) -> bool {
        self.with(AnyReq::is_in_progress) == Some(true)
    }

    pub fn cancel(&self) -> bool {
        self.with(AnyReq::cancel) == Some(true)
    }

    /// Of one that has not been freed.
    #[track_caller]
    pub fn result(&self) -> Result<(), ReqError> {
        self.with(AnyReq::result).unwrap()
    }

    pub fn set_endtime(&self, ev: &ContextRef, when: Duration) {
        self.with(|req| req.set_endtime(ev, when));
    }

    /// The callback may free it.
    pub fn on_callback(&self, call: impl Fn() + 'static) {
        self.with(|req| req.on_callback(Box::new(call)));
    }

    /// Frees it, wherever that is called, unless it is gone.
    pub fn freer(&self) -> impl Fn() + 'static {
        let req = Rc::clone(&self.req);
        move || drop(req.take())
    }
}

fn writing(medium: Medium, ev: &ContextRef, queue: &Queue) -> Waiting {
    let ends = medium.writing();
    if medium == UnixDatagram {
        while rustix::net::send(&ends.0, &[7; 1000], SendFlags::DONTWAIT).is_ok() {}
        let req = writev_send(ev, Some(queue), &ends.0, false, vec!["frame"]);
        return Waiting::on(ends, req, |_ev, waiting| drop(take_all(waiting.far.as_ref().unwrap())));
    }
    let req = writev_send(ev, Some(queue), &ends.0, false, vec![vec![7; FRAME]]);
    Waiting { begun: true, ..Waiting::on(ends, req, |_ev, waiting| waiting.far = None) }
}

fn standing_in_queue(medium: Medium, ev: &ContextRef, queue: &Queue) -> Waiting {
    let ends = medium.writing();
    let head = Req::create(());
    queue.add_blocker(ev, &head).unwrap();
    let req = writev_send(ev, Some(queue), &ends.0, false, vec!["frame"]);
    Waiting::on(ends, req, |_ev, _waiting| drop(head))
}

fn connecting(ev: &ContextRef) -> Waiting {
    let listener = FullListener::new();
    let stream = listener.address.socket().unwrap();
    let req = connect_send(ev, &stream, &listener.address);
    Waiting::of(stream, req, move |ev, waiting| {
        waiting.set_endtime(ev, Duration::from_millis(1));
        ev.loop_until(|| !waiting.is_in_progress()).unwrap();
        drop(listener);
    })
}

fn accepting(medium: Medium, ev: &ContextRef) -> Waiting {
    let path = TempPath::new();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let tcp = medium == Tcp;
    let (stream, address) = if tcp {
        let listener = TcpListener::bind(any).unwrap();
        let address = listener.local_addr().unwrap();
        (Stream::new(listener), Some(address))
    } else {
        (Stream::new(UnixListener::bind(&path.0).unwrap()), None)
    };
    let req = accept_send(ev, &stream);
    Waiting::of(stream, req, move |_ev, waiting| {
        let far: OwnedFd = match address {
            Some(address) => TcpStream::connect(address).unwrap().into(),
            None => UnixStream::connect(&path.0).unwrap().into(),
        };
        waiting.far = Some(far);
    })
}
