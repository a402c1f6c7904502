//! The loop and the requests of tevent, the event loop under Samba, in Rust: a single-threaded reactor that calls
//! handlers of fd, timer, immediate and signal events, and drives callback-based requests.
//!
//! It is for those who port C tevent code function by function, and for daemons that want an event loop they can
//! reason about: level-triggered, one handler a turn, in a fixed order. It is no async runtime (though [futures](Req::from_future) are
//! requests like any other), and it does not leave its thread.
//!
//! ```
//! use std::{cell::Cell, rc::Rc, time::Duration};
//! use tevent_core::{Context, Immediate};
//!
//! let ctx = Context::new()?;
//! let order = Rc::new(Cell::new(0));
//! let (first, second) = (order.clone(), order.clone());
//! ctx.keep(ctx.add_timer(Duration::ZERO, move |_ev, _te, _now| second.set(second.get() * 10)));
//! let im = ctx.keep(Immediate::new(move |_ev, _im| first.set(4)));
//! im.schedule(&ctx);
//! ctx.loop_wait()?;
//! assert_eq!(order.get(), 40); // the immediate ran first
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The examples name this crate. By `tevent`, which has the queue and the sockets too, `tevent_core::X` is `tevent::X`.
//!
//! # Concepts
//!
//! - [`Context`] is the loop. [`loop_once`](ContextRef::loop_once) is one turn of it.
//! - [`FdEvent`], [`Timer`], [`Immediate`] and [`SignalEvent`] call a handler when their moment comes.
//! - [`Req`] is a computation with a state that finishes later and calls back.
//! - **Owner and Ref.** talloc gives C code two kinds of pointer without saying so: the parent that frees, and everybody
//!   else. Here they are two types. Dropping an owner, such as [`Timer`], frees it at once: it is never called again.
//!   A Ref, such as [`TimerRef`], is a cheap clone that frees nothing and turns inert when the owner goes. An owner
//!   derefs to its Ref, and `owner.clone()` gives one.
//! - **Homes.** [`ctx.keep(owner)`](ContextRef::keep) and [`req.keep(owner)`](ReqRef::keep) are what parenting is in C;
//!   [`req.add_fd`](ReqRef::add_fd), [`add_timer`](ReqRef::add_timer) and [`add_subreq`](ReqRef::add_subreq) do it in one go.
//!
//! # The order of a turn
//!
//! 1. The handlers of all signals that are pending run, and the turn ends.
//! 2. What [other threads](ContextRef::threaded) have scheduled joins the immediates, at their tail; so do the polls of
//!    [futures](Req::from_future) that were woken.
//! 3. The first immediate runs, and the turn ends.
//! 4. The first timer runs if it is due, and the turn ends.
//! 5. The loop waits for fds until the next timer is due; one ready fd runs one handler, or the timer runs.
//!
//! What stands earlier starves what stands later, by design.
//!
//! # What is guaranteed
//!
//! A handler may do anything: free itself, its siblings or the context; add, change, schedule; and run the loop again
//! once [nesting is allowed](ContextRef::allow_nesting). No handler runs inside a call that adds, changes or schedules.
//! After an owner is dropped its handler is never called again, and it is dropped exactly once: at once, or when its
//! running call returns. A handler that panics leaves the loop usable. Callbacks and drops that stand more than 64 deep
//! on top of each other are run one after the other, so that long chains do not overflow the stack.
//!
//! How many system calls a turn makes, and the order in which fds that became ready at the same moment are served, are
//! current behaviour.
//!
//! # The feature `tracing`
//!
//! Sends all that [traces](Trace) tell to the `tracing` crate: at TRACE with target `tevent::loop` the points of a turn, `tevent::event` the
//! events, with a span `handler` around each handler, `tevent::request` the [call flow](set_call_flow_callback); at DEBUG
//! `tevent::profile` each profiled request that has finished; at WARN `tevent::watchdog` [alarms](Alarm); and `tevent` the messages,
//! at levels of their own.
//!
//! # For those who come from C
//!
//! Every item that stands for a C function is found by its C name in the search of these docs.
//! `_send` functions return a [`Req`], `_recv` functions take it by value.
//! `talloc_free(x)` is `drop(x)`; a pointer that does not own is a Ref.

mod attention;
mod batch;
mod builder;
mod call_flow;
mod children;
mod clock;
mod context;
mod dispatch;
mod dump;
mod error;
mod event;
mod fd;
mod fd_flags;
mod fd_inner;
mod fd_slot;
mod fd_slots;
mod fd_source;
mod fd_table;
mod fifo;
mod foreign;
mod future;
mod handover;
mod immediate;
mod list;
mod location;
mod look;
mod nesting;
mod panics;
mod phases;
mod reactor;
mod req;
mod running;
mod scheduled;
mod signal;
mod stack;
mod stats;
mod sys;
mod thread_proxy;
mod threaded;
mod threads;
mod timer;
mod timer_heap;
mod timer_queue;
mod trace;
mod wakeup;

pub use builder::{Backend, Builder};
pub use call_flow::{CallFlow, CallFlowCallback, CallFlowEvent, is_call_flow_told, set_call_flow_callback};
#[doc(hidden)]
pub use children::AnyReq;
pub use children::{ChildRef, HomeLink};
pub use clock::ClockHold;
pub use context::{Context, ContextRef};
pub use dump::{Dump, DumpedEvent, DumpedOwner, DumpedReq};
pub use error::LoopError;
pub use fd::{FdEvent, FdRef};
pub use fd_flags::FdFlags;
pub use fd_source::{AddFdError, FdSource};
pub use foreign::LoopFd;
pub use future::{FutureState, ReqFuture, future_recv};
pub use immediate::{Immediate, ImmediateRef};
pub use location::Location;
pub use nesting::{Nesting, NestingPhase};
#[doc(hidden)]
pub use phases::TimerPhase;
pub use req::{Profile, ProfileError, Req, ReqError, ReqRef, ReqState};
pub use signal::{AddSignalError, SignalDelivery, SignalEvent, SignalFlags, SignalInfo, SignalRef};
pub use stack::drop_each;
pub use stats::{PerKind, Stats};
pub use thread_proxy::ThreadProxy;
pub use threaded::{ScheduleError, ThreadedContext};
pub use timer::{Timer, TimerRef, When};
pub use trace::{Alarm, DebugLevel, EventKind, EventTracePoint, Hook, Trace, TracePoint, TracedQueueEntry};
pub use wakeup::{Wakeup, wakeup_recv, wakeup_send};
