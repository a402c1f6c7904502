//! `examples/echo_server.rs` as a process, and clients of many kinds.
#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/examples.rs"]
mod programs;
#[path = "support/random.rs"]
mod random;

use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::process::{Child, Command, Output, Stdio};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use random::Random;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, Shutdown, sockopt};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tevent::io::{Address, Connect, Stream, Writev, connect_recv, connect_send, writev_recv, writev_send};
use tevent::{Context, ContextRef, FdFlags, Req, ReqError, ReqRef};

/// What no part of these tests needs, unless something hangs.
const PATIENCE: Timespec = Timespec { tv_sec: 60, tv_nsec: 0 };

/// Whether the file becomes ready in that time.
fn is_ready(file: impl AsFd, flags: PollFlags, within: &Timespec) -> bool {
    let mut files = [PollFd::new(&file, flags)];
    poll(&mut files, Some(within)).unwrap() > 0
}

/// A running server, which is ended with the test.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(clients: usize) -> Server {
        Server::spawn(&["--clients", &clients.to_string()], 2048)
    }

    /// With a limit on its open files.
    fn spawn(args: &[&str], files: usize) -> Server {
        let mut child = Command::new("sh")
            .args(["-c", "ulimit -n $0; exec \"$@\"", &files.to_string()])
            .arg(programs::program("echo_server"))
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on ").expect(&line).trim_end().parse().unwrap();
        Server { child, address }
    }

    /// Its last line, when it has ended by itself and well: clients served, lost, bytes echoed.
    fn counts(mut self) -> [usize; 3] {
        let pid = Pid::from_child(&self.child);
        let process = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        assert!(is_ready(process, PollFlags::IN, &PATIENCE), "the server goes on and on");
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        let mut line = String::new();
        self.child.stdout.as_mut().unwrap().read_to_string(&mut line).unwrap();
        let numbers: Vec<usize> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        numbers.try_into().expect(&line)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It fails where the server has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One connection: it sends its payload, half-closes, and wants all of it back and then the end of the stream. One that
/// vanishes does not half-close, and resets the connection as soon as it gets something back.
struct Talk {
    ev: ContextRef,
    stream: Stream,
    payload: Rc<[u8]>,
    vanishes: bool,
    echoed: usize,
}

fn talk_send(ev: &ContextRef, address: SocketAddr, payload: Rc<[u8]>, vanishes: bool) -> Req<Talk> {
    let address = Address::from(address);
    let stream = address.socket().unwrap();
    let req = Req::create(Talk { ev: ev.clone(), stream: stream.clone(), payload, vanishes, echoed: 0 });
    req.add_subreq(connect_send(ev, &stream, &address), talk_connect_done);
    req
}

fn talk_connect_done(req: &ReqRef<Talk>, subreq: Req<Connect>) {
    if let Err(error) = connect_recv(subreq) {
        req.error(error);
        return;
    }
    let (ev, stream, payload) =
        req.with_state(|s| (s.ev.clone(), s.stream.clone(), Rc::clone(&s.payload))).unwrap();
    req.add_fd(&ev, &stream, FdFlags::READ, |req, _flags| req.advance(Talk::read)).unwrap();
    req.add_subreq(writev_send(&ev, None, &stream, false, vec![payload]), talk_writev_done);
}

fn talk_writev_done(req: &ReqRef<Talk>, subreq: Req<Writev<Rc<[u8]>>>) {
    let written = writev_recv(subreq);
    req.advance(move |s| {
        if written.is_ok() && !s.vanishes {
            rustix::net::shutdown(&s.stream, Shutdown::Write).unwrap();
        }
        written.map_or_else(|error| Poll::Ready(Err(error)), |_all| Poll::Pending)
    });
}

fn talk_recv(req: Req<Talk>) -> Result<usize, ReqError> {
    req.recv(|s| s.echoed)
}

impl Talk {
    fn read(&mut self) -> Poll<Result<(), ReqError>> {
        let mut buffer = [0; 16 * 1024];
        let n = match rustix::net::recv(&self.stream, &mut buffer, RecvFlags::DONTWAIT) {
            Ok((n, _)) => n,
            Err(Errno::AGAIN | Errno::INTR) => return Poll::Pending,
            Err(errno) => return Poll::Ready(Err(errno.raw_os_error().into())),
        };
        let expected = self.payload.get(self.echoed..self.echoed + n);
        assert!(expected == Some(&buffer[..n]), "bytes {}.. are not what was sent", self.echoed);
        self.echoed += n;
        if self.vanishes {
            sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO)).unwrap();
            return Poll::Ready(Ok(()));
        }
        if n > 0 { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

/// Talks to the server, `at_once` at a time; each that does not vanish must get back all it has sent.
fn talk(server: &Server, talks: Vec<(Rc<[u8]>, bool)>, at_once: usize) {
    let ctx = Context::new().unwrap();
    let patience = Duration::from_secs(60);
    ctx.keep(ctx.add_timer(patience, |_ev, _te, _now| panic!("the clients go on and on")));
    let open = Rc::new(Cell::new(0));
    let talks = Rc::new(RefCell::new(talks));
    for _ in 0..at_once {
        next_talk(&ctx, server.address, &talks, &open);
    }
    ctx.loop_until(|| open.get() == 0).unwrap();
}

type Talks = Rc<RefCell<Vec<(Rc<[u8]>, bool)>>>;

fn next_talk(ev: &ContextRef, address: SocketAddr, talks: &Talks, open: &Rc<Cell<usize>>) {
    let Some((payload, vanishes)) = talks.borrow_mut().pop() else { return };
    open.set(open.get() + 1);
    let (length, talks, open) = (payload.len(), Rc::clone(talks), Rc::clone(open));
    ev.add_subreq(talk_send(ev, address, payload, vanishes), move |ev, talk| {
        let echoed = talk_recv(talk).unwrap();
        assert!(vanishes || echoed == length, "{echoed} of {length} bytes came back");
        open.set(open.get() - 1);
        next_talk(ev, address, &talks, &open);
    });
}

/// So many payloads of up to 100 KiB, each its own.
fn payloads(random: &mut Random, n: usize) -> Vec<Rc<[u8]>> {
    let mut payload = |_| {
        let length = random.below(100 * 1024 + 1);
        random.bytes(length).into()
    };
    (0..n).map(&mut payload).collect()
}

#[test]
fn five_hundred_connections_get_back_what_they_sent() {
    let server = Server::start(500);
    let payloads = payloads(&mut Random(1), 500);
    let bytes: usize = payloads.iter().map(|payload| payload.len()).sum();
    talk(&server, payloads.into_iter().map(|payload| (payload, false)).collect(), 250);
    assert_eq!(server.counts(), [500, 0, bytes]);
}

#[test]
fn clients_that_vanish_hurt_no_other() {
    let server = Server::start(200);
    let mut random = Random(2);
    let mut talks = Vec::new();
    for payload in payloads(&mut random, 100) {
        let length = 1 + random.below(100 * 1024);
        talks.push((random.bytes(length).into(), true));
        talks.push((payload, false));
    }
    let honest = talks.iter().filter(|(_, vanishes)| !vanishes);
    let bytes: usize = honest.map(|(payload, _)| payload.len()).sum();
    talk(&server, talks, 100);
    assert_eq!(server.counts(), [100, 100, bytes]);
}

#[test]
fn more_clients_than_open_files_are_served_one_after_the_other() {
    let server = Server::spawn(&["--clients", "60"], 24);
    let payloads = payloads(&mut Random(3), 60);
    let bytes: usize = payloads.iter().map(|payload| payload.len()).sum();
    talk(&server, payloads.into_iter().map(|payload| (payload, false)).collect(), 60);
    assert_eq!(server.counts(), [60, 0, bytes]);
}

/// Sends a repeated block until the server, which has no room to send it back, takes no more.
fn stuff(server: &Server, block: &[u8]) -> (TcpStream, usize) {
    let socket = TcpStream::connect(server.address).unwrap();
    socket.set_nonblocking(true).unwrap();
    // Longer than the kernel delays an acknowledgement.
    let moment = Timespec { tv_sec: 0, tv_nsec: 250_000_000 };
    let mut sent = 0;
    while is_ready(&socket, PollFlags::OUT, &moment) {
        sent += (&socket).write(&block[sent % block.len()..]).unwrap();
    }
    socket.set_nonblocking(false).unwrap();
    (socket, sent)
}

/// Reads so many bytes of the repeated block.
fn read_back(mut socket: &TcpStream, block: &[u8], total: usize) {
    let (mut at, mut buffer) = (0, vec![0; 32 * 1024]);
    while at < total {
        let room = buffer.len().min(total - at).min(block.len() - at % block.len());
        let n = socket.read(&mut buffer[..room]).unwrap();
        assert!(n > 0, "the stream ends after {at} of {total} bytes");
        assert!(buffer[..n] == block[at % block.len()..][..n], "bytes {at}.. are not what was sent");
        at += n;
    }
}

#[test]
fn a_client_that_half_closes_and_reads_late_gets_every_byte() {
    let server = Server::start(1);
    let block = Random(4).bytes(1 << 20);
    let (mut socket, sent) = stuff(&server, &block);
    socket.shutdown(std::net::Shutdown::Write).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    read_back(&socket, &block, sent);
    assert_eq!(socket.read(&mut [0]).unwrap(), 0, "all that was sent came back: end of the stream");
    assert_eq!(server.counts(), [1, 0, sent]);
}

#[test]
fn a_client_that_vanishes_while_the_server_waits_to_write_is_noticed() {
    let server = Server::start(1);
    let (socket, _sent) = stuff(&server, &Random(5).bytes(1 << 20));
    sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).unwrap();
    drop(socket);
    assert_eq!(server.counts(), [0, 1, 0]);
}

#[test]
fn without_arguments_it_listens_on_a_free_port_of_the_loopback() {
    let server = Server::spawn(&[], 64);
    assert!(server.address.ip().is_loopback());
    talk(&server, vec![(Rc::from(*b"hello"), false)], 1);
}

/// Runs it to its end: nothing on stdout, one line on stderr.
#[track_caller]
fn complaint(args: &[&str]) -> (i32, String) {
    let Output { status, stdout, stderr } =
        Command::new(programs::program("echo_server")).args(args).output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(stdout.is_empty());
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    (status.code().unwrap(), stderr)
}

#[test]
fn bad_arguments_get_one_line_and_exit_2() {
    let cases: [(&[&str], &str); 7] = [
        (&["--bogus"], "--bogus"),
        (&["127.0.0.1:0", "127.0.0.1:1"], "127.0.0.1:1"),
        (&["--clients"], "--clients"),
        (&["--clients", "many"], "--clients"),
        (&["--clients", "0"], "--clients"),
        (&["127.0.0.1"], "127.0.0.1"),
        (&["127.0.0.1:65536"], "65536"),
    ];
    for (args, culprit) in cases {
        let (code, line) = complaint(args);
        assert!(code == 2 && line.contains(culprit), "{args:?}: {code}, {line}");
    }
}

#[test]
fn an_address_in_use_gets_one_line_and_exit_1() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (code, line) = complaint(&[&taken.local_addr().unwrap().to_string()]);
    assert!(code == 1 && line.contains("in use"), "{code}, {line}");
}
