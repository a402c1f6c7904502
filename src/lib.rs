//! tevent, the event loop under Samba, SSSD and ctdb, in Rust: the face of the workspace.
//!
//! Everything is re-exported from here; the docs of each part stand with it:
//!
//! - the loop and the requests: [`Context`], [`FdEvent`], [`Timer`], [`Immediate`], [`SignalEvent`], [`Req`];
//! - the [queue]: [`Queue`], for requests that take turns;
//! - stock socket requests, [io]: writing a whole buffer, reading a packet, accepting, connecting;
//! - [other threads](ContextRef::threaded), [futures](Req::from_future), [foreign loops](ContextRef::loop_fd);
//! - to see what goes on: [traces](ContextRef::trace), [counts](ContextRef::stats), [what lives](ContextRef::dump).
//!
//! It is for those who port C tevent code function by function, for daemons that want a loop they can reason about, and
//! for whoever writes to one socket from many places and must never interleave.
//!
//! # The order of a turn
//!
//! One call of [`loop_once`](ContextRef::loop_once) runs the handlers of at most one source: all signals that are pending; else the
//! first immediate; else the first timer, if it is due; else it waits for fds until the next timer is due, and runs one handler of
//! one ready fd, or the timer. What stands earlier starves what stands later, by design.
//!
//! # Example
//!
//! ```
//! use std::{io::Read, os::unix::net::UnixStream};
//! use tevent::{Context, Queue, io};
//!
//! let ctx = Context::new()?;
//! let (near, mut far) = UnixStream::pair()?;
//! let (stream, queue) = (io::Stream::new(near), Queue::create("near"));
//! for frame in ["first ", "second ", "third"] {
//!     // Many writers, one socket: each frame is complete before the next begins.
//!     let req = io::writev_send(&ctx, Some(&queue), &stream, false, vec![frame]);
//!     ctx.add_subreq(req, |_ctx, req| println!("{:?} bytes", io::writev_recv(req)));
//! }
//! ctx.loop_wait()?;
//! drop(stream);
//! let mut text = String::new();
//! far.read_to_string(&mut text)?;
//! assert_eq!(text, "first second third");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use tevent_core::*;
#[doc(inline)]
pub use tevent_io as io;
#[doc(inline)]
pub use tevent_queue as queue;
pub use tevent_queue::{Queue, QueueEntry, QueueEntryRef, QueueError, QueueRef};

/// The code in the documents is compiled and run by the tests.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;

    #[doc = include_str!("../docs/tutorial/01-context.md")]
    struct Context;

    #[doc = include_str!("../docs/tutorial/02-events.md")]
    struct Events;

    #[doc = include_str!("../docs/tutorial/03-data.md")]
    struct Data;

    #[doc = include_str!("../docs/tutorial/04-requests.md")]
    struct Requests;

    #[doc = include_str!("../docs/tutorial/05-queue.md")]
    struct TheQueue;

    #[doc = include_str!("../docs/tutorial/06-threads.md")]
    struct Threads;

    #[doc = include_str!("../docs/tutorial/07-io.md")]
    struct Io;

    #[doc = include_str!("../docs/tutorial/08-testing.md")]
    struct Testing;

    #[doc = include_str!("../docs/tutorial/09-tracing.md")]
    struct Tracing;

    #[doc = include_str!("../docs/tutorial/10-embedding.md")]
    struct Embedding;

    #[doc = include_str!("../docs/tutorial/11-special-problems.md")]
    struct SpecialProblems;

    #[doc = include_str!("../docs/porting.md")]
    struct Porting;
}
