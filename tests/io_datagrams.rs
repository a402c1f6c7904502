//! IO-1 and IO-2 on datagram sockets: one request writes one datagram, whole, and none is cut as it is read.
//!
//! A datagram socket has no end and no half-close, and no frame on it is ever half written. How its requests end early is in
//! `io_leaving.rs`.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/media.rs"]
mod media;
#[path = "support/streams.rs"]
mod streams;
mod support;

use std::convert::Infallible;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

use media::{Medium, await_arrival, is_told_of_the_end, put, take_all};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, socketpair};
use streams::{TempPath, assert_errno, pattern, set_blocking};
use support::{on_every_backend, run_ready};
use tevent::io::{
    Address, ReadPacket, Stream, connect_recv, connect_send, read_packet_recv, read_packet_send,
    wait_for_error_recv, wait_for_error_send, wait_for_read_recv, wait_for_read_send, writev_recv,
    writev_send,
};
use tevent::{ContextRef, Queue, Req, ReqError};

/// Both kinds, and the one with an end: sequenced packets.
fn each_kind(run: impl Fn(Stream, OwnedFd)) {
    for medium in Medium::DATAGRAMS {
        let (near, far) = medium.writing();
        run(near, far);
    }
    let (near, far) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    set_blocking(&far, false);
    run(Stream::new(near), far);
}

/// A packet of that length.
fn exactly(ev: &ContextRef, stream: &Stream, length: usize) -> Req<ReadPacket> {
    read_packet_send(ev, stream, length, |_packet| Ok::<_, Infallible>(0))
}

on_every_backend! {
    fn io_1_however_many_buffers_are_one_datagram(backend) {
        let ctx = backend.context();
        for queue in [None, Some(Queue::create("near"))] {
            // Around the 16 that are written at a time to a byte stream, and up to what one call takes.
            for count in [1, 15, 16, 17, 18, 300, 1024] {
                each_kind(|stream, far| {
                    let bytes = pattern(7 * count);
                    let buffers: Vec<Vec<u8>> = bytes.chunks(7).map(Vec::from).collect();
                    let req = writev_send(&ctx, queue.as_deref(), &stream, false, buffers);
                    req.poll(&ctx).unwrap();
                    assert_eq!(writev_recv(req), Ok(bytes.len()));
                    assert_eq!((arrived(&far), stream.writes()), (vec![bytes], 1), "{count} buffers");
                });
            }
        }
    }

    fn io_1_empty_buffers_are_no_datagrams_and_do_not_count(backend) {
        let ctx = backend.context();
        each_kind(|stream, far| {
            let mut buffers = vec![""; 5000];
            buffers[1] = "a";
            buffers[4000] = "bc";
            let req = writev_send(&ctx, None, &stream, false, buffers);
            req.poll(&ctx).unwrap();
            assert_eq!((writev_recv(req), arrived(&far)), (Ok(3), vec![b"abc".to_vec()]));
        });
    }

    fn io_1_no_bytes_at_all_are_an_empty_datagram(backend) {
        let ctx = backend.context();
        for queue in [None, Some(Queue::create("near"))] {
            for buffers in [vec![], vec![""], vec![""; 100]] {
                let (stream, far) = Medium::Udp.writing();
                let req = writev_send(&ctx, queue.as_deref(), &stream, false, buffers);
                req.poll(&ctx).unwrap();
                assert_eq!((writev_recv(req), stream.writes()), (Ok(0), 1));
                await_arrival(&far);
                assert_eq!(rustix::io::read(&far, &mut [0; 10]), Ok(0), "it has arrived");
                assert_eq!(rustix::io::read(&far, &mut [0; 10]), Err(Errno::AGAIN), "and no other");
            }
        }
    }

    fn io_1_a_datagram_that_is_too_long_is_emsgsize_and_nothing_is_sent(backend) {
        let ctx = backend.context();
        let queue = Queue::create("near");
        let too_long = || vec![vec![7; 1 << 20]];
        let too_many = || vec![vec![7; 1]; 1025];
        for buffers in [too_long, too_many] {
            each_kind(|stream, far| {
                let req = writev_send(&ctx, Some(&queue), &stream, false, buffers());
                req.poll(&ctx).unwrap();
                assert_errno(writev_recv(req), Errno::MSGSIZE);
                assert_eq!((take_all(&far), stream.broken()), (vec![], None));
                let next = writev_send(&ctx, Some(&queue), &stream, false, vec!["next"]);
                next.poll(&ctx).unwrap();
                assert_eq!((writev_recv(next), arrived(&far)), (Ok(4), vec![b"next".to_vec()]));
            });
        }
    }

    fn io_1_a_full_datagram_socket_is_waited_for(backend) {
        let ctx = backend.context();
        let queue = Queue::create("near");
        let (stream, far) = Medium::UnixDatagram.writing();
        while rustix::net::send(&stream, b"before", SendFlags::DONTWAIT).is_ok() {}
        let reqs = ["one", "two"].map(|frame| writev_send(&ctx, Some(&queue), &stream, false, vec![frame; 20]));
        run_ready(&ctx);
        assert!(reqs.iter().all(|req| req.is_in_progress()) && stream.writes() == 0, "EAGAIN is no error");
        let mut arrived = take_all(&far);
        for req in reqs {
            req.poll(&ctx).unwrap();
            assert_eq!(writev_recv(req), Ok(60));
            arrived.extend(take_all(&far));
        }
        arrived.retain(|datagram| datagram != b"before");
        assert_eq!(arrived, ["one".repeat(20).into_bytes(), "two".repeat(20).into_bytes()]);
    }

    fn io_1_a_writer_that_leaves_breaks_no_datagram_socket(backend) {
        let ctx = backend.context();
        let queue = Queue::create("near");
        let (stream, far) = Medium::UnixDatagram.writing();
        while rustix::net::send(&stream, b"before", SendFlags::DONTWAIT).is_ok() {}
        drop(writev_send(&ctx, Some(&queue), &stream, false, vec![vec![7; 100]; 100]));
        assert_eq!(stream.broken(), None);
        take_all(&far);
        let next = writev_send(&ctx, Some(&queue), &stream, false, vec!["next"]);
        next.poll(&ctx).unwrap();
        assert_eq!((writev_recv(next), arrived(&far)), (Ok(4), vec![b"next".to_vec()]));
    }

    fn io_1_nobody_there_is_econnrefused(backend) {
        let ctx = backend.context();
        for medium in Medium::DATAGRAMS {
            let (stream, far) = medium.writing();
            drop(far);
            let queue = Queue::create("near");
            let send = || {
                let req = writev_send(&ctx, Some(&queue), &stream, false, vec!["frame"]);
                req.poll(&ctx).unwrap();
                writev_recv(req)
            };
            if medium == Medium::Udp {
                assert_eq!(send(), Ok(5), "the news comes back with the next call");
                assert!(is_told_of_the_end(&stream));
            }
            assert_errno(send(), Errno::CONNREFUSED);
        }
    }

    fn io_2_a_datagram_that_would_be_cut_is_emsgsize_and_the_next_is_whole(backend) {
        let ctx = backend.context();
        each_kind(|stream, far| {
            put(&far, b"longer than wanted");
            put(&far, b"as wanted");
            let req = polled(&ctx, exactly(&ctx, &stream, 9));
            assert_errno(read_packet_recv(req), Errno::MSGSIZE);
            let req = polled(&ctx, exactly(&ctx, &stream, 9));
            assert_eq!(read_packet_recv(req).unwrap(), b"as wanted");
            // In the loop, not at once, and for what `more` asks for.
            let req = read_packet_send(&ctx, &stream, 2, |_packet| Ok::<_, Infallible>(3));
            put(&far, b"ab");
            run_ready(&ctx);
            put(&far, b"too long");
            req.poll(&ctx).unwrap();
            assert_errno(read_packet_recv(req), Errno::MSGSIZE);
        });
    }

    fn io_2_a_shorter_datagram_is_a_part_of_the_packet(backend) {
        let ctx = backend.context();
        each_kind(|stream, far| {
            let req = exactly(&ctx, &stream, 9);
            for part in [&b"one"[..], b"two", b"six"] {
                assert!(req.is_in_progress());
                put(&far, part);
                run_ready(&ctx);
            }
            req.poll(&ctx).unwrap();
            assert_eq!(read_packet_recv(req).unwrap(), b"onetwosix");
        });
    }

    fn io_2_a_datagram_is_read_whole_however_long_it_is(backend) {
        let ctx = backend.context();
        let (stream, far) = Medium::UnixDatagram.reading();
        for length in [65_535, 65_536, 65_537, 150_000] {
            let bytes = pattern(length);
            put(&far, &bytes);
            assert!(read_packet_recv(exactly(&ctx, &stream, length)).unwrap() == bytes, "{length}");
        }
        let req = exactly(&ctx, &stream, isize::MAX.cast_unsigned());
        put(&far, b"x");
        run_ready(&ctx);
        assert!(req.is_in_progress(), "an exabyte takes no memory");
    }

    fn io_2_an_empty_datagram_reads_as_the_end(backend) {
        let ctx = backend.context();
        for medium in Medium::DATAGRAMS {
            let (stream, far) = medium.reading();
            put(&far, b"");
            put(&far, b"next");
            let read = || read_packet_recv(polled(&ctx, exactly(&ctx, &stream, 4)));
            assert_errno(read(), Errno::PIPE);
            assert_eq!(read().unwrap(), b"next");
        }
    }

    fn io_2_io_4_what_came_back_is_told(backend) {
        let ctx = backend.context();
        let ways: [(Whole, Errno); 3] = [
            (|ev, stream| read_packet_recv(polled(ev, exactly(ev, stream, 4))).map(drop), Errno::CONNREFUSED),
            (|ev, stream| wait_for_error_recv(polled(ev, wait_for_error_send(ev, stream))), Errno::CONNREFUSED),
            (|ev, stream| wait_for_read_recv(polled(ev, wait_for_read_send(ev, stream, true))), Errno::PIPE),
        ];
        for (whole, errno) in ways {
            let (stream, far) = Medium::Udp.reading();
            drop(far);
            put(&stream, b"to nobody");
            assert!(is_told_of_the_end(&stream));
            assert_errno(whole(&ctx, &stream), errno);
        }
    }

    fn io_3_datagram_sockets_connect_at_once(backend) {
        let ctx = backend.context();
        let path = TempPath::new();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let unix = UnixDatagram::bind(&path.0).unwrap();
        let cases = [
            (Address::from(udp.local_addr().unwrap()), OwnedFd::from(udp)),
            (Address::try_from(unix.local_addr().unwrap()).unwrap(), OwnedFd::from(unix)),
        ];
        for (address, far) in cases {
            set_blocking(&far, false);
            let stream = address.datagram_socket().unwrap();
            let req = connect_send(&ctx, &stream, &address);
            assert!(!req.is_in_progress(), "{address}");
            connect_recv(req).unwrap();
            let req = polled(&ctx, writev_send(&ctx, None, &stream, false, vec!["hello"]));
            assert_eq!((writev_recv(req), arrived(&far)), (Ok(5), vec![b"hello".to_vec()]), "{address}");
        }
    }
}

/// What each read gives, as soon as there is something.
fn arrived(far: &OwnedFd) -> Vec<Vec<u8>> {
    await_arrival(far);
    take_all(far)
}

/// Sends a request, lets it finish, and receives.
type Whole = fn(&ContextRef, &Stream) -> Result<(), ReqError>;

fn polled<S: 'static>(ev: &ContextRef, req: Req<S>) -> Req<S> {
    req.poll(ev).unwrap();
    req
}
