//! LOOP-9 for signal events: both sides go on with them, each by itself. A program of its own, because only the forking thread
//! lives on in a child.

#![allow(unsafe_code, reason = "there is no safe fork")]
#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

#[path = "support/forks.rs"]
mod forks;
#[path = "support/signals.rs"]
mod signals;

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use forks::{ended_well, in_child};
use support::{Kind, Log, run_ready, turns};
use tevent::{Context, SignalEvent, SignalFlags};

const USR1: i32 = libc::SIGUSR1;

fn counting(kind: Kind) -> (Context, SignalEvent, Rc<Cell<u32>>) {
    let (ctx, count) = (kind.context(), Rc::new(Cell::new(0)));
    let counts = Rc::clone(&count);
    let se = ctx
        .add_signal(USR1, SignalFlags::NONE, move |_, _, got| counts.set(counts.get() + got.count))
        .unwrap();
    (ctx, se, count)
}

type Values = Rc<RefCell<Vec<i32>>>;

fn valuing(ctx: &Context) -> (SignalEvent, Values) {
    let values = Values::default();
    let seen = Rc::clone(&values);
    let se = ctx.add_signal(libc::SIGRTMIN(), SignalFlags::SIGINFO, move |_, _, got| {
        seen.borrow_mut().extend(got.info.and_then(|info| info.value()));
    });
    (se.unwrap(), values)
}

fn loop_9_signal_events_go_on_in_parent_and_child(kind: Kind) {
    let (ctx, se, count) = counting(kind);
    let (_typed, values) = valuing(&ctx);
    for n in 0..3 {
        assert!(in_child(|| {
            signals::raise(USR1);
            signals::raise_with(libc::SIGRTMIN(), n + 10);
            turns(&ctx, 1);
            assert_eq!((count.get(), values.take()), (1, vec![n + 10]));
            // And they end there by themselves.
            assert!(in_child(|| drop(ctx.add_signal(USR1, SignalFlags::SIGINFO, |_, _, _| {}))));
            signals::send(USR1);
            turns(&ctx, 1);
            assert_eq!(count.get(), 2);
        }));
        signals::raise(USR1);
        signals::raise_with(libc::SIGRTMIN(), n);
        turns(&ctx, 1);
        assert_eq!((count.replace(0), values.take()), (1, vec![n]), "the child's end has changed nothing");
    }
    assert!(se.is_active());
}

fn loop_9_a_signal_in_the_child_does_not_wake_the_parent(kind: Kind) {
    let (ctx, _se, count) = counting(kind);
    assert_eq!(run_ready(&ctx), 0);
    assert!(in_child(|| {
        // Before the child's loop knows what it is, and after that.
        signals::raise(USR1);
        turns(&ctx, 1);
        signals::raise(USR1);
        turns(&ctx, 1);
        assert_eq!(count.get(), 2);
    }));
    assert!(in_child(|| signals::raise(USR1)), "nor one that its loop never looks at");
    assert_eq!((run_ready(&ctx), count.get(), ctx.stats().wakeups), (0, 0, 0));
}

fn loop_9_a_signal_in_the_parent_does_not_wake_the_child(kind: Kind) {
    let (ctx, _se, count) = counting(kind);
    let (mut near, mut far) = UnixStream::pair().unwrap();
    // SAFETY: this process has one thread, so the child may do anything.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let mut passed = run_ready(&ctx) == 0;
        far.write_all(b"x").unwrap();
        far.read_exact(&mut [0]).unwrap();
        passed &= (run_ready(&ctx), count.get(), ctx.stats().wakeups) == (0, 0, 0);
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(i32::from(!passed)) };
    }
    near.read_exact(&mut [0]).unwrap();
    signals::raise(USR1);
    near.write_all(b"x").unwrap();
    assert!(ended_well(child));
    turns(&ctx, 1);
    assert_eq!(count.get(), 1);
}

fn loop_9_the_childs_bell_ends_the_childs_wait(kind: Kind) {
    let (ctx, _se, count) = counting(kind);
    assert!(in_child(|| {
        ctx.trace().points().set(Rc::new(|_, point| {
            if point == tevent::TracePoint::BeforeWait {
                signals::raise(USR1);
            }
        }));
        // It would wait for 30 seconds.
        turns(&ctx, 1);
        ctx.trace().points().clear();
        assert_eq!(ctx.stats().wakeups, 1);
        turns(&ctx, 1);
        assert_eq!(count.get(), 1);
    }));
    assert_eq!(run_ready(&ctx), 0);
}

fn loop_9_a_child_that_only_drops_its_context_leaves_the_parents_action(kind: Kind) {
    let (ctx, se, count) = counting(kind);
    let action = signals::action(USR1);
    let mut owned = Some((ctx, se));
    assert!(in_child(|| {
        drop(owned.take());
        assert_eq!(signals::action(USR1).0, libc::SIG_DFL);
    }));
    assert_eq!(signals::action(USR1), action);
    let (ctx, _se) = owned.unwrap();
    signals::raise(USR1);
    turns(&ctx, 1);
    assert_eq!(count.get(), 1);
}

fn loop_9_a_full_queue_is_drained_on_both_sides(kind: Kind) {
    let ctx = kind.context();
    let (se, values) = valuing(&ctx);
    (0..300).for_each(|n| signals::raise_with(libc::SIGRTMIN(), n));
    let mut owned = Some((ctx, se));
    assert!(in_child(|| {
        let ctx = &owned.as_ref().unwrap().0;
        run_ready(ctx);
        assert!(signals::blocked().is_empty());
        // The child is sent none of what the kernel keeps for its parent.
        assert!(values.take().into_iter().all(|n| n < 256));
        signals::raise_with(libc::SIGRTMIN(), 1000);
        turns(ctx, 1);
        assert_eq!(values.take(), [1000]);
    }));
    assert!(in_child(|| {
        drop(owned.take());
        assert!(signals::blocked().is_empty());
    }));
    let (ctx, _se) = owned.unwrap();
    turns(&ctx, 2);
    assert!(values.take().into_iter().eq(0..300));
    assert!(signals::blocked().is_empty());
}

fn loop_9_a_fork_inside_a_signal_handler(kind: Kind) {
    let (ctx, log) = (kind.context(), Log::new());
    ctx.allow_nesting();
    let note = log.clone();
    let _last =
        ctx.add_signal(USR1, SignalFlags::NONE, move |_, _, got| note.add(format!("last:{}", got.count)));
    let (note, forks) = (log.clone(), Cell::new(true));
    let _forks = ctx.add_signal(USR1, SignalFlags::NONE, move |ev, _, got| {
        note.add(format!("first:{}", got.count));
        if forks.replace(false) {
            assert!(in_child(|| {
                signals::raise(USR1);
                turns(ev, 1);
                // What was due in the parent when it forked is due in both.
                assert_eq!(note.take(), ["first:1", "last:1", "first:1", "last:1"]);
            }));
        }
    });
    signals::raise(USR1);
    turns(&ctx, 1);
    assert_eq!(log.take(), ["first:1", "last:1"]);
}

/// Another thread is in the middle of the system's handler in some of the forks.
fn loop_9_a_fork_while_another_thread_is_sent_signals(kind: Kind) {
    let ctx = kind.context();
    let (_typed, values) = valuing(&ctx);
    let (other, stop) = (signals::Other::new(), Arc::<AtomicBool>::default());
    let stops = Arc::clone(&stop);
    other.begin(move || {
        while !stops.load(Ordering::Relaxed) {
            // Until the kernel takes no more for the loop, which is slower.
            signals::try_raise_with(libc::SIGRTMIN(), 1);
        }
    });
    let passes = (0..50).all(|_| {
        signals::turn_until(&ctx, || values.borrow().len() > 10);
        values.take();
        in_child(|| {
            assert!(signals::try_raise_with(libc::SIGRTMIN(), 2));
            run_ready(&ctx);
            assert!(values.take().contains(&2));
        })
    });
    stop.store(true, Ordering::Relaxed);
    other.finish();
    assert!(passes);
}

fn main() -> ExitCode {
    forks::run(&[
        ("signals_both_go_on", loop_9_signal_events_go_on_in_parent_and_child),
        ("signal_in_child", loop_9_a_signal_in_the_child_does_not_wake_the_parent),
        ("signal_in_parent", loop_9_a_signal_in_the_parent_does_not_wake_the_child),
        ("bell_of_child", loop_9_the_childs_bell_ends_the_childs_wait),
        ("child_drops_signals", loop_9_a_child_that_only_drops_its_context_leaves_the_parents_action),
        ("full_queue", loop_9_a_full_queue_is_drained_on_both_sides),
        ("fork_in_handler", loop_9_a_fork_inside_a_signal_handler),
        ("fork_in_storm", loop_9_a_fork_while_another_thread_is_sent_signals),
    ])
}
