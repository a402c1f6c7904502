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
//! All of them work on blocking and non-blocking sockets alike. None blocks (of listeners that several processes share
//! see [`accept_send`]), and none raises `SIGPIPE` on a socket.

mod accept;
mod address;
mod connect;
mod errno;
mod read_packet;
mod stream;
mod wait;
mod write;
mod writev;

pub use accept::{Accept, accept_recv, accept_send};
pub use address::Address;
pub use connect::{Connect, connect_recv, connect_send};
pub use read_packet::{ReadPacket, read_packet_recv, read_packet_send};
pub use stream::{Stream, StreamBroken};
pub use wait::{
    WaitForError, WaitForRead, wait_for_error_recv, wait_for_error_send, wait_for_read_recv,
    wait_for_read_send,
};
pub use writev::{Writev, writev_recv, writev_send};
