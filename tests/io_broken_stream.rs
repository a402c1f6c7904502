//! IO-1 again: writers that leave early, before their first byte or in the middle of a frame.
#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/streams.rs"]
mod streams;
mod support;

use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::io::Errno;
use streams::{full_pair, impatient, log_callback, narrow_pair};
use support::{Log, drain, on_every_backend, pair, run_ready, turns};
use tevent::io::{Stream, StreamBroken, Writev, writev_recv, writev_send};
use tevent::{ContextRef, Queue, QueueRef, Req, ReqError, ReqState};

/// More than any socket here takes at once.
const FRAME: usize = 1_000_000;

fn send(ev: &ContextRef, queue: &QueueRef, stream: &Stream, length: usize) -> Req<Writev<Vec<u8>>> {
    writev_send(ev, Some(queue), stream, false, vec![vec![7; length]])
}

/// A stream whose writer has written a part of its frame, and the writer.
fn in_mid_frame(ev: &ContextRef, queue: &QueueRef) -> (Stream, UnixStream, Req<Writev<Vec<u8>>>) {
    let (stream, far) = narrow_pair();
    let req = send(ev, queue, &stream, FRAME);
    assert!(req.is_in_progress() && stream.partial_writes() == 1);
    (stream, far, req)
}

/// A stream that takes no byte, its peer, and a writer whose turn it is.
fn before_the_first_byte(ev: &ContextRef, queue: &QueueRef) -> (Stream, UnixStream, Req<Writev<Vec<u8>>>) {
    let (stream, far) = full_pair();
    let req = send(ev, queue, &stream, 3);
    assert!(req.is_in_progress() && stream.writes() == 0);
    (stream, far, req)
}

/// Fails with EPIPE, and tells how far the writer that broke the stream had come.
#[track_caller]
fn assert_broken(error: &ReqError, written: usize) {
    assert_eq!((error.state(), error.errno()), (ReqState::UserError, Errno::PIPE.raw_os_error()), "{error}");
    let broken: &StreamBroken = error.cause().unwrap().downcast_ref().unwrap();
    assert_eq!(broken.progress(), (written, FRAME));
    let bytes = format!("after {written} of its {FRAME} bytes");
    assert!(error.to_string().contains(&bytes), "{error}");
}

/// What the frame's bytes so far were; whoever writes next, nothing comes after them.
#[track_caller]
fn assert_nothing_follows(ev: &ContextRef, queue: &QueueRef, stream: &Stream, far: &UnixStream) {
    let written = stream.broken().unwrap().progress().0;
    assert!(0 < written && written < FRAME);
    assert_eq!(drain(far), written);
    let writes = stream.writes();
    let queued = send(ev, queue, stream, 3);
    assert_broken(&queued.result().unwrap_err(), written);
    let without_queue = writev_send(ev, None, stream, false, vec!["late"]);
    run_ready(ev);
    assert_broken(&without_queue.result().unwrap_err(), written);
    assert_eq!((stream.writes(), drain(far)), (writes, 0));
}

on_every_backend! {
    fn io_1_a_dropped_writer_that_waits_leaves_the_queue(backend) {
        let ctx = impatient(backend);
        let queue = Queue::create("near");
        let (stream, far, head) = before_the_first_byte(&ctx, &queue);
        let dropped = send(&ctx, &queue, &stream, 20);
        let last = send(&ctx, &queue, &stream, 100);
        drop(dropped);
        assert_eq!(queue.len(), 2);
        drain(&far);
        run_ready(&ctx);
        assert_eq!((writev_recv(head), drain(&far)), (Ok(3), 3));
        run_ready(&ctx);
        assert_eq!((writev_recv(last), drain(&far)), (Ok(100), 100));
        assert_eq!(stream.broken(), None);
    }

    fn io_1_a_dropped_writer_that_has_written_nothing_gives_its_turn_on(backend) {
        let ctx = impatient(backend);
        let queue = Queue::create("near");
        let (stream, far, head) = before_the_first_byte(&ctx, &queue);
        let next = send(&ctx, &queue, &stream, 100);
        drop(head);
        assert_eq!(stream.broken(), None);
        drain(&far);
        run_ready(&ctx);
        assert_eq!((writev_recv(next), drain(&far)), (Ok(100), 100));
    }

    fn io_1_a_dropped_writer_in_mid_frame_breaks_the_stream_for_those_behind(backend) {
        let ctx = impatient(backend);
        let (queue, log) = (Queue::create("near"), Log::new());
        let (stream, far, head) = in_mid_frame(&ctx, &queue);
        for name in ["second", "third"] {
            let log = log.clone();
            let behind = send(&ctx, &queue, &stream, 3);
            ctx.add_subreq(behind, move |_ev, behind| {
                let error = writev_recv(behind).unwrap_err();
                log.add(format!("{name}: {error}"));
            });
        }
        assert_eq!(stream.broken(), None);
        drop(head);
        let written = stream.broken().unwrap().progress().0;
        assert!(log.take().is_empty(), "those behind fail in their turn");
        run_ready(&ctx);
        let text = format!("the stream is broken: a writer ended after {written} of its {FRAME} bytes");
        assert_eq!(log.take(), [format!("second: {text}"), format!("third: {text}")]);
        assert_nothing_follows(&ctx, &queue, &stream, &far);
    }

    fn io_1_a_writer_that_times_out_in_mid_frame_breaks_the_stream(backend) {
        let ctx = backend.context();
        let queue = Queue::create("near");
        let (stream, far, head) = in_mid_frame(&ctx, &queue);
        let behind = send(&ctx, &queue, &stream, 3);
        head.set_endtime(&ctx, Duration::from_millis(1));
        head.poll(&ctx).unwrap();
        let written = stream.broken().unwrap().progress().0;
        run_ready(&ctx);
        assert!(behind.is_in_progress(), "the turn is given back when the writer is received");
        assert_eq!(writev_recv(head), Err(ReqError::TIMED_OUT));
        behind.poll(&ctx).unwrap();
        assert_broken(&writev_recv(behind).unwrap_err(), written);
        assert_nothing_follows(&ctx, &queue, &stream, &far);
    }

    fn io_1_a_writer_that_is_ended_by_an_error_in_mid_frame_breaks_the_stream(backend) {
        let ctx = impatient(backend);
        let queue = Queue::create("near");
        let (stream, far, head) = in_mid_frame(&ctx, &queue);
        let written = head.error(Errno::IO.raw_os_error()).then(|| stream.broken().unwrap().progress().0);
        let behind = send(&ctx, &queue, &stream, 3);
        drop(head);
        behind.poll(&ctx).unwrap();
        assert_broken(&writev_recv(behind).unwrap_err(), written.unwrap());
        assert_nothing_follows(&ctx, &queue, &stream, &far);
    }

    fn io_1_a_peer_that_goes_in_mid_frame_breaks_the_stream(backend) {
        let ctx = impatient(backend);
        let queue = Queue::create("near");
        let (stream, far, head) = in_mid_frame(&ctx, &queue);
        let behind = send(&ctx, &queue, &stream, 3);
        drop(far);
        head.poll(&ctx).unwrap();
        let error = writev_recv(head).unwrap_err();
        assert!(error.errno() == Errno::PIPE.raw_os_error() && error.cause().is_none(), "{error}");
        behind.poll(&ctx).unwrap();
        let (written, _total) = stream.broken().unwrap().progress();
        assert_broken(&writev_recv(behind).unwrap_err(), written);
    }

    fn io_1_the_first_writer_that_ends_early_is_the_one_that_is_named(backend) {
        let ctx = impatient(backend);
        let queue = Queue::create("near");
        let (stream, far, head) = in_mid_frame(&ctx, &queue);
        // Writers without a queue may race; here the second is in mid-frame too.
        let racing = writev_send(&ctx, None, &stream, false, vec![vec![8; 2 * FRAME]]);
        while stream.writes() < 20 {
            drain(&far);
            turns(&ctx, 1);
        }
        drop(head);
        let first = stream.broken().unwrap();
        assert_eq!(first.progress().1, FRAME);
        drop(racing);
        assert_eq!(stream.broken(), Some(first));
    }

    fn io_1_cancel_in_the_queue_leaves_it_and_calls_back_later(backend) {
        let ctx = impatient(backend);
        let (queue, log) = (Queue::create("near"), Log::new());
        let (stream, far, head) = before_the_first_byte(&ctx, &queue);
        let cancelled = send(&ctx, &queue, &stream, 20);
        let last = send(&ctx, &queue, &stream, 100);
        log_callback(&cancelled, &log, "cancelled");
        assert!(cancelled.cancel());
        assert_eq!((queue.len(), cancelled.is_in_progress(), log.len()), (2, false, 0));
        turns(&ctx, 1);
        assert_eq!(log.take(), ["cancelled"]);
        assert!(!cancelled.cancel(), "it has finished");
        assert_eq!(writev_recv(cancelled).unwrap_err().errno(), Errno::CANCELED.raw_os_error());
        drain(&far);
        run_ready(&ctx);
        assert_eq!((writev_recv(head), drain(&far)), (Ok(3), 3));
        run_ready(&ctx);
        assert_eq!((writev_recv(last), drain(&far)), (Ok(100), 100));
    }

    fn io_1_cancel_before_the_first_byte_gives_the_turn_on(backend) {
        let ctx = impatient(backend);
        let queue = Queue::create("near");
        let (stream, far, head) = before_the_first_byte(&ctx, &queue);
        let next = send(&ctx, &queue, &stream, 100);
        assert!(head.cancel());
        assert_eq!((queue.len(), stream.broken()), (1, None), "it leaves although nobody has received it");
        drain(&far);
        run_ready(&ctx);
        assert_eq!((writev_recv(next), drain(&far)), (Ok(100), 100));
        assert_eq!(writev_recv(head).unwrap_err().errno(), Errno::CANCELED.raw_os_error());
    }

    fn io_1_cancel_without_a_queue_is_called_back_later(backend) {
        let ctx = impatient(backend);
        let (near, far) = pair();
        let log = Log::new();
        let req = writev_send(&ctx, None, &Stream::new(near), false, vec!["frame"]);
        log_callback(&req, &log, "cancelled");
        assert!(req.cancel() && log.take().is_empty());
        run_ready(&ctx);
        assert_eq!((log.take(), drain(&far)), (vec!["cancelled".to_owned()], 0));
    }

    fn io_1_cancel_after_the_first_byte_is_refused(backend) {
        let ctx = impatient(backend);
        let queue = Queue::create("near");
        let (stream, far, head) = in_mid_frame(&ctx, &queue);
        assert!(!head.cancel());
        assert!(head.is_in_progress() && queue.len() == 1);
        let mut got = 0;
        while head.is_in_progress() {
            got += drain(&far);
            turns(&ctx, 1);
        }
        assert_eq!((writev_recv(head), got + drain(&far)), (Ok(FRAME), FRAME));
        assert_eq!(stream.broken(), None);
    }
}
