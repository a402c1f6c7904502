//! How often the kernel is asked and told: deterministic, so asserted. `ci/syscalls.sh` checks with strace that the
//! loop's own counts are the kernel's.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

use std::cell::Cell;
use std::io::{Read, Write};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use support::{Kind, drain, on_every_backend, pair, run_ready, turns};
use tevent::io::{Stream, writev_recv, writev_send};
use tevent::{Backend, Context, ContextRef, FdFlags, FdSource, Immediate, Req, When};

/// Waits and changes since the last call.
fn since(ev: &ContextRef, last: &mut (u64, u64)) -> (u64, u64) {
    let stats = ev.stats();
    let now = (stats.waits, stats.changes);
    let since = (now.0 - last.0, now.1 - last.1);
    *last = now;
    since
}

on_every_backend! {
    fn ten_bytes_read_one_by_one_are_ten_calls_and_then_the_loop_waits(backend) {
        let ctx = backend.context();
        let (near, mut far) = pair();
        far.write_all(b"0123456789").unwrap();
        let calls = Rc::new(Cell::new(0));
        let count = Rc::clone(&calls);
        let socket = Rc::new(near);
        let reader = Rc::clone(&socket);
        let _fde = ctx.add_fd(socket, FdFlags::READ, move |_ev, _fde, _flags| {
            (&*reader).read_exact(&mut [0]).unwrap();
            count.set(count.get() + 1);
        }).unwrap();
        turns(&ctx, 10);
        assert_eq!((calls.get(), ctx.stats().waits), (10, 10), "one wait finds one readiness");
        assert_eq!(run_ready(&ctx), 0, "nothing is ready any more");
        assert_eq!((calls.get(), ctx.stats().waits), (10, 11), "so the loop waits, once");
        assert_eq!(ctx.stats().changes, 1, "the kernel is told once, by add_fd");
    }

    fn immediates_and_zero_timers_never_ask_the_kernel(backend) {
        let ctx = backend.context();
        let im = ctx.keep(Immediate::new(|_ev, _im| {}));
        for _ in 0..100 {
            im.schedule(&ctx);
            ctx.keep(ctx.add_timer(When::Zero, |_ev, _te, _now| {}));
        }
        ctx.loop_wait().unwrap();
        assert_eq!((ctx.stats().turns, ctx.stats().waits, ctx.stats().changes), (101, 0, 0));
    }

    fn requests_that_follow_each_other_on_a_shared_file_tell_the_kernel_nothing(backend) {
        let ctx = backend.context();
        let (near, far) = pair();
        let stream = Stream::new(near);
        let first = writev_send(&ctx, None, &stream, false, vec!["x"]);
        first.poll(&ctx).unwrap();
        let mut last = (0, 0);
        since(&ctx, &mut last);
        let mut write = Some(first);
        for _ in 0..100 {
            writev_recv(write.take().unwrap()).unwrap();
            drain(&far);
            let next = writev_send(&ctx, None, &stream, false, vec!["x"]);
            next.poll(&ctx).unwrap();
            write = Some(next);
        }
        assert_eq!(since(&ctx, &mut last), (100, 0), "one wait each; removing and adding cancel out");
        drop(write);
        assert_eq!(since(&ctx, &mut last).1, 0, "the last removal waits for the next wait");
        run_ready(&ctx);
        assert_eq!(since(&ctx, &mut last).1, 1);
    }

    fn a_borrowed_file_is_forgotten_at_once(backend) {
        let ctx = backend.context();
        let (near, _far) = pair();
        for n in 1..=10 {
            let fde = ctx.add_fd(&near, FdFlags::WRITE, |_, _, _| {}).unwrap();
            drop(fde);
            assert_eq!(ctx.stats().changes, 2 * n);
        }
    }

    fn an_event_that_owns_its_file_comes_and_goes_for_one_wait(backend) {
        let ctx = backend.context();
        let (near, _far) = pair();
        let socket = Rc::new(near);
        let cycle = || once_writable(&ctx, Rc::clone(&socket));
        cycle();
        let mut last = (0, 0);
        since(&ctx, &mut last);
        (0..100).for_each(|_| cycle());
        assert_eq!(since(&ctx, &mut last), (100, 0));
    }

    fn an_event_on_a_borrowed_file_comes_and_goes_for_one_wait_and_two_changes(backend) {
        let ctx = backend.context();
        let (socket, _far) = pair();
        (0..100).for_each(|_| once_writable(&ctx, &socket));
        assert_eq!((ctx.stats().waits, ctx.stats().changes), (100, 200));
    }

    fn a_ring_costs_one_wait_an_event(backend) {
        let ctx = backend.context();
        let ring = Ring::new(&ctx, 50, 1);
        ring.run(&ctx, 1000);
        assert_eq!((ctx.stats().waits, ctx.stats().changes), (1000, 50));
    }

    fn a_loop_that_sleeps_each_time_hardly_ever_looks_before_it(backend) {
        let ctx = backend.context();
        let period = Duration::from_millis(1);
        let _te = ctx.add_timer(period, move |_ev, te, _now| assert!(te.update(period)));
        turns(&ctx, 300);
        let before = ctx.stats().waits;
        turns(&ctx, 300);
        let waits = ctx.stats().waits - before;
        assert!(waits <= 300 + 300 / 64 + 1, "{waits} waits in 300 turns");
    }

    fn siblings_that_want_what_is_watched_already_change_nothing_on_a_shared_file(backend) {
        let ctx = backend.context();
        let socket = Rc::new(pair().0);
        let events: Vec<_> = (0..10)
            .map(|_| ctx.add_fd(Rc::clone(&socket), FdFlags::WRITE, |_, _, _| {}).unwrap())
            .collect();
        assert_eq!(ctx.stats().changes, 1);
        for fde in &events {
            fde.set_flags(FdFlags::NONE);
            fde.set_flags(FdFlags::WRITE);
        }
        assert_eq!(ctx.stats().changes, 1);
    }

    fn a_step_of_a_request_costs_its_own_system_calls_only(backend) {
        let ctx = backend.context();
        let (near, mut far) = pair();
        far.write_all(&[0; 50]).unwrap();
        let socket = Rc::new(near);
        let req = Req::create(0);
        let reader = Rc::clone(&socket);
        req.add_fd(&ctx, socket, FdFlags::READ, move |req, _flags| {
            let reader = Rc::clone(&reader);
            req.advance(move |read| {
                (&*reader).read_exact(&mut [0]).unwrap();
                *read += 1;
                if *read == 50 { Poll::Ready(Ok(())) } else { Poll::Pending }
            });
        }).unwrap();
        req.poll(&ctx).unwrap();
        assert_eq!((ctx.stats().turns, ctx.stats().waits, ctx.stats().changes), (50, 50, 1));
    }
}

/// A turn that finds the file writable; the event goes in its own handler.
fn once_writable(ctx: &Context, file: impl Into<FdSource>) {
    let own = Rc::new(Cell::new(None));
    let place = Rc::clone(&own);
    let fde = ctx.add_fd(file, FdFlags::WRITE, move |_ev, _fde, _flags| drop(place.take())).unwrap();
    own.set(Some(fde));
    turns(ctx, 1);
    assert!(own.take().is_none(), "the handler has run");
}

/// Sockets in a circle, of which each passes on the byte that it gets.
struct Ring {
    passed: Rc<Cell<u64>>,
}

impl Ring {
    fn new(ctx: &Context, size: usize, active: usize) -> Self {
        let passed = Rc::new(Cell::new(0));
        let pairs: Vec<_> = (0..size).map(|_| pair()).map(|(near, far)| (near, Rc::new(far))).collect();
        for (_near, far) in &pairs[..active] {
            (&**far).write_all(b"x").unwrap();
        }
        let nexts: Vec<_> = (0..size).map(|at| Rc::clone(&pairs[(at + 1) % size].1)).collect();
        for ((near, _far), next) in pairs.into_iter().zip(nexts) {
            let (near, passed) = (Rc::new(near), Rc::clone(&passed));
            ctx.keep(
                ctx.add_fd(Rc::clone(&near), FdFlags::READ, move |_ev, _fde, _flags| {
                    (&*near).read_exact(&mut [0]).unwrap();
                    (&*next).write_all(b"x").unwrap();
                    passed.set(passed.get() + 1);
                })
                .unwrap(),
            );
        }
        Ring { passed }
    }

    fn run(&self, ctx: &Context, events: u64) {
        let end = self.passed.get() + events;
        ctx.loop_until(|| self.passed.get() == end).unwrap();
    }
}

#[test]
fn a_busy_ring_in_batches_of_64_costs_a_wait_for_20_events_at_most() {
    let ctx = Kind::EpollBatch64.context();
    let ring = Ring::new(&ctx, 200, 100);
    ring.run(&ctx, 6400);
    let waits = ctx.stats().waits;
    assert!(waits <= 6400 / 20, "{waits} waits for 6400 events");
}

#[test]
fn a_batch_of_64_is_one_wait() {
    let ctx = Kind::EpollBatch64.context();
    let sockets: Vec<_> = (0..64).map(|_| pair()).collect();
    for (near, _far) in &sockets {
        ctx.keep(ctx.add_fd(near, FdFlags::WRITE, |_, _, _| {}).unwrap());
    }
    turns(&ctx, 640);
    assert_eq!(ctx.stats().waits, 10);
}

/// What `ci/syscalls.sh` runs under strace: prints the counts for it to compare.
#[test]
fn counts_for_strace() {
    let ctx = Context::builder().backend(Backend::Epoll).build().unwrap();
    let (near, mut far) = pair();
    far.write_all(&[0; 100]).unwrap();
    let left = Rc::new(Cell::new(100));
    let count = Rc::clone(&left);
    let socket = Rc::new(near);
    let reader = Rc::clone(&socket);
    let fde = ctx.add_fd(socket, FdFlags::READ, move |_ev, fde, _flags| {
        (&*reader).read_exact(&mut [0]).unwrap();
        count.set(count.get() - 1);
        if count.get() == 0 {
            fde.set_flags(FdFlags::NONE);
        }
    });
    ctx.loop_wait().unwrap();
    drop(fde);
    let stats = ctx.stats();
    assert_eq!((stats.waits, left.get()), (100, 0));
    println!("counted: {} waits, {} changes", stats.waits, stats.changes);
}
