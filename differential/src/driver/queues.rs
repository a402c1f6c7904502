//! Queues and their entries.

use std::mem;

use tevent::{ContextRef, Queue, QueueEntryRef, QueueError, QueueRef, ReqRef};

use super::requests::AnyRef;
use super::{Outcome, Skipped, World, skip_if};
use crate::scenario::Op;
use crate::words::{Entry, Maybe, Queue as QueueId, Req, Script};

pub(super) struct QueueSlot {
    owner: Queue,
    /// Its immediate may be scheduled.
    maybe_scheduled: bool,
    /// A wait request has, or had, a place in it.
    has_wait: bool,
}

impl QueueSlot {
    pub(super) fn standing(&self) -> String {
        format!("{}{}", self.owner.len(), if self.owner.is_running() { "+" } else { "" })
    }
}

pub(super) struct EntrySlot {
    /// Handed out by the queue.
    entry: Option<QueueEntryRef>,
    queue: usize,
    req: usize,
    /// Inside the call that may trigger it at once.
    direct: bool,
    /// The order in which entries came.
    number: usize,
}

/// What is handed out to leave with.
type Joined = Result<Option<QueueEntryRef>, QueueError>;

impl World {
    pub(super) fn queue_op(&self, op: &Op) -> Option<Outcome> {
        Some(match *op {
            Op::Queue(queue) => self.create_queue(queue.0),
            Op::Add(entry, queue, id, script) => self.join((entry, queue, id), |world, ev, req, queue| {
                queue.add(ev, req, world.trigger(entry, id, script)).map(|()| None)
            }),
            Op::Entry(entry, queue, id, script) => self.join((entry, queue, id), |world, ev, req, queue| {
                queue.add_entry(ev, req, world.trigger(entry, id, script)).map(Some)
            }),
            Op::Blocker(entry, queue, req) => {
                self.join((entry, queue, req), |_world, ev, req, queue| queue.add_blocker(ev, req).map(Some))
            }
            Op::Optimize(entry, queue, req, script) => self.optimize((entry, queue, req), script),
            Op::Leave(entry) => self.leave(entry.0),
            Op::Stop(queue) => self.live_queue(queue.0).map(|queue| {
                queue.stop();
                None
            }),
            Op::Start(queue) => self.live_queue(queue.0).map(|live| {
                self.is_maybe_scheduled(queue.0);
                live.start();
                None
            }),
            Op::Len(queue) => self
                .live_queue(queue.0)
                .map(|queue| Some(format!("{} {}", queue.len(), u8::from(queue.is_running())))),
            Op::Untrigger(entry) => self.untrigger(entry.0),
            Op::FreeQueue(queue) => self.free_queue(queue.0),
            _ => return None,
        })
    }

    /// A timer or an fd event runs: no immediate is scheduled, and no queue's either. What this is for: QUEUE-2 says
    /// MUST DIFFER for an immediate that finds a head which `add_optimize_empty` has triggered meanwhile.
    pub(super) fn lists_are_empty(&self) {
        self.0.queues.for_each(|_id, queue| queue.maybe_scheduled = false);
    }

    fn is_maybe_scheduled(&self, queue: usize) {
        let _ = self.0.queues.with(queue, |queue| queue.maybe_scheduled = true);
    }

    pub(super) fn entries_die(&self, req: usize) {
        for id in self.0.entries.which(|entry| entry.req == req) {
            if let Ok(entry) = self.0.entries.take(id) {
                self.is_maybe_scheduled(entry.queue);
            }
        }
        // The entry of a wait request has no number.
        self.0.queues.for_each(|_id, queue| queue.maybe_scheduled |= queue.has_wait);
    }

    fn create_queue(&self, id: usize) -> Outcome {
        self.unless_freed()?;
        self.0.queues.claim(id)?;
        self.0
            .queues
            .put(id, QueueSlot { owner: Queue::create("queue"), maybe_scheduled: false, has_wait: false });
        Ok(None)
    }

    fn live_queue(&self, id: usize) -> Result<QueueRef, Skipped> {
        self.unless_freed()?;
        self.0.queues.with(id, |queue| queue.owner.clone())
    }

    /// For a wait request.
    pub(super) fn queue_for_wait(&self, id: usize) -> Result<QueueRef, Skipped> {
        self.is_maybe_scheduled(id);
        self.0.queues.with(id, |queue| {
            queue.has_wait = true;
            queue.owner.clone()
        })
    }

    fn trigger<S>(&self, entry: Entry, req: Req, script: Maybe<Script>) -> impl Fn(&ReqRef<S>) + use<S> {
        let (world, script) = (self.weak(), script.number());
        move |_req| world().triggered(entry.0, req.0, script)
    }

    fn triggered(&self, id: usize, req: usize, script: Option<usize>) {
        // A turn inside the cleanup of a request that is being freed finds its entry in the queue.
        let told = self.0.entries.with(id, |entry| (mem::take(&mut entry.direct), entry.queue));
        if let Ok((false, queue)) = told {
            let _ = self.0.queues.with(queue, |queue| queue.maybe_scheduled = false);
        }
        self.handle(format_args!("trigger n{id} r{req}"), script);
    }

    fn new_entry(&self, (entry, queue, req): (Entry, QueueId, Req), direct: bool) -> Result<(), Skipped> {
        skip_if(!self.0.queues.lives(queue.0))?;
        // As of an event, its owner is a request that has not been received.
        self.can_own(Some(req.0))?;
        self.0.entries.claim(entry.0)?;
        let number = self.0.numbers.replace(self.0.numbers.get() + 1);
        self.0.entries.put(entry.0, EntrySlot { entry: None, queue: queue.0, req: req.0, direct, number });
        Ok(())
    }

    fn join(
        &self,
        ids: (Entry, QueueId, Req),
        join: impl FnOnce(&World, &ContextRef, &ReqRef<()>, &QueueRef) -> Joined,
    ) -> Outcome {
        let (entry, queue, req) = ids;
        self.new_entry(ids, false)?;
        self.is_maybe_scheduled(queue.0);
        let handed_out = join(self, &self.0.ev, &self.plain_req(req.0)?, &self.live_queue(queue.0)?);
        let handed_out = handed_out.expect("the queue lives");
        // What `add` says in C; the others give a pointer.
        let says = handed_out.is_none().then(|| "1".to_owned());
        self.0.entries.with(entry.0, |slot| slot.entry = handed_out)?;
        Ok(says)
    }

    fn optimize(&self, ids: (Entry, QueueId, Req), script: Maybe<Script>) -> Outcome {
        let (entry, queue, req) = ids;
        let quiet = |queue: &mut QueueSlot| queue.owner.is_empty() && queue.owner.is_running();
        let callback_set = self.0.requests.with(req.0, |slot| slot.callback_set).unwrap_or(false);
        let at_once = self.0.queues.with(queue.0, quiet).unwrap_or(false) && !callback_set;
        // QUEUE-2, MUST DIFFER: C might trigger this head twice.
        skip_if(at_once && self.0.queues.with(queue.0, |queue| queue.maybe_scheduled)?)?;
        self.new_entry(ids, at_once)?;
        if !at_once {
            self.is_maybe_scheduled(queue.0);
        }
        let (live, plain) = (self.live_queue(queue.0)?, self.plain_req(req.0)?);
        let handed_out = live.add_optimize_empty(&self.0.ev, &plain, self.trigger(entry, req, script));
        let handed_out = handed_out.expect("the queue lived");
        let _ = self.0.entries.with(entry.0, |slot| slot.entry = Some(handed_out));
        Ok(None)
    }

    fn leave(&self, id: usize) -> Outcome {
        skip_if(self.0.entries.with(id, |slot| slot.entry.is_none())?)?;
        let slot = self.0.entries.take(id)?;
        self.is_maybe_scheduled(slot.queue);
        let req = self.0.requests.with(slot.req, |slot| slot.req.clone())?;
        let (AnyRef::Plain(req), Some(entry)) = (req, slot.entry) else { return Err(Skipped) };
        let owner = req.take(&entry);
        drop(owner);
        Ok(None)
    }

    fn untrigger(&self, id: usize) -> Outcome {
        let entries = &self.0.entries;
        self.unless_freed()?;
        let (entry, queue, number) =
            entries.with(id, |slot| (slot.entry.clone(), slot.queue, slot.number))?;
        let is_head = !entries.any(|other| other.queue == queue && other.number < number);
        let allowed = self.0.queues.with(queue, |queue| !queue.owner.is_running() && !queue.has_wait)?;
        // QUEUE-8: everything else aborts in C. While something is being freed, who is the head is not known here.
        skip_if(self.0.freeing.get() > 0 || !allowed || !is_head)?;
        entry.ok_or(Skipped)?.untrigger();
        Ok(None)
    }

    fn free_queue(&self, id: usize) -> Outcome {
        let slot = self.0.queues.take(id)?;
        for entry in self.0.entries.which(|entry| entry.queue == id) {
            let _ = self.0.entries.take(entry);
        }
        drop(slot);
        Ok(None)
    }

    pub(super) fn queues_hold(&self) -> bool {
        self.0.queues.any(|queue| !queue.owner.is_empty())
    }

    pub(super) fn free_queues(&self) {
        for id in self.0.queues.which(|_| true) {
            let _ = self.free_queue(id);
        }
    }
}
