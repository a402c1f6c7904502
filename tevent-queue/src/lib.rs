//! `tevent_queue`: requests that take turns.
//!
//! Writing a large buffer to a socket takes many system calls. When several requests want to write to one socket, each
//! must be complete before the next begins; so every socket has a queue. A request joins it with a trigger, which is
//! called when the request's turn has come; the turn ends when the request is freed.
//!
//! ```
//! use tevent_core::{Context, Req};
//! use tevent_queue::Queue;
//!
//! let ctx = Context::new()?;
//! let queue = Queue::create("socket");
//! let (first, second) = (Req::create("first"), Req::create("second"));
//! for req in [&first, &second] {
//!     queue.add(&ctx, req, |req| { req.done(); })?;
//! }
//! first.poll(&ctx)?; // its trigger runs in a turn of the loop, never inside `add`
//! assert!(second.is_in_progress()); // first still holds the queue
//! drop(first); // the queue goes on
//! second.poll(&ctx)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Everything here is built on the public items of [`tevent_core`] alone. By the crate `tevent` this one is `tevent::queue`, and what is
//! in `tevent_core` is in `tevent` itself.

mod add;
mod entry;
mod error;
mod line;
mod queue;
mod turn;
mod wait;

pub use entry::{QueueEntry, QueueEntryRef};
pub use error::QueueError;
pub use queue::{Queue, QueueRef};
pub use wait::{QueueWait, wait_recv, wait_send};
