//! The classic of the `tevent_req` tutorials: an echo server, five requests on top of each other.
//!
//! ```text
//! echo_server             accepts, and starts a client for each connection
//!     accept              waits for one connection
//!     echo_client         reads and writes back until the end of the stream
//!         read            reads what is there
//!         writeall        writes all of a buffer, over as many calls as needed
//! ```
//!
//! Each is a state struct, a `_send` function that creates the request, callbacks named after what is done when they
//! run, and a `_recv` function that takes the result. The shape is C's, line by line:
//!
//! | C | here |
//! |---|---|
//! | `struct read_state` | `struct Read` |
//! | `req = tevent_req_create(mem_ctx, &state, struct read_state)` | `let req = Req::create(Read { … })` |
//! | `tevent_req_set_callback(subreq, echo_client_read_done, req)` | `req.add_subreq(subreq, echo_client_read_done)`: now `req` owns `subreq` |
//! | `req = tevent_req_callback_data(subreq, struct tevent_req)` | the callback's first argument |
//! | `ret = read_recv(subreq); TALLOC_FREE(subreq);` | `read_recv(subreq)` takes it by value, which frees it |
//! | `talloc_free(req)`, and everything below it goes | `drop(req)`, and everything below it goes |
//!
//! ```sh
//! cargo run --example echo_server -- 127.0.0.1:7777
//! ```
//!
//! Then `nc 127.0.0.1 7777` in another terminal. What it prints depends on its clients.

use std::error::Error;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tevent::{Context, ContextRef, FdFlags, FdRef, Req, ReqError, ReqRef, Wakeup, wakeup_recv, wakeup_send};

// accept: waits for one connection.
struct Accept {
    listener: Rc<TcpListener>,
    sock: Option<TcpStream>,
}

fn accept_send(ev: &ContextRef, listener: &Rc<TcpListener>) -> Req<Accept> {
    let req = Req::create(Accept { listener: Rc::clone(listener), sock: None });
    if let Err(error) = req.add_fd(ev, Rc::clone(listener), FdFlags::READ, accept_handler) {
        req.error(error);
        return req.post(ev); // the caller sets its callback only when this has returned
    }
    req
}

fn accept_handler(req: &ReqRef<Accept>, _flags: FdFlags) {
    // `advance` lends the state; the request finishes, and calls back, when the closure has returned.
    req.advance(|state| match accept(&state.listener) {
        Ok(sock) => {
            state.sock = Some(sock);
            Poll::Ready(Ok(()))
        }
        // A connection that has ended while it waited is nobody's error.
        Err(error) if try_again(&error) || error.kind() == ErrorKind::ConnectionAborted => Poll::Pending,
        Err(error) => Poll::Ready(Err(error.into())),
    });
}

fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let (sock, _peer) = listener.accept()?;
    sock.set_nonblocking(true)?;
    Ok(sock)
}

fn accept_recv(req: Req<Accept>) -> Result<TcpStream, ReqError> {
    req.recv(|state| state.sock.take().expect("done means accepted"))
}

// read: reads what is there, at most `count` bytes; none at all is the end of the stream.
struct Read {
    sock: Rc<TcpStream>,
    buf: Vec<u8>,
}

fn read_send(ev: &ContextRef, sock: &Rc<TcpStream>, count: usize) -> Req<Read> {
    let req = Req::create(Read { sock: Rc::clone(sock), buf: vec![0; count] });
    if let Err(error) = req.add_fd(ev, Rc::clone(sock), FdFlags::READ, read_handler) {
        req.error(error);
        return req.post(ev);
    }
    req
}

fn read_handler(req: &ReqRef<Read>, _flags: FdFlags) {
    req.advance(|state| match (&*state.sock).read(&mut state.buf) {
        Ok(n) => {
            state.buf.truncate(n);
            Poll::Ready(Ok(()))
        }
        Err(error) if try_again(&error) => Poll::Pending,
        Err(error) => Poll::Ready(Err(error.into())),
    });
}

fn read_recv(req: Req<Read>) -> Result<Vec<u8>, ReqError> {
    req.recv(|state| std::mem::take(&mut state.buf))
}

// writeall: writes all of a buffer. `tevent::io::writev_send` is its big sister.
struct WriteAll {
    ev: ContextRef,
    sock: Rc<TcpStream>,
    buf: Vec<u8>,
    written: usize,
    fde: Option<FdRef>,
}

fn writeall_send(ev: &ContextRef, sock: &Rc<TcpStream>, buf: Vec<u8>) -> Req<WriteAll> {
    let req = Req::create(WriteAll { ev: ev.clone(), sock: Rc::clone(sock), buf, written: 0, fde: None });
    // ERROR too: WRITE alone would never be told that the peer is gone (FD-6).
    match req.add_fd(ev, Rc::clone(sock), FdFlags::WRITE | FdFlags::ERROR, writeall_handler) {
        Ok(fde) => req.with_state(|state| state.fde = Some(fde)),
        Err(error) => {
            req.error(error);
            return req.post(ev);
        }
    };
    req
}

fn writeall_handler(req: &ReqRef<WriteAll>, flags: FdFlags) {
    req.advance(|state| match (&*state.sock).write(&state.buf[state.written..]) {
        Ok(n) => {
            state.written += n;
            if state.written < state.buf.len() { Poll::Pending } else { Poll::Ready(Ok(())) }
        }
        Err(error) if try_again(&error) => Poll::Pending,
        Err(error) => Poll::Ready(Err(error.into())),
    });
    if !flags.contains(FdFlags::WRITE) && req.is_in_progress() {
        writeall_pause(req);
    }
}

/// The peer has shut down its sending side, which is no error here, but has not yet read what it was sent. ERROR stays
/// on from now on and would be told in every turn, so look again in a moment.
fn writeall_pause(req: &ReqRef<WriteAll>) {
    let waiting = req.with_state(|state| (state.ev.clone(), state.fde.clone()));
    let Some((ev, Some(fde))) = waiting else { return };
    let wanted = fde.flags();
    fde.set_flags(FdFlags::NONE);
    req.add_timer(&ev, Duration::from_millis(10), move |_req, _te, _now| fde.set_flags(wanted));
}

fn writeall_recv(req: Req<WriteAll>) -> Result<usize, ReqError> {
    req.recv(|state| state.written)
}

// echo_client: reads some and writes all of it back, until the end of the stream.
struct EchoClient {
    ev: ContextRef,
    sock: Rc<TcpStream>,
    echoed: usize,
}

fn echo_client_send(ev: &ContextRef, sock: TcpStream) -> Req<EchoClient> {
    let req = Req::create(EchoClient { ev: ev.clone(), sock: Rc::new(sock), echoed: 0 });
    echo_client_next(&req);
    req
}

fn echo_client_next(req: &ReqRef<EchoClient>) {
    let subreq = req.with_state(|state| read_send(&state.ev, &state.sock, 64 * 1024));
    let Some(subreq) = subreq else { return }; // the state is gone, and the request with it
    req.add_subreq(subreq, echo_client_read_done);
}

fn echo_client_read_done(req: &ReqRef<EchoClient>, subreq: Req<Read>) {
    match read_recv(subreq) {
        Ok(buf) if buf.is_empty() => {
            req.done();
        }
        Ok(buf) => {
            let subreq = req.with_state(|state| writeall_send(&state.ev, &state.sock, buf));
            let Some(subreq) = subreq else { return };
            req.add_subreq(subreq, echo_client_writeall_done);
        }
        Err(error) => {
            req.error(error);
        }
    }
}

fn echo_client_writeall_done(req: &ReqRef<EchoClient>, subreq: Req<WriteAll>) {
    match writeall_recv(subreq) {
        Ok(written) => {
            req.with_state(|state| state.echoed += written);
            echo_client_next(req);
        }
        Err(error) => {
            req.error(error);
        }
    }
}

fn echo_client_recv(req: Req<EchoClient>) -> Result<usize, ReqError> {
    req.recv(|state| state.echoed)
}

// echo_server: accepts for ever, or until a number of clients has been served.
struct EchoServer {
    ev: ContextRef,
    listener: Rc<TcpListener>,
    /// How many clients to accept still; `None` for ever.
    left: Option<u64>,
    connected: u64,
    totals: Totals,
}

/// What happened to the clients that are gone.
#[derive(Clone, Copy, Default)]
struct Totals {
    served: u64,
    lost: u64,
    bytes: usize,
}

fn echo_server_send(ev: &ContextRef, listener: TcpListener, clients: Option<u64>) -> Req<EchoServer> {
    let req = Req::create(EchoServer {
        ev: ev.clone(),
        listener: Rc::new(listener),
        left: clients,
        connected: 0,
        totals: Totals::default(),
    });
    echo_server_next(&req);
    req
}

fn echo_server_next(req: &ReqRef<EchoServer>) {
    let subreq = req.with_state(|state| match state.left {
        Some(0) => None,
        _ => Some(accept_send(&state.ev, &state.listener)),
    });
    let Some(subreq) = subreq.flatten() else { return };
    req.add_subreq(subreq, echo_server_accept_done);
}

fn echo_server_accept_done(req: &ReqRef<EchoServer>, subreq: Req<Accept>) {
    match accept_recv(subreq) {
        Ok(sock) => {
            let subreq = req.with_state(|state| {
                state.left = state.left.map(|left| left - 1);
                state.connected += 1;
                echo_client_send(&state.ev, sock)
            });
            let Some(subreq) = subreq else { return };
            req.add_subreq(subreq, echo_server_client_done);
            echo_server_next(req);
        }
        Err(error) => {
            // Most likely there are too many open files (EMFILE). The connection waits on, and would be reported in
            // every turn: leave the listener alone for a moment, some client may go.
            say(&format!("cannot accept: {error}"));
            let pause = Duration::from_millis(100);
            let Some(subreq) = req.with_state(|state| wakeup_send(&state.ev, pause)) else { return };
            req.add_subreq(subreq, echo_server_wakeup_done);
        }
    }
}

fn echo_server_wakeup_done(req: &ReqRef<EchoServer>, subreq: Req<Wakeup>) {
    if wakeup_recv(subreq) {
        echo_server_next(req);
    }
}

/// An error of one client ends that client, never the server.
fn echo_server_client_done(req: &ReqRef<EchoServer>, subreq: Req<EchoClient>) {
    let echoed = echo_client_recv(subreq);
    req.advance(move |state| {
        state.connected -= 1;
        match echoed {
            Ok(bytes) => {
                state.totals.served += 1;
                state.totals.bytes += bytes;
            }
            Err(error) => {
                state.totals.lost += 1;
                say(&format!("a client is lost: {error}"));
            }
        }
        if state.left == Some(0) && state.connected == 0 { Poll::Ready(Ok(())) } else { Poll::Pending }
    });
}

fn echo_server_recv(req: Req<EchoServer>) -> Result<Totals, ReqError> {
    req.recv(|state| state.totals)
}

fn try_again(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

// The program.

/// Where to listen, and how many clients to serve.
type Options = (Vec<SocketAddr>, Option<u64>);

const USAGE: &str = "usage: echo_server [ADDR] [--clients N]";

fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let (mut address, mut clients) = (None, None);
    while let Some(arg) = args.next() {
        if arg == "--clients" {
            let given = args.next().unwrap_or_default();
            let number = given.parse().ok().filter(|n| *n > 0);
            clients = Some(number.ok_or(format!("--clients `{given}`: it needs a number, at least 1"))?);
        } else if arg.starts_with('-') || address.is_some() {
            return Err(format!("unexpected argument `{arg}`; {USAGE}"));
        } else {
            address = Some(arg);
        }
    }
    let address = address.unwrap_or_else(|| "127.0.0.1:0".to_owned());
    match address.to_socket_addrs() {
        Ok(addresses) => Ok((addresses.collect(), clients)),
        Err(error) => Err(format!("`{address}` is no address to listen on: {error}")),
    }
}

fn serve((addresses, clients): Options) -> Result<(), Box<dyn Error>> {
    let ctx = Context::new()?;
    let listener = TcpListener::bind(&addresses[..])?;
    listener.set_nonblocking(true)?;
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
    let req = echo_server_send(&ctx, listener, clients);
    req.poll(&ctx)?;
    let Totals { served, lost, bytes } = echo_server_recv(req)?;
    writeln!(io::stdout(), "{served} clients served, {lost} lost, {bytes} bytes echoed")?;
    Ok(())
}

/// A server does not end because nobody listens to what it says.
fn say(message: &str) {
    let _ = writeln!(io::stderr(), "echo_server: {message}");
}

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    if args == ["--help"] {
        return writeln!(io::stdout(), "{USAGE}").map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    let (code, message) = match parse(args.into_iter()).map(serve) {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(error)) => (1, error.to_string()),
        Err(message) => (2, message),
    };
    say(&message);
    ExitCode::from(code)
}
