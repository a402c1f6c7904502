//! Waking a loop by hand, and backends of the user's that sleep on their own.

use std::cell::{Cell, RefCell};
use std::ffi::c_int;
use std::os::fd::AsRawFd;

use tevent_core::{LoopFd, ThreadedContext};

use crate::backend;
use crate::chunk::{Chunk, Private, Text};
use crate::context::Context;
use crate::export::{called_by_c, export};
use crate::fd::{_tevent_add_fd, Fd, FdHandler};
use crate::sys;

/// Of one context.
#[derive(Default)]
pub struct Wake {
    handle: RefCell<Option<ThreadedContext>>,
    /// Where a backend of the user's sleeps: the core's loop as a guest of its.
    guest: RefCell<Option<LoopFd>>,
    watch: Cell<Option<Chunk<Fd>>>,
}

impl Wake {
    /// The context begins anew.
    pub fn clear(&self) {
        self.handle.take();
        self.guest.take();
        self.watch.set(None);
    }

    /// Whether that event is only there to wake the loop: it keeps `loop_wait` not going.
    pub fn is(&self, fde: Chunk<Fd>) -> bool {
        self.watch.get() == Some(fde)
    }
}

/// Something ends the sleep of a backend of the user's when a signal or another thread has something for the loop: it watches
/// the core's, and has it run what came.
pub fn be_heard(ev: Chunk<Context>) -> bool {
    if backend::watches(ev.ops) || ev.wake.watch.get().is_some() {
        return true;
    }
    let Ok(guest) = ev.core().loop_fd() else { return false };
    let name = Text::of(c"tevent_common_wakeup");
    let watch = _tevent_add_fd(
        ev,
        ev.parent(),
        guest.as_raw_fd(),
        1,
        Some(FdHandler(on_guest)),
        Private::NONE,
        name,
        name,
    );
    ev.wake.guest.replace(Some(guest));
    ev.wake.watch.set(watch);
    watch.is_some()
}

called_by_c! {
    fn on_guest(ev: Option<Chunk<Context>>, _fde: Chunk<Fd>, _flags: u16, _private: Private) {
        if let Some(ev) = ev {
            // What came runs in this turn of the backend's.
            let _ran = ev.core().dispatch();
            let _ = ev.core().next_timeout();
        }
    }
}

fn init(ev: Chunk<Context>) -> c_int {
    if ev.wake.handle.borrow().is_none() {
        match ev.core().threaded() {
            Ok(handle) => _ = ev.wake.handle.replace(Some(handle)),
            Err(error) => return error.raw_os_error().unwrap_or(libc::EINVAL),
        }
    }
    if be_heard(ev) { 0 } else { libc::ENOMEM }
}

export! {
    fn tevent_common_wakeup_init(ev: Chunk<Context>) -> c_int {
        init(ev)
    }

    fn tevent_common_wakeup(ev: Chunk<Context>) -> c_int {
        let Some(handle) = ev.wake.handle.borrow().clone() else { return libc::ENOTCONN };
        match handle.schedule(|_ev| ()) {
            Ok(()) => 0,
            Err(_gone) => libc::ENOTCONN,
        }
    }

    fn tevent_common_wakeup_fd(number: c_int) -> c_int {
        let rung = sys::ring(number);
        if rung { 0 } else { sys::errno() }
    }
}
