//! Waiting for a file to be readable or to fail (IO-4), on every backend.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

#[path = "support/streams.rs"]
mod streams;

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use rustix::io::Errno;
use streams::{assert_errno, impatient};
use support::{drain, on_every_backend, pair, run_ready, turns};
use tevent::io::{Stream, wait_for_error_recv, wait_for_error_send, wait_for_read_recv, wait_for_read_send};

fn tcp_pair() -> (Stream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (Stream::new(listener.accept().unwrap().0), far)
}

on_every_backend! {
    fn io_4_wait_for_read_waits_and_reads_nothing(backend) {
        let ctx = impatient(backend);
        let (near, mut far) = pair();
        let reader = near.try_clone().unwrap();
        let stream = Stream::new(near);
        for check_errors in [false, true] {
            let req = wait_for_read_send(&ctx, &stream, check_errors);
            assert_eq!(run_ready(&ctx), 0);
            far.write_all(b"abc").unwrap();
            turns(&ctx, 1);
            assert_eq!(wait_for_read_recv(req), Ok(()));
            assert_eq!(drain(&reader), 3);
        }
    }

    fn io_4_wait_for_read_tells_the_end_where_it_is_asked_to(backend) {
        let ctx = impatient(backend);
        let (near, far) = pair();
        let stream = Stream::new(near);
        far.shutdown(Shutdown::Write).unwrap();
        let req = wait_for_read_send(&ctx, &stream, false);
        req.poll(&ctx).unwrap();
        assert_eq!(wait_for_read_recv(req), Ok(()), "the end can be read");
        let req = wait_for_read_send(&ctx, &stream, true);
        req.poll(&ctx).unwrap();
        assert_errno(wait_for_read_recv(req), Errno::PIPE);
        let (stream, far) = tcp_pair();
        (&far).write_all(b"x").unwrap();
        drop(far);
        let req = wait_for_read_send(&ctx, &stream, true);
        req.poll(&ctx).unwrap();
        assert_eq!(wait_for_read_recv(req), Ok(()), "there is something before the end");
    }

    fn io_4_wait_for_error_tells_a_half_close_from_a_hang_up_and_from_an_error(backend) {
        let ctx = impatient(backend);
        let (near, mut far) = pair();
        let stream = Stream::new(near);
        let req = wait_for_error_send(&ctx, &stream);
        far.write_all(b"data is no error").unwrap();
        assert_eq!(run_ready(&ctx), 0);
        far.shutdown(Shutdown::Write).unwrap();
        req.poll(&ctx).unwrap();
        assert_errno(wait_for_error_recv(req), Errno::CONNRESET);

        let (near, far) = pair();
        let req = wait_for_error_send(&ctx, &Stream::new(near));
        drop(far);
        req.poll(&ctx).unwrap();
        assert_errno(wait_for_error_recv(req), Errno::PIPE);

        let (stream, far) = tcp_pair();
        let req = wait_for_error_send(&ctx, &stream);
        rustix::net::sockopt::set_socket_linger(&far, Some(Duration::ZERO)).unwrap();
        drop(far); // a reset
        req.poll(&ctx).unwrap();
        assert_errno(wait_for_error_recv(req), Errno::CONNRESET);

        let (reading, writing) = rustix::pipe::pipe().unwrap();
        let req = wait_for_error_send(&ctx, &Stream::new(writing));
        drop(reading);
        req.poll(&ctx).unwrap();
        assert_errno(wait_for_error_recv(req), Errno::PIPE);
    }

    fn io_4_waits_end_by_time_and_by_being_freed(backend) {
        let ctx = backend.context();
        let (near, _far) = pair();
        let stream = Stream::new(near);
        let req = wait_for_error_send(&ctx, &stream);
        req.set_endtime(&ctx, Duration::from_millis(1));
        req.poll(&ctx).unwrap();
        assert_eq!(wait_for_error_recv(req).unwrap_err().state(), tevent::ReqState::TimedOut);
        drop(wait_for_error_send(&ctx, &stream));
        drop(wait_for_read_send(&ctx, &stream, true));
        assert_eq!(ctx.dump().events, []);
        let gone = ctx.clone();
        drop(ctx);
        assert!(wait_for_read_send(&gone, &stream, true).is_error());
        assert!(wait_for_error_send(&gone, &stream).is_error());
    }
}
