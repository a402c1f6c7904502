//! The server: one request that accepts clients until it is told to stop, and then waits for them.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tevent::io::{Accept, Stream, accept_recv, accept_send};
use tevent::{Req, ReqError, ReqRef, wakeup_recv, wakeup_send};

use crate::commands::Session;
use crate::connection::{Connection, connection_drain, connection_recv, connection_send};
use crate::daemon::{Daemon, say};

/// How long clients have to read their last replies.
const DRAIN: Duration = Duration::from_secs(5);

pub(crate) struct Server {
    daemon: Rc<Daemon>,
    clients: HashMap<usize, ReqRef<Connection>>,
    accepting: Vec<ReqRef<Accept>>,
    stopping: bool,
}

pub(crate) fn server_send(daemon: &Rc<Daemon>, listeners: Vec<Stream>) -> Req<Server> {
    let (daemon, clients) = (daemon.clone(), HashMap::new());
    let req = Req::create(Server { daemon, clients, accepting: Vec::new(), stopping: false });
    listeners.into_iter().for_each(|listener| server_accept(&req, listener));
    req
}

pub(crate) fn server_recv(req: Req<Server>) -> Result<(), ReqError> {
    req.recv(|_server| ())
}

/// Accepts nobody any more, and finishes when the last client has gone.
pub(crate) fn server_stop(req: &ReqRef<Server>) {
    let running = req.with_state(|server| {
        server.stopping = true;
        req.set_endtime(&server.daemon.ev, DRAIN);
        (std::mem::take(&mut server.accepting), server.clients.values().cloned().collect::<Vec<_>>())
    });
    let Some((accepting, clients)) = running else { return };
    accepting.iter().for_each(|accept| drop(req.take(accept)));
    clients.iter().for_each(connection_drain);
    server_settle(req, |_server| ());
}

/// Changes something, and finishes if that was the last thing to wait for.
fn server_settle(req: &ReqRef<Server>, change: impl FnOnce(&mut Server) + 'static) {
    req.advance(|server| {
        change(server);
        server.daemon.clients.set(server.clients.len());
        let over = server.stopping && server.clients.is_empty();
        if over { Poll::Ready(Ok(())) } else { Poll::Pending }
    });
}

fn server_accept(req: &ReqRef<Server>, listener: Stream) {
    let accept =
        req.with_state(|server| (!server.stopping).then(|| accept_send(&server.daemon.ev, &listener)));
    let Some(accept) = accept.flatten() else { return };
    let accepting = req.add_subreq(accept, move |req, subreq| server_accepted(req, subreq, listener));
    req.with_state(|server| {
        server.accepting.retain(|accept| accept.is_in_progress());
        server.accepting.push(accepting);
    });
}

fn server_accepted(req: &ReqRef<Server>, subreq: Req<Accept>, listener: Stream) {
    match accept_recv(subreq) {
        Ok(socket) => {
            server_welcome(req, socket);
            server_accept(req, listener);
        }
        Err(error) => {
            // Most likely there are too many open files. The client would be told of in every turn: look away for a moment.
            say(&format!("cannot accept: {error}"));
            let pause = Duration::from_millis(100);
            let Some(pause) = req.with_state(|server| wakeup_send(&server.daemon.ev, pause)) else { return };
            req.add_subreq(pause, |req, subreq| {
                if wakeup_recv(subreq) {
                    server_accept(req, listener)
                }
            });
        }
    }
}

fn server_welcome(req: &ReqRef<Server>, socket: OwnedFd) {
    let welcomed = req.with_state(|Server { daemon, clients, .. }| {
        if clients.len() >= daemon.options.max_clients {
            daemon.rejected.set(daemon.rejected.get() + 1);
            // A new socket's buffer has room for this.
            let _ = File::from(socket).write(b"-ERR max number of clients reached\r\n");
            return None;
        }
        daemon.accepted.set(daemon.accepted.get() + 1);
        let (id, socket) = (daemon.accepted.get(), TcpStream::from(socket));
        let _ = socket.set_nodelay(true); // a Unix socket has no such thing
        Some((id, connection_send(daemon, Stream::new(socket), Session { id, ..Session::default() })))
    });
    let Some((id, connection)) = welcomed.flatten() else { return };
    let client = req.add_subreq(connection, move |req, subreq| {
        let _ = connection_recv(subreq); // however it has ended
        server_settle(req, move |server| drop(server.clients.remove(&id)));
    });
    server_settle(req, move |server| drop(server.clients.insert(id, client)));
}
