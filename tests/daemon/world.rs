//! A daemon and its clients in one thread: the tests say when the loop turns, and what the clients send and read.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use clap::Parser;
use tevent::io::Stream;
use tevent::{Context, Req, ReqError};

use crate::args::Options;
use crate::daemon::Daemon;
use crate::server::{Server, server_send, server_stop};
use crate::support::{Kind, run_ready};

pub(crate) struct World {
    pub(crate) server: Req<Server>,
    pub(crate) daemon: Rc<Daemon>,
    pub(crate) ctx: Context,
    address: SocketAddr,
}

impl World {
    #[track_caller]
    pub(crate) fn new(kind: Kind, args: &[&str]) -> World {
        World::on(kind.context(), args)
    }

    /// A daemon with these arguments that listens.
    #[track_caller]
    pub(crate) fn on(ctx: Context, args: &[&str]) -> World {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // A name without a file.
        let name = format!("tevent-daemon-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let address = SocketAddr::from_abstract_name(name).unwrap();
        let listener = Stream::new(UnixListener::bind_addr(&address).unwrap());
        let daemon = Daemon::new(&ctx, Options::parse_from([&["daemon"], args].concat()));
        let server = server_send(&daemon, vec![listener]);
        World { server, daemon, ctx, address }
    }

    #[track_caller]
    pub(crate) fn connect(&self) -> Client {
        let client = Client::new(UnixStream::connect_addr(&self.address).unwrap());
        self.turn();
        client
    }

    /// As long as there is anything to do.
    #[track_caller]
    pub(crate) fn turn(&self) {
        run_ready(&self.ctx);
    }

    /// So many milliseconds go by on the virtual clock.
    #[track_caller]
    pub(crate) fn pass(&self, ms: u64) {
        self.ctx.advance_clock(Duration::from_millis(ms));
        self.turn();
    }

    /// Sends it all, and gives what comes back until nothing moves any more.
    #[track_caller]
    pub(crate) fn exchange(&self, client: &Client, mut bytes: &[u8]) -> Vec<u8> {
        let mut got = Vec::new();
        loop {
            let sent = client.send(bytes);
            bytes = &bytes[sent..];
            self.turn();
            let read = client.read();
            got.extend_from_slice(&read);
            if sent == 0 && read.is_empty() {
                return got;
            }
        }
    }

    /// The reply to a request, its words put between spaces, with `|` for each end of a line.
    #[track_caller]
    pub(crate) fn ask(&self, client: &Client, words: &str) -> String {
        shown(&self.exchange(client, &request(words.split(' '))))
    }

    #[track_caller]
    pub(crate) fn assert_dialogue(&self, client: &Client, dialogue: &[(&str, &str)]) {
        for (request, reply) in dialogue {
            assert_eq!(self.ask(client, request), *reply, "{request}");
        }
    }

    /// The value in that line of INFO.
    #[track_caller]
    pub(crate) fn info(&self, name: &str) -> String {
        let info = self.daemon.info();
        let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap_or_else(|| panic!("no {name} in {info}")).to_owned()
    }

    pub(crate) fn stop(&self) {
        server_stop(&self.server);
    }

    pub(crate) fn has_ended(&self) -> bool {
        !self.server.is_in_progress()
    }

    pub(crate) fn end(self) -> Result<(), ReqError> {
        self.server.recv(|_server| ())
    }
}

/// One end of a connection, which never blocks.
pub(crate) struct Client {
    socket: UnixStream,
    closed: Cell<bool>,
}

impl Client {
    pub(crate) fn new(socket: UnixStream) -> Client {
        socket.set_nonblocking(true).unwrap();
        Client { socket, closed: Cell::new(false) }
    }

    /// As much as there is room for; says how much.
    #[track_caller]
    pub(crate) fn send(&self, bytes: &[u8]) -> usize {
        if bytes.is_empty() {
            return 0;
        }
        match (&self.socket).write(bytes) {
            Ok(n) => n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) if error.kind() == ErrorKind::BrokenPipe => 0,
            Err(error) => panic!("{error}"),
        }
    }

    /// What has arrived, up to so much.
    #[track_caller]
    pub(crate) fn read_up_to(&self, limit: usize) -> Vec<u8> {
        let mut buffer = vec![0; limit];
        match (&self.socket).read(&mut buffer) {
            Ok(0) => self.closed.set(true),
            Ok(n) => return buffer[..n].to_vec(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // The daemon has left what we sent unread.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => self.closed.set(true),
            Err(error) => panic!("{error}"),
        }
        Vec::new()
    }

    /// All that has arrived.
    #[track_caller]
    pub(crate) fn read(&self) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let more = self.read_up_to(64 << 10);
            if more.is_empty() {
                return all;
            }
            all.extend(more);
        }
    }

    /// Whether the daemon has closed it, and all it had written was read.
    #[track_caller]
    pub(crate) fn is_closed(&self) -> bool {
        assert_eq!(shown(&self.read()), "", "unread");
        self.closed.get()
    }

    /// Sends no more, but reads on.
    pub(crate) fn shut_down(&self) {
        self.socket.shutdown(std::net::Shutdown::Write).unwrap();
    }
}

/// A request as clients write it.
pub(crate) fn request<T: AsRef<[u8]>>(args: impl IntoIterator<Item = T>) -> Vec<u8> {
    let args: Vec<_> = args.into_iter().collect();
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        let arg = arg.as_ref();
        bytes.extend(format!("${}\r\n", arg.len()).bytes().chain(arg.iter().copied()).chain(*b"\r\n"));
    }
    bytes
}

/// With `|` for each end of a line.
pub(crate) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace("\r\n", "|")
}
