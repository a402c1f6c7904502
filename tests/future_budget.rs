//! Busy futures starve nobody: not fds, not timers, not the immediates of others (LOOP-1).

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;
#[path = "support/wakers.rs"]
mod wakers;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::Write;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use support::{drain, fill, on_every_backend, pair, run_ready, turns};
use tevent::{ContextRef, FdFlags, FutureState, Immediate, LoopError, Req, When};
use wakers::yield_now;

/// Wakes itself for ever.
fn busy(ev: &ContextRef, polls: &Rc<Cell<u64>>) -> Req<FutureState<()>> {
    let polls = Rc::clone(polls);
    Req::from_future(
        ev,
        poll_fn(move |cx| {
            polls.set(polls.get() + 1);
            cx.waker().wake_by_ref();
            Poll::Pending
        }),
    )
}

/// One that starts the next, which starts the next.
fn start_next(ev: &ContextRef, polls: &Rc<Cell<u64>>, place: &Rc<RefCell<Option<Req<FutureState<()>>>>>) {
    let (next, count, keep) = (ev.clone(), Rc::clone(polls), Rc::clone(place));
    let req = Req::from_future(ev, async move {
        count.set(count.get() + 1);
        start_next(&next, &count, &keep);
        Ok(())
    });
    let old = place.replace(Some(req));
    drop(old);
}

/// Two that only ever wake each other, through a channel.
fn ping_pong(ev: &ContextRef, polls: &Rc<Cell<u64>>) -> [Req<FutureState<()>>; 2] {
    let wakers = Rc::new(RefCell::new([const { None::<Waker> }; 2]));
    [0, 1].map(|side| {
        let (wakers, polls) = (Rc::clone(&wakers), Rc::clone(polls));
        Req::from_future(
            ev,
            poll_fn(move |cx| {
                polls.set(polls.get() + 1);
                wakers.borrow_mut()[side] = Some(cx.waker().clone());
                let other = wakers.borrow_mut()[1 - side].take();
                other.into_iter().for_each(Waker::wake);
                Poll::Pending
            }),
        )
    })
}

/// Turns the loop until `seen` has come so far, and gives the most polls between two of its steps.
fn most_polls_between(ev: &ContextRef, polls: &Cell<u64>, seen: &Cell<u64>, steps: u64) -> u64 {
    let (mut most, mut since, start) = (0, polls.get(), seen.get());
    while seen.get() < start + steps {
        let before = seen.get();
        ev.loop_once().unwrap();
        if seen.get() > before {
            most = most.max(polls.get() - since);
            since = polls.get();
        }
        assert!(polls.get() - since < 100_000, "starved");
    }
    most
}

fn counter() -> (Rc<Cell<u64>>, impl Fn() + 'static) {
    let count = Rc::new(Cell::new(0));
    let raised = Rc::clone(&count);
    (count, move || raised.set(raised.get() + 1))
}

on_every_backend! {
    fn loop_1_fds_and_timers_have_their_turn_beside_futures_that_start_futures(backend) {
        let ctx = backend.context();
        let (polls, last) = (Rc::new(Cell::new(0)), Rc::new(RefCell::new(None)));
        start_next(&ctx, &polls, &last);
        let (timers, count) = counter();
        ctx.keep(ctx.add_timer(Duration::ZERO, move |_ev, te, _now| {
            count();
            te.update(Duration::ZERO);
        }));
        assert!(most_polls_between(&ctx, &polls, &timers, 100) <= 64);
        let (near, mut far) = pair();
        far.write_all(b"x").unwrap();
        let (fds, count) = counter();
        let ctx = backend.context();
        start_next(&ctx, &polls, &last);
        ctx.keep(ctx.add_fd(&near, FdFlags::READ, move |_ev, _fde, _flags| count()).unwrap());
        assert!(most_polls_between(&ctx, &polls, &fds, 100) <= 64);
    }

    fn loop_1_futures_go_on_beside_timers_or_immediates_that_are_always_due(backend) {
        for timers in [true, false] {
            let ctx = backend.context();
            let polls = Rc::new(Cell::new(0));
            let _busy = busy(&ctx, &polls);
            if timers {
                ctx.keep(ctx.add_timer(When::Zero, |_ev, te, _now| {
                    te.update(When::Zero);
                }));
            } else {
                ctx.keep(Immediate::new(|ev, im| im.schedule(ev))).schedule(&ctx);
            }
            turns(&ctx, 10_000);
            assert!(polls.get() > 200, "{} polls in 10,000 turns", polls.get());
        }
    }

    fn loop_1_a_future_may_start_thousands_and_each_is_polled_in_order(backend) {
        let (ctx, order) = (backend.context(), Rc::new(RefCell::new(Vec::new())));
        let all: Vec<_> = (0..5000).map(|n| {
            let order = Rc::clone(&order);
            Req::from_future(&ctx, async move {
                order.borrow_mut().push(n);
                Ok(())
            })
        }).collect();
        ctx.loop_wait().unwrap();
        assert_eq!(*order.borrow(), (0..5000).collect::<Vec<_>>());
        assert!(all.iter().all(|req| !req.is_in_progress()));
    }

    fn loop_1_fds_have_their_turn_beside_a_busy_future(backend) {
        let ctx = backend.context();
        let polls = Rc::<Cell<u64>>::default();
        let (seen, see) = counter();
        let (near, mut far) = pair();
        far.write_all(b"x").unwrap();
        let _fde = ctx.add_fd(&near, FdFlags::READ, move |_, _, _| see()).unwrap();
        let _busy = busy(&ctx, &polls);
        let most = most_polls_between(&ctx, &polls, &seen, 100);
        assert!(most <= 32, "{most} polls between two runs of an fd that is always ready");
        assert!(polls.get() >= 99 * 32, "and the future goes on: {} polls", polls.get());
    }

    fn loop_1_fds_have_their_turn_beside_futures_that_wake_each_other(backend) {
        let ctx = backend.context();
        let polls = Rc::<Cell<u64>>::default();
        let (seen, see) = counter();
        let (near, mut far) = pair();
        far.write_all(b"x").unwrap();
        let _fde = ctx.add_fd(&near, FdFlags::READ, move |_, _, _| see()).unwrap();
        let _both = ping_pong(&ctx, &polls);
        let most = most_polls_between(&ctx, &polls, &seen, 100);
        assert!((2..=34).contains(&most), "{most} polls between two runs of an fd that is always ready");
    }

    fn loop_1_timers_that_are_due_have_their_turn_beside_a_busy_future(backend) {
        let ctx = backend.context();
        let polls = Rc::<Cell<u64>>::default();
        let (seen, see) = counter();
        ctx.keep(ctx.add_timer(Duration::ZERO, move |_ev, te, _now| {
            see();
            te.update(Duration::ZERO);
        }));
        let _busy = busy(&ctx, &polls);
        assert!(most_polls_between(&ctx, &polls, &seen, 10) <= 32);
    }

    fn loop_1_immediates_of_others_have_their_turn_beside_a_busy_future(backend) {
        let ctx = backend.context();
        let polls = Rc::<Cell<u64>>::default();
        let (seen, see) = counter();
        let im = ctx.keep(Immediate::new(move |ev, im| {
            see();
            im.schedule(ev);
        }));
        im.schedule(&ctx);
        let _busy = busy(&ctx, &polls);
        assert!(most_polls_between(&ctx, &polls, &seen, 100) <= 1, "they take turns");
    }

    fn loop_1_many_busy_futures_have_equal_shares(backend) {
        let ctx = backend.context();
        let counts: Vec<_> = (0..100).map(|_| Rc::<Cell<u64>>::default()).collect();
        let reqs: Vec<_> = counts.iter().map(|polls| busy(&ctx, polls)).collect();
        turns(&ctx, 10_000);
        let polls = counts.iter().map(|polls| polls.get());
        let (least, most) = (polls.clone().min().unwrap(), polls.clone().max().unwrap());
        assert!(most - least <= 1 && least >= 90, "between {least} and {most} polls");
        drop(reqs);
        assert!(run_ready(&ctx) <= 1);
    }

    fn loop_2_a_busy_future_never_lets_the_loop_sleep_and_the_clock_stands(backend) {
        let ctx = backend.context();
        let polls = Rc::<Cell<u64>>::default();
        let busy = busy(&ctx, &polls);
        let far_off = ctx.add_timer(Duration::from_secs(3600), |_, _, _| unreachable!("an hour has passed"));
        let began = ctx.now();
        ctx.loop_until(|| polls.get() == 10_000).unwrap();
        if backend.is_simulated() {
            assert_eq!(ctx.now(), began);
        }
        assert!(ctx.stats().waits <= 10_000 / 32 + 1);
        ctx.set_wait_timeout(Duration::ZERO);
        ctx.loop_until(|| polls.get() == 20_000).unwrap(); // never WouldBlock: there is something to run
        drop((busy, far_off));
        assert!((0..2).any(|_| matches!(ctx.loop_once(), Err(LoopError::WouldBlock))));
    }

    fn loop_3_polls_that_wait_for_the_fds_keep_the_loop_going(backend) {
        let ctx = backend.context();
        let done = Rc::new(Cell::new(0));
        for count in [31, 32, 33, 64, 1000] {
            let seen = Rc::clone(&done);
            let req = Req::from_future(&ctx, async move {
                for _ in 0..count {
                    yield_now().await;
                }
                seen.set(count);
                Ok(())
            });
            ctx.loop_wait().unwrap();
            assert_eq!((done.get(), req.result()), (count, Ok(())));
        }
    }

    fn polls_that_wait_for_the_fds_go_with_their_request_or_context(backend) {
        // After 32 polls the next one waits.
        let ctx = backend.context();
        let polls = Rc::<Cell<u64>>::default();
        let first = busy(&ctx, &polls);
        turns(&ctx, 32);
        drop(first);
        assert!(run_ready(&ctx) <= 1);
        assert_eq!(polls.get(), 32);
        let second = busy(&ctx, &polls);
        turns(&ctx, 32);
        ctx.re_initialise().unwrap();
        assert_eq!((run_ready(&ctx), polls.get()), (0, 64));
        let third = busy(&ctx, &polls);
        turns(&ctx, 40);
        drop(ctx);
        assert!(polls.get() > 64 && second.is_in_progress() && third.is_in_progress());
    }

    fn a_stream_is_pumped_while_a_future_is_busy(backend) {
        let ctx = backend.context();
        let polls = Rc::<Cell<u64>>::default();
        let (near, far) = pair();
        let (near, far) = (Rc::new(near), Rc::new(far));
        let sizes = Rc::new(RefCell::new(VecDeque::new()));
        let (writer, reader, sent) = (Rc::clone(&near), Rc::clone(&far), Rc::clone(&sizes));
        let received = Rc::new(Cell::new(0));
        let count = Rc::clone(&received);
        let _write = ctx.add_fd(near, FdFlags::WRITE, move |_, _, _| sent.borrow_mut().push_back(fill(&writer)));
        let _read = ctx.add_fd(far, FdFlags::READ, move |_, _, _| count.set(count.get() + drain(&reader)));
        let _busy = busy(&ctx, &polls);
        ctx.loop_until(|| {
            assert!(polls.get() < 1_000_000, "starved");
            received.get() > 10_000_000
        }).unwrap();
        assert!(sizes.borrow().iter().sum::<usize>() >= received.get());
        assert!(polls.get() > 32);
    }
}
