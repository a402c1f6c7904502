//! Futures, foreign loops and sinks in a forked child.

#![allow(unsafe_code, reason = "there is no safe fork, and no safe poll")]

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use super::forks::{Case, in_child};
use super::support::{Kind, pair, run_ready, turns};
use tevent::{ContextRef, FdFlags, FutureState, Immediate, LoopFd, Req};

pub(super) const CASES: [Case; 4] = [
    ("future", loop_9_a_future_goes_on_in_the_child_and_is_woken_by_the_childs_threads),
    ("hosted_future", loop_9_a_future_that_is_woken_in_the_child_wakes_the_childs_foreign_loop),
    ("hosted_goes", loop_9_a_hosted_context_that_goes_while_a_child_lives_is_never_readable_again),
    ("sink", loop_9_a_sink_that_is_told_of_a_closed_number_in_the_child_schedules_and_is_not_slept_over),
];

type Idle = (Req<FutureState<()>>, Rc<RefCell<Option<Waker>>>, Rc<Cell<usize>>);

/// Never ready; hands out the waker of each poll and counts them.
fn idle(ctx: &ContextRef) -> Idle {
    let (waker, polls) = (Rc::<RefCell<Option<Waker>>>::default(), Rc::new(Cell::new(0)));
    let (place, count) = (Rc::clone(&waker), Rc::clone(&polls));
    let future = poll_fn(move |cx| {
        count.set(count.get() + 1);
        let old = place.replace(Some(cx.waker().clone()));
        drop(old);
        Poll::Pending
    });
    (Req::from_future(ctx, future), waker, polls)
}

fn loop_9_a_future_goes_on_in_the_child_and_is_woken_by_the_childs_threads(kind: Kind) {
    let ctx = kind.context();
    let (_req, waker, polls) = idle(&ctx);
    run_ready(&ctx);
    assert!(in_child(|| {
        waker.take().unwrap().wake();
        run_ready(&ctx);
        assert_eq!(polls.get(), 2, "by its own thread");
        let waker = waker.take().unwrap();
        thread::spawn(move || waker.wake()).join().unwrap();
        run_ready(&ctx);
        assert_eq!(polls.get(), 3, "by another");
    }));
    assert_eq!(polls.get(), 1);
    let waker = waker.take().unwrap();
    thread::spawn(move || waker.wake()).join().unwrap();
    run_ready(&ctx);
    assert_eq!(polls.get(), 2);
}

fn is_readable(fd: &LoopFd) -> bool {
    let mut file = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: `file` is one valid pollfd for the whole call.
    unsafe { libc::poll(&raw mut file, 1, 0) > 0 }
}

fn loop_9_a_future_that_is_woken_in_the_child_wakes_the_childs_foreign_loop(kind: Kind) {
    if kind.is_simulated() {
        return;
    }
    let ctx = kind.context();
    let (_req, waker, polls) = idle(&ctx);
    let fd = ctx.loop_fd().unwrap();
    while ctx.dispatch().unwrap() {}
    assert_eq!(ctx.next_timeout(), None);
    assert!(in_child(|| {
        assert!(ctx.next_timeout().is_none() && !is_readable(&fd));
        waker.take().unwrap().wake();
        assert!(is_readable(&fd), "the child's loop would sleep over it");
        while ctx.dispatch().unwrap() {}
        assert!(polls.get() == 2 && ctx.next_timeout().is_none() && !is_readable(&fd));
    }));
    assert!(!is_readable(&fd), "the parent notices nothing");
    waker.take().unwrap().wake();
    assert!(is_readable(&fd));
    while ctx.dispatch().unwrap() {}
    assert!(polls.get() == 2 && !is_readable(&fd));
}

fn loop_9_a_hosted_context_that_goes_while_a_child_lives_is_never_readable_again(kind: Kind) {
    if kind.is_simulated() {
        return;
    }
    let ctx = kind.context();
    let fd = ctx.loop_fd().unwrap();
    let (near, mut far) = pair();
    ctx.keep(ctx.add_fd(&near, FdFlags::READ, |_ev, _fde, _flags| {}).unwrap());
    far.write_all(b"x").unwrap();
    let (done, mut wait) = UnixStream::pair().unwrap();
    // SAFETY: this process has one thread, so the child may do anything.
    let child = unsafe { libc::fork() };
    if child == 0 {
        drop(done);
        let _ = wait.read(&mut [0]);
        // SAFETY: ends the child at once, without the destructors of what is the parent's.
        unsafe { libc::_exit(0) };
    }
    assert!(is_readable(&fd));
    drop(ctx);
    let readable = is_readable(&fd);
    drop(done);
    // SAFETY: the child is ours, and nobody asks for its status.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    assert!(!readable);
}

fn loop_9_a_sink_that_is_told_of_a_closed_number_in_the_child_schedules_and_is_not_slept_over(kind: Kind) {
    let ctx = kind.context();
    let (near, _far) = pair();
    let number = near.as_raw_fd();
    let _fde = ctx.add_fd(number, FdFlags::READ, |_ev, _fde, _flags| {}).unwrap();
    let _else = ctx.add_timer(Duration::from_secs(60), |_ev, _te, _now| {});
    assert!(in_child(|| {
        drop(near);
        let (ev, ran) = (ctx.clone(), Rc::new(Cell::new(false)));
        let run = Rc::clone(&ran);
        ctx.set_debug(move |_level, _message| {
            let run = Rc::clone(&run);
            ev.keep(Immediate::new(move |_ev, _im| run.set(true))).schedule(&ev);
        });
        let begun = Instant::now();
        turns(&ctx, 2);
        assert!(kind.is_simulated() || (ran.get() && begun.elapsed() < Duration::from_secs(20)));
    }));
}
