//! The model's queues (QUEUE).

use std::rc::Rc;

use super::naive::{Naive, Soon};
use super::ops::{self, CAP, Join, Kind, Op, Pick, Script};
use super::seen::Entry;

pub(crate) struct Queues {
    freed: bool,
    running: bool,
    entries: Vec<usize>,
}

pub(crate) struct Place {
    queue: usize,
    req: usize,
    blocker: bool,
    triggered: bool,
    here: bool,
    /// The case was given it.
    known: bool,
    script: Script,
}

impl Naive {
    pub(crate) fn apply_to_queue(&mut self, op: &Op, me: Option<usize>) {
        let live = self.live_queues();
        let find = |n: Pick| ops::pick(n, None, &live, self.queues.len());
        match op {
            Op::NewQueue => {
                if live.len() >= CAP {
                    self.free_queue(live[0]);
                }
                self.queues.push(Queues { freed: false, running: true, entries: Vec::new() });
            }
            Op::Join { queue, req, how, script } => {
                let req = ops::pick(*req, me, &self.live_reqs(), self.reqs.len());
                if let (Some(queue), Some(req)) = (find(*queue), req) {
                    self.join(queue, req, *how, script);
                }
            }
            Op::Leave(n) => {
                let entry = ops::pick(*n, None, &self.live_entries(), self.entries.len());
                if let Some(entry) = entry.filter(|entry| self.entries[*entry].known) {
                    self.leave(entry);
                }
            }
            Op::Stop(n) => {
                if let Some(id) = find(*n) {
                    self.queues[id].running = false;
                }
            }
            Op::Start(n) => {
                if let Some(id) = find(*n).filter(|id| !self.queues[*id].freed && !self.queues[*id].running) {
                    self.queues[id].running = true;
                    self.schedule_head(id);
                }
            }
            Op::Untrigger(n) => {
                if let Some(id) = find(*n).filter(|id| !self.queues[*id].running) {
                    let entries = &self.queues[id].entries;
                    let known = entries.iter().all(|entry| self.entries[*entry].known);
                    if let Some(head) = entries.first().copied().filter(|_| known) {
                        self.entries[head].triggered = false;
                    }
                }
            }
            Op::FreeQueue(n) => {
                if let Some(id) = find(*n) {
                    self.free_queue(id);
                }
            }
            other => unreachable!("nobody carries out {other:?}"),
        }
    }

    fn live_queues(&self) -> Vec<usize> {
        (0..self.queues.len()).filter(|id| !self.queues[*id].freed).collect()
    }

    fn live_entries(&self) -> Vec<usize> {
        let is_live = |entry: &Place| entry.here && entry.known;
        (0..self.entries.len()).filter(|id| is_live(&self.entries[*id])).collect()
    }

    /// QUEUE-2, QUEUE-4 to QUEUE-6.
    fn join(&mut self, queue: usize, req: usize, how: Join, script: &Script) {
        if !self.reqs[req].is_live() || self.queues[queue].entries.len() >= CAP {
            return;
        }
        self.reqs[req].knows = true;
        let id = self.entries.len();
        let Queues { freed, running, .. } = self.queues[queue];
        self.entries.push(Place {
            queue,
            req,
            blocker: how == Join::Blocker,
            triggered: false,
            here: !freed,
            known: false,
            script: Rc::clone(script),
        });
        if !freed {
            let was_empty = self.queues[queue].entries.is_empty();
            self.queues[queue].entries.push(id);
            self.reqs[req].entries.push(id);
            let free_to_call = !self.reqs[req].has_callback();
            if how == Join::OptimizeEmpty && was_empty && running && free_to_call {
                self.trigger(id);
            } else {
                self.schedule_head(queue);
            }
        }
        self.entries[id].known = !freed;
        self.say(Entry::Said("join", !freed));
    }

    fn untriggered_head(&self, queue: usize) -> Option<usize> {
        let head = self.queues[queue].entries.first().copied();
        head.filter(|head| self.queues[queue].running && !self.entries[*head].triggered)
    }

    fn schedule_head(&mut self, queue: usize) {
        if self.untriggered_head(queue).is_some() {
            self.schedule(Soon::Queue(queue));
        }
    }

    pub(crate) fn trigger_head(&mut self, queue: usize) {
        if let Some(head) = self.untriggered_head(queue) {
            self.trigger(head);
        }
    }

    fn trigger(&mut self, id: usize) {
        let entry = &mut self.entries[id];
        entry.triggered = true;
        if !entry.blocker {
            let (req, script) = (entry.req, Rc::clone(&entry.script));
            self.say(Entry::Trigger { req, entry: id });
            self.run(&script, Some((Kind::Req, req)));
        }
    }

    /// QUEUE-3.
    pub(crate) fn leave(&mut self, id: usize) {
        let Place { queue, req, here, .. } = self.entries[id];
        if here {
            self.entries[id].here = false;
            self.queues[queue].entries.retain(|entry| *entry != id);
            self.reqs[req].entries.retain(|entry| *entry != id);
            self.schedule_head(queue);
        }
    }

    /// QUEUE-9.
    fn free_queue(&mut self, id: usize) {
        self.unschedule(Soon::Queue(id));
        let queue = &mut self.queues[id];
        (queue.freed, queue.running) = (true, false);
        for entry in std::mem::take(&mut queue.entries) {
            self.entries[entry].here = false;
        }
    }

    pub(crate) fn look_at_queues(&self) -> Vec<(usize, usize, bool)> {
        let looked_at = ops::looked_at(&self.live_queues(), self.queues.len()).into_iter();
        let look = |id: usize| (id, self.queues[id].entries.len(), self.queues[id].running);
        looked_at.map(look).collect()
    }

    pub(crate) fn look_at_entries(&self) -> Vec<(usize, bool, bool)> {
        let looked_at = ops::looked_at(&self.live_entries(), self.entries.len()).into_iter();
        let known = looked_at.filter(|id| self.entries[*id].known);
        known.map(|id| (id, self.entries[id].here, self.entries[id].triggered)).collect()
    }
}
