//! IO-3, `connect`, and IO-4, `accept`.
#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/streams.rs"]
mod streams;
mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use rustix::io::{Errno, FdFlags as DescriptorFlags, fcntl_getfd};
use streams::{TempPath, assert_errno, is_blocking, log_callback, set_blocking};
use support::{Log, on_every_backend, run_ready, turns};
use tevent::ContextRef;
use tevent::io::{Address, Stream, accept_recv, accept_send, connect_recv, connect_send};

fn tcp_listener() -> (TcpListener, Address) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::from(listener.local_addr().unwrap());
    (listener, address)
}

fn unix(path: &TempPath) -> Address {
    Address::from(path.0.clone())
}

/// The address of a port on which nobody listens: it is taken, by a socket that is no listener.
fn refusing() -> (Stream, Address) {
    let free_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let taken = Address::from(free_port).socket().unwrap();
    rustix::net::bind(&taken, &free_port).unwrap();
    let address: SocketAddr = rustix::net::getsockname(&taken).unwrap().try_into().unwrap();
    (taken, address.into())
}

/// No event of the context can fire any more: what the requests watched has been freed with them.
#[track_caller]
fn assert_nothing_is_watched(ev: &ContextRef) {
    run_ready(ev);
    let text = format!("{ev:?}");
    assert!(text.contains("armed_fds: 0"), "{text}");
}

on_every_backend! {
    fn io_3_a_connected_stream_has_its_old_mode_back(backend) {
        let ctx = backend.context();
        let (listener, address) = tcp_listener();
        for blocking in [true, false] {
            let stream = address.socket().unwrap();
            set_blocking(&stream, blocking);
            let req = connect_send(&ctx, &stream, &address);
            assert!(req.is_in_progress() && !is_blocking(&stream), "non-blocking for its time");
            req.poll(&ctx).unwrap();
            assert_eq!(is_blocking(&stream), blocking, "when it is done, not only when it is received");
            connect_recv(req).unwrap();
            rustix::net::send(&stream, b"hello", rustix::net::SendFlags::NOSIGNAL).unwrap();
            let mut five = [0; 5];
            listener.accept().unwrap().0.read_exact(&mut five).unwrap();
            assert_eq!(&five, b"hello");
        }
        assert_nothing_is_watched(&ctx);
    }

    fn io_3_nobody_listening_is_econnrefused_and_the_mode_is_back(backend) {
        let ctx = backend.context();
        let (_taken, address) = refusing();
        for blocking in [true, false] {
            let stream = address.socket().unwrap();
            set_blocking(&stream, blocking);
            let log = Log::new();
            let req = connect_send(&ctx, &stream, &address);
            log_callback(&req, &log, "refused");
            req.poll(&ctx).unwrap();
            run_ready(&ctx);
            assert_eq!(log.take(), ["refused"]);
            assert_eq!(is_blocking(&stream), blocking);
            assert_errno(connect_recv(req), Errno::CONNREFUSED);
        }
        assert_nothing_is_watched(&ctx);
    }

    fn io_3_freed_midway_the_stream_has_its_old_mode_back(backend) {
        let ctx = backend.context();
        let (_listener, address) = tcp_listener();
        for blocking in [true, false] {
            let stream = address.socket().unwrap();
            set_blocking(&stream, blocking);
            let req = connect_send(&ctx, &stream, &address);
            assert!(req.is_in_progress() && !is_blocking(&stream));
            drop(req);
            assert_eq!(is_blocking(&stream), blocking);
        }
        assert_nothing_is_watched(&ctx);
    }

    fn io_3_a_unix_socket_connects_at_once_and_is_called_back_later(backend) {
        let ctx = backend.context();
        let path = TempPath::new();
        let listener = UnixListener::bind(&path.0).unwrap();
        let stream = unix(&path).socket().unwrap();
        let log = Log::new();
        let req = connect_send(&ctx, &stream, &unix(&path));
        log_callback(&req, &log, "connected");
        assert!(log.take().is_empty() && is_blocking(&stream));
        turns(&ctx, 1);
        assert_eq!(log.take(), ["connected"]);
        connect_recv(req).unwrap();
        assert!(listener.accept().is_ok());
    }

    fn io_3_a_unix_path_that_cannot_be_connected_to_is_an_error_called_back_later(backend) {
        let ctx = backend.context();
        let (missing, dead) = (TempPath::new(), TempPath::new());
        drop(UnixListener::bind(&dead.0).unwrap()); // the file stays
        let too_long = Address::from(PathBuf::from("x".repeat(200)));
        let cases = [
            (unix(&missing), Errno::NOENT),
            (unix(&dead), Errno::CONNREFUSED),
            (too_long, Errno::NAMETOOLONG),
        ];
        for (address, errno) in cases {
            let stream = address.socket().unwrap();
            let log = Log::new();
            let req = connect_send(&ctx, &stream, &address);
            log_callback(&req, &log, "failed");
            turns(&ctx, 1);
            assert_eq!(log.take(), ["failed"]);
            assert!(is_blocking(&stream));
            assert_errno(connect_recv(req), errno);
        }
    }

    fn io_4_what_is_accepted_is_close_on_exec_and_can_talk(backend) {
        let ctx = backend.context();
        let (listener, address) = tcp_listener();
        let Address::Inet(address) = address else { unreachable!() };
        let listener = Stream::new(listener);
        let req = accept_send(&ctx, &listener);
        run_ready(&ctx);
        assert!(req.is_in_progress());
        let mut client = TcpStream::connect(address).unwrap();
        req.poll(&ctx).unwrap();
        let accepted = accept_recv(req).unwrap();
        assert!(fcntl_getfd(&accepted).unwrap().contains(DescriptorFlags::CLOEXEC));
        client.write_all(b"hello").unwrap();
        let mut five = [0; 5];
        TcpStream::from(accepted).read_exact(&mut five).unwrap();
        assert_eq!(&five, b"hello");
        assert_nothing_is_watched(&ctx);
    }

    fn io_4_a_request_accepts_one_connection_only(backend) {
        let ctx = backend.context();
        let path = TempPath::new();
        let listener = Stream::new(UnixListener::bind(&path.0).unwrap());
        let clients = [b"1", b"2"].map(|name| {
            let mut client = UnixStream::connect(&path.0).unwrap();
            client.write_all(name).unwrap();
            client
        });
        let first = accept_send(&ctx, &listener);
        run_ready(&ctx);
        let second = accept_send(&ctx, &listener);
        assert!(second.is_in_progress(), "the next one is accepted in the loop");
        run_ready(&ctx);
        for (req, name) in [(first, b"1"), (second, b"2")] {
            let mut got = [0];
            UnixStream::from(accept_recv(req).unwrap()).read_exact(&mut got).unwrap();
            assert_eq!(&got, name, "in the order in which they came");
        }
        let third = accept_send(&ctx, &listener);
        run_ready(&ctx);
        assert!(third.is_in_progress(), "nobody is left");
        drop((third, clients));
        assert_nothing_is_watched(&ctx);
    }

    fn io_4_freed_while_it_waits_it_takes_no_connection(backend) {
        let ctx = backend.context();
        let (listener, address) = tcp_listener();
        listener.set_nonblocking(true).unwrap();
        let stream = Stream::new(listener.try_clone().unwrap());
        let Address::Inet(address) = address else { unreachable!() };
        let req = accept_send(&ctx, &stream);
        run_ready(&ctx);
        let _client = TcpStream::connect(address).unwrap();
        drop(req);
        run_ready(&ctx);
        assert!(listener.accept().is_ok(), "it is still there");
    }

    fn io_4_a_stream_that_does_not_listen_is_an_error(backend) {
        let ctx = backend.context();
        let (_listener, address) = tcp_listener();
        let req = accept_send(&ctx, &address.socket().unwrap());
        req.poll(&ctx).unwrap();
        assert_errno(accept_recv(req), Errno::INVAL);
        assert_nothing_is_watched(&ctx);
    }
}
