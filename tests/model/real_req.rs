//! The requests and queues of the loop, made to do what a case says.

use std::rc::Rc;

use tevent::{Queue, QueueEntryRef, QueueRef, Req, ReqError, ReqRef};

use super::ops::{self, CAP, Finish, Join, Kind, Me, Op, Pick, Script, of_kind};
use super::real::{Alive, EntryAt, Real, outcome};
use super::seen::{Entry, RECEIVED};

impl Real {
    pub(crate) fn apply_to_req(&self, op: &Op, me: Me) {
        let me = of_kind(me, Kind::Req);
        let on = |n: Pick, act: &dyn Fn(&ReqRef<Alive>)| {
            if let Some(req) = self.reqs.find(n, me) {
                act(&req);
            }
        };
        let said = |name, n: Pick, act: &dyn Fn(&ReqRef<Alive>) -> bool| {
            on(n, &|req| {
                let answer = act(req);
                self.say(Entry::Said(name, answer));
            });
        };
        match op {
            Op::Create { callback, cleanup, cancel } => {
                self.create(callback.as_ref(), cleanup.as_ref(), cancel.as_ref());
            }
            Op::SetCallback(n, script) => {
                if let Some(id) = self.reqs.pick(*n, me) {
                    self.set_callback(id, &self.reqs.get(id), script);
                }
            }
            Op::Finish(n, how) => said("finish", *n, &|req| match how {
                Finish::Done => req.done(),
                Finish::Error(code) => req.error(ReqError::new(*code)),
                Finish::Oom => req.oom(),
            }),
            Op::Post(n) => on(*n, &|req| req.post(&self.ctx)),
            Op::Defer(n) => on(*n, &|req| req.defer_callback(&self.ctx)),
            Op::EndTime(n, when) => on(*n, &|req| req.set_endtime(&self.ctx, self.when(*when))),
            Op::ResetEndTime(n) => on(*n, &|req| req.reset_endtime()),
            Op::Received(n) => on(*n, &|req| {
                if outcome(req) != RECEIVED {
                    req.received();
                }
            }),
            Op::Notify(n) => on(*n, &|req| req.notify_callback()),
            Op::Cancel(n) => said("cancel", *n, &|req| req.cancel()),
            Op::FreeReq(n) => drop(self.reqs.pick(*n, me).and_then(|id| self.reqs.take(id))),
            Op::Adopt { parent, child, give_back, script } => {
                let (parent, child) = (self.reqs.pick(*parent, me), self.reqs.pick(*child, None));
                if let (Some(parent), Some(child)) = (parent, child) {
                    self.adopt(parent, child, *give_back, script);
                }
            }
            others => self.apply_to_queue(others, me),
        }
    }

    fn create(&self, callback: Option<&Script>, cleanup: Option<&Script>, cancel: Option<&Script>) {
        self.reqs.make_room();
        let id = self.reqs.len();
        let req = Req::create(self.new_state());
        if let Some(script) = callback {
            self.set_callback(id, &req, script);
        }
        if let Some(script) = cleanup {
            let handler = self.handler(Kind::Req, id, script);
            req.set_cleanup_fn(move |_req, state| {
                handler(&|_| Entry::Cleanup { req: id, state: state as u8 });
            });
        }
        if let Some(script) = cancel {
            let handler = self.handler(Kind::Req, id, script);
            req.set_cancel_fn(move |_req| {
                handler(&|_| Entry::Cancel { req: id });
                true
            });
        }
        self.reqs.put(req);
    }

    fn set_callback(&self, id: usize, req: &ReqRef<Alive>, script: &Script) {
        let handler = self.handler(Kind::Req, id, script);
        req.set_callback(move |req| handler(&|_| Entry::Callback { req: id, outcome: outcome(req) }));
    }

    /// Only those that the case owns take part, so that no request comes to belong to itself.
    fn adopt(&self, parent: usize, child: usize, give_back: bool, script: &Script) {
        if parent == child || !self.reqs.owns(parent) {
            return;
        }
        let Some(subreq) = self.reqs.take(child) else { return };
        let (real, script) = (self.weak(), Rc::clone(script));
        self.reqs.get(parent).add_subreq(subreq, move |_req, subreq| {
            let Some(real) = real.upgrade() else { return };
            real.say(Entry::Subreq { parent, child, outcome: outcome(&subreq) });
            if give_back {
                real.reqs.give_back(child, subreq);
            } else {
                drop(subreq);
            }
            real.run(&script, Some((Kind::Req, parent)));
        });
    }

    fn apply_to_queue(&self, op: &Op, me: Option<usize>) {
        match op {
            Op::NewQueue => {
                self.queues.make_room();
                self.queues.put(Queue::create(format!("queue {}", self.queues.len())));
            }
            Op::Join { queue, req, how, script } => {
                let (queue, req) = (self.queues.pick(*queue, None), self.reqs.pick(*req, me));
                if let (Some(queue), Some(req)) = (queue, req) {
                    self.join(queue, req, *how, script);
                }
            }
            Op::Leave(n) => {
                let live = self.live_entries();
                let left = ops::pick(*n, None, &live, self.next_entry.get()).and_then(|id| {
                    let entries = self.entries.borrow();
                    let at = entries.get(&id)?;
                    self.reqs.get(at.req).take(&at.entry)
                });
                drop(left);
            }
            Op::Stop(n) => self.on_queue(*n, QueueRef::stop),
            Op::Start(n) => self.on_queue(*n, QueueRef::start),
            Op::Untrigger(n) => {
                if let Some(entry) = self.queues.pick(*n, None).and_then(|id| self.head_to_untrigger(id)) {
                    entry.untrigger();
                }
            }
            Op::FreeQueue(n) => drop(self.queues.pick(*n, None).and_then(|id| self.queues.take(id))),
            other => unreachable!("nobody carries out {other:?}"),
        }
    }

    fn on_queue(&self, n: Pick, act: impl Fn(&QueueRef)) {
        if let Some(queue) = self.queues.find(n, None) {
            act(&queue);
        }
    }

    fn join(&self, queue: usize, req: usize, how: Join, script: &Script) {
        if !self.reqs.owns(req) || self.queues.get(queue).len() >= CAP {
            return;
        }
        let id = self.next_entry.replace(self.next_entry.get() + 1);
        let handler = self.handler(Kind::Req, req, script);
        let trigger = move |_req: &ReqRef<Alive>| handler(&|_| Entry::Trigger { req, entry: id });
        let (at, of) = (self.queues.get(queue), self.reqs.get(req));
        let added = match how {
            Join::Add => at.add_entry(&self.ctx, &of, trigger),
            Join::OptimizeEmpty => at.add_optimize_empty(&self.ctx, &of, trigger),
            Join::Blocker => at.add_blocker(&self.ctx, &of),
        };
        self.say(Entry::Said("join", added.is_ok()));
        if let Ok(entry) = added {
            self.entries.borrow_mut().insert(id, EntryAt { entry, req, queue });
        }
    }

    /// Those in a queue, as far as the case was given them.
    pub(crate) fn live_entries(&self) -> Vec<usize> {
        let entries = self.entries.borrow();
        entries.iter().filter(|(_, at)| at.entry.is_queued()).map(|(id, _)| *id).collect()
    }

    /// The head, where it may be untriggered and the case was given all entries of the queue.
    fn head_to_untrigger(&self, queue: usize) -> Option<QueueEntryRef> {
        let entries = self.entries.borrow();
        let mut here = entries.values().filter(|at| at.queue == queue && at.entry.is_queued());
        let queue = self.queues.get(queue);
        let known = here.clone().count() == queue.len();
        let head = here.next().filter(|_| known && !queue.is_running())?;
        Some(head.entry.clone())
    }
}
