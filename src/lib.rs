//! tevent, the event loop under Samba, SSSD and ctdb, in Rust.

pub use tevent_core::*;
pub use tevent_queue as queue;
pub use tevent_queue::{Queue, QueueEntry, QueueEntryRef, QueueError, QueueRef};
