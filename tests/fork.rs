//! LOOP-9: parent and child both go on with the same events. A program of its own with one thread, because only the
//! forking thread lives on in a child.
//!
//! With the argument `counts_for_strace` it is what `ci/syscalls.sh` looks at.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

#[path = "fork/batches.rs"]
mod batches;
#[path = "support/forks.rs"]
mod forks;
#[path = "fork/futures.rs"]
mod futures;
#[path = "fork/threads.rs"]
mod threads;

use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use forks::{Case, in_child};
use support::{Kind, Log, drain, pair, run_ready, turns};
use tevent::{Context, FdEvent, FdFlags, Immediate, Timer};

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
        // One is not ready any more: the child must not believe what the parent has fetched.
        assert!(sockets.iter().any(|(near, _far)| drain(near) > 0));
        assert_eq!(run_ready(&ctx), 6);
        assert_eq!(log.take().len(), 7);
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

/// Turns that only wait and read: 100 in the parent, 101 in a child that has the same event.
fn counts_for_strace() {
    let ctx = Kind::Epoll.context();
    let (near, mut far) = pair();
    let socket = Rc::new(near);
    let reader = Rc::clone(&socket);
    let _fde = ctx.add_fd(socket, FdFlags::READ, move |_ev, _fde, _flags| {
        std::io::Read::read_exact(&mut &*reader, &mut [0]).unwrap();
    });
    let _handle = ctx.threaded().unwrap();
    far.write_all(&[0; 201]).unwrap();
    turns(&ctx, 100);
    let waits = ctx.stats().waits;
    assert!(in_child(|| {
        turns(&ctx, 101);
        println!("counted: {waits} and {} waits", ctx.stats().waits - waits);
    }));
}

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "counts_for_strace") {
        counts_for_strace();
        return ExitCode::SUCCESS;
    }
    let cases: [Case; 7] = [
        ("both_go_on", loop_9_parent_and_child_both_go_on),
        ("child_drops_context", loop_9_a_child_that_only_drops_its_context_leaves_the_parents_fds_reporting),
        ("child_frees_event", loop_9_a_child_that_frees_an_event_leaves_the_parents_event),
        ("fetched_batch", loop_9_a_batch_fetched_before_the_fork_is_the_parents_alone),
        ("threads", loop_9_handles_of_other_threads_are_dead_in_the_child_and_live_in_the_parent),
        ("grandchildren", loop_9_grandchildren_go_on_too),
        ("no_cost", loop_9_the_check_for_a_new_process_costs_nothing_that_counts),
    ];
    let cases: Vec<Case> = [&cases[..], &batches::CASES, &threads::CASES, &futures::CASES].concat();
    forks::run(&cases)
}
