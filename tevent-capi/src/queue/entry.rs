//! A request's place in a queue.

use std::cell::Cell;
use std::ffi::{CStr, c_int};

use super::{Queue, schedule_if_waiting};
use crate::call::c_fn;
use crate::call_depth::{self, Flow};
use crate::chunk::{Chunk, Private, Text};
use crate::context::Context;
use crate::export::{abort, called_by_c, export};
use crate::list::{Linked, Links};
use crate::req::Req;
use crate::talloc;
use crate::trace::{self, Point};

const NAME: &CStr = c"struct tevent_queue_entry";

c_fn! {
    Trigger(req: Chunk<Req>, private: Private);
}

/// `struct tevent_queue_entry`. Nothing in it has to be dropped.
pub struct Entry {
    links: Links<Entry>,
    queue: Chunk<Queue>,
    pub triggered: Cell<bool>,
    pub req: Chunk<Req>,
    pub ev: Chunk<Context>,
    /// `None` holds the place until it is freed (QUEUE-6).
    trigger: Option<Trigger>,
    pub trigger_name: Text,
    private: Private,
    tag: Cell<u64>,
}

impl Linked for Entry {
    fn links(&self) -> &Links<Entry> {
        &self.links
    }
}

/// Nothing of the entry is used after it.
pub fn trigger(entry: Chunk<Entry>) {
    if let Some(trigger) = entry.trigger {
        trigger.call(entry.req, entry.private);
    }
}

fn add(
    queue: Chunk<Queue>,
    ev: Chunk<Context>,
    req: Chunk<Req>,
    trigger: Option<Trigger>,
    trigger_name: Text,
    private: Private,
) -> Option<Chunk<Entry>> {
    let entry = talloc::create(
        req.parent(),
        NAME,
        Entry {
            links: Links::new(),
            queue,
            triggered: Cell::new(false),
            req,
            ev,
            trigger,
            trigger_name,
            private,
            tag: Cell::new(0),
        },
    )?;
    queue.entries.push_back(entry);
    queue.length.set(queue.length.get() + 1);
    talloc::set_destructor(entry, destroy);
    if call_depth::in_use() {
        call_depth::tell(Some(req), Flow::QueueEnter, req.depth.get(), trigger_name);
    }
    trace::tell_entry(ev, entry, Point::Attach);
    Some(entry)
}

called_by_c! {
    fn destroy(entry: Chunk<Entry>) -> c_int {
        let queue = entry.queue;
        if call_depth::in_use() {
            call_depth::tell(Some(entry.req), Flow::QueueLeave, entry.req.depth.get(), entry.trigger_name);
        }
        trace::tell_entry(entry.ev, entry, Point::Detach);
        queue.entries.remove(entry);
        queue.length.set(queue.length.get() - 1);
        schedule_if_waiting(queue);
        0
    }
}

/// Appends an entry, and has the head's turn come if nobody's has.
fn enter(
    queue: Chunk<Queue>,
    ev: Chunk<Context>,
    req: Chunk<Req>,
    trigger: Option<Trigger>,
    trigger_name: Text,
    private: Private,
) -> Option<Chunk<Entry>> {
    let entry = add(queue, ev, req, trigger, trigger_name, private)?;
    schedule_if_waiting(queue);
    Some(entry)
}

export! {
    fn tevent_queue_add(
        queue: Chunk<Queue>, ev: Chunk<Context>, req: Chunk<Req>, trigger: Option<Trigger>, private: Private,
    ) -> bool {
        enter(queue, ev, req, trigger, Text::NONE, private).is_some()
    }

    fn _tevent_queue_add(
        queue: Chunk<Queue>, ev: Chunk<Context>, req: Chunk<Req>, trigger: Option<Trigger>, trigger_name: Text,
        private: Private,
    ) -> bool {
        enter(queue, ev, req, trigger, trigger_name, private).is_some()
    }

    fn tevent_queue_add_entry(
        queue: Chunk<Queue>, ev: Chunk<Context>, req: Chunk<Req>, trigger: Option<Trigger>, private: Private,
    ) -> Option<Chunk<Entry>> {
        enter(queue, ev, req, trigger, Text::NONE, private)
    }

    fn _tevent_queue_add_entry(
        queue: Chunk<Queue>, ev: Chunk<Context>, req: Chunk<Req>, trigger: Option<Trigger>, trigger_name: Text,
        private: Private,
    ) -> Option<Chunk<Entry>> {
        enter(queue, ev, req, trigger, trigger_name, private)
    }

    fn tevent_queue_add_optimize_empty(
        queue: Chunk<Queue>, ev: Chunk<Context>, req: Chunk<Req>, trigger: Option<Trigger>, private: Private,
    ) -> Option<Chunk<Entry>> {
        _tevent_queue_add_optimize_empty(queue, ev, req, trigger, Text::NONE, private)
    }

    fn _tevent_queue_add_optimize_empty(
        queue: Chunk<Queue>, ev: Chunk<Context>, req: Chunk<Req>, trigger: Option<Trigger>, trigger_name: Text,
        private: Private,
    ) -> Option<Chunk<Entry>> {
        let at_once = queue.running.get() && queue.entries.is_empty() && req.callback.get().is_none();
        if !at_once {
            return enter(queue, ev, req, trigger, trigger_name, private);
        }
        let entry = add(queue, ev, req, trigger, trigger_name, private)?;
        entry.triggered.set(true);
        trace::tell_entry(ev, entry, Point::BeforeHandler);
        self::trigger(entry);
        Some(entry)
    }

    fn tevent_queue_entry_untrigger(entry: Chunk<Entry>) {
        if entry.queue.running.get() {
            abort(None, "tevent_queue_entry_untrigger() on a queue that runs");
        }
        if entry.queue.entries.first() != Some(entry) {
            abort(None, "tevent_queue_entry_untrigger() of an entry that is not the first");
        }
        entry.triggered.set(false);
    }

    fn tevent_queue_entry_set_tag(entry: Option<Chunk<Entry>>, tag: u64) {
        if let Some(entry) = entry {
            entry.tag.set(tag);
        }
    }

    fn tevent_queue_entry_get_tag(entry: Option<Chunk<Entry>>) -> u64 {
        entry.map_or(0, |entry| entry.tag.get())
    }
}
