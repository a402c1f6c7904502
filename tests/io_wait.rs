//! IO-4, `wait_for_read` and `wait_for_error`. How they are told of the end: `io_ends.rs`; freed, cancelled and out of time:
//! `io_leaving.rs`; datagrams: `io_datagrams.rs`. They read and write nothing, so that nothing can block or be interrupted.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

#[path = "support/media.rs"]
mod media;
#[path = "support/streams.rs"]
mod streams;

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use media::{Medium, put};
use rustix::io::Errno;
use streams::{assert_errno, impatient};
use support::{drain, on_every_backend, pair, run_ready, turns};
use tevent::io::{Stream, wait_for_error_recv, wait_for_error_send, wait_for_read_recv, wait_for_read_send};

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

    fn io_4_wait_for_read_finds_what_comes_before_the_end(backend) {
        let ctx = backend.context();
        for medium in Medium::BYTES {
            let (stream, far) = medium.reading();
            put(&far, b"x");
            drop(far);
            let req = wait_for_read_send(&ctx, &stream, true);
            req.poll(&ctx).unwrap();
            assert_eq!(wait_for_read_recv(req), Ok(()), "{medium:?}");
        }
    }

    fn io_4_any_number_of_waits_and_a_reader_are_on_one_stream(backend) {
        let ctx = impatient(backend);
        let (near, mut far) = pair();
        let stream = Stream::new(near);
        let waits = [(); 3].map(|()| wait_for_read_send(&ctx, &stream, true));
        let error = wait_for_error_send(&ctx, &stream);
        far.write_all(b"x").unwrap();
        run_ready(&ctx);
        assert!(waits.into_iter().all(|req| wait_for_read_recv(req) == Ok(())) && error.is_in_progress());
        assert_eq!(stream.try_read(&mut [0; 9]).unwrap(), 1);
        drop(far);
        error.poll(&ctx).unwrap();
        assert_errno(wait_for_error_recv(error), Errno::PIPE);
    }

    fn io_4_wait_for_error_is_not_woken_by_data(backend) {
        let ctx = impatient(backend);
        let (near, mut far) = pair();
        let req = wait_for_error_send(&ctx, &Stream::new(near));
        far.write_all(b"data is no error").unwrap();
        assert_eq!(run_ready(&ctx), 0);
        assert!(req.is_in_progress());
    }

    fn io_4_wait_for_read_of_a_listener_is_a_connection(backend) {
        let ctx = backend.context();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, listener) = (listener.local_addr().unwrap(), Stream::new(listener));
        let plain = wait_for_read_send(&ctx, &listener, false);
        let checked = wait_for_read_send(&ctx, &listener, true);
        assert_eq!(run_ready(&ctx), 0, "nobody has come");
        let _client = TcpStream::connect(address).unwrap();
        plain.poll(&ctx).unwrap();
        checked.poll(&ctx).unwrap();
        assert_eq!(wait_for_read_recv(plain), Ok(()));
        assert_errno(wait_for_read_recv(checked), Errno::INVAL);
    }
}
