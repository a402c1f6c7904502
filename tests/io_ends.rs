//! IO-1, IO-2 and IO-4: how each request is told that the other end is gone, on each kind of byte stream: one table.
//!
//! What cannot occur: a pipe has no half-close and no reset; datagram sockets have no end (`io_datagrams.rs`); a listener has no other end
//! (`io_accept.rs`), nor has a stream that is being connected (`io_connect.rs`).

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/media.rs"]
mod media;
#[path = "support/streams.rs"]
mod streams;
mod support;

use std::convert::Infallible;
use std::os::fd::OwnedFd;

use End::{Close, HalfClose, Reset};
use media::Medium::{self, Fifo, Pipe, Tcp, Unix};
use media::{is_told_of_the_end, reset};
use rustix::io::Errno;
use rustix::net::{SendFlags, Shutdown, send, shutdown};
use support::{on_every_backend, run_ready};
use tevent::io::{
    Stream, read_packet_recv, read_packet_send, wait_for_error_recv, wait_for_error_send, wait_for_read_recv,
    wait_for_read_send, writev_recv, writev_send,
};
use tevent::{ContextRef, Queue, Req, ReqError};

/// What the other end does.
#[derive(Clone, Copy, Debug)]
enum End {
    Close,
    /// Shuts down its sending side.
    HalfClose,
    /// TCP: is closed with a reset. Unix: is closed before it has read all.
    Reset,
}

/// What comes of it.
struct Told {
    medium: Medium,
    end: End,
    /// To a writer in the middle of its frame, and to one that comes later, without a queue and with one.
    writers: [Option<Errno>; 3],
    read_packet: Option<Errno>,
    /// Without and with `check_errors`.
    wait_for_read: [Option<Errno>; 2],
    wait_for_error: Option<Errno>,
}

const OK: Option<Errno> = None;
const PIPE: Option<Errno> = Some(Errno::PIPE);
const RESET: Option<Errno> = Some(Errno::CONNRESET);

/// That a TCP peer has closed the kernel tells as the end of what it sends; that it takes nothing any more shows when something is sent.
#[rustfmt::skip]
const TABLE: [Told; 8] = [
    //                     writers             read_packet  wait_for_read  wait_for_error
    told(Tcp,  Close,     [PIPE, PIPE, OK],    PIPE,        [OK, PIPE],    RESET),
    told(Tcp,  HalfClose, [PIPE, PIPE, OK],    PIPE,        [OK, PIPE],    RESET),
    told(Tcp,  Reset,     [PIPE, PIPE, RESET], RESET,       [OK, PIPE],    RESET),
    told(Unix, Close,     [PIPE, PIPE, PIPE],  PIPE,        [OK, PIPE],    PIPE),
    told(Unix, HalfClose, [PIPE, PIPE, OK],    PIPE,        [OK, PIPE],    RESET),
    told(Unix, Reset,     [PIPE, PIPE, PIPE],  RESET,       [OK, PIPE],    RESET),
    told(Pipe, Close,     [PIPE, PIPE, PIPE],  PIPE,        [OK, PIPE],    PIPE),
    told(Fifo, Close,     [PIPE, PIPE, PIPE],  PIPE,        [OK, PIPE],    PIPE),
];

const fn told(
    medium: Medium,
    end: End,
    writers: [Option<Errno>; 3],
    read_packet: Option<Errno>,
    wait_for_read: [Option<Errno>; 2],
    wait_for_error: Option<Errno>,
) -> Told {
    Told { medium, end, writers, read_packet, wait_for_read, wait_for_error }
}

impl Told {
    /// Does it. What is handed back keeps the other end open.
    fn come_to_its_end(&self, near: &Stream, far: OwnedFd) -> Option<OwnedFd> {
        let mut open = None;
        match self.end {
            Close => drop(far),
            HalfClose => {
                shutdown(&far, Shutdown::Write).unwrap();
                open = Some(far);
            }
            Reset if self.medium == Tcp => reset(far),
            Reset => {
                // In the middle of a frame something is unread already, and there is no room.
                let _full = send(near, b"unread", SendFlags::DONTWAIT);
                drop(far);
            }
        }
        assert!(is_told_of_the_end(near));
        open
    }

    /// The end comes while the request waits, or before it is sent.
    #[track_caller]
    fn check<S: 'static>(
        &self,
        ev: &ContextRef,
        ends: fn(Medium) -> (Stream, OwnedFd),
        send: impl Fn(&Stream) -> Req<S>,
        recv: fn(Req<S>) -> Result<(), ReqError>,
        expected: Option<Errno>,
    ) {
        for early in [true, false] {
            let (near, far) = ends(self.medium);
            let (req, far) = if early {
                let far = self.come_to_its_end(&near, far);
                (send(&near), far)
            } else {
                let req = send(&near);
                run_ready(ev);
                assert!(req.is_in_progress());
                let far = self.come_to_its_end(&near, far);
                (req, far)
            };
            req.poll(ev).unwrap();
            self.assert_told(recv(req), expected);
            drop(far);
        }
    }

    #[track_caller]
    fn assert_told(&self, result: Result<(), ReqError>, expected: Option<Errno>) {
        let told = result.map_err(|error| error.errno());
        let expected = expected.map_or(Ok(()), |errno| Err(errno.raw_os_error()));
        assert_eq!(told, expected, "{:?} {:?}", self.medium, self.end);
    }
}

on_every_backend! {
    fn io_1_writers_are_told_of_the_end(backend) {
        let ctx = backend.context();
        for told in &TABLE {
            let [in_mid_frame, without_queue, with_queue] = told.writers;
            let queue = Queue::create("near");
            let send = |near: &Stream, queue, length: usize| writev_send(&ctx, queue, near, false, vec![vec![7; length]]);
            let (near, far) = told.medium.writing();
            let req = send(&near, Some(&queue), 4 << 20);
            run_ready(&ctx);
            assert!(req.is_in_progress() && near.writes() > 0);
            let _far = told.come_to_its_end(&near, far);
            req.poll(&ctx).unwrap();
            told.assert_told(writev_recv(req).map(drop), in_mid_frame);
            for (queue, expected) in [(None, without_queue), (Some(&*queue), with_queue)] {
                let (near, far) = told.medium.writing();
                let _far = told.come_to_its_end(&near, far);
                let req = send(&near, queue, 1);
                req.poll(&ctx).unwrap();
                told.assert_told(writev_recv(req).map(drop), expected);
            }
        }
    }

    fn io_2_read_packet_is_told_of_the_end(backend) {
        let ctx = backend.context();
        for told in &TABLE {
            let send = |near: &Stream| read_packet_send(&ctx, near, 1, |_packet| Ok::<_, Infallible>(0));
            told.check(&ctx, Medium::reading, send, |req| read_packet_recv(req).map(drop), told.read_packet);
        }
    }

    fn io_4_wait_for_read_is_told_of_the_end(backend) {
        let ctx = backend.context();
        for told in &TABLE {
            for (check_errors, expected) in [false, true].into_iter().zip(told.wait_for_read) {
                let send = |near: &Stream| wait_for_read_send(&ctx, near, check_errors);
                told.check(&ctx, Medium::reading, send, wait_for_read_recv, expected);
            }
        }
    }

    fn io_4_wait_for_error_is_told_of_the_end(backend) {
        let ctx = backend.context();
        for told in &TABLE {
            let send = |near: &Stream| wait_for_error_send(&ctx, near);
            for ends in [Medium::reading, Medium::writing] {
                told.check(&ctx, ends, send, wait_for_error_recv, told.wait_for_error);
            }
        }
    }
}
