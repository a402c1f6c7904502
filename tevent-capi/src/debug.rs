//! Messages. What formats them is in `c/variadic.c`, as Rust cannot say `va_list`.
#![allow(unsafe_code, reason = "functions of our own C file are called here")]

use std::cell::Cell;
use std::ffi::{CString, c_char, c_int, c_void};

use tevent_core::DebugLevel;

use crate::chunk::{Chunk, Out, Private};
use crate::context::Context;
use crate::export::{abort, export};

/// `enum tevent_debug_level`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Fatal = 0,
    Error = 1,
    Warning = 2,
}

/// A `tevent_debug_fn`, which only C can call.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Sink(unsafe extern "C" fn());

/// Where a context's messages go.
#[derive(Default)]
pub struct Debug {
    sink: Cell<Option<Sink>>,
    private: Cell<Option<Private>>,
    /// What is above is not sent.
    threshold: Cell<c_int>,
}

unsafe extern "C" {
    fn tevent_debug(ev: *mut c_void, level: c_int, format: *const c_char, ...);
    /// Never called from here: only its address is of use.
    fn tevent_capi_debug_stderr();
}

/// Sends a message.
#[cold]
pub fn say(ev: Chunk<Context>, level: Level, message: &str) {
    let text = CString::new(message.replace('\0', " ")).unwrap_or_default();
    // SAFETY: the format takes the one text that is given, which ends in NUL.
    unsafe { tevent_debug(ev.as_ptr(), level as c_int, c"%s".as_ptr(), text.as_ptr()) };
}

/// What the core has to say goes the same way.
fn listen_to_core(ev: Chunk<Context>, listen: bool) {
    let core = ev.core();
    if listen {
        core.set_debug(move |level, message| say(ev, of_core(level), &format!("{message}\n")));
    } else {
        core.clear_debug();
    }
}

fn of_core(level: DebugLevel) -> Level {
    match level {
        DebugLevel::Fatal => Level::Fatal,
        DebugLevel::Error => Level::Error,
        DebugLevel::Warning | DebugLevel::Trace => Level::Warning,
    }
}

fn set(ev: Chunk<Context>, sink: Option<Sink>, private: Private) -> c_int {
    if ev.wrapping.glue().is_some() {
        abort(Some(ev), "tevent_set_debug() on wrapper");
    }
    listen_to_core(ev, sink.is_some());
    ev.debug.sink.set(sink);
    ev.debug.private.set(Some(private));
    let level = if sink.is_some() { Level::Warning } else { Level::Fatal };
    ev.debug.threshold.set(level as c_int);
    0
}

export! {
    fn tevent_set_debug(ev: Chunk<Context>, sink: Option<Sink>, private: Private) -> c_int {
        set(ev, sink, private)
    }

    fn tevent_set_debug_stderr(ev: Chunk<Context>) -> c_int {
        set(ev, Some(Sink(tevent_capi_debug_stderr)), ev.private())
    }

    fn tevent_set_max_debug_level(ev: Chunk<Context>, level: c_int) -> c_int {
        ev.main().unwrap_or(ev).debug.threshold.replace(level)
    }

    /// For `c/variadic.c`: whether a message of that level is sent, and where.
    fn tevent_capi_debug_sink(
        ev: Option<Chunk<Context>>, level: c_int, sink: Out<Option<Sink>>, private: Out<Private>,
    ) -> bool {
        let Some(ev) = ev.map(|ev| ev.main().unwrap_or(ev)) else { return false };
        let Some(set) = ev.debug.sink.get().filter(|_sink| level <= ev.debug.threshold.get()) else { return false };
        sink.put(Some(set));
        private.put(ev.debug.private.get().unwrap_or(Private::NONE));
        true
    }
}
