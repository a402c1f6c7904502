//! IO-4, `accept`. Freed, cancelled and out of time in every state: `io_leaving.rs`; EINTR: `io_interrupted.rs`.
//!
//! What cannot occur: a connection that has ended or was reset before it is accepted is accepted like any other on Linux, and
//! its reader is told; datagram sockets and pipes do not listen.
#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/media.rs"]
mod media;
#[path = "support/streams.rs"]
mod streams;
mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

use rustix::io::{Errno, FdFlags as DescriptorFlags, fcntl_getfd};
use streams::{TempPath, assert_errno, before_its_handler};
use support::{on_every_backend, run_ready, turns};
use tevent::ContextRef;
use tevent::io::{Address, Stream, accept_recv, accept_send};

fn tcp_listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// What the requests watched has been freed with them.
#[track_caller]
fn assert_nothing_is_watched(ev: &ContextRef) {
    run_ready(ev);
    assert_eq!(ev.dump().events, []);
}

on_every_backend! {
    fn io_4_what_is_accepted_is_close_on_exec_and_can_talk(backend) {
        let ctx = backend.context();
        let (listener, address) = tcp_listener();
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
        let req = accept_send(&ctx, &Address::from(address).socket().unwrap());
        req.poll(&ctx).unwrap();
        assert_errno(accept_recv(req), Errno::INVAL);
        assert_nothing_is_watched(&ctx);
    }

    fn io_4_what_can_never_be_accepted_from_is_an_error(backend) {
        let ctx = backend.context();
        let (datagrams, far) = UnixDatagram::pair().unwrap();
        far.send(b"no connection").unwrap();
        let (pipe, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"no connection").unwrap();
        let cases = [(Stream::new(datagrams), Errno::OPNOTSUPP), (Stream::new(pipe), Errno::NOTSOCK)];
        for (stream, errno) in cases {
            let req = accept_send(&ctx, &stream);
            req.poll(&ctx).unwrap();
            assert_errno(accept_recv(req), errno);
        }
    }

    fn io_4_a_connection_that_has_ended_is_accepted_like_any_other(backend) {
        let ctx = backend.context();
        let (listener, address) = tcp_listener();
        let listener = Stream::new(listener);
        let ways: [fn(TcpStream); 2] = [drop, |client| media::reset(client.into())];
        for end in ways {
            end(TcpStream::connect(address).unwrap());
            let req = accept_send(&ctx, &listener);
            req.poll(&ctx).unwrap();
            assert!(accept_recv(req).is_ok());
        }
    }

    fn io_4_a_connection_that_another_took_is_no_error(backend) {
        let ctx = backend.context();
        let (listener, address) = tcp_listener();
        listener.set_nonblocking(true).unwrap();
        let other = listener.try_clone().unwrap();
        let req = accept_send(&ctx, &Stream::new(listener));
        let _first = TcpStream::connect(address).unwrap();
        before_its_handler(&ctx, move || drop(other.accept().unwrap()));
        turns(&ctx, 1);
        assert!(req.is_in_progress(), "EAGAIN: it waits for the next one");
        let _second = TcpStream::connect(address).unwrap();
        req.poll(&ctx).unwrap();
        assert!(accept_recv(req).is_ok());
    }
}
