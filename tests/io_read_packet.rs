//! IO-2, `read_packet`: what belongs to a packet. How it is told of the end: `io_ends.rs`; freed, cancelled and out of time:
//! `io_leaving.rs`; datagrams: `io_datagrams.rs`.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

#[path = "support/media.rs"]
mod media;
#[path = "support/random.rs"]
mod random;
#[path = "support/streams.rs"]
mod streams;

use std::cell::Cell;
use std::convert::Infallible;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use media::{Medium, await_arrival, put};
use random::Random;
use rustix::io::Errno;
use streams::{assert_errno, impatient, set_blocking};
use support::{on_every_backend, pair, run_ready, turns};
use tevent::io::{ReadPacket, Stream, read_packet_recv, read_packet_send};
use tevent::{ContextRef, Req, ReqState};

/// Two bytes with the length of what follows.
fn framed(ev: &ContextRef, stream: &Stream) -> Req<ReadPacket> {
    read_packet_send(ev, stream, 2, |packet| {
        let body = usize::from(u16::from_be_bytes([packet[0], packet[1]]));
        Ok::<_, Infallible>(2 + body - packet.len())
    })
}

fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = u16::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(body);
    frame
}

/// Both ends of each kind of byte stream: which read, and which write. One does not block.
fn each_kind(run: impl Fn(Stream, OwnedFd)) {
    for medium in Medium::BYTES {
        let (near, far) = medium.reading();
        run(near, far);
    }
    let (near, far) = Medium::Pipe.reading();
    set_blocking(&near, false);
    run(near, far);
}

on_every_backend! {
    fn io_2_a_packet_byte_by_byte_and_nothing_after_it(backend) {
        each_kind(|stream, far| {
            let ctx = backend.context();
            let req = framed(&ctx, &stream);
            for byte in frame(b"hello") {
                assert!(req.is_in_progress());
                put(&far, &[byte]);
                turns(&ctx, 1);
            }
            assert_eq!(read_packet_recv(req).unwrap(), frame(b"hello"));
            put(&far, &[&frame(b"two")[..], &frame(b""), b"rest"].concat());
            for body in [&b"two"[..], b""] {
                let req = framed(&ctx, &stream);
                req.poll(&ctx).unwrap();
                assert_eq!(read_packet_recv(req).unwrap(), frame(body));
            }
            let mut rest = [0; 10];
            assert_eq!(stream.try_read(&mut rest).unwrap(), 4, "what comes next is still there");
        });
    }

    fn io_2_on_a_socket_a_read_is_tried_at_once(backend) {
        let ctx = impatient(backend);
        let (near, mut far) = pair();
        let stream = Stream::new(near);
        far.write_all(&frame(b"here")).unwrap();
        let req = framed(&ctx, &stream);
        assert_eq!(req.state(), ReqState::Done, "inside send");
        let called = Rc::new(Cell::new(false));
        let call = Rc::clone(&called);
        req.set_callback(move |_req| call.set(true));
        turns(&ctx, 1);
        assert!(called.get(), "it was posted");
        assert_eq!(ctx.stats().changes, 0, "the kernel was told nothing");
        assert_eq!(read_packet_recv(req).unwrap(), frame(b"here"));
    }

    fn io_2_other_files_are_read_once_for_each_readiness(backend) {
        let ctx = impatient(backend);
        let (near, far) = rustix::pipe::pipe().unwrap();
        let stream = Stream::new(near);
        put(&far, &frame(b"pipe"));
        let req = framed(&ctx, &stream);
        assert!(req.is_in_progress(), "it waits for READ");
        turns(&ctx, 1);
        assert!(req.is_in_progress(), "one read, for the length");
        turns(&ctx, 1);
        assert_eq!(read_packet_recv(req).unwrap(), frame(b"pipe"));
    }

    fn io_2_the_end_of_the_stream_is_epipe_at_every_byte(backend) {
        let packet = frame(b"abc");
        for sent in 0..packet.len() {
            each_kind(|stream, far| {
                let ctx = impatient(backend);
                let req = framed(&ctx, &stream);
                put(&far, &packet[..sent]);
                run_ready(&ctx);
                assert!(req.is_in_progress());
                drop(far);
                req.poll(&ctx).unwrap();
                assert_errno(read_packet_recv(req), Errno::PIPE);
            });
        }
    }

    fn io_2_what_more_says(backend) {
        let ctx = impatient(backend);
        let (near, mut far) = pair();
        let stream = Stream::new(near);
        far.write_all(b"0123456789").unwrap();
        // Asked with nothing, at once; then for one more each time, until it has four.
        let req = read_packet_send(&ctx, &stream, 0, |packet| Ok::<_, Infallible>(usize::from(packet.len() < 4)));
        assert_eq!(read_packet_recv(req).unwrap(), b"0123");
        let req = read_packet_send(&ctx, &stream, 0, |_packet| Ok::<_, Infallible>(0));
        assert_eq!(read_packet_recv(req).unwrap(), b"", "an empty packet");
        let req = read_packet_send(&ctx, &stream, 1, |_packet| Err("it is malformed"));
        let error = read_packet_recv(req).unwrap_err();
        assert_eq!((error.errno(), error.to_string().as_str()), (libc::EIO, "it is malformed"));
        let req = read_packet_send(&ctx, &stream, 1, |_packet| Ok::<_, Infallible>(usize::MAX));
        assert_errno(read_packet_recv(req), Errno::MSGSIZE);
        let req = read_packet_send(&ctx, &stream, 1, |_packet| Ok::<_, Infallible>(isize::MAX.cast_unsigned() - 1));
        assert!(req.is_in_progress(), "an announced exabyte takes no memory");
        assert!(format!("{req:?}").contains("ReadPacket"));
    }

    fn io_2_a_blocking_file_does_not_block(backend) {
        each_kind(|stream, far| {
            let ctx = impatient(backend);
            let req = framed(&ctx, &stream);
            assert_eq!(run_ready(&ctx), 0, "it came here at all");
            put(&far, &[0]);
            run_ready(&ctx);
            assert!(req.is_in_progress());
        });
    }

    fn io_2_cancel_after_the_first_byte_is_refused(backend) {
        each_kind(|stream, far| {
            let ctx = backend.context();
            let req = framed(&ctx, &stream);
            put(&far, &frame(b"abc")[..1]);
            await_arrival(&stream);
            run_ready(&ctx);
            assert!(!req.cancel() && req.is_in_progress());
            put(&far, &frame(b"abc")[1..]);
            req.poll(&ctx).unwrap();
            assert_eq!(read_packet_recv(req).unwrap(), frame(b"abc"));
        });
    }

    fn io_2_freed_in_the_middle_of_a_packet_it_takes_its_bytes_with_it(backend) {
        each_kind(|stream, far| {
            let ctx = impatient(backend);
            let req = framed(&ctx, &stream);
            put(&far, b"\x00\x03ab");
            await_arrival(&stream);
            run_ready(&ctx);
            assert!(req.is_in_progress());
            drop(req);
            assert_eq!(ctx.dump().events, []);
            put(&far, b"c");
            await_arrival(&stream);
            assert_eq!(stream.try_read(&mut [0; 9]).unwrap(), 1, "only what came after it");
        });
    }

    fn io_2_the_file_is_not_watched_when_the_callback_runs(backend) {
        let ctx = backend.context();
        let (near, mut far) = pair();
        let stream = Stream::new(near);
        let req = framed(&ctx, &stream);
        let ev = ctx.clone();
        let seen = Rc::new(Cell::new(false));
        let see = Rc::clone(&seen);
        req.set_callback(move |_req| see.set(ev.dump().events.is_empty()));
        far.write_all(&frame(b"x")).unwrap();
        req.poll(&ctx).unwrap();
        assert!(seen.get());
    }

    fn io_2_random_packets_in_random_pieces_are_exact(backend) {
        for seed in 1..=20 {
            let random = &mut Random(seed);
            let ctx = impatient(backend);
            let (near, mut far) = pair();
            let stream = Stream::new(near);
            let sizes = [0, 1, 100, 60_000];
            let bodies: Vec<Vec<u8>> = (0..10)
                .map(|_| { let most = sizes[random.below(4)]; let size = random.below(most + 1); random.bytes(size) })
                .collect();
            let mut bytes: &[u8] = &bodies.iter().flat_map(|body| frame(body)).collect::<Vec<u8>>();
            let mut arrived = Vec::new();
            let mut req = framed(&ctx, &stream);
            while arrived.len() < bodies.len() {
                let piece = (1 + random.below(9000)).min(bytes.len());
                if let Ok(n) = far.write(&bytes[..piece]) {
                    bytes = &bytes[n..];
                }
                let _ = ctx.loop_once();
                while !req.is_in_progress() && arrived.len() < bodies.len() {
                    let next = framed(&ctx, &stream);
                    arrived.push(read_packet_recv(std::mem::replace(&mut req, next)).unwrap());
                }
            }
            assert!(arrived.iter().eq(bodies.iter().map(|body| frame(body)).collect::<Vec<_>>().iter()), "seed {seed}");
            drop(req);
            let mut rest = Vec::new();
            drop(stream);
            assert_eq!(far.read_to_end(&mut rest).unwrap_or(0), 0);
        }
    }
}
