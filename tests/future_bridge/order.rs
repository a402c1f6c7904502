//! When tasks are polled.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use tevent::{FdFlags, Immediate, Req, ReqError, future_recv};

use super::support::{Log, on_every_backend, pair, run_ready, turns};
use super::words::{Gate, yields};

on_every_backend! {
    fn never_inside_the_call_nor_inside_a_wake(backend) {
        let ctx = backend.context();
        let gate = Gate::default();
        let req = Req::from_future(&ctx, gate.passed());
        assert_eq!(gate.polls(), 0);
        turns(&ctx, 1);
        assert_eq!(gate.polls(), 1);
        gate.open();
        gate.wake();
        assert_eq!((gate.polls(), req.is_in_progress()), (1, true));
        turns(&ctx, 1);
        assert_eq!((gate.polls(), req.is_in_progress()), (2, false), "two wakes are one poll");
        assert_eq!(ctx.next_timeout(), None, "and nothing is left");
    }

    fn tasks_take_turns_and_immediates_in_between(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let tasks: Vec<_> = ["a", "b"].map(|name| {
            let log = log.clone();
            Req::from_future(&ctx, async move {
                for n in 0..3 {
                    log.add(format!("{name}{n}"));
                    yields(1).await;
                }
                Ok::<_, ReqError>(())
            })
        }).into_iter().collect();
        let noted = log.clone();
        let im = ctx.keep(Immediate::new(move |_ev, _im| noted.add("im")));
        im.schedule(&ctx);
        run_ready(&ctx);
        assert_eq!(log.take(), ["a0", "b0", "im", "a1", "b1", "a2", "b2"]);
        assert!(tasks.iter().all(|task| !task.is_in_progress()));
    }

    fn a_busy_task_starves_nobody(backend) {
        let ctx = backend.context();
        let task = Req::from_future(&ctx, async {
            yields(usize::MAX).await;
            Ok::<_, ReqError>(())
        });
        let (near, mut far) = pair();
        far.write_all(b"x").unwrap();
        let log = Log::new();
        let (by_fd, by_timer) = (log.clone(), log.clone());
        ctx.keep(ctx.add_fd(&near, FdFlags::READ, move |_ev, fde, _flags| {
            by_fd.add("fd");
            fde.set_flags(FdFlags::NONE);
        }).unwrap());
        ctx.keep(ctx.add_timer(Duration::ZERO, move |_ev, _te, _now| by_timer.add("timer")));
        turns(&ctx, 40);
        let mut ran = log.take();
        ran.sort();
        assert_eq!(ran, ["fd", "timer"], "within forty turns");
        let polls = ctx.stats().handled.immediates;
        turns(&ctx, 330);
        let more = ctx.stats().handled.immediates - polls;
        assert!((319..=321).contains(&more), "one look at the fds for 32 polls, not {more} polls in 330 turns");
        assert!(task.is_in_progress());
        drop(task);
        assert_eq!(ctx.next_timeout(), None);
    }

    fn two_tasks_that_wake_each_other_starve_nobody(backend) {
        let ctx = backend.context();
        let gates = [Gate::default(), Gate::default()];
        let tasks = [0, 1].map(|n| {
            let (own, other) = (gates[n].clone(), gates[1 - n].clone());
            Req::from_future(&ctx, async move {
                let mut passed = std::pin::pin!(own.passed());
                std::future::poll_fn(|task| {
                    if other.polls() > 0 { other.wake(); }
                    passed.as_mut().poll(task)
                }).await
            })
        });
        let (near, mut far) = pair();
        far.write_all(b"x").unwrap();
        let served = Rc::new(Cell::new(false));
        let serve = Rc::clone(&served);
        ctx.keep(ctx.add_fd(&near, FdFlags::READ, move |_ev, fde, _flags| {
            serve.set(true);
            fde.set_flags(FdFlags::NONE);
        }).unwrap());
        turns(&ctx, 50);
        assert!(served.get());
        assert!(gates[0].polls() > 10 && gates[1].polls() > 10);
        drop(tasks);
    }

    fn a_woken_task_keeps_loop_wait_going_and_a_waiting_one_does_not(backend) {
        let ctx = backend.context();
        let gate = Gate::default();
        let req = Req::from_future(&ctx, async { yields(100).await; Ok::<_, ReqError>(3) });
        let waiting = Req::from_future(&ctx, gate.passed());
        ctx.loop_wait().unwrap();
        assert_eq!(future_recv(req), Ok(3));
        assert!(waiting.is_in_progress());
        gate.open();
        ctx.loop_wait().unwrap();
        assert!(!waiting.is_in_progress());
    }

    fn polls_in_a_nested_loop(backend) {
        let ctx = backend.context();
        ctx.allow_nesting();
        let gate = Gate::default();
        let other = Req::from_future(&ctx, gate.passed());
        turns(&ctx, 1);
        let (ev, opened, itself) = (ctx.clone(), gate.clone(), Gate::default());
        let own = itself.clone();
        let task = Req::from_future(&ctx, async move {
            own.passed().await?;
            opened.open();
            own.wake(); // polled in the nested loop, where it is busy
            ev.loop_once().unwrap();
            ev.loop_once().unwrap();
            yields(1).await;
            Ok::<_, ReqError>(())
        });
        turns(&ctx, 1);
        itself.open();
        turns(&ctx, 1);
        assert!(!other.is_in_progress(), "another task is polled inside");
        assert!(task.is_in_progress());
        run_ready(&ctx);
        assert!(!task.is_in_progress(), "no wake was lost");
    }

    fn timers_of_the_virtual_clock_do_not_run_away(backend) {
        let ctx = backend.context();
        let begun = ctx.now();
        let seen = Rc::new(RefCell::new(Vec::new()));
        let (see, ev) = (Rc::clone(&seen), ctx.clone());
        let _busy = Req::from_future(&ctx, async { yields(1000).await; Ok::<_, ReqError>(()) });
        ctx.block_on(async move {
            for _ in 0..3 {
                drop(tevent::wakeup_send(&ev, Duration::from_millis(2)).await);
                see.borrow_mut().push(ev.now() - begun);
            }
            Ok::<_, ReqError>(())
        }).unwrap();
        let times = seen.take();
        for (n, time) in (1..).zip(&times) {
            assert!(*time >= n * Duration::from_millis(2));
        }
        if backend.is_simulated() {
            assert_eq!(times, [2, 4, 6].map(Duration::from_millis), "the clock jumped to each");
        }
    }
}
