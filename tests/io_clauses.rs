//! IO-1, `writev`: how all bytes get out, and what ends it. Frames that are left in the middle are in `io_broken_stream.rs`,
//! blocking files in `io_never_blocks.rs`, datagrams in `io_datagrams.rs`.
//!
//! Of all requests: how they are told of an end, a half-close or a reset, `io_ends.rs`; freed, cancelled and out of time in every
//! state, `io_leaving.rs`; interrupted, `io_interrupted.rs`. What cannot occur stands at the head of each.
#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/streams.rs"]
mod streams;
mod support;

use std::io::{Read, Write};
use std::net::Shutdown;

use rustix::io::Errno;
use streams::{assert_errno, collect, full_pair, impatient, log_callback, narrow_pair, pattern};
use support::{Log, drain, on_every_backend, pair, run_ready, turns};
use tevent::io::{Stream, writev_recv, writev_send};
use tevent::{FdFlags, Queue, ReqState};

on_every_backend! {
    fn io_1_all_bytes_arrive_in_order_over_many_calls(backend) {
        let ctx = impatient(backend);
        for queue in [None, Some(Queue::create("near"))] {
            let (stream, far) = narrow_pair();
            let (_reading, got) = collect(&ctx, far);
            let bytes = pattern(300_000);
            let buffers: Vec<Vec<u8>> = bytes.chunks(70_001).map(Vec::from).collect();
            let req = writev_send(&ctx, queue.as_deref(), &stream, false, buffers);
            req.poll(&ctx).unwrap();
            assert_eq!(writev_recv(req).unwrap(), bytes.len());
            run_ready(&ctx);
            assert!(*got.borrow() == bytes);
            assert!(stream.partial_writes() > 10, "{stream:?}");
        }
    }

    fn io_1_without_a_queue_the_first_write_waits_for_readiness(backend) {
        let ctx = impatient(backend);
        let (near, far) = pair();
        let stream = Stream::new(near);
        let req = writev_send(&ctx, None, &stream, false, vec!["frame"]);
        let log = Log::new();
        log_callback(&req, &log, "done");
        assert_eq!((stream.writes(), drain(&far)), (0, 0));
        turns(&ctx, 1);
        assert_eq!((stream.writes(), drain(&far)), (1, 5));
        assert_eq!(log.take(), ["done"], "without a queue the callback is not deferred");
    }

    fn io_1_with_a_queue_the_first_write_is_tried_at_once_and_the_callback_deferred(backend) {
        let ctx = impatient(backend);
        let (near, far) = pair();
        let (stream, queue, log) = (Stream::new(near), Queue::create("near"), Log::new());
        let head = writev_send(&ctx, Some(&queue), &stream, false, vec!["head"]);
        assert_eq!((head.state(), drain(&far)), (ReqState::Done, 4), "inside the call");
        log_callback(&head, &log, "head");
        let next = writev_send(&ctx, Some(&queue), &stream, false, vec!["next"]);
        log_callback(&next, &log, "next");
        assert!(log.take().is_empty());
        turns(&ctx, 1);
        assert_eq!(log.take(), ["head"]);
        drop(head);
        turns(&ctx, 1);
        assert_eq!((next.state(), drain(&far)), (ReqState::Done, 4), "tried at once when its turn has come");
        assert!(log.take().is_empty(), "the callback is deferred");
        turns(&ctx, 1);
        assert_eq!(log.take(), ["next"]);
    }

    fn io_1_a_writer_holds_the_queue_until_it_is_received(backend) {
        let ctx = impatient(backend);
        let (stream, mut far) = full_pair();
        let queue = Queue::create("near");
        let send = |frame| writev_send(&ctx, Some(&queue), &stream, false, vec![frame]);
        let reqs = ["one ", "two ", "three"].map(send);
        drain(&far);
        let mut expected = String::new();
        for (req, frame) in reqs.into_iter().zip(["one ", "two ", "three"]) {
            run_ready(&ctx);
            expected += frame;
            let mut text = [0; 16];
            let n = far.read(&mut text).unwrap();
            assert_eq!(&text[..n], frame.as_bytes(), "nobody writes before the turn is given back");
            assert_eq!(writev_recv(req), Ok(frame.len()));
        }
        assert!(queue.is_empty());
    }

    fn io_1_asked_for_bytes_of_the_peer_are_epipe(backend) {
        let ctx = impatient(backend);
        for queue in [None, Some(Queue::create("near"))] {
            let (stream, mut far) = full_pair();
            let req = writev_send(&ctx, queue.as_deref(), &stream, true, vec!["frame"]);
            run_ready(&ctx);
            assert!(req.is_in_progress());
            far.write_all(b"!").unwrap();
            req.poll(&ctx).unwrap();
            assert_errno(writev_recv(req), Errno::PIPE);
            assert_eq!(stream.writes(), 0);
        }
    }

    fn io_1_bytes_of_the_peer_come_before_room_to_write(backend) {
        let ctx = impatient(backend);
        let (near, mut far) = pair();
        far.write_all(b"!").unwrap();
        let stream = Stream::new(near);
        let req = writev_send(&ctx, None, &stream, true, vec!["frame"]);
        req.poll(&ctx).unwrap();
        assert_errno(writev_recv(req), Errno::PIPE);
        assert_eq!(drain(&far), 0);
    }

    fn io_1_bytes_of_the_peer_not_asked_for_are_no_matter(backend) {
        let ctx = impatient(backend);
        let (stream, mut far) = full_pair();
        let req = writev_send(&ctx, None, &stream, false, vec!["frame"]);
        far.write_all(b"!").unwrap();
        run_ready(&ctx);
        assert!(req.is_in_progress());
        drain(&far);
        req.poll(&ctx).unwrap();
        assert_eq!(writev_recv(req), Ok(5));
    }

    fn io_1_an_end_of_file_from_the_peer_is_epipe_asked_for_or_not(backend) {
        let ctx = impatient(backend);
        for err_on_readability in [true, false] {
            let (stream, far) = full_pair();
            let req = writev_send(&ctx, None, &stream, err_on_readability, vec!["frame"]);
            far.shutdown(Shutdown::Write).unwrap();
            req.poll(&ctx).unwrap();
            assert_errno(writev_recv(req), Errno::PIPE);
            assert_eq!(stream.writes(), 0);
        }
    }

    fn io_1_a_peer_that_hangs_up_is_epipe_and_no_signal(backend) {
        let ctx = impatient(backend);
        for queue in [None, Some(Queue::create("near"))] {
            let (stream, far) = full_pair();
            let waiting = writev_send(&ctx, queue.as_deref(), &stream, false, vec!["frame"]);
            drop(far);
            waiting.poll(&ctx).unwrap();
            assert_errno(writev_recv(waiting), Errno::PIPE);
            // This one finds it out by the write itself where it has a queue.
            let late = writev_send(&ctx, queue.as_deref(), &stream, false, vec!["frame"]);
            late.poll(&ctx).unwrap();
            assert_errno(writev_recv(late), Errno::PIPE);
        }
    }

    fn io_1_an_error_at_once_is_called_back_later(backend) {
        let ctx = impatient(backend);
        let (near, far) = pair();
        drop(far);
        let (queue, log) = (Queue::create("near"), Log::new());
        let req = writev_send(&ctx, Some(&queue), &Stream::new(near), false, vec!["frame"]);
        assert_errno(req.result(), Errno::PIPE);
        log_callback(&req, &log, "failed");
        turns(&ctx, 1);
        assert_eq!(log.take(), ["failed"]);
    }

    fn io_1_a_queue_that_is_gone_is_an_error_that_is_called_back(backend) {
        let ctx = impatient(backend);
        let (near, _far) = pair();
        let queue = Queue::create("near");
        let gone = queue.clone();
        drop(queue);
        let log = Log::new();
        let req = writev_send(&ctx, Some(&gone), &Stream::new(near), false, vec!["frame"]);
        log_callback(&req, &log, "failed");
        turns(&ctx, 1);
        assert_eq!(log.take(), ["failed"]);
        assert_errno(writev_recv(req), Errno::INVAL);
    }

    fn io_1_no_bytes_at_all_are_done_when_their_turn_comes(backend) {
        let ctx = impatient(backend);
        let (stream, _far) = full_pair();
        let queue = Queue::create("near");
        let head = writev_send(&ctx, Some(&queue), &stream, false, vec!["frame"]);
        let behind = writev_send(&ctx, Some(&queue), &stream, false, vec!["", ""]);
        run_ready(&ctx);
        assert!(behind.is_in_progress());
        drop(head);
        run_ready(&ctx);
        assert_eq!(writev_recv(behind), Ok(0));
        let none: Vec<&str> = Vec::new();
        let at_once = writev_send(&ctx, Some(&queue), &stream, false, none.clone());
        assert_eq!(writev_recv(at_once), Ok(0));
        let without_queue = writev_send(&ctx, None, &stream, false, none);
        run_ready(&ctx);
        assert!(without_queue.is_in_progress(), "it waits for readiness like any other");
    }

    fn io_1_empty_buffers_count_for_nothing_however_many(backend) {
        let ctx = impatient(backend);
        let (stream, far) = narrow_pair();
        let (_reading, got) = collect(&ctx, far);
        for queue in [None, Some(Queue::create("near"))] {
            let mut buffers = vec![""; 100];
            buffers[40] = "a";
            buffers[80] = "bc";
            let req = writev_send(&ctx, queue.as_deref(), &stream, false, buffers);
            req.poll(&ctx).unwrap();
            assert_eq!(writev_recv(req), Ok(3));
        }
        run_ready(&ctx);
        assert_eq!(*got.borrow(), b"abcabc");
    }

    fn io_1_fd_8_an_event_takes_a_stream_as_it_is_and_shares_its_file(backend) {
        let ctx = impatient(backend);
        let (near, mut far) = pair();
        let (stream, log) = (Stream::new(near), Log::new());
        let note = log.clone();
        let fde = ctx.add_fd(stream, FdFlags::READ, move |_ev, fde, _flags| {
            note.add("read");
            fde.set_flags(FdFlags::NONE);
        });
        far.write_all(b"x").unwrap();
        run_ready(&ctx);
        assert_eq!(log.take(), ["read"]);
        far.write_all(b"the file is open").unwrap();
        drop(fde.unwrap());
        run_ready(&ctx);
        assert!(far.write_all(b"and closed with its event").is_err());
    }

    fn io_1_hundreds_of_buffers_keep_their_order(backend) {
        let ctx = impatient(backend);
        // Around 16, and beyond what one call of the kernel takes (IOV_MAX, 1024).
        for count in [15, 16, 17, 300, 2500] {
            let (stream, far) = narrow_pair();
            let (_reading, got) = collect(&ctx, far);
            let queue = Queue::create("near");
            let buffers: Vec<Vec<u8>> = (0..count).map(|i| vec![u8::try_from(i % 251).unwrap(); i % 5]).collect();
            let bytes = buffers.concat();
            let req = writev_send(&ctx, Some(&queue), &stream, false, buffers);
            req.poll(&ctx).unwrap();
            assert_eq!(writev_recv(req), Ok(bytes.len()));
            run_ready(&ctx);
            assert!(*got.borrow() == bytes, "{count} buffers");
        }
    }
}
