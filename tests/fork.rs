//! LOOP-9: parent and child both go on with the same events. A program of its own with one thread, because only the
//! forking thread lives on in a child.

#![allow(unsafe_code, reason = "there is no safe fork")]
#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use support::{Kind, Log, drain, pair, run_ready, turns};
use tevent::{Context, ContextRef, FdEvent, FdFlags, FutureState, Immediate, LoopFd, Req, Timer};

/// Runs the case in a child of this process; says whether it returned without a panic.
fn in_child(case: impl FnOnce()) -> bool {
    // SAFETY: this process has one thread, so the child may do anything.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork failed");
    if child == 0 {
        let passed = catch_unwind(AssertUnwindSafe(case)).is_ok();
        // SAFETY: ends the child at once, without the destructors of what is the parent's.
        unsafe { libc::_exit(i32::from(!passed)) };
    }
    let mut status = 0;
    // SAFETY: `status` is valid for the call, and the child is ours.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    waited == child && libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
}

/// An fd that becomes ready, a timer and an immediate, each of which logs.
struct Scene {
    ctx: Context,
    log: Log,
    near: Rc<UnixStream>,
    far: UnixStream,
    _fde: FdEvent,
    _te: Timer,
    _im: Immediate,
}

fn scene(kind: Kind) -> Scene {
    let (ctx, log) = (kind.context(), Log::new());
    let (near, mut far) = pair();
    far.write_all(b"x").unwrap();
    let near = Rc::new(near);
    let note = |what: &'static str| {
        let log = log.clone();
        move || log.add(what)
    };
    let (fd, timer, immediate) = (note("fd"), note("timer"), note("immediate"));
    let reader = Rc::clone(&near);
    let fde = ctx.add_fd(Rc::clone(&near), FdFlags::READ, move |_, _, _| {
        fd();
        drain(&reader);
    });
    let te = ctx.add_timer(Duration::ZERO, move |_, _, _| timer());
    let im = Immediate::new(move |_, _| immediate());
    im.schedule(&ctx);
    Scene { ctx, log, near, far, _fde: fde.unwrap(), _te: te, _im: im }
}

fn runs_all(scene: &Scene) {
    turns(&scene.ctx, 3);
    assert_eq!(scene.log.take(), ["immediate", "timer", "fd"]);
}

fn loop_9_parent_and_child_both_go_on(kind: Kind) {
    let mut scene = scene(kind);
    assert!(in_child(|| {
        runs_all(&scene);
        // What the child watches is its own affair from here on.
        let fde = scene.ctx.add_fd(&scene.far, FdFlags::WRITE, |_, fde, _| fde.set_flags(FdFlags::NONE));
        turns(&scene.ctx, 1);
        assert_eq!(fde.unwrap().flags(), FdFlags::NONE);
    }));
    // The child has read the byte.
    scene.far.write_all(b"x").unwrap();
    runs_all(&scene);
}

fn loop_9_a_child_that_only_drops_its_context_leaves_the_parents_fds_reporting(kind: Kind) {
    let scene = scene(kind);
    let mut scene = Some(scene);
    assert!(in_child(|| drop(scene.take())));
    runs_all(scene.as_ref().unwrap());
}

fn loop_9_a_child_that_frees_an_event_leaves_the_parents_event(kind: Kind) {
    let ctx = kind.context();
    let (near, mut far) = pair();
    let mut fde = Some(ctx.add_fd(&near, FdFlags::READ, |_, fde, _| fde.set_tag(1)).unwrap());
    assert!(in_child(|| {
        drop(fde.take());
        assert_eq!(run_ready(&ctx), 0);
    }));
    far.write_all(b"x").unwrap();
    turns(&ctx, 1);
    assert_eq!(fde.unwrap().tag(), 1);
}

fn loop_9_a_batch_fetched_before_the_fork_is_the_parents_alone(kind: Kind) {
    let (ctx, log) = (kind.context(), Log::new());
    let mut sockets: Vec<_> = (0..8).map(|_| pair()).collect();
    for (near, far) in &mut sockets {
        far.write_all(b"x").unwrap();
        let (log, reader) = (log.clone(), near.try_clone().unwrap());
        let fde = ctx.add_fd(&*near, FdFlags::READ, move |_, _, _| {
            log.add("fd");
            drain(&reader);
        });
        ctx.keep(fde.unwrap());
    }
    turns(&ctx, 1);
    // The child reads all that is left; what the parent has fetched of it is the parent's to find out.
    assert!(in_child(|| {
        assert_eq!(run_ready(&ctx), 7);
        assert_eq!(log.take().len(), 8);
    }));
    for (_near, far) in &mut sockets[..] {
        far.write_all(b"x").unwrap();
    }
    run_ready(&ctx);
    assert!(log.take().len() > 8, "all report in the parent");
}

fn loop_9_handles_of_other_threads_are_dead_in_the_child_and_live_in_the_parent(kind: Kind) {
    let ctx = kind.context();
    let handle = ctx.threaded().unwrap();
    handle.schedule(|_ev| ()).unwrap();
    assert!(in_child(|| {
        assert!(handle.schedule(|_ev| ()).is_err());
        assert_eq!(run_ready(&ctx), 0, "what was scheduled in the parent is the parent's");
        let own = ctx.threaded().unwrap();
        own.schedule(tevent::ContextRef::allow_nesting).unwrap();
        assert!(run_ready(&ctx) > 0);
    }));
    assert_eq!(ctx.stats().turns, 0);
    assert!(run_ready(&ctx) > 0);
}

fn loop_9_grandchildren_go_on_too(kind: Kind) {
    let scene = scene(kind);
    assert!(in_child(|| assert!(in_child(|| runs_all(&scene)))));
    assert!(scene.near.as_raw_fd() > 2);
}

fn loop_9_the_check_for_a_new_process_costs_nothing_that_counts(kind: Kind) {
    let scene = scene(kind);
    runs_all(&scene);
    let before = scene.ctx.stats();
    assert!(in_child(|| turns_of_child(&scene)));
    assert_eq!(scene.ctx.stats(), before, "the parent notices nothing");
}

fn turns_of_child(scene: &Scene) {
    let waits = scene.ctx.stats().waits;
    run_ready(&scene.ctx);
    assert_eq!(scene.ctx.stats().waits, waits + 1, "nothing is ready, so it looks once");
}

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

type Case = (&'static str, fn(Kind));

fn main() -> ExitCode {
    let cases: [Case; 11] = [
        ("future", loop_9_a_future_goes_on_in_the_child_and_is_woken_by_the_childs_threads),
        ("hosted_future", loop_9_a_future_that_is_woken_in_the_child_wakes_the_childs_foreign_loop),
        ("hosted_goes", loop_9_a_hosted_context_that_goes_while_a_child_lives_is_never_readable_again),
        ("sink", loop_9_a_sink_that_is_told_of_a_closed_number_in_the_child_schedules_and_is_not_slept_over),
        ("both_go_on", loop_9_parent_and_child_both_go_on),
        ("child_drops_context", loop_9_a_child_that_only_drops_its_context_leaves_the_parents_fds_reporting),
        ("child_frees_event", loop_9_a_child_that_frees_an_event_leaves_the_parents_event),
        ("fetched_batch", loop_9_a_batch_fetched_before_the_fork_is_the_parents_alone),
        ("threads", loop_9_handles_of_other_threads_are_dead_in_the_child_and_live_in_the_parent),
        ("grandchildren", loop_9_grandchildren_go_on_too),
        ("no_cost", loop_9_the_check_for_a_new_process_costs_nothing_that_counts),
    ];
    let (mut passed, mut failed) = (0, 0);
    for (name, case) in cases {
        for kind in Kind::ALL {
            let ok = catch_unwind(AssertUnwindSafe(|| case(kind))).is_ok();
            println!("test loop_9_{name}::{kind:?} ... {}", if ok { "ok" } else { "FAILED" });
            *(if ok { &mut passed } else { &mut failed }) += 1;
        }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out"
    );
    ExitCode::from(u8::from(failed > 0))
}
