//! Files that an event shares by an `Rc`: the kernel may be told late, and nobody notices (FD-7, FD-9).

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/fds.rs"]
mod fds;
mod support;

use std::cell::RefCell;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use fds::{ERROR, NONE, Number, READ, WRITE};
use fds::{assert_quiet, is_watched, noted_in, noting, peer_is_closed, send, turn_without_waiting};
use support::{Log, on_every_backend, pair, run_ready, turns};
use tevent::{Context, Immediate};

/// Holds a file, and runs something when it is released.
struct Released<F: FnMut()> {
    file: UnixStream,
    then: F,
}

impl<F: FnMut()> AsFd for Released<F> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl<F: FnMut()> Drop for Released<F> {
    fn drop(&mut self) {
        (self.then)();
    }
}

/// Turns until one handler has run: a turn that only tells the kernel of changes may come before.
#[track_caller]
fn run_one(ctx: &Context, log: &Log) {
    for _ in 0..2 {
        if log.len() == 0 {
            turns(ctx, 1);
        }
    }
}

on_every_backend! {
    fn fd_9_a_shared_file_is_unwatched_at_the_latest_when_the_loop_waits_next(backend) {
        let (ctx, log, number) = (backend.context(), Log::new(), Number::reserve());
        let (near, far) = pair();
        let file = Rc::new(number.open(near));
        let fde = noting(&ctx, Rc::clone(&file), READ | WRITE, "it", &log);
        turns(&ctx, 1);
        send(&far);
        drop(fde);
        assert_quiet(&ctx, &log);
        assert!(!is_watched(number.raw()));
        assert_eq!(Rc::strong_count(&file), 1);
    }

    fn fd_7_narrowing_on_a_shared_file_is_seen_at_once(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        send(&far);
        let file = Rc::new(near);
        let fde = noting(&ctx, Rc::clone(&file), READ | WRITE, "it", &log);
        for (flags, told) in [(WRITE, "it WRITE"), (READ, "it READ"), (READ | WRITE, "it READ|WRITE")] {
            fde.set_flags(flags);
            fde.set_flags(NONE);
            fde.set_flags(flags);
            run_one(&ctx, &log);
            assert_eq!(log.take(), [told]);
        }
        fde.set_flags(NONE);
        assert_quiet(&ctx, &log);
        assert_eq!(fde.flags(), NONE);
    }

    fn fd_7_requests_that_come_and_go_on_a_shared_file_see_only_their_own(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        send(&far);
        let file = Rc::new(near);
        for _ in 0..50 {
            for (flags, told) in [(READ, "it READ"), (WRITE, "it WRITE"), (READ | ERROR, "it READ")] {
                let fde = noting(&ctx, Rc::clone(&file), flags, "it", &log);
                run_one(&ctx, &log);
                assert_eq!(log.take(), [told]);
                drop(fde);
            }
        }
        assert_quiet(&ctx, &log);
        assert_eq!(Rc::strong_count(&file), 1);
    }

    fn fd_9_a_shared_file_closes_with_its_last_holder_and_waits_for_no_turn(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        let file = Rc::new(near);
        let fde = noting(&ctx, Rc::clone(&file), WRITE, "it", &log);
        turns(&ctx, 1);
        drop(fde);
        assert!(!peer_is_closed(&far));
        drop(file);
        assert!(peer_is_closed(&far));
    }

    fn fd_9_the_last_holder_of_a_shared_file_may_go_in_any_order(backend) {
        for event_goes_last in [false, true] {
            let (ctx, log, number) = (backend.context(), Log::new(), Number::reserve());
            let (near, far) = pair();
            send(&far);
            let duplicate = near.try_clone().unwrap();
            let file = Rc::new(number.open(near));
            let fde = noting(&ctx, Rc::clone(&file), READ, "it", &log);
            turns(&ctx, 1);
            if event_goes_last {
                drop(file);
                drop(fde);
            } else {
                drop(fde);
                drop(file);
            }
            assert_quiet(&ctx, &log);
            if event_goes_last {
                assert!(!is_watched(number.raw()), "closed before it was unwatched");
            }
            drop(duplicate);
            assert!(peer_is_closed(&far), "the file is still open");
            // The number is free for a new file, which gets nothing of the old one.
            let (near, far) = pair();
            let _new = noting(&ctx, number.open(near), READ, "new", &log);
            assert_quiet(&ctx, &log);
            send(&far);
            assert_eq!(noted_in(&ctx, 2, &log), ["new READ"; 2]);
        }
    }

    fn fd_9_a_shared_file_goes_with_its_last_holder_inside_a_handler(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        send(&far);
        let file = Rc::new(near);
        let holders = Rc::new(RefCell::new(None));
        let (noted, mine) = (log.clone(), Rc::clone(&holders));
        let fde = ctx.add_fd(Rc::clone(&file), READ, move |_ev, _fde, _flags| {
            noted.add("called");
            drop(mine.take());
        }).unwrap();
        holders.replace(Some((fde, file)));
        assert_eq!(noted_in(&ctx, 1, &log), ["called"]);
        assert_quiet(&ctx, &log);
        assert!(peer_is_closed(&far));
    }

    fn fd_9_a_shared_file_goes_with_the_context(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        let file = Rc::new(near);
        let fde = noting(&ctx, Rc::clone(&file), READ, "it", &log);
        drop(fde);
        drop(file);
        drop(ctx);
        assert!(peer_is_closed(&far));
    }

    fn fd_9_the_drop_of_a_shared_file_may_use_the_loop(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        let (noted, ev) = (log.clone(), ctx.clone());
        let then = move || {
            let noted = noted.clone();
            ev.keep(Immediate::empty()).schedule_with(&ev, move |_ev, _im| noted.add("released"));
        };
        let file = Rc::new(Released { file: near, then });
        let fde = noting(&ctx, Rc::clone(&file), READ, "it", &log);
        turn_without_waiting(&ctx);
        drop(fde);
        drop(file);
        run_ready(&ctx);
        assert_eq!(log.take(), ["released"]);
        assert!(peer_is_closed(&far));
    }

    fn fd_9_the_drop_of_a_shared_file_may_free_the_context(backend) {
        let ctx = backend.context();
        let (ev, (near, far), log) = (ctx.clone(), pair(), Log::new());
        let owner: Rc<RefCell<Option<Context>>> = Rc::new(RefCell::new(Some(ctx)));
        let (other, other_far) = pair();
        send(&other_far);
        let _other = noting(&ev, &other, READ, "other", &log);
        let mine = Rc::clone(&owner);
        let file = Rc::new(Released { file: near, then: move || drop(mine.take()) });
        let fde = noting(&ev, Rc::clone(&file), READ, "it", &log);
        drop(fde);
        drop(file);
        for _ in 0..2 {
            if ev.loop_once().is_err() {
                break;
            }
        }
        assert!(ev.is_freed() && owner.borrow().is_none());
        assert_eq!(log.take(), [""; 0]);
        assert!(peer_is_closed(&far));
    }
}
