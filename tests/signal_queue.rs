//! SIG-2 where many come: 256 are queued, the kernel keeps the others, nothing is lost, and no mask is left changed.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

#[path = "support/signals.rs"]
mod signals;

use std::cell::{Cell, RefCell};
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use signals::{Other, turn_until};
use support::{on_every_backend, run_ready, turns};
use tevent::{ContextRef, SignalEvent, SignalFlags, SignalInfo};

const USR1: i32 = libc::SIGUSR1;

fn rt() -> i32 {
    libc::SIGRTMIN() + 1
}

#[derive(Clone, Default)]
struct Seen(Rc<RefCell<Vec<SignalInfo>>>);

impl Seen {
    fn len(&self) -> usize {
        self.0.borrow().len()
    }

    fn values(&self) -> Vec<i32> {
        self.0.take().iter().filter_map(SignalInfo::value).collect()
    }
}

fn typed(ev: &ContextRef, signal: i32, flags: SignalFlags) -> (SignalEvent, Seen) {
    let seen = Seen::default();
    let see = seen.clone();
    let se = ev.add_signal(signal, flags | SignalFlags::SIGINFO, move |_, _, got| {
        see.0.borrow_mut().extend(got.info);
    });
    (se.unwrap(), seen)
}

fn counted(ev: &ContextRef, signal: i32) -> (SignalEvent, Rc<Cell<u32>>) {
    let count = Rc::new(Cell::new(0));
    let counts = Rc::clone(&count);
    let se = ev.add_signal(signal, SignalFlags::NONE, move |_, _, got| counts.set(counts.get() + got.count));
    (se.unwrap(), count)
}

fn send_values(signal: i32, values: std::ops::Range<i32>) {
    values.for_each(|n| signals::raise_with(signal, n));
}

fn in_order(upto: i32) -> Vec<i32> {
    (0..upto).collect()
}

/// Counts from 0 to below `upto`; a failure does not print thousands.
#[track_caller]
fn assert_counts(values: &[i32], upto: i32) {
    let first = (0..).zip(values).find(|(n, value)| n != *value);
    assert_eq!(first, None, "out of order");
    assert_eq!(values.len(), usize::try_from(upto).unwrap());
}

/// What a child inherits.
fn mask_of_a_child() -> u64 {
    let child = Command::new("grep").args(["SigBlk", "/proc/self/status"]).output().unwrap();
    let line = String::from_utf8(child.stdout).unwrap();
    u64::from_str_radix(line.split_whitespace().last().unwrap(), 16).unwrap()
}

on_every_backend! {
    fn sig_2_the_256th_in_the_queue_blocks_the_signal_until_the_loop_has_looked(backend) {
        let _alone = signals::alone();
        let ctx = backend.context();
        let (_se, seen) = typed(&ctx, rt(), SignalFlags::NONE);
        let before = signals::blocked();
        for _round in 0..3 {
            send_values(rt(), 0..255);
            assert!(!signals::is_blocked(rt()));
            send_values(rt(), 255..256);
            assert!(signals::is_blocked(rt()));
            send_values(rt(), 256..300);
            turns(&ctx, 1);
            assert_counts(&seen.values(), 256);
            assert!(!signals::is_blocked(rt()));
            turns(&ctx, 1);
            assert_eq!(seen.values(), (256..300).collect::<Vec<_>>());
            assert_eq!(signals::blocked(), before);
        }
    }

    fn sig_2_real_time_signals_are_not_lost_when_the_queue_is_full(backend) {
        let _alone = signals::alone();
        let ctx = backend.context();
        let (_se, seen) = typed(&ctx, rt(), SignalFlags::NONE);
        // Less than the kernel keeps for one user, also on small machines.
        for thousand in 0..5 {
            send_values(rt(), 1000 * thousand..1000 * (thousand + 1));
            turns(&ctx, 1);
        }
        run_ready(&ctx);
        assert_counts(&seen.values(), 5000);
        assert!(!signals::is_blocked(rt()), "nothing is held back any more");
    }

    fn sig_2_standard_signals_merge_while_they_are_held_back_and_one_comes(backend) {
        let _alone = signals::alone();
        let ctx = backend.context();
        let (_se, seen) = typed(&ctx, USR1, SignalFlags::NONE);
        let (_plain, count) = counted(&ctx, USR1);
        (0..300).for_each(|_| signals::raise(USR1));
        turns(&ctx, 1);
        assert_eq!((seen.len(), count.get()), (256, 256));
        turns(&ctx, 1);
        assert_eq!((seen.len(), count.get()), (257, 257));
        signals::raise(USR1);
        turns(&ctx, 1);
        assert_eq!((seen.len(), count.get()), (258, 258), "and then as ever");
    }

    fn sig_2_several_signals_are_held_back_each_by_itself(backend) {
        let _alone = signals::alone();
        let ctx = backend.context();
        let events: Vec<_> = (0..4).map(|n| typed(&ctx, rt() + n, SignalFlags::NONE)).collect();
        for n in [3, 0] {
            send_values(rt() + n, 0..700);
        }
        send_values(rt() + 1, 0..3);
        assert_eq!([0, 1, 2, 3].map(|n| signals::is_blocked(rt() + n)), [true, false, false, true]);
        run_ready(&ctx);
        let values: Vec<_> = events.iter().map(|(_se, seen)| seen.values()).collect();
        assert_eq!(values, [in_order(700), in_order(3), vec![], in_order(700)]);
    }

    fn sig_2_when_the_last_siginfo_event_goes_nothing_is_held_back_any_more(backend) {
        let _alone = signals::alone();
        let ctx = backend.context();
        let (_plain, count) = counted(&ctx, USR1);
        let (typed_se, seen) = typed(&ctx, USR1, SignalFlags::NONE);
        (0..300).for_each(|_| signals::raise(USR1));
        assert!(signals::is_blocked(USR1));
        drop(typed_se);
        assert!(!signals::is_blocked(USR1));
        (0..1000).for_each(|_| signals::raise(USR1));
        turns(&ctx, 1);
        assert_eq!((count.get(), seen.len()), (1257, 0));
        let (_typed, seen) = typed(&ctx, USR1, SignalFlags::NONE);
        signals::raise(USR1);
        turns(&ctx, 1);
        assert_eq!((count.get(), seen.len()), (1258, 1), "what was queued for the first is gone");
    }

    fn sig_2_what_another_thread_is_sent_while_the_queue_is_full_is_not_lost(backend) {
        let _alone = signals::alone();
        let ctx = backend.context();
        let (_se, seen) = typed(&ctx, rt(), SignalFlags::NONE);
        let other = Other::new();
        send_values(rt(), 0..256);
        assert!(signals::is_blocked(rt()));
        // By tgkill, by kill, which picks any thread, and by sigqueue: the kernel lets a thread pass on only the last as it is.
        other.run(|| (0..200).for_each(|_| signals::raise(rt())));
        (0..200).for_each(|_| signals::send(rt()));
        (256..306).for_each(|n| signals::queue(rt(), n).unwrap());
        other.run(|| send_values(rt(), 306..356));
        turn_until(&ctx, || seen.len() == 756);
        let codes = seen.0.borrow();
        let of = |code| codes.iter().filter(|info| info.code() == code).count();
        assert_eq!([libc::SI_TKILL, libc::SI_USER, libc::SI_QUEUE].map(of), [200, 200, 356]);
        assert!(codes.iter().all(|info| info.pid() == Some(std::process::id())));
        drop(codes);
        let mut values = seen.values();
        assert_counts(&values[..256], 256);
        values.sort_unstable();
        assert_counts(&values, 356);
        assert!(!signals::is_blocked(rt()));
    }

    fn sig_2_other_threads_fill_the_queue_and_nothing_is_lost(backend) {
        let _alone = signals::alone();
        let ctx = backend.context();
        let (_se, seen) = typed(&ctx, rt(), SignalFlags::NONE);
        let others: Vec<_> = (0..4).map(|_| Other::new()).collect();
        let here = signals::this_thread();
        for (n, other) in (0..).zip(&others) {
            let mine = 1000 * n..1000 * (n + 1);
            // Half of them are sent to their own thread, and half to the loop's.
            other.begin(move || mine.for_each(|value| {
                signals::raise_in(if n % 2 == 0 { signals::this_thread() } else { here }, rt(), value);
            }));
        }
        turn_until(&ctx, || seen.len() == 4000);
        others.iter().for_each(Other::finish);
        run_ready(&ctx);
        let mut values = seen.values();
        values.sort_unstable();
        assert_counts(&values, 4000);
        assert!(!signals::is_blocked(rt()));
    }

    fn sig_2_a_signal_sent_to_the_process_is_counted_whichever_thread_takes_it(backend) {
        let _alone = signals::alone();
        let ctx = backend.context();
        let (_se, seen) = typed(&ctx, rt(), SignalFlags::NONE);
        let _others: Vec<_> = (0..3).map(|_| Other::new()).collect();
        for n in 0..1500 {
            signals::queue(rt(), n).unwrap();
            if n % 500 == 499 {
                turns(&ctx, 1);
            }
        }
        turn_until(&ctx, || seen.len() == 1500);
        let mut values = seen.values();
        values.sort_unstable();
        assert_counts(&values, 1500);
    }

    fn sig_2_a_full_queue_of_one_context_loses_nothing_of_another(backend) {
        let _alone = signals::alone();
        let (one, two) = (backend.context(), backend.context());
        let (_one, seen_by_one) = typed(&one, rt(), SignalFlags::NONE);
        let (on_two, seen_by_two) = typed(&two, rt(), SignalFlags::NONE);
        send_values(rt(), 0..1000);
        turns(&one, 1);
        assert!(signals::is_blocked(rt()), "the other has no room yet");
        run_ready(&one);
        turns(&two, 1);
        assert_eq!(seen_by_one.len(), 256, "and nothing passes it");
        turn_until(&one, || {
            run_ready(&two);
            seen_by_one.len() == 1000 && seen_by_two.len() == 1000
        });
        assert_counts(&seen_by_one.values(), 1000);
        assert_counts(&seen_by_two.values(), 1000);
        assert!(!signals::is_blocked(rt()));
        // One that goes with a full queue leaves nothing blocked either.
        send_values(rt(), 0..1000);
        turns(&one, 1);
        drop((on_two, two));
        run_ready(&one);
        assert_counts(&seen_by_one.values(), 1000);
        assert!(!signals::is_blocked(rt()));
    }

    fn sig_2_a_full_queue_and_a_handler_that_signals_may_interrupt(backend) {
        let _alone = signals::alone();
        let ctx = backend.context();
        let (_se, seen) = typed(&ctx, rt(), SignalFlags::NODEFER);
        send_values(rt(), 0..256);
        // Whatever lets them through: a caller's own sigsuspend or pselect.
        for n in 256..700 {
            signals::unblock(rt());
            signals::raise_with(rt(), n);
            assert!(signals::is_blocked(rt()));
        }
        run_ready(&ctx);
        let mut values = seen.values();
        values.sort_unstable();
        assert_counts(&values, 700);
        assert!(!signals::is_blocked(rt()));
    }

    fn sig_2_masks_are_left_alone(backend) {
        let _alone = signals::alone();
        let ctx = backend.context();
        signals::block(libc::SIGWINCH);
        signals::block(rt() + 1);
        let before = signals::blocked();
        assert_eq!(before, [libc::SIGWINCH, rt() + 1]);
        let (blocked_se, _) = typed(&ctx, rt() + 1, SignalFlags::NONE);
        let (se, seen) = typed(&ctx, rt(), SignalFlags::NONE);
        let child = Rc::new(Cell::new(None));
        let own = Rc::clone(&child);
        let asks = ctx.add_signal(rt(), SignalFlags::NONE, move |_, _, _| {
            own.set(Some((mask_of_a_child(), signals::blocked())));
        });
        send_values(rt(), 0..300);
        assert!(signals::is_blocked(rt()));
        turns(&ctx, 1);
        let (mask, in_handler) = child.take().unwrap();
        assert_eq!(mask, 1 << (libc::SIGWINCH - 1) | 1 << rt(), "what this test has blocked itself");
        assert_eq!(in_handler, before);
        turns(&ctx, 1);
        assert_eq!(seen.len(), 300);
        assert_eq!(signals::blocked(), before);
        send_values(rt(), 0..300);
        drop((se, asks, blocked_se, ctx));
        assert_eq!(signals::blocked(), before);
        signals::unblock(libc::SIGWINCH);
        signals::unblock(rt() + 1);
    }

    fn sig_7_each_delivery_in_another_thread_wakes_the_loop_again(backend) {
        let _alone = signals::alone();
        let ctx = backend.context();
        let _real_waits = backend.is_simulated().then(|| ctx.hold_clock());
        let (_se, count) = counted(&ctx, USR1);
        let (other, begin) = (Other::new(), Instant::now());
        for n in 1..=50 {
            // That thread, not the loop's, is interrupted.
            other.begin(|| signals::raise(USR1));
            while count.get() < n {
                turns(&ctx, 1);
            }
            other.finish();
        }
        assert!(ctx.stats().wakeups > 1, "some came while it slept");
        assert!(begin.elapsed() < Duration::from_secs(25), "one that is not woken sleeps for 30 seconds");
    }

    fn sig_2_many_kinds_ring_once(backend) {
        let _alone = signals::alone();
        let ctx = backend.context();
        let kinds: Vec<_> = (0..20).map(|n| rt() + n).chain([USR1, libc::SIGUSR2, libc::SIGHUP]).collect();
        let events: Vec<_> = kinds.iter().map(|kind| typed(&ctx, *kind, SignalFlags::NONE)).collect();
        let (other, all) = (Other::new(), kinds.clone());
        other.run(move || all.iter().for_each(|kind| send_values(*kind, 0..100)));
        assert_eq!(ctx.stats().wakeups, 0);
        turns(&ctx, 1);
        assert!(events.iter().all(|(_se, seen)| seen.values() == in_order(100)), "all in one turn");
        assert_eq!(run_ready(&ctx), 1);
        assert_eq!(ctx.stats().wakeups, 1);
        // While the loop sleeps, or may just be falling asleep.
        for round in 0..20 {
            let all = kinds.clone();
            other.begin(move || (0..10).for_each(|n| all.iter().for_each(|kind| signals::raise_with(*kind, n))));
            turn_until(&ctx, || events.iter().all(|(_se, seen)| seen.len() == 10));
            other.finish();
            assert!(events.iter().all(|(_se, seen)| seen.values() == in_order(10)), "{round}");
        }
    }
}
