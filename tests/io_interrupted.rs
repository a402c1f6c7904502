//! EINTR (LOOP-10, IO-1 to IO-4): a signal that interrupts changes nothing for a request.
//!
//! What can be interrupted is the wait of the loop, and an accept on a blocking listener whose connection another has taken. No other
//! call of tevent-io waits: on sockets by their flags, on pipes and other files because they are asked first. Only a second
//! reader or writer that is quicker between that question and the call could make one wait, and no test can place it there.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/media.rs"]
mod media;
#[path = "support/sleepers.rs"]
mod sleepers;
#[path = "support/streams.rs"]
mod streams;
mod support;
#[path = "support/waiting.rs"]
mod waiting;

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::process::{Signal, kill_process};
use sleepers::{Signals, Task, in_time};
use streams::before_its_handler;
use support::on_every_backend;
use tevent::io::{Stream, accept_recv, accept_send};
use tevent::{Queue, SignalFlags};
use waiting::Waiting;

on_every_backend! {
    fn loop_10_io_1_io_2_io_3_io_4_a_wait_that_is_interrupted_goes_on(backend) {
        let signals = Signals::caught();
        for (what, medium) in waiting::all() {
            let (ctx, queue, case) = (backend.context(), Queue::create("near"), format!("{what:?} on {medium:?}"));
            let mut waiting = Waiting::new(what, medium, &ctx, &queue);
            let hold = backend.is_simulated().then(|| ctx.hold_clock());
            let (task, threaded, ended) = (Task::current(), ctx.threaded().unwrap(), AtomicBool::new(false));
            thread::scope(|scope| {
                let sender = scope.spawn(|| {
                    let interrupted = (0..3).filter(|_| task.interrupt_sleep(&signals.delivered)).count();
                    ended.store(true, Ordering::SeqCst);
                    assert!(threaded.schedule(|_ev| {}).is_ok(), "{case}");
                    interrupted
                });
                ctx.loop_until(|| ended.load(Ordering::SeqCst)).unwrap();
                assert_eq!(sender.join().unwrap(), 3, "{case}");
            });
            assert!(waiting.is_in_progress(), "{case}");
            drop(hold);
            waiting.finish(&ctx);
        }
    }

    fn io_4_an_accept_that_is_interrupted_waits_for_the_next_connection(backend) {
        let _alone = Signals::caught();
        let ctx = backend.context();
        // Without RESTART, so that the kernel does not begin the accept again by itself.
        let _se = ctx.add_signal(libc::SIGUSR2, SignalFlags::NONE, |_ev, _se, _delivery| {}).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (other, address) = (listener.try_clone().unwrap(), listener.local_addr().unwrap());
        let req = accept_send(&ctx, &Stream::new(listener));
        let _first = TcpStream::connect(address).unwrap();
        let (task, blocks) = (Task::current(), Arc::new(AtomicBool::new(false)));
        let (taken, returned) = (Arc::clone(&blocks), &AtomicBool::new(false));
        before_its_handler(&ctx, move || {
            other.accept().unwrap();
            taken.store(true, Ordering::SeqCst);
        });
        thread::scope(|scope| {
            let blocks = &blocks;
            scope.spawn(move || {
                let has_returned = || returned.load(Ordering::SeqCst);
                let interrupted = in_time(|| {
                    if blocks.load(Ordering::SeqCst) && task.is_asleep() {
                        kill_process(task.0, Signal::USR2).unwrap();
                    }
                    has_returned()
                });
                // Ends a test that has failed.
                let _second = (!interrupted).then(|| (TcpStream::connect(address), in_time(has_returned)));
            });
            ctx.loop_until(|| blocks.load(Ordering::SeqCst)).unwrap();
            returned.store(true, Ordering::SeqCst);
        });
        assert!(req.is_in_progress(), "EINTR is no error");
        let _second = TcpStream::connect(address).unwrap();
        req.poll(&ctx).unwrap();
        assert!(accept_recv(req).is_ok());
    }
}
