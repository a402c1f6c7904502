//! The call flow of requests, and how deep in their tree it is (TRACE-4).

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::call::c_fn;
use crate::chunk::{Chunk, Out, Private, Text};
use crate::export::export;
use crate::req::Req;

/// `enum tevent_thread_call_depth_cmd`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq)]
pub enum Flow {
    Reset = 0,
    Create = 1,
    Cancel = 2,
    Cleanup = 3,
    NotifyCallback = 4,
    QueueEnter = 5,
    QueueTrigger = 6,
    QueueLeave = 7,
}

c_fn! {
    Callback(private: Private, flow: Flow, req: Option<Chunk<Req>>, depth: usize, function: Text);
}

#[derive(Clone, Copy)]
enum Listener {
    None,
    Callback(Callback, Private),
    /// The way of 0.14: a variable that is kept up to date.
    Variable(Out<usize>),
}

static EVER_USED: AtomicBool = AtomicBool::new(false);

thread_local! {
    static LISTENER: Cell<Listener> = const { Cell::new(Listener::None) };
}

/// Whether anybody listens, or has listened, on any thread: that is cheaper to know than the thread's own.
#[inline]
pub fn in_use() -> bool {
    EVER_USED.load(Ordering::Relaxed)
}

fn listen(listener: Listener) {
    EVER_USED.store(true, Ordering::Relaxed);
    LISTENER.set(listener);
}

/// A new request stands below that one. With the variable only what is below a start counts.
pub fn inherit(req: Chunk<Req>, above: Option<Chunk<Req>>) {
    let Some(above) = above else { return };
    let counts = above.depth.get() > 0 || matches!(LISTENER.get(), Listener::Callback(..));
    if counts {
        req.depth.set(above.depth.get() + 1);
    }
}

#[cold]
pub fn tell(req: Option<Chunk<Req>>, flow: Flow, depth: usize, function: Text) {
    match LISTENER.get() {
        Listener::None => {}
        Listener::Callback(callback, private) => callback.call(private, flow, req, depth, function),
        Listener::Variable(variable) => {
            if matches!(flow, Flow::Create | Flow::NotifyCallback | Flow::QueueTrigger | Flow::Reset) {
                variable.put(depth);
            }
        }
    }
}

/// A turn of the loop has ended.
#[inline]
pub fn reset() {
    if in_use() {
        tell(None, Flow::Reset, 0, Text::NONE);
    }
}

export! {
    fn tevent_thread_call_depth_set_callback(callback: Option<Callback>, private: Private) {
        listen(callback.map_or(Listener::None, |callback| Listener::Callback(callback, private)));
    }

    fn tevent_thread_call_depth_activate(variable: Out<usize>) {
        listen(Listener::Variable(variable));
    }

    fn tevent_thread_call_depth_deactivate() {
        LISTENER.set(Listener::None);
    }

    fn tevent_thread_call_depth_start(req: Chunk<Req>) {
        req.depth.set(1);
        if let Listener::Variable(variable) = LISTENER.get() {
            variable.put(1);
        }
    }

    fn tevent_thread_call_depth_reset_from_req(req: Chunk<Req>) {
        _tevent_thread_call_depth_reset_from_req(req, Text::NONE);
    }

    fn _tevent_thread_call_depth_reset_from_req(req: Chunk<Req>, function: Text) {
        tell(Some(req), Flow::Reset, req.depth.get(), function);
    }
}
