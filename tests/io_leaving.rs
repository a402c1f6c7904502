//! IO-1 to IO-4: requests of every kind, on every kind of file, that end before their work does: freed in every state, cancelled, out of
//! time, or with their context gone. `support/waiting.rs` says which kinds can wait on what. What becomes of a half-written frame is in
//! `io_broken_stream.rs`.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/media.rs"]
mod media;
#[path = "support/streams.rs"]
mod streams;
mod support;
#[path = "support/waiting.rs"]
mod waiting;

use std::convert::Infallible;
use std::time::Duration;

use media::{Medium, is_closed_with};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use streams::{FullListener, assert_errno, is_blocking};
use support::{Kind, Log, on_every_backend, run_ready, turns};
use tevent::io::{
    Stream, Writev, accept_recv, accept_send, connect_recv, connect_send, read_packet_recv, read_packet_send,
    wait_for_error_recv, wait_for_error_send, wait_for_read_recv, wait_for_read_send, writev_recv,
    writev_send,
};
use tevent::{Context, ContextRef, Immediate, Queue, Req, ReqState};
use waiting::Waiting;

/// A request that waits, in a context of its own.
struct Case {
    name: String,
    ctx: Context,
    queue: Queue,
    log: Log,
    waiting: Waiting,
}

/// One case for each kind of request on each kind of file.
#[track_caller]
fn each(backend: Kind, run: impl Fn(Case)) {
    for (what, medium) in waiting::all() {
        let (ctx, queue, log) = (backend.context(), Queue::create("near"), Log::new());
        let waiting = Waiting::new(what, medium, &ctx, &queue);
        let call = log.clone();
        waiting.on_callback(move || call.add("called"));
        run(Case { name: format!("{what:?} on {medium:?}"), ctx, queue, log, waiting });
    }
}

impl Case {
    /// It has done what can be done; more cannot.
    #[track_caller]
    fn let_it_wait(&self) {
        run_ready(&self.ctx);
        assert!(self.waiting.is_in_progress(), "{}", self.name);
    }

    /// The callbacks since the last look.
    fn calls(&self) -> usize {
        self.log.take().len()
    }

    /// It has finished: nothing is watched any more, and the file has its mode back.
    #[track_caller]
    fn assert_at_rest(&self) {
        run_ready(&self.ctx);
        assert_eq!(self.ctx.dump().events, [], "{}", self.name);
        assert!(is_blocking(&self.waiting.stream), "{}", self.name);
    }

    /// It is gone with all that it had: nobody is called, the queue goes on, and the stream alone holds the file.
    #[track_caller]
    fn assert_gone(mut self) {
        let calls = self.calls();
        self.waiting.let_others_go();
        self.assert_at_rest();
        assert_eq!(self.calls(), 0, "{}: {calls} before", self.name);
        let next = next_writer(&self.ctx, &self.queue);
        next.poll(&self.ctx).unwrap();
        assert_eq!(writev_recv(next), Ok(4), "{}: the queue does not go on", self.name);
        let Waiting { stream, far, .. } = self.waiting;
        assert!(far.is_none_or(|far| is_closed_with(stream, far)), "{}: something holds the file", self.name);
    }
}

/// On another file, which takes all.
fn next_writer(ev: &ContextRef, queue: &Queue) -> Req<Writev<&'static str>> {
    let file = memfd_create("next", MemfdFlags::CLOEXEC).unwrap();
    writev_send(ev, Some(queue), &Stream::new(file), false, vec!["next"])
}

on_every_backend! {
    fn io_1_io_2_io_3_io_4_freed_before_the_first_turn(backend) {
        each(backend, |case| {
            case.waiting.freer()();
            case.assert_gone();
        });
    }

    fn io_1_io_2_io_3_io_4_freed_while_it_waits(backend) {
        each(backend, |case| {
            case.let_it_wait();
            case.waiting.freer()();
            case.assert_gone();
        });
    }

    fn io_1_io_2_io_3_io_4_freed_in_the_turn_that_would_finish_it(backend) {
        each(backend, |mut case| {
            case.let_it_wait();
            let free = case.waiting.freer();
            case.ctx.keep(Immediate::empty()).schedule_with(&case.ctx, move |_ev, _im| free());
            case.waiting.finish(&case.ctx);
            assert_eq!(case.calls(), 0, "{}", case.name);
            case.assert_gone();
        });
    }

    fn io_1_io_2_io_3_io_4_freed_when_it_has_finished(backend) {
        each(backend, |mut case| {
            case.waiting.finish(&case.ctx);
            case.assert_at_rest();
            assert_eq!(case.calls(), 1, "{}", case.name);
            case.waiting.freer()();
            case.assert_gone();
        });
    }

    fn io_1_io_2_io_3_io_4_freed_in_its_callback(backend) {
        each(backend, |mut case| {
            let (free, log) = (case.waiting.freer(), case.log.clone());
            case.waiting.on_callback(move || {
                log.add("called");
                free();
            });
            case.let_it_wait();
            case.waiting.finish(&case.ctx);
            run_ready(&case.ctx);
            assert_eq!(case.calls(), 1, "{}", case.name);
            case.assert_gone();
        });
    }

    fn io_1_io_2_io_3_io_4_freed_in_the_trigger_of_another(backend) {
        each(backend, |case| {
            let (other, req) = (Queue::create("another"), Req::create(()));
            let free = case.waiting.freer();
            other.add(&case.ctx, &req, move |_req| free()).unwrap();
            turns(&case.ctx, 1);
            case.assert_gone();
        });
    }

    fn io_1_io_2_io_3_io_4_freed_after_its_context(backend) {
        each(backend, |case| {
            let Case { name, ctx, queue, log, mut waiting } = case;
            drop(ctx);
            assert!(waiting.is_in_progress() && log.take().is_empty(), "{name}");
            waiting.freer()();
            assert!(is_blocking(&waiting.stream), "{name}");
            waiting.let_others_go();
            assert!(queue.is_empty(), "{name}");
            let Waiting { stream, far, .. } = waiting;
            assert!(far.is_none_or(|far| is_closed_with(stream, far)), "{name}: something holds the file");
        });
    }

    fn io_1_io_2_io_3_io_4_sent_on_a_context_that_is_gone(backend) {
        let gone = backend.context().clone();
        let ((near, _far), full) = (Medium::Unix.reading(), FullListener::new());
        let stuck = full.address.socket().unwrap();
        let results = [
            writev_recv(writev_send(&gone, None, &near, false, vec!["frame"])).map(drop),
            read_packet_recv(read_packet_send(&gone, &near, 1, |_packet| Ok::<_, Infallible>(0))).map(drop),
            connect_recv(connect_send(&gone, &stuck, &full.address)),
            accept_recv(accept_send(&gone, &near)).map(drop),
            wait_for_read_recv(wait_for_read_send(&gone, &near, true)),
            wait_for_error_recv(wait_for_error_send(&gone, &near)),
        ];
        for result in results {
            assert_errno(result, Errno::NOTCONN);
        }
        assert!(is_blocking(&stuck));
    }

    fn io_1_io_2_io_3_io_4_out_of_time(backend) {
        each(backend, |case| {
            case.waiting.set_endtime(&case.ctx, Duration::from_millis(1));
            case.ctx.loop_until(|| !case.waiting.is_in_progress()).unwrap();
            let error = case.waiting.result().unwrap_err();
            assert_eq!((error.state(), error.errno()), (ReqState::TimedOut, libc::ETIMEDOUT), "{}", case.name);
            case.assert_at_rest();
            assert_eq!(case.calls(), 1, "{}", case.name);
            assert!(!case.waiting.cancel(), "{}: it has finished", case.name);
            case.waiting.freer()();
            case.assert_gone();
        });
    }

    fn io_1_io_2_io_3_io_4_cancelled_before_the_first_turn(backend) {
        each(backend, cancelled);
    }

    fn io_1_io_2_io_3_io_4_cancelled_while_it_waits(backend) {
        each(backend, |case| {
            case.let_it_wait();
            cancelled(case);
        });
    }

    fn io_1_io_2_io_3_io_4_one_that_has_finished_cannot_be_cancelled(backend) {
        each(backend, |mut case| {
            case.waiting.finish(&case.ctx);
            let result = case.waiting.result();
            assert!(!case.waiting.cancel(), "{}", case.name);
            case.assert_at_rest();
            assert_eq!((case.waiting.result(), case.calls()), (result, 1), "{}", case.name);
        });
    }
}

/// Refused if bytes of it have been written; otherwise it ends, and is called back later.
#[track_caller]
fn cancelled(case: Case) {
    if case.waiting.begun {
        assert!(!case.waiting.cancel() && case.waiting.is_in_progress(), "{}", case.name);
        return;
    }
    assert!(case.waiting.cancel(), "{}", case.name);
    assert!(!case.waiting.cancel(), "{}: once", case.name);
    assert_errno(case.waiting.result(), Errno::CANCELED);
    assert_eq!(case.calls(), 0, "{}: inside cancel", case.name);
    case.assert_at_rest();
    assert_eq!(case.calls(), 1, "{}", case.name);
    case.waiting.freer()();
    case.assert_gone();
}
