//! The server: one request that accepts clients until it is told to stop, and then waits for them.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use tevent::io::{Accept, Stream, accept_recv, accept_send};
use tevent::{Req, ReqRef, wakeup_send};

use crate::commands::Session;
use crate::connection::{Connection, connection_drain, connection_send};
use crate::daemon::{Daemon, say};

const DRAIN: Duration = Duration::from_secs(5); // for clients to read their last replies
const PAUSE: Duration = Duration::from_millis(100); // when there are too many open files

pub(crate) struct Server {
    daemon: Rc<Daemon>,
    clients: HashMap<usize, ReqRef<Connection>>,
    stopping: bool,
}

pub(crate) fn server_send(daemon: &Rc<Daemon>, listeners: Vec<Stream>) -> Req<Server> {
    let req = Req::create(Server { daemon: daemon.clone(), clients: HashMap::new(), stopping: false });
    for listener in listeners {
        server_accept(&req, listener);
    }
    req
}

/// Welcomes nobody any more, and finishes when the last client has gone.
pub(crate) fn server_stop(req: &ReqRef<Server>) {
    let clients: Option<Vec<_>> = req.with_state(|server| {
        server.stopping = true;
        req.set_endtime(&server.daemon.ev, DRAIN);
        server.clients.values().cloned().collect()
    });
    clients.iter().flatten().for_each(connection_drain);
    server_settle(req, |_server| ());
}

/// Makes a change, and finishes if that was the last thing to wait for.
fn server_settle(req: &ReqRef<Server>, change: impl FnOnce(&mut Server)) {
    req.with_state(|server| {
        change(server);
        server.daemon.clients.set(server.clients.len());
        if server.stopping && server.clients.is_empty() {
            req.done();
        }
    });
}

fn server_accept(req: &ReqRef<Server>, listener: Stream) {
    let Some(accept) = req.with_state(|server| accept_send(&server.daemon.ev, &listener)) else { return };
    req.add_subreq(accept, |req, subreq| server_accepted(req, subreq, listener));
}

fn server_accepted(req: &ReqRef<Server>, subreq: Req<Accept>, listener: Stream) {
    match accept_recv(subreq) {
        Ok(socket) => {
            server_welcome(req, socket);
            server_accept(req, listener);
        }
        Err(error) => {
            say(&format!("cannot accept: {error}"));
            let Some(pause) = req.with_state(|server| wakeup_send(&server.daemon.ev, PAUSE)) else { return };
            req.add_subreq(pause, |req, _pause| server_accept(req, listener));
        }
    }
}

fn server_welcome(req: &ReqRef<Server>, socket: OwnedFd) {
    let welcomed = req.with_state(|Server { daemon, clients, stopping }| {
        if *stopping || clients.len() >= daemon.options.max_clients {
            daemon.rejected.set(daemon.rejected.get() + 1);
            let _ = File::from(socket).write(b"-ERR max number of clients reached\r\n"); // there is room for it
            return None;
        }
        daemon.accepted.set(daemon.accepted.get() + 1);
        let (id, socket) = (daemon.accepted.get(), TcpStream::from(socket));
        let _ = socket.set_nodelay(true); // a Unix socket has no such thing
        Some((id, connection_send(daemon, Stream::new(socket), Session { id, ..Session::default() })))
    });
    let Some((id, connection)) = welcomed.flatten() else { return };
    let client = req.add_subreq(connection, move |req, subreq| {
        drop(subreq); // however it has ended
        server_settle(req, move |server| drop(server.clients.remove(&id)));
    });
    server_settle(req, move |server| drop(server.clients.insert(id, client)));
}
