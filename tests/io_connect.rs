//! IO-3, `connect`. Freed, cancelled and out of time in every state: `io_leaving.rs`; datagram sockets: `io_datagrams.rs`.
//!
//! What cannot occur: EINTR and blocking, because the stream is non-blocking for its time; EOF, half-close and a reset end a
//! connection, and it is there then; pipes are no sockets.
#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/streams.rs"]
mod streams;
mod support;

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixSocketAddr, UnixListener, UnixStream};
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::net::{SendFlags, SocketAddrUnix};
use streams::{FullListener, TempPath, assert_errno, is_blocking, log_callback, set_blocking};
use support::{Log, on_every_backend, run_ready, turns};
use tevent::ContextRef;
use tevent::io::{Address, Stream, connect_recv, connect_send};

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
            rustix::net::send(&stream, b"hello", SendFlags::NOSIGNAL).unwrap();
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
        let path = |path: String| Address::from(PathBuf::from(path));
        let cases = [
            (unix(&missing), Errno::NOENT),
            (unix(&dead), Errno::CONNREFUSED),
            (path("x".repeat(200)), Errno::NAMETOOLONG),
            (path("with\0zero".to_owned()), Errno::INVAL),
            (path(String::new()), Errno::INVAL),
            (Address::UnixAbstract(vec![b'x'; 200]), Errno::NAMETOOLONG),
            (Address::UnixAbstract(b"tevent: nobody has this name".to_vec()), Errno::CONNREFUSED),
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

    fn io_3_a_unix_address_that_is_no_files_name(backend) {
        let ctx = backend.context();
        let name = format!("tevent-io-connect-{}-{backend:?}", std::process::id());
        let listener = UnixListener::bind_addr(&UnixSocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let address = Address::try_from(listener.local_addr().unwrap()).unwrap();
        assert_eq!(address, Address::UnixAbstract(name.clone().into_bytes()));
        assert_eq!(address.to_string(), format!("@{name}"));
        let stream = address.socket().unwrap();
        let req = connect_send(&ctx, &stream, &address);
        run_ready(&ctx);
        connect_recv(req).unwrap();
        assert!(listener.accept().is_ok());
    }

    fn io_3_an_attempt_that_is_cancelled_goes_on_in_the_kernel(backend) {
        let ctx = backend.context();
        let (listener, address) = tcp_listener();
        let stream = address.socket().unwrap();
        let req = connect_send(&ctx, &stream, &address);
        assert!(req.cancel() && is_blocking(&stream));
        assert_errno(connect_recv(req), Errno::CANCELED);
        let (mut accepted, _address) = listener.accept().unwrap();
        rustix::net::send(&stream, b"all the same", SendFlags::NOSIGNAL).unwrap();
        let mut text = [0; 12];
        accepted.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"all the same");
    }

    fn io_3_a_second_attempt_meanwhile_is_ealready_and_later_eisconn(backend) {
        let ctx = backend.context();
        let full = FullListener::new();
        let stream = full.address.socket().unwrap();
        let first = connect_send(&ctx, &stream, &full.address);
        let second = connect_send(&ctx, &stream, &full.address);
        assert_errno(connect_recv(second), Errno::ALREADY);
        assert!(first.is_in_progress() && !is_blocking(&stream), "the first is at work");
        assert!(first.cancel());
        assert_errno(connect_recv(connect_send(&ctx, &stream, &full.address)), Errno::ALREADY);
        assert!(is_blocking(&stream));

        let (_listener, address) = tcp_listener();
        let stream = address.socket().unwrap();
        let req = connect_send(&ctx, &stream, &address);
        req.poll(&ctx).unwrap();
        connect_recv(req).unwrap();
        // The first call after the handshake is the kernel's answer to the attempt.
        assert_eq!(connect_recv(connect_send(&ctx, &stream, &address)), Ok(()));
        assert_errno(connect_recv(connect_send(&ctx, &stream, &address)), Errno::ISCONN);
    }

    fn io_3_a_stream_that_goes_with_its_attempt_gives_it_up(backend) {
        let ctx = backend.context();
        let full = FullListener::new();
        let stream = full.address.socket().unwrap();
        let duplicate = rustix::io::dup(&stream).unwrap();
        drop((connect_send(&ctx, &stream, &full.address), stream));
        let watched = |ev: &ContextRef| { run_ready(ev); ev.dump().events };
        assert_eq!(watched(&ctx), []);
        assert!(is_blocking(duplicate), "the mode is the file's, not the number's");
    }

    fn io_3_a_full_unix_listener_is_eagain_and_another_kind_eprototype(backend) {
        let ctx = backend.context();
        let path = TempPath::new();
        let listener = unix(&path).socket().unwrap();
        rustix::net::bind(&listener, &SocketAddrUnix::new(&path.0).unwrap()).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let connect = |stream: &Stream| connect_recv(connect_send(&ctx, stream, &unix(&path)));
        let [first, second, third] = [(); 3].map(|()| unix(&path).socket().unwrap());
        assert_eq!(connect(&first), Ok(()));
        assert_errno(connect(&second), Errno::AGAIN);
        drop(rustix::net::accept(&listener).unwrap());
        assert_eq!(connect(&second), Ok(()), "later");
        assert_errno(connect(&third), Errno::AGAIN);
        assert_errno(connect(&unix(&path).datagram_socket().unwrap()), Errno::PROTOTYPE);
    }
}

#[test]
fn io_3_addresses() {
    let (v4, v6) = (SocketAddr::from(([127, 0, 0, 1], 80)), SocketAddr::from(([0_u16; 8], 80)));
    let path = PathBuf::from("/run/daemon.sock");
    let from_path = UnixSocketAddr::from_pathname(&path).unwrap();
    let odd = UnixSocketAddr::from_abstract_name(b"odd\0name").unwrap();
    let cases = [
        (Address::from(v4), "127.0.0.1:80"),
        (Address::from(v6), "[::]:80"),
        (Address::from(path), "/run/daemon.sock"),
        (Address::try_from(from_path).unwrap(), "/run/daemon.sock"),
        (Address::try_from(odd).unwrap(), "@odd\\x00name"),
    ];
    for (address, text) in cases {
        assert_eq!(address.to_string(), text);
    }
    let unnamed = UnixStream::pair().unwrap().0.local_addr().unwrap();
    assert_eq!(Address::try_from(unnamed).unwrap_err().raw_os_error(), Some(libc::EINVAL));
}
