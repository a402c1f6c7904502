//! The server: one request that accepts clients until it is told to stop, and then waits for them.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::task::Poll::{Pending, Ready};
use std::time::Duration;

use tevent::io::{Accept, Stream, accept_recv, accept_send};
use tevent::{Req, ReqError, ReqRef, wakeup_recv, wakeup_send};

use crate::connection::{Connection, connection_drain, connection_recv, connection_send};
use crate::daemon::{Daemon, say};

/// How long the clients have to read their last replies.
const DRAIN: Duration = Duration::from_secs(5);

pub(crate) struct Server {
    daemon: Rc<Daemon>,
    clients: HashMap<i64, ReqRef<Connection>>,
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
        let clients: Vec<_> = server.clients.values().cloned().collect();
        (std::mem::take(&mut server.accepting), clients, server.daemon.ev.clone())
    });
    let Some((accepting, clients, ev)) = running else { return };
    accepting.iter().for_each(|accept| drop(req.take(accept)));
    clients.iter().for_each(connection_drain);
    req.set_endtime(&ev, DRAIN);
    server_end(req);
}

fn server_end(req: &ReqRef<Server>) {
    req.advance(|server| if server.stopping && server.clients.is_empty() { Ready(Ok(())) } else { Pending });
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
            // Most likely there are too many open files. The client waits on and would be told of in every turn: pause.
            say(&format!("cannot accept: {error}"));
            let pause = Duration::from_millis(100);
            let Some(pause) = req.with_state(|server| wakeup_send(&server.daemon.ev, pause)) else { return };
            req.add_subreq(pause, move |req, subreq| {
                let _ = wakeup_recv(subreq);
                server_accept(req, listener);
            });
        }
    }
}

fn server_welcome(req: &ReqRef<Server>, socket: OwnedFd) {
    let welcomed = req.with_state(|server| {
        let counts = &server.daemon.counts;
        if server.clients.len() >= server.daemon.options.max_clients {
            counts.rejected.set(counts.rejected.get() + 1);
            // The buffer of a new socket has room for this.
            let _ = File::from(socket).write(b"-ERR max number of clients reached\r\n");
            return None;
        }
        let id = counts.received.get() + 1;
        counts.received.set(id);
        let socket = TcpStream::from(socket);
        let _ = socket.set_nodelay(true); // a Unix socket has no such thing
        Some((id, connection_send(&server.daemon, Stream::new(socket), id)))
    });
    let Some((id, connection)) = welcomed.flatten() else { return };
    let client = req.add_subreq(connection, move |req, subreq| {
        let ended = connection_recv(subreq);
        req.with_state(|server| server.lose(id, &ended));
        server_end(req);
    });
    req.with_state(|server| server.note(id, client));
}

impl Server {
    fn note(&mut self, id: i64, client: ReqRef<Connection>) {
        self.clients.insert(id, client);
        self.daemon.counts.connected.set(self.clients.len());
    }

    fn lose(&mut self, id: i64, ended: &Result<(), ReqError>) {
        self.clients.remove(&id);
        let counts = &self.daemon.counts;
        counts.connected.set(self.clients.len());
        counts.failed.set(counts.failed.get() + u64::from(ended.is_err()));
    }
}
