//! How functions are exported, and what becomes of a panic: it never crosses into C.

use std::any::Any;
use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;
use std::sync::{Mutex, PoisonError};

use crate::call::c_fn;
use crate::chunk::{Chunk, Text};
use crate::context::Context;
use crate::debug::{self, Level};

/// Defines functions that C calls. Each aborts, by the abort function, on a panic.
macro_rules! export {
    ($($(#[$meta:meta])* fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block)*) => {$(
        $(#[$meta])*
        #[allow(unsafe_code, reason = "a name that C links to; it is defined once, and the real library is not loaded beside it")]
        #[allow(clippy::too_many_arguments, reason = "as many as in C")]
        #[unsafe(no_mangle)]
        pub extern "C" fn $name($($arg: $ty),*) $(-> $ret)? {
            $crate::export::guard(stringify!($name), move || $body)
        }
    )*};
}

pub(crate) use export;

/// Defines functions that C, or talloc, calls by their address alone.
macro_rules! called_by_c {
    ($($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block)*) => {$(
        $(#[$meta])*
        #[allow(clippy::too_many_arguments, reason = "as many as in C")]
        $vis extern "C" fn $name($($arg: $ty),*) $(-> $ret)? {
            $crate::export::guard(stringify!($name), move || $body)
        }
    )*};
}

pub(crate) use called_by_c;

/// Runs the body of a function that C calls.
#[inline]
pub fn guard<R>(name: &str, body: impl FnOnce() -> R) -> R {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => result,
        Err(panic) => panicked(name, &*panic),
    }
}

#[cold]
fn panicked(name: &str, panic: &(dyn Any + Send)) -> ! {
    let said = panic.downcast_ref::<&str>().copied();
    let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic");
    abort(None, &format!("{name}: {said}"))
}

c_fn! {
    AbortFn(reason: Text);
}

/// The user's function.
static ABORT_FN: Mutex<Option<AbortFn>> = Mutex::new(None);

thread_local! {
    static ABORTING: Cell<bool> = const { Cell::new(false) };
}

/// Tells the debug sink and the abort function, and ends the process should that return.
#[cold]
pub fn abort(ev: Option<Chunk<Context>>, reason: &str) -> ! {
    let text = CString::new(reason.replace('\0', " ")).unwrap_or_default();
    tell_abort(ev, &text);
    process::abort()
}

/// As the C library: with an abort function of the user's, what comes after that is the user's care.
fn tell_abort(ev: Option<Chunk<Context>>, reason: &CStr) {
    let again = ABORTING.replace(true);
    if let Some(ev) = ev.filter(|_ev| !again) {
        debug::say(ev, Level::Fatal, &format!("abort: {}\n", reason.to_string_lossy()));
    }
    let user = *ABORT_FN.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(user) = user.filter(|_user| !again) else {
        if !again {
            eprintln!("libtevent: abort: {}", reason.to_string_lossy());
        }
        process::abort();
    };
    user.call(Text::given(reason.as_ptr()));
    ABORTING.set(false);
}

export! {
    fn tevent_set_abort_fn(abort_fn: Option<AbortFn>) {
        *ABORT_FN.lock().unwrap_or_else(PoisonError::into_inner) = abort_fn;
    }

    fn tevent_abort(ev: Option<Chunk<Context>>, reason: Text) {
        tell_abort(ev, reason.c_str().unwrap_or(c"no reason"));
    }
}
