//! `libtevent.so.0` over `tevent-core`: unmodified C programs run on the Rust loop.
//!
//! Every object of the C API is a talloc chunk of that API's type name (`Chunk` in `chunk.rs`). The chunk of an event holds the
//! core's owner of it, which the chunk's destructor drops; the handler that the core calls is a closure that holds the chunk.
//! The loop, fds, signals, immediates and threads are the core's. Timers stand here in their order, and one of the core's rings for
//! the first of them (`timers.rs`). Requests and queues are written here, over those:
//! in C a request's state is talloc memory of the caller, its callbacks are bare functions, and talloc's tree is what frees it,
//! so that of the core's `Req` nothing would be left but its list of states.
//!
//! Handlers may free anything at any time. A busy object's memory stays until its handler has returned: its
//! destructor refuses, and it is freed then.
#![deny(unsafe_code)]
#![allow(
    clippy::needless_pass_by_value,
    clippy::missing_safety_doc,
    reason = "what C passes is passed as C does, and what its functions ask of their callers is in the C header"
)]

mod backend;
pub mod bridge;
mod busy;
mod call;
mod call_depth;
mod chunk;
mod clock;
mod common;
mod context;
mod debug;
mod export;
mod fd;
mod immediate;
mod list;
mod poll_mt;
mod proxy;
mod queue;
mod req;
mod run;
mod siginfo;
mod signal;
mod spare;
mod sys;
mod talloc;
mod threaded;
mod time;
mod timer;
mod timer_order;
mod timers;
mod trace;
mod wake;
mod wakeup;
mod wrapper;
