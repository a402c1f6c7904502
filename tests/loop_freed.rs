//! Freeing the context, outside of its handlers and inside (LOOP-7).

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/fds.rs"]
mod fds;
mod support;
#[path = "support/turning.rs"]
mod turning;

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use fds::{NONE, READ, WRITE, noting, peer_is_closed, send};
use support::{CountDrop, Kind, Log, on_every_backend, pair};
use tevent::{Context, ContextRef, Immediate, LoopError, When};
use turning::{HOUR, WAYS, immediate, timer};

/// A context that a handler can free.
fn freeable(backend: Kind) -> (Rc<RefCell<Option<Context>>>, ContextRef) {
    let ctx = backend.context();
    let ev = ContextRef::clone(&ctx);
    (Rc::new(RefCell::new(Some(ctx))), ev)
}

on_every_backend! {
    fn loop_7_what_its_trace_callbacks_hold_goes_with_the_context(backend) {
        let ctx = backend.context();
        let drops = Rc::new(std::cell::Cell::new(0));
        let held = [CountDrop(Rc::clone(&drops)), CountDrop(Rc::clone(&drops)), CountDrop(Rc::clone(&drops))];
        let [by_immediate, by_sink, by_watchdog] = held;
        // One that has run keeps its context for the next time.
        let im = Immediate::new(move |_, _| _ = &by_immediate);
        im.schedule(&ctx);
        ctx.loop_wait().unwrap();
        ctx.trace().points().set(Rc::new(move |_, _| _ = &im));
        ctx.set_debug(move |_, _| _ = &by_sink);
        ctx.set_watchdog(HOUR, move |_, _| _ = &by_watchdog);
        drop(ctx);
        assert_eq!(drops.get(), 3);
    }

    fn loop_7_events_that_outlive_the_context_are_inert(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        send(&far);
        let ev = ContextRef::clone(&ctx);
        let fde = noting(&ctx, &near, READ, "fd", &log);
        let te = timer(&ctx, When::Zero, "timer", &log);
        let im = immediate("immediate", &log);
        im.schedule(&ctx);
        drop(ctx);
        assert!(ev.is_freed());
        assert_eq!(fde.flags(), NONE);
        fde.set_flags(READ);
        assert_eq!(fde.flags(), NONE);
        assert!(!te.is_pending() && !te.update(When::Zero) && te.due().is_none());
        assert!(!im.is_scheduled());
        im.schedule(&ev);
        assert!(!im.is_scheduled());
        for way in WAYS {
            assert!(matches!(way(&ev), Err(LoopError::Freed)));
        }
        drop((fde, te, im));
        assert_eq!(log.len(), 0);
    }

    fn loop_7_nothing_can_be_added_to_a_context_that_is_gone(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        let ev = ContextRef::clone(&ctx);
        drop(ctx);
        let refused = ev.add_fd(OwnedFd::from(near), READ, |_ev, _fde, _flags| {}).unwrap_err();
        assert!(!peer_is_closed(&far), "the file is handed back");
        drop(refused);
        assert!(peer_is_closed(&far));
        assert!(!timer(&ev, When::Zero, "timer", &log).is_pending());
        let (probe, drops) = CountDrop::new();
        ev.keep(Immediate::new(move |_ev, _im| drop(CountDrop(Rc::clone(&probe.0)))));
        assert_eq!(drops.get(), 1, "there is no home any more");
    }

    fn loop_7_a_context_freed_in_its_handler_ends_the_turn_after_that_handler(backend) {
        let (owner, ev) = freeable(backend);
        let (log, pairs) = (Log::new(), [pair(), pair(), pair()]);
        let _fds = pairs.each_ref().map(|(near, far)| {
            send(far);
            let (noted, owner) = (log.clone(), Rc::clone(&owner));
            ev.add_fd(near, READ | WRITE, move |ev, fde, _flags| {
                drop(owner.take());
                assert!(ev.is_freed());
                assert_eq!(fde.flags(), NONE);
                noted.add("fd");
            }).unwrap()
        });
        ev.loop_once().unwrap();
        assert_eq!(log.take(), ["fd"]);
        assert!(matches!(ev.loop_once(), Err(LoopError::Freed)));
        assert_eq!(log.len(), 0);
    }

    fn loop_7_a_context_may_be_freed_in_a_handler_of_each_kind(backend) {
        for kind in ["immediate", "timer", "late timer", "nested"] {
            let (owner, ev) = freeable(backend);
            let log = Log::new();
            ev.allow_nesting();
            let (free, noted) = (Rc::clone(&owner), log.clone());
            let act = move |_ev: &ContextRef| {
                drop(free.take());
                noted.add("freed");
            };
            let nested = act.clone();
            let im = Immediate::new(move |ev, _im| act(ev));
            let freeing = match kind {
                "immediate" => { im.schedule(&ev); None }
                "timer" | "late timer" => {
                    let delay = Duration::from_millis(u64::from(kind != "timer"));
                    Some(ev.add_timer(delay, move |ev, _te, _now| nested(ev)))
                }
                _ => Some(ev.add_timer(When::Zero, move |ev, _te, _now| {
                    im.schedule(ev);
                    ev.loop_once().unwrap();
                    assert!(matches!(ev.loop_once(), Err(LoopError::Freed)));
                })),
            };
            let after = immediate("after", &log);
            ev.loop_once().unwrap();
            after.schedule(&ev);
            assert!(matches!(ev.loop_once(), Err(LoopError::Freed)), "{kind}");
            assert_eq!(log.take(), ["freed"], "{kind}");
            drop(freeing);
        }
    }

    fn loop_7_freeing_the_context_ends_loop_until_and_loop_wait(backend) {
        for way in &WAYS[1..] {
            let (owner, ev) = freeable(backend);
            let _te = ev.add_timer(When::Zero, move |_ev, _te, _now| drop(owner.take()));
            let _later = ev.add_timer(HOUR, |_ev, _te, _now| unreachable!("its context is gone"));
            let _ended = way(&ev);
            assert!(ev.is_freed());
        }
    }

    fn loop_7_what_the_context_keeps_goes_with_it(backend) {
        let (ctx, (near, far)) = (backend.context(), pair());
        let (probe, drops) = CountDrop::new();
        let again = || CountDrop(Rc::clone(&probe.0));
        let (of_fd, of_timer, of_immediate) = (again(), again(), again());
        ctx.keep(ctx.add_fd(OwnedFd::from(near), READ, move |_ev, _fde, _flags| drop(of_fd.0.clone())).unwrap());
        ctx.keep(ctx.add_timer(HOUR, move |_ev, _te, _now| drop(of_timer.0.clone())));
        ctx.keep(Immediate::new(move |_ev, _im| drop(of_immediate.0.clone()))).schedule(&ctx);
        assert_eq!(drops.get(), 0);
        drop(ctx);
        assert_eq!(drops.get(), 3);
        assert!(peer_is_closed(&far));
    }
}
