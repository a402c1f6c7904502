//! One turn of the loop and running it until something is so (LOOP-1 to LOOP-4), without signals and threads, which
//! come later. Nesting is in `loop_nesting.rs`, freeing the context in `loop_freed.rs`, waits that really wait, and
//! what interrupts them, in `loop_waits.rs`.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/fds.rs"]
mod fds;
mod support;
#[path = "support/turning.rs"]
mod turning;

use std::cell::Cell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use fds::{ERROR, NONE, READ, WRITE, noted_in, noting, send};
use support::{Log, on_every_backend, pair};
use tevent::{ContextRef, Immediate, LoopError, When};
use turning::{HOUR, WAYS, immediate, timer};

on_every_backend! {
    fn loop_1_immediates_come_before_timers_and_timers_before_fds(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        send(&far);
        let _fde = noting(&ctx, &near, READ, "fd", &log);
        let _due = timer(&ctx, ctx.now(), "due timer", &log);
        let _zero = timer(&ctx, When::Zero, "zero timer", &log);
        let im = immediate("immediate", &log);
        im.schedule(&ctx);
        for told in ["immediate", "zero timer", "due timer", "fd READ", "fd READ"] {
            assert_eq!(noted_in(&ctx, 1, &log), [told]);
        }
    }

    fn loop_1_one_turn_runs_one_handler(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let names = ["a", "b", "c"];
        let immediates = names.map(|name| immediate(name, &log));
        for im in &immediates {
            im.schedule(&ctx);
        }
        let _timers = names.map(|name| timer(&ctx, When::Zero, name, &log));
        let pairs = names.map(|_| pair());
        let _fds = pairs.each_ref().map(|(near, _far)| noting(&ctx, near, WRITE, "fd", &log));
        for name in [names, names].concat() {
            assert_eq!(noted_in(&ctx, 1, &log), [name]);
        }
        for _ in 0..6 {
            assert_eq!(noted_in(&ctx, 1, &log), ["fd WRITE"]);
        }
    }

    fn loop_1_what_a_handler_adds_has_its_place_in_the_order_at_once(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let pairs = [pair(), pair(), pair()];
        let first = Rc::new(Cell::new(true));
        let _fds = pairs.each_ref().map(|(near, _far)| {
            let (noted, first) = (log.clone(), Rc::clone(&first));
            ctx.add_fd(near, WRITE, move |ev, _fde, _flags| {
                noted.add("fd");
                if first.replace(false) {
                    ev.keep(timer(ev, When::Zero, "timer", &noted));
                    ev.keep(immediate("immediate", &noted)).schedule(ev);
                }
            }).unwrap()
        });
        assert_eq!(noted_in(&ctx, 5, &log), ["fd", "immediate", "timer", "fd", "fd"]);
    }

    fn loop_1_an_immediate_that_stays_scheduled_starves_timers_and_fds(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        send(&far);
        let _fde = noting(&ctx, &near, READ, "fd", &log);
        let _zero = timer(&ctx, When::Zero, "timer", &log);
        let noted = log.clone();
        let im = Immediate::new(move |ev, im| {
            noted.add("immediate");
            im.schedule(ev);
        });
        im.schedule(&ctx);
        assert_eq!(noted_in(&ctx, 100, &log), ["immediate"; 100]);
        im.reset();
        assert_eq!(noted_in(&ctx, 2, &log), ["timer", "fd READ"]);
    }

    fn loop_1_a_timer_that_is_always_due_starves_fds(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        send(&far);
        let _fde = noting(&ctx, &near, READ, "fd", &log);
        let noted = log.clone();
        let te = ctx.add_timer(When::Zero, move |_ev, te, _now| {
            noted.add("timer");
            assert!(te.update(When::Zero));
        });
        assert_eq!(noted_in(&ctx, 100, &log), ["timer"; 100]);
        drop(te);
        assert_eq!(noted_in(&ctx, 1, &log), ["fd READ"]);
    }

    fn loop_1_a_time_out_runs_one_due_timer(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let soon = ctx.now() + Duration::from_millis(2);
        let _timers = ["a", "b"].map(|name| timer(&ctx, soon, name, &log));
        assert_eq!(noted_in(&ctx, 1, &log), ["a"]);
        assert!(ctx.now() >= soon, "not early");
        assert_eq!(noted_in(&ctx, 1, &log), ["b"]);
    }

    fn loop_1_a_ready_fd_ends_the_wait_for_a_timer(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        send(&far);
        let te = timer(&ctx, HOUR, "timer", &log);
        let _fde = noting(&ctx, &near, READ, "fd", &log);
        assert_eq!(noted_in(&ctx, 3, &log), ["fd READ"; 3]);
        assert!(te.is_pending());
    }

    fn loop_2_the_wait_timeout_is_30_seconds_from_the_start(backend) {
        let ctx = backend.context();
        if backend.is_simulated() {
            let (log, (near, _far)) = (Log::new(), pair());
            let _fde = noting(&ctx, &near, READ, "fd", &log);
            let started = ctx.now();
            assert_eq!(noted_in(&ctx, 1, &log), [""; 0]);
            assert_eq!(ctx.now() - started, Duration::from_secs(30));
        }
        assert_eq!(ctx.set_wait_timeout(None), Some(Duration::from_secs(30)));
    }

    fn loop_2_setting_the_wait_timeout_returns_the_old_one(backend) {
        let ctx = backend.context();
        ctx.set_wait_timeout(Duration::from_secs(7));
        assert_eq!(ctx.set_wait_timeout(Duration::ZERO), Some(Duration::from_secs(7)));
        assert_eq!(ctx.set_wait_timeout(None), Some(Duration::ZERO));
        assert_eq!(ctx.set_wait_timeout(Duration::MAX), None);
        assert_eq!(ctx.set_wait_timeout(HOUR), Some(Duration::MAX));
    }

    fn loop_2_a_turn_that_times_out_succeeds_with_nothing_run(backend) {
        let (ctx, (near, _far), log) = (backend.context(), pair(), Log::new());
        let _fde = noting(&ctx, &near, READ, "fd", &log);
        let timeout = Duration::from_millis(2);
        ctx.set_wait_timeout(timeout);
        let started = ctx.now();
        assert_eq!(noted_in(&ctx, 1, &log), [""; 0]);
        assert!(ctx.now() - started >= timeout);
    }

    fn loop_2_zero_never_waits_and_fails_with_eagain(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        let _fde = noting(&ctx, &near, READ, "fd", &log);
        ctx.set_wait_timeout(Duration::ZERO);
        let started = ctx.now();
        assert!(matches!(ctx.loop_once(), Err(LoopError::WouldBlock)));
        let te = timer(&ctx, HOUR, "timer", &log);
        let error = std::io::Error::from(ctx.loop_once().unwrap_err());
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "also when a timer is pending");
        assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::AGAIN.raw_os_error()));
        if backend.is_simulated() {
            assert_eq!(ctx.now(), started);
        }
        send(&far);
        assert_eq!(noted_in(&ctx, 2, &log), ["fd READ"; 2]);
        te.update(When::Zero);
        assert_eq!(noted_in(&ctx, 1, &log), ["timer"]);
    }

    fn loop_2_a_pending_timer_sets_the_wait_and_not_the_wait_timeout(backend) {
        for timeout in [Some(Duration::from_nanos(1)), Some(HOUR), None] {
            let (ctx, log) = (backend.context(), Log::new());
            ctx.set_wait_timeout(timeout);
            let due = ctx.now() + Duration::from_millis(3);
            let _timer = timer(&ctx, due, "timer", &log);
            assert_eq!(noted_in(&ctx, 1, &log), ["timer"], "{timeout:?}");
            assert!(ctx.now() >= due);
        }
    }

    fn loop_3_loop_wait_returns_when_nothing_is_left_that_could_fire(backend) {
        let (ctx, (near, _far), log) = (backend.context(), pair(), Log::new());
        ctx.loop_wait().unwrap();
        let _idle = noting(&ctx, &near, NONE, "idle", &log);
        let unscheduled = immediate("unscheduled", &log);
        ctx.loop_wait().unwrap();
        let _timers = [timer(&ctx, Duration::from_millis(1), "timer", &log), timer(&ctx, When::Zero, "zero", &log)];
        let im = immediate("immediate", &log);
        im.schedule(&ctx);
        ctx.loop_wait().unwrap();
        assert_eq!(log.take(), ["immediate", "zero", "timer"]);
        assert!(!unscheduled.is_scheduled());
    }

    fn loop_3_an_fd_event_counts_while_it_has_flags(backend) {
        let (ctx, (near, _far), log) = (backend.context(), pair(), Log::new());
        ctx.set_wait_timeout(Duration::ZERO);
        for flags in [READ, ERROR, READ | ERROR] {
            let fde = noting(&ctx, &near, flags, "fd", &log);
            assert!(matches!(ctx.loop_wait(), Err(LoopError::WouldBlock)), "{flags:?} counts");
            fde.set_flags(NONE);
            ctx.loop_wait().unwrap();
            fde.set_flags(flags);
            assert!(ctx.loop_wait().is_err());
            drop(fde);
            ctx.loop_wait().unwrap();
        }
        assert_eq!(log.len(), 0);
    }

    fn loop_3_loop_wait_goes_on_until_handlers_leave_nothing(backend) {
        let (ctx, (near, _far), log) = (backend.context(), pair(), Log::new());
        let (noted, left) = (log.clone(), Cell::new(3));
        let _fde = ctx.add_fd(&near, WRITE, move |ev, fde, _flags| {
            left.set(left.get() - 1);
            noted.add("fd");
            ev.keep(immediate("immediate", &noted)).schedule(ev);
            if left.get() == 0 {
                fde.set_flags(NONE);
                ev.keep(timer(ev, Duration::from_millis(1), "timer", &noted));
            }
        }).unwrap();
        ctx.loop_wait().unwrap();
        assert_eq!(log.take(), ["fd", "immediate", "fd", "immediate", "fd", "immediate", "timer"]);
    }

    fn loop_3_a_failing_turn_ends_loop_wait_and_loop_until(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        ctx.set_wait_timeout(Duration::ZERO);
        let te = timer(&ctx, HOUR, "timer", &log);
        let im = immediate("immediate", &log);
        for way in &WAYS[1..] {
            im.schedule(&ctx);
            assert!(matches!(way(&ctx), Err(LoopError::WouldBlock)));
            assert_eq!(log.take(), ["immediate"], "what was ready ran before");
            assert!(te.is_pending(), "and what was not is still there");
        }
    }

    fn loop_4_loop_until_turns_while_it_is_not_finished(backend) {
        let (ctx, log, asked) = (backend.context(), Log::new(), Cell::new(0));
        let _timers = ["a", "b", "c"].map(|name| timer(&ctx, When::Zero, name, &log));
        ctx.loop_until(|| true).unwrap();
        assert_eq!(log.len(), 0, "not even one turn");
        ctx.loop_until(|| {
            asked.set(asked.get() + 1);
            log.len() == 2
        }).unwrap();
        assert_eq!(log.take(), ["a", "b"]);
        assert_eq!(asked.get(), 3);
    }

    fn loop_4_all_turns_of_loop_until_are_one_level(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let level = |ev: &ContextRef| {
            let text = format!("{ev:?}");
            let after = text.split("level: ").nth(1).unwrap();
            after.chars().take_while(char::is_ascii_digit).collect::<String>()
        };
        let _timers = [1, 2].map(|_| {
            let noted = log.clone();
            ctx.add_timer(When::Zero, move |ev, _te, _now| noted.add(level(ev)))
        });
        ctx.loop_until(|| {
            assert_eq!(level(&ctx), "1", "between the turns too");
            log.len() == 2
        }).unwrap();
        assert_eq!(log.take(), ["1", "1"]);
        assert_eq!(level(&ctx), "0");
    }
}
