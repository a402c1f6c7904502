//! Running the loop inside one of its handlers (LOOP-5).

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/fds.rs"]
mod fds;
mod support;
#[path = "support/turning.rs"]
mod turning;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use fds::noted_in;
use support::{Log, on_every_backend};
use tevent::{ContextRef, When};
use turning::{HOUR, WAYS, immediate, timer};

/// The message with which the closure panics.
#[track_caller]
fn panic_of(run: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("no panic");
    match panic.downcast::<&str>() {
        Ok(text) => (*text).to_owned(),
        Err(formatted) => *formatted.downcast().unwrap(),
    }
}

/// The same, each noting the line in which it does so.
const WAYS_BY_LINE: [fn(&ContextRef, &Cell<u32>); 3] = [
    |ev, line| {
        line.set(line!() + 1);
        drop(ev.loop_once());
    },
    |ev, line| {
        line.set(line!() + 1);
        drop(ev.loop_wait());
    },
    |ev, line| {
        line.set(line!() + 1);
        drop(ev.loop_until(|| false));
    },
];

on_every_backend! {
    fn loop_5_running_the_loop_in_a_handler_without_leave_panics(backend) {
        for way in WAYS {
            let (ctx, log) = (backend.context(), Log::new());
            let _timers = [timer(&ctx, HOUR, "later", &log)];
            let te = ctx.add_timer(When::Zero, move |ev, _te, _now| drop(way(ev)));
            let text = panic_of(|| drop(ctx.loop_once()));
            assert!(text.contains("allow_nesting"), "{text}");
            // The loop is usable after it.
            drop(te);
            let im = immediate("immediate", &log);
            im.schedule(&ctx);
            assert_eq!(noted_in(&ctx, 1, &log), ["immediate"]);
        }
    }

    fn loop_5_the_panic_names_the_callers_place(backend) {
        for way in WAYS_BY_LINE {
            let (ctx, line) = (backend.context(), Rc::new(Cell::new(0)));
            let noted = Rc::clone(&line);
            let _later = ctx.add_timer(HOUR, |_ev, _te, _now| {});
            let _te = ctx.add_timer(When::Zero, move |ev, _te, _now| way(ev, &noted));
            let place = places::of_panic(|| drop(ctx.loop_once()));
            assert_eq!(place, (file!().to_owned(), line.get()));
        }
    }

    fn loop_5_with_leave_a_handler_may_run_the_loop(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        ctx.allow_nesting();
        let noted = log.clone();
        let _outer = ctx.add_timer(When::Zero, move |ev, _te, _now| {
            noted.add("enter");
            ev.loop_once().unwrap();
            ev.loop_until(|| noted.len() == 4).unwrap();
            ev.loop_wait().unwrap();
            noted.add("leave");
        });
        let _inner = ["a", "b", "c", "d"].map(|name| timer(&ctx, When::Zero, name, &log));
        assert_eq!(noted_in(&ctx, 1, &log), ["enter", "a", "b", "c", "d", "leave"]);
    }

    fn loop_5_another_context_may_be_run_in_a_handler_without_leave(backend) {
        let (ctx, other, log) = (backend.context(), backend.context(), Log::new());
        let _inner = timer(&other, When::Zero, "inner", &log);
        let inner = ContextRef::clone(&other);
        let _outer = ctx.add_timer(When::Zero, move |_ev, _te, _now| inner.loop_wait().unwrap());
        assert_eq!(noted_in(&ctx, 1, &log), ["inner"]);
        // Leave on one is none on another.
        other.allow_nesting();
        let _outer = ctx.add_timer(When::Zero, |ev, _te, _now| ev.loop_once().unwrap());
        panic_of(|| drop(ctx.loop_once()));
    }
}

/// Where panics happen. The hook is the process's, so it notes the place for its own thread only.
mod places {
    use std::cell::RefCell;
    use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
    use std::sync::Once;

    thread_local! {
        static LAST: RefCell<Option<(String, u32)>> = const { RefCell::new(None) };
    }

    pub(crate) fn of_panic(run: impl FnOnce()) -> (String, u32) {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let earlier = take_hook();
            set_hook(Box::new(move |info| {
                LAST.set(info.location().map(|place| (place.file().to_owned(), place.line())));
                earlier(info);
            }));
        });
        catch_unwind(AssertUnwindSafe(run)).expect_err("no panic");
        LAST.take().unwrap()
    }
}
