//! Backends: tables of functions, by name.

use std::ffi::{CStr, CString, c_int};
use std::sync::{Mutex, MutexGuard, PoisonError};

use libc::timeval;

use crate::call::c_fn;
use crate::chunk::{Chunk, Parent, Private, Text};
use crate::common;
use crate::context::Context;
use crate::export::{called_by_c, export};
use crate::fd::{self, CloseFn, Fd, FdHandler};
use crate::immediate::{self, Immediate, ImmediateHandler};
use crate::poll_mt;
use crate::signal::{self, Signal, SignalHandler};
use crate::talloc;
use crate::timer::{self, Timer, TimerHandler};

c_fn! {
    ContextInit(ev: Chunk<Context>) -> c_int;
    AddFd(
        ev: Chunk<Context>, parent: Parent, fd: c_int, flags: u16, handler: Option<FdHandler>, private: Private,
        handler_name: Text, location: Text,
    ) -> Option<Chunk<Fd>>;
    SetFdCloseFn(fde: Chunk<Fd>, close_fn: Option<CloseFn>);
    GetFdFlags(fde: Chunk<Fd>) -> u16;
    SetFdFlags(fde: Chunk<Fd>, flags: u16);
    AddTimer(
        ev: Chunk<Context>, parent: Parent, due: timeval, handler: Option<TimerHandler>, private: Private,
        handler_name: Text, location: Text,
    ) -> Option<Chunk<Timer>>;
    ScheduleImmediate(
        im: Chunk<Immediate>, ev: Chunk<Context>, handler: Option<ImmediateHandler>, private: Private,
        handler_name: Text, location: Text,
    );
    AddSignal(
        ev: Chunk<Context>, parent: Parent, signum: c_int, sa_flags: c_int, handler: Option<SignalHandler>,
        private: Private, handler_name: Text, location: Text,
    ) -> Option<Chunk<Signal>>;
    RunLoop(ev: Chunk<Context>, location: Text) -> c_int;
}

/// `struct tevent_ops`.
#[repr(C)]
pub struct Ops {
    pub context_init: Option<ContextInit>,
    pub add_fd: Option<AddFd>,
    pub set_fd_close_fn: Option<SetFdCloseFn>,
    pub get_fd_flags: Option<GetFdFlags>,
    pub set_fd_flags: Option<SetFdFlags>,
    pub add_timer: Option<AddTimer>,
    pub schedule_immediate: Option<ScheduleImmediate>,
    pub add_signal: Option<AddSignal>,
    pub loop_once: Option<RunLoop>,
    pub loop_wait: Option<RunLoop>,
}

/// The core's loop.
static CORE: Ops = of_core(common::loop_once);
/// The same, for [`poll_mt`].
static POLL_MT: Ops = of_core(poll_mt::loop_once);

const fn of_core(loop_once: extern "C" fn(Chunk<Context>, Text) -> c_int) -> Ops {
    Ops {
        context_init: Some(ContextInit(context_init)),
        add_fd: Some(AddFd(fd::add_watched)),
        set_fd_close_fn: Some(SetFdCloseFn(fd::tevent_common_fd_set_close_fn)),
        get_fd_flags: Some(GetFdFlags(fd::watched_flags)),
        set_fd_flags: Some(SetFdFlags(fd::set_watched_flags)),
        add_timer: Some(AddTimer(timer::tevent_common_add_timer_v2)),
        schedule_immediate: Some(ScheduleImmediate(immediate::tevent_common_schedule_immediate)),
        add_signal: Some(AddSignal(signal::tevent_common_add_signal)),
        loop_once: Some(RunLoop(loop_once)),
        loop_wait: Some(RunLoop(common::tevent_common_loop_wait)),
    }
}

/// Whether such a backend has the core watch its fds.
pub fn watches(ops: &Ops) -> bool {
    ops.add_fd.is_some_and(|add| std::ptr::fn_addr_eq(add.0, AddFd(fd::add_watched).0))
}

called_by_c! {
    /// There is nothing to do: every context has the core's loop.
    fn context_init(_ev: Chunk<Context>) -> c_int {
        0
    }
}

const NAMES: [&CStr; 4] = [c"standard", c"epoll", c"poll_mt", c"poll"];

/// Those of the user's, the newest first.
static OTHERS: Mutex<Vec<(CString, &'static Ops)>> = Mutex::new(Vec::new());
/// The name of the default, if it is not the standard one.
static DEFAULT: Mutex<Option<CString>> = Mutex::new(None);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics half-way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The table of that name; of the default, or the standard one, for NULL.
pub fn find(name: Text) -> Option<&'static Ops> {
    match name.c_str() {
        Some(name) => by_name(name),
        None => by_name(lock(&DEFAULT).as_deref().unwrap_or(c"standard")),
    }
}

fn by_name(name: &CStr) -> Option<&'static Ops> {
    let other = lock(&OTHERS).iter().find(|(other, _ops)| other.as_c_str() == name).map(|(_name, ops)| *ops);
    let own = || match name {
        name if name == c"poll_mt" => Some(&POLL_MT),
        name => NAMES.contains(&name).then_some(&CORE),
    };
    other.or_else(own)
}

pub fn set_default(name: Text) {
    *lock(&DEFAULT) = name.c_str().map(CStr::to_owned);
}

export! {
    fn tevent_find_ops_byname(name: Text) -> Option<&'static Ops> {
        find(name)
    }

    fn tevent_register_backend(name: Text, ops: Option<&'static Ops>) -> bool {
        let (Some(name), Some(ops)) = (name.c_str(), ops) else { return false };
        let is_new = by_name(name).is_none();
        if is_new {
            lock(&OTHERS).insert(0, (name.to_owned(), ops));
        }
        // One that was there already is no failure, and stays.
        true
    }

    fn tevent_set_default_backend(name: Text) {
        set_default(name);
    }

    fn tevent_backend_list(parent: Parent) -> *mut Text {
        let names: Vec<CString> = lock(&OTHERS).iter().map(|(name, _ops)| name.clone()).collect();
        let all = names.iter().map(CString::as_c_str).chain(NAMES);
        talloc::string_list(parent, all)
    }
}
