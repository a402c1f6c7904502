//! What an owner has to do when it is dropped it does though something of the user's panics in its own `Drop`.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

use std::cell::Cell;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use support::{CountDrop, on_every_backend, pair, turns};
use tevent::{FdFlags, Immediate, Queue, Req, ReqState, When};

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("bomb");
    }
}

#[track_caller]
fn drop_with_a_bang<T>(owner: T) {
    assert!(catch_unwind(AssertUnwindSafe(|| drop(owner))).is_err(), "the panic goes on its way");
}

on_every_backend! {
    fn fd_8_the_close_function_runs_although_dropping_the_handler_panics(backend) {
        let ctx = backend.context();
        let (near, _far) = pair();
        let bomb = Bomb;
        let fde = ctx.add_fd(&near, FdFlags::READ, move |_, _, _| { let _held = &bomb; }).unwrap();
        let ran = Rc::new(Cell::new(0));
        let count = Rc::clone(&ran);
        fde.set_close_fn(move |_fd| count.set(count.get() + 1));
        drop_with_a_bang(fde);
        assert_eq!(ran.get(), 1);
    }

    fn fd_8_an_owned_file_is_closed_although_dropping_the_handler_panics(backend) {
        let ctx = backend.context();
        let (near, mut far) = pair();
        let bomb = Bomb;
        let fde = ctx.add_fd(OwnedFd::from(near), FdFlags::READ, move |_, _, _| { let _held = &bomb; });
        let fde = fde.unwrap();
        let reference = fde.clone();
        drop_with_a_bang(fde);
        assert_eq!(far.read(&mut [0]).unwrap(), 0, "the peer sees the end");
        assert_eq!(reference.flags(), FdFlags::NONE);
    }

    fn queue_9_all_entries_leave_although_dropping_a_trigger_panics(backend) {
        let ctx = backend.context();
        let (queue, req, bomb) = (Queue::create("q"), Req::create(()), Bomb);
        let first = queue.add_entry(&ctx, &req, move |_req| { let _held = &bomb; }).unwrap();
        let second = queue.add_entry(&ctx, &req, |_req| {}).unwrap();
        drop_with_a_bang(queue);
        assert!(!first.is_queued() && !second.is_queued());
    }

    fn loop_7_all_that_a_context_keeps_goes_although_one_of_it_panics(backend) {
        let ctx = backend.context();
        let (probe, drops) = CountDrop::new();
        ctx.keep(Immediate::new(move |_, _| { let _held = &probe; }));
        let bomb = Bomb;
        ctx.keep(Immediate::new(move |_, _| { let _held = &bomb; }));
        drop_with_a_bang(ctx);
        assert_eq!(drops.get(), 1);
    }

    fn req_12_all_that_a_request_has_goes_although_its_state_panics(backend) {
        let ctx = backend.context();
        let (probe, drops) = CountDrop::new();
        let req = Req::create(Bomb);
        req.keep(Immediate::new(move |_, _| { let _held = &probe; }));
        let te = req.add_timer(&ctx, std::time::Duration::ZERO, |_, _, _| panic!("freed before"));
        drop_with_a_bang(req);
        assert_eq!((drops.get(), te.is_pending()), (1, false));
        let im = Immediate::new(|_, im| im.set_tag(1));
        im.schedule(&ctx);
        turns(&ctx, 1);
        assert_eq!(im.tag(), 1, "the loop goes on");
    }

    fn im_2_and_timer_5_several_that_panic_are_all_dropped_and_nothing_aborts(backend) {
        let ctx = backend.context();
        let (probe, drops) = CountDrop::new();
        let probe = Rc::new(probe);
        let bomb = || (Bomb, Rc::clone(&probe));
        let immediates: Vec<_> = (0..3).map(|_| {
            let bomb = bomb();
            Immediate::new(move |_, _| { let _held = &bomb; })
        }).collect();
        drop_with_a_bang(immediates);
        let timers: Vec<_> = (0..3).map(|_| {
            let bomb = bomb();
            ctx.add_timer(When::Zero, move |_, _, _| { let _held = &bomb; })
        }).collect();
        drop_with_a_bang(timers);
        assert_eq!((Rc::strong_count(&probe), drops.get()), (1, 0));
    }

    fn im_2_the_own_handler_goes_although_the_scheduled_one_panics(backend) {
        let ctx = backend.context();
        let (probe, drops) = CountDrop::new();
        let im = Immediate::new(move |_, _| { let _held = &probe; });
        let reference = im.clone();
        let bomb = Bomb;
        im.schedule_with(&ctx, move |_, _| { let _held = &bomb; });
        drop_with_a_bang(im);
        assert_eq!((drops.get(), reference.is_scheduled()), (1, false));
    }

    fn timer_1_a_handler_that_panics_and_whose_capture_panics_too_aborts_nothing(backend) {
        let ctx = backend.context();
        let bomb = Bomb;
        ctx.keep(ctx.add_timer(When::Zero, move |_, _, _| {
            let _held = &bomb;
            panic!("in the handler");
        }));
        assert!(catch_unwind(AssertUnwindSafe(|| ctx.loop_once())).is_err());
        ctx.loop_wait().unwrap();
    }

    fn fd_3_a_file_that_was_refused_is_closed_although_dropping_the_handler_panics(backend) {
        let ctx = backend.context();
        let reference = ctx.clone();
        drop(ctx);
        let (near, mut far) = pair();
        let bomb = Bomb;
        let added = catch_unwind(AssertUnwindSafe(|| {
            reference.add_fd(OwnedFd::from(near), FdFlags::READ, move |_, _, _| { let _held = &bomb; })
        }));
        assert!(added.is_err());
        assert_eq!(far.read(&mut [0]).unwrap(), 0, "the peer sees the end");
    }

    fn req_3_the_callback_runs_although_the_cleanup_function_panics(backend) {
        let ctx = backend.context();
        let parent = Req::create(());
        let child = Req::create(());
        child.set_cleanup_fn(|_req, state| assert!(state != ReqState::Done, "at the finish"));
        let child = parent.add_subreq(child, |parent, _child| { parent.done(); });
        assert!(catch_unwind(AssertUnwindSafe(|| child.done())).is_err());
        assert_eq!(parent.state(), ReqState::Done);
        assert!(ctx.loop_wait().is_ok());
    }
}
