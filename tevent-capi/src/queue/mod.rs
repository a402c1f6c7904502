//! Queues.
//!
//! Not on `tevent-queue`, whose entries belong to the core's `Req`: of C's they are talloc children of the request.

mod entry;
mod wait;

use std::cell::Cell;
use std::ffi::{CStr, c_int};

use crate::call_depth::{self, Flow};
use crate::chunk::{Chunk, Parent, Private, Text};
use crate::context::Context;
use crate::export::{called_by_c, export};
use crate::immediate::{self, _tevent_schedule_immediate, Immediate, ImmediateHandler};
use crate::list::List;
use crate::talloc;
use crate::trace::{self, Point};

pub use entry::Entry;

const NAME: &CStr = c"struct tevent_queue";

/// `struct tevent_queue`. Nothing in it has to be dropped: its name and its immediate are its children.
pub struct Queue {
    name: Cell<Text>,
    location: Text,
    immediate: Cell<Option<Chunk<Immediate>>>,
    running: Cell<bool>,
    length: Cell<usize>,
    entries: List<Entry>,
}

/// The whole advance rule (QUEUE-2, QUEUE-3): the head is triggered from an immediate, unless it was, or the queue is stopped.
fn schedule_if_waiting(queue: Chunk<Queue>) {
    let (Some(head), Some(im)) = (queue.entries.first(), queue.immediate.get()) else { return };
    if queue.running.get() && !head.triggered.get() {
        let name = Text::of(c"tevent_queue_immediate_trigger");
        _tevent_schedule_immediate(
            im,
            head.ev,
            Some(ImmediateHandler(on_turn)),
            queue.private(),
            name,
            queue.location,
        );
    }
}

called_by_c! {
    fn on_turn(_ev: Option<Chunk<Context>>, _im: Chunk<Immediate>, queue: Private) {
        let queue: Chunk<Queue> = talloc::own(queue, NAME);
        let Some(head) = queue.entries.first().filter(|head| queue.running.get() && !head.triggered.get()) else {
            return;
        };
        head.triggered.set(true);
        let req = head.req;
        if call_depth::in_use() {
            call_depth::tell(Some(req), Flow::QueueTrigger, req.depth.get(), head.trigger_name);
        }
        trace::tell_entry(head.ev, head, Point::BeforeHandler);
        // Whoever was told may have freed it.
        if queue.entries.first() == Some(head) {
            entry::trigger(head);
        }
    }
}

called_by_c! {
    fn destroy(queue: Chunk<Queue>) -> c_int {
        queue.running.set(false);
        while let Some(head) = queue.entries.first() {
            talloc::free(head);
        }
        0
    }
}

export! {
    fn _tevent_queue_create(parent: Parent, name: Text, location: Text) -> Option<Chunk<Queue>> {
        let queue = talloc::create(parent, NAME, Queue {
            name: Cell::new(Text::NONE),
            location,
            immediate: Cell::new(None),
            running: Cell::new(true),
            length: Cell::new(0),
            entries: List::new(),
        })?;
        queue.name.set(Text::given(talloc::strdup(queue.parent(), name)));
        queue.immediate.set(immediate::create(queue.parent(), location));
        if queue.name.get().is_null() || queue.immediate.get().is_none() {
            talloc::free(queue);
            return None;
        }
        talloc::set_destructor(queue, destroy);
        Some(queue)
    }

    fn tevent_queue_start(queue: Chunk<Queue>) {
        if !queue.running.replace(true) {
            schedule_if_waiting(queue);
        }
    }

    fn tevent_queue_stop(queue: Chunk<Queue>) {
        queue.running.set(false);
    }

    fn tevent_queue_length(queue: Chunk<Queue>) -> usize {
        queue.length.get()
    }

    fn tevent_queue_running(queue: Chunk<Queue>) -> bool {
        queue.running.get()
    }
}
