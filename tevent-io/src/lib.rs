//! Stock socket requests for tevent: writing a whole buffer, reading a packet, accepting, connecting, waiting.
//!
//! Each is a `_send`/`_recv` pair on a [`Stream`], a socket that several requests share. [`writev_send`] takes a
//! [queue](tevent_queue::Queue), so that many requests can write to one socket and each is complete before the next
//! begins:
//!
//! ```
//! use std::{io::Read, os::unix::net::UnixStream};
//! use tevent_core::Context;
//! use tevent_io::{Stream, writev_recv, writev_send};
//! use tevent_queue::Queue;
//!
//! let ctx = Context::new()?;
//! let (near, mut far) = UnixStream::pair()?;
//! let (stream, queue) = (Stream::new(near), Queue::create("near"));
//! let hello = writev_send(&ctx, Some(&queue), &stream, false, vec!["hello "]);
//! let world = writev_send(&ctx, Some(&queue), &stream, false, vec!["wor", "ld"]);
//! hello.poll(&ctx)?;
//! assert_eq!(writev_recv(hello)?, 6); // frees the request, and the queue goes on
//! world.poll(&ctx)?;
//! assert_eq!(writev_recv(world)?, 5);
//! let mut text = [0; 11];
//! far.read_exact(&mut text)?;
//! assert_eq!(&text, b"hello world");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What they have in common
//!
//! - **Files.** TCP, Unix streams, datagram sockets and pipes, as types of the standard library, blocking or not. None blocks (of
//!   listeners that several processes share see [`accept_send`]), and none raises `SIGPIPE` on a socket. A signal that interrupts one
//!   changes nothing.
//! - **The callback** runs in a turn of the loop, never inside the `_send` function: one that has its result, or its error, already
//!   then is posted. The file is not watched any more when it runs.
//! - **Freed in any state,** before its first turn, waiting, in a queue, in a callback or finished, a request is gone at once: its
//!   callback never runs, the file is not watched, the queue goes on. The stream stays open for those who hold it.
//! - **An end time,** [`set_endtime`](tevent_core::ReqRef::set_endtime), finishes it with `TimedOut`; nothing is watched any more.
//! - **[`cancel`](tevent_core::ReqRef::cancel)** finishes it with `ECANCELED`, its callback deferred, as long as nothing has been done
//!   that would be lost: no byte written or read. A request that has finished refuses.
//! - **Errors** are Unix numbers, which [`ReqError::errno`](tevent_core::ReqError::errno) gives (REQ-13); `?` makes an `io::Error` of
//!   one. On a context that has been freed one that has to wait fails with `ENOTCONN`; one that waits when its context goes stays in progress,
//!   and has to be freed.

mod accept;
mod address;
mod at_work;
mod broken;
mod connect;
mod errno;
mod listen;
mod read_packet;
mod stream;
mod wait;
mod write;
mod writev;

pub use accept::{Accept, accept_recv, accept_send};
pub use address::Address;
pub use broken::StreamBroken;
pub use connect::{Connect, connect_recv, connect_send};
pub use read_packet::{ReadPacket, read_packet_recv, read_packet_send};
pub use stream::Stream;
pub use wait::{
    WaitForError, WaitForRead, wait_for_error_recv, wait_for_error_send, wait_for_read_recv,
    wait_for_read_send,
};
pub use writev::{Writev, writev_recv, writev_send};
