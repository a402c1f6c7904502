//! Running the loop, and its nesting. Here and not in the core, because the hook and the complaint name a place in C.

use std::cell::Cell;
use std::ffi::{c_int, c_void};

use crate::busy;
use crate::call::c_fn;
use crate::call_depth;
use crate::chunk::{Chunk, Private, Text};
use crate::context::Context;
use crate::export::{abort, export};
use crate::trace::{self, LoopPoint};

c_fn! {
    NestingHook(
        ev: Chunk<Context>, private: Private, level: u32, begin: bool, stack: *mut c_void, location: Text,
    ) -> c_int;
    Finished(private: Private) -> bool;
}

/// How deep the calls that run one context's loop are nested, and what is told of it.
#[derive(Default)]
pub struct Nesting {
    allowed: Cell<bool>,
    level: Cell<u32>,
    hook: Cell<Option<(NestingHook, Private)>>,
}

impl Nesting {
    /// The context goes, or begins anew: inside one of its handlers what runs the loop then is the outermost again, as in a
    /// forked child that never returns to its parent's.
    pub fn begin_anew(&self) {
        self.hook.set(None);
        self.level.set(0);
    }
}

/// Runs turns as one level of nesting.
fn nested(ev: Chunk<Context>, location: Text, turns: impl FnOnce() -> c_int) -> c_int {
    let nesting = &ev.nesting;
    nesting.level.set(nesting.level.get() + 1);
    if nesting.level.get() > 1 && !nesting.allowed.get() {
        abort(Some(ev), &format!("tevent_loop_once() nesting at {location}"));
    }
    busy::enter(ev);
    let mut ended = tell_hook(ev, true, location);
    if ended == 0 {
        ended = turns();
        let told = if ev.is_destroyed() { 0 } else { tell_hook(ev, false, location) };
        if ended == 0 {
            ended = told;
        }
    }
    nesting.level.set(nesting.level.get().saturating_sub(1));
    busy::leave(ev);
    ended
}

fn tell_hook(ev: Chunk<Context>, begin: bool, location: Text) -> c_int {
    let Some((hook, private)) = ev.nesting.hook.get() else { return 0 };
    let mut on_stack = 0;
    hook.call(ev, private, ev.nesting.level.get(), begin, (&raw mut on_stack).cast::<i32>().cast(), location)
}

/// One turn, by the backend.
fn turn(ev: Chunk<Context>, location: Text) -> c_int {
    let Some(loop_once) = ev.ops.loop_once else { return -1 };
    ev.clock.turn();
    trace::tell_point(ev, LoopPoint::BeforeLoopOnce);
    let ended = loop_once.call(ev, location);
    trace::tell_point(ev, LoopPoint::AfterLoopOnce);
    call_depth::reset();
    ended
}

/// The loop is run by its main context alone.
fn refuse_wrapper(ev: Chunk<Context>, complaint: &str) {
    if ev.wrapping.glue().is_some() {
        abort(Some(ev), complaint);
    }
}

export! {
    fn _tevent_loop_once(ev: Chunk<Context>, location: Text) -> c_int {
        refuse_wrapper(ev, "tevent_wrapper_glue_loop_once() called");
        nested(ev, location, || turn(ev, location))
    }

    fn _tevent_loop_until(ev: Chunk<Context>, finished: Finished, private: Private, location: Text) -> c_int {
        refuse_wrapper(ev, "tevent_wrapper_glue_loop_once() called");
        nested(ev, location, || {
            while !finished.call(private) {
                let ended = turn(ev, location);
                if ended != 0 {
                    return ended;
                }
                if ev.is_destroyed() {
                    return -1;
                }
            }
            0
        })
    }

    fn _tevent_loop_wait(ev: Chunk<Context>, location: Text) -> c_int {
        refuse_wrapper(ev, "tevent_wrapper_glue_loop_wait() called");
        match ev.ops.loop_wait {
            Some(loop_wait) => loop_wait.call(ev, location),
            None => -1,
        }
    }

    fn tevent_loop_allow_nesting(ev: Chunk<Context>) {
        ev.main().unwrap_or(ev).nesting.allowed.set(true);
    }

    fn tevent_loop_set_nesting_hook(ev: Chunk<Context>, hook: Option<NestingHook>, private: Private) {
        let place = &ev.main().unwrap_or(ev).nesting.hook;
        if let (Some((old, of)), Some(new)) = (place.get(), hook)
            && (!std::ptr::fn_addr_eq(old.0, new.0) || of != private)
        {
            abort(Some(ev), "tevent: Violation of nesting hook rules\n");
        }
        place.set(hook.map(|hook| (hook, private)));
    }
}
