//! LOOP-8: a new beginning with signal events, and inside of whatever the loop calls.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

#[path = "support/signals.rs"]
mod signals;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use support::{Log, on_every_backend, run_ready, turns};
use tevent::{ContextRef, Immediate, Queue, Req, SignalFlags, When};

fn tick(ctx: &ContextRef, log: &Log) {
    let log = log.clone();
    ctx.keep(ctx.add_timer(When::Zero, move |_, _, _| log.add("tick")));
}

on_every_backend! {
    fn loop_8_signal_events_and_the_action_go(backend) {
        let _alone = signals::alone();
        let (ctx, log) = (backend.context(), Log::new());
        let before = signals::action(libc::SIGUSR1);
        let noted = log.clone();
        let add = move |ev: &ContextRef, what: &'static str| {
            let log = noted.clone();
            ev.add_signal(libc::SIGUSR1, SignalFlags::NONE, move |_, _, _| log.add(what)).unwrap()
        };
        let old = add(&ctx, "old");
        signals::raise(libc::SIGUSR1);
        ctx.re_initialise().unwrap();
        assert!(!old.is_active());
        assert_eq!(signals::action(libc::SIGUSR1), before, "the last event of the signal is gone");
        ctx.loop_wait().unwrap();
        let new = add(&ctx, "new");
        assert_eq!(run_ready(&ctx), 0, "what was pending is dropped");
        signals::raise(libc::SIGUSR1);
        turns(&ctx, 1);
        assert_eq!(log.take(), ["new"]);
        drop((old, new));
    }

    fn loop_8_begun_anew_inside_a_handler_the_loop_is_run_there_without_leave_to_nest(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let noted = log.clone();
        let im = Immediate::new(move |ev, _im| {
            let refused = catch_unwind(AssertUnwindSafe(|| ev.loop_once()));
            assert!(refused.is_err(), "not before");
            ev.re_initialise().unwrap();
            let (inner, refused) = (noted.clone(), noted.clone());
            ev.keep(ev.add_timer(When::Zero, move |ev, _te, _now| {
                inner.add("run there");
                if catch_unwind(AssertUnwindSafe(|| ev.loop_once())).is_err() {
                    refused.add("but not in its own handlers");
                }
            }));
            ev.loop_once().unwrap();
            tick(ev, &noted);
        });
        im.schedule(&ctx);
        turns(&ctx, 1);
        assert_eq!(log.take(), ["run there", "but not in its own handlers"]);
        turns(&ctx, 1);
        assert_eq!(log.take(), ["tick"]);
    }

    fn loop_8_inside_a_handler_of_each_kind_and_a_nested_turn(backend) {
        let _alone = signals::alone();
        for kind in ["immediate", "timer", "late timer", "signal", "nested", "trigger", "hook", "trace"] {
            let (ctx, log) = (backend.context(), Log::new());
            ctx.allow_nesting();
            let begun = Rc::new(Cell::new(false));
            let (once, noted) = (Rc::clone(&begun), log.clone());
            let anew = move |ev: &ContextRef| if !once.replace(true) {
                ev.re_initialise().unwrap();
                tick(ev, &noted);
            };
            let (im, te) = (Immediate::empty(), RefCell::new(None));
            let (queue, req) = (Queue::create("q"), Req::create(()));
            let inner = anew.clone();
            let _se = match kind {
                "immediate" => { im.schedule_with(&ctx, move |ev, _| anew(ev)); None }
                "timer" | "late timer" => {
                    let delay = Duration::from_micros(u64::from(kind != "timer"));
                    te.replace(Some(ctx.add_timer(delay, move |ev, _, _| anew(ev))));
                    None
                }
                "signal" => {
                    let se = ctx.add_signal(libc::SIGUSR1, SignalFlags::NONE, move |ev, _, _| anew(ev)).unwrap();
                    signals::raise(libc::SIGUSR1);
                    Some(se)
                }
                "nested" => {
                    te.replace(Some(ctx.add_timer(When::Zero, move |ev, _, _| {
                        let inner = inner.clone();
                        ev.keep(Immediate::empty()).schedule_with(ev, move |ev, _| inner(ev));
                        ev.loop_once().unwrap();
                        assert_eq!(ev.dump().level, 1);
                    })));
                    None
                }
                "trigger" => {
                    let ev = ctx.clone();
                    queue.add(&ctx, &req, move |_req| anew(&ev)).unwrap();
                    None
                }
                "hook" => {
                    ctx.set_nesting_hook(move |ev, _| { anew(ev); Ok(()) });
                    im.schedule_with(&ctx, |_, _| unreachable!("it is dropped"));
                    None
                }
                _ => {
                    ctx.trace().points().set(Rc::new(move |ev, _point| anew(ev)));
                    im.schedule_with(&ctx, |_, _| unreachable!("it is dropped"));
                    None
                }
            };
            let mut turned = 0;
            while !begun.get() {
                assert!(turned < 1000, "{kind}");
                turned += 1;
                turns(&ctx, 1);
            }
            ctx.loop_wait().unwrap();
            assert_eq!(log.take(), ["tick"], "{kind}");
            assert_eq!((ctx.dump().level, ctx.dump().events.len()), (0, 0), "{kind}");
        }
    }
}
