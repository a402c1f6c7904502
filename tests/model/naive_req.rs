//! The model's requests (REQ).

use std::rc::Rc;

use super::naive::{Later, Naive, Soon};
use super::ops::{self, CAP, Finish, Kind, Op, Pick, Script};
use super::seen::{DONE, Entry, IN_PROGRESS, NO_MEMORY, Outcome, RECEIVED, USER_ERROR};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// The case.
    Case,
    Parent(usize),
    /// Freed, or on its way to a callback.
    Nobody,
}

#[derive(Clone)]
enum Callback {
    Every(Script),
    /// The parent gets the sub-request by value.
    Deliver {
        parent: usize,
        give_back: bool,
        script: Script,
    },
}

pub(crate) struct Request {
    owner: Owner,
    outcome: Outcome,
    callback: Option<Callback>,
    cleanup: Option<Script>,
    /// The latest state that it ran for.
    cleaned: u8,
    cancel: Option<Script>,
    deferred: bool,
    /// It was told of a context.
    pub(crate) knows: bool,
    subreqs: Vec<usize>,
    pub(crate) entries: Vec<usize>,
}

impl Request {
    pub(crate) fn is_received(&self) -> bool {
        self.outcome == RECEIVED
    }

    pub(crate) fn is_live(&self) -> bool {
        self.owner == Owner::Case
    }

    pub(crate) fn has_callback(&self) -> bool {
        !self.is_received() && self.callback.is_some()
    }
}

impl Naive {
    pub(crate) fn apply_to_req(&mut self, op: &Op, me: Option<usize>) {
        let all = self.reqs.len();
        let live = self.live_reqs();
        let find = |n: Pick| ops::pick(n, me, &live, all);
        match op {
            Op::Create { callback, cleanup, cancel } => {
                if live.len() >= CAP {
                    self.free_req(live[0]);
                }
                self.reqs.push(Request {
                    owner: Owner::Case,
                    outcome: IN_PROGRESS,
                    callback: callback.clone().map(Callback::Every),
                    cleanup: cleanup.clone(),
                    cleaned: 0,
                    cancel: cancel.clone(),
                    deferred: false,
                    knows: false,
                    subreqs: Vec::new(),
                    entries: Vec::new(),
                });
            }
            Op::Adopt { parent, child, give_back, script } => {
                if let (Some(parent), Some(child)) = (find(*parent), ops::pick(*child, None, &live, all)) {
                    self.adopt(parent, child, *give_back, script);
                }
            }
            Op::SetCallback(n, ..)
            | Op::Finish(n, ..)
            | Op::Post(n)
            | Op::Defer(n)
            | Op::EndTime(n, ..)
            | Op::ResetEndTime(n)
            | Op::Received(n)
            | Op::Notify(n)
            | Op::Cancel(n)
            | Op::FreeReq(n) => {
                if let Some(id) = find(*n) {
                    self.apply_to_one(op, id);
                }
            }
            others => self.apply_to_queue(others, me),
        }
    }

    fn apply_to_one(&mut self, op: &Op, id: usize) {
        let req = &mut self.reqs[id];
        match op {
            Op::SetCallback(_, script) if !req.is_received() => {
                req.callback = Some(Callback::Every(Rc::clone(script)));
            }
            Op::Finish(_, how) => {
                let accepted = match how {
                    Finish::Done => self.finish(id, DONE),
                    Finish::Error(0) => false,
                    Finish::Error(code) => self.finish(id, Outcome { state: USER_ERROR, code: *code }),
                    Finish::Oom => self.finish(id, NO_MEMORY),
                };
                self.say(Entry::Said("finish", accepted));
            }
            Op::Post(_) => self.post(id),
            Op::Defer(_) => {
                req.deferred = true;
                req.knows = true;
            }
            Op::EndTime(_, when) if req.outcome == IN_PROGRESS => {
                req.knows = true;
                self.arm(Later::EndTime(id), *when);
            }
            Op::ResetEndTime(_) => self.disarm(Later::EndTime(id)),
            Op::Received(_) => self.receive(id),
            Op::Notify(_) => self.notify(id),
            Op::Cancel(_) => {
                let cancel = req.cancel.clone();
                if let Some(script) = &cancel {
                    self.say(Entry::Cancel { req: id });
                    self.run(script, Some((Kind::Req, id)));
                }
                self.say(Entry::Said("cancel", cancel.is_some()));
            }
            Op::FreeReq(_) if req.is_live() => self.free_req(id),
            _ => {}
        }
    }

    pub(crate) fn live_reqs(&self) -> Vec<usize> {
        (0..self.reqs.len()).filter(|id| self.reqs[*id].is_live()).collect()
    }

    /// REQ-2, REQ-3, REQ-5, REQ-15.
    pub(crate) fn finish(&mut self, id: usize, outcome: Outcome) -> bool {
        if self.reqs[id].outcome != IN_PROGRESS {
            return false;
        }
        self.disarm(Later::EndTime(id));
        self.reqs[id].outcome = outcome;
        self.clean_up(id, outcome.state);
        self.notify(id);
        true
    }

    fn clean_up(&mut self, id: usize, state: u8) {
        if self.reqs[id].cleaned >= state {
            return;
        }
        self.reqs[id].cleaned = state;
        if let Some(script) = self.reqs[id].cleanup.clone() {
            self.say(Entry::Cleanup { req: id, state });
            self.run(&script, Some((Kind::Req, id)));
        }
    }

    /// REQ-4.
    fn post(&mut self, id: usize) {
        if !self.reqs[id].is_received() {
            self.reqs[id].knows = true;
            self.schedule(Soon::Post(id));
        }
    }

    /// REQ-4: what was posted is a finish in the state that the request is in.
    pub(crate) fn call_posted(&mut self, id: usize) {
        self.disarm(Later::EndTime(id));
        self.notify(id);
    }

    /// REQ-16. After received the callback never runs (REQ-8). A deferral holds for whatever calls back next (REQ-5).
    fn notify(&mut self, id: usize) {
        if self.reqs[id].is_received() {
            return;
        }
        if std::mem::take(&mut self.reqs[id].deferred) {
            self.post(id);
            return;
        }
        match self.reqs[id].callback.clone() {
            None => {}
            Some(Callback::Every(script)) => {
                self.say(Entry::Callback { req: id, outcome: self.reqs[id].outcome });
                self.run(&script, Some((Kind::Req, id)));
            }
            Some(Callback::Deliver { parent, give_back, script }) => {
                self.reqs[id].callback = None;
                self.reqs[parent].subreqs.retain(|subreq| *subreq != id);
                self.say(Entry::Subreq { parent, child: id, outcome: self.reqs[id].outcome });
                if give_back {
                    self.reqs[id].owner = Owner::Case;
                } else {
                    self.free_req(id);
                }
                self.run(&script, Some((Kind::Req, parent)));
            }
        }
    }

    /// REQ-8; what it keeps stays (REQ-16).
    fn receive(&mut self, id: usize) {
        if self.reqs[id].is_received() {
            return;
        }
        self.unschedule(Soon::Post(id));
        self.disarm(Later::EndTime(id));
        self.reqs[id].outcome = RECEIVED;
        self.reqs[id].cancel = None;
        self.clean_up(id, RECEIVED.state);
        self.reqs[id].callback = None;
        self.free_subreqs(id);
    }

    fn free_subreqs(&mut self, id: usize) {
        while let Some(newest) = self.reqs[id].subreqs.pop() {
            self.free_req(newest);
        }
    }

    /// REQ-8, REQ-12; also inside its own cleanup.
    fn free_req(&mut self, id: usize) {
        self.reqs[id].owner = Owner::Nobody;
        self.receive(id);
        self.free_subreqs(id);
        while let Some(newest) = self.reqs[id].entries.pop() {
            self.leave(newest);
        }
    }

    fn adopt(&mut self, parent: usize, child: usize, give_back: bool, script: &Script) {
        let owned = |id: usize| self.reqs[id].is_live();
        if parent == child || !owned(parent) || !owned(child) {
            return;
        }
        if self.reqs[parent].is_received() {
            self.free_req(child);
            return;
        }
        self.reqs[parent].subreqs.push(child);
        let knows = self.reqs[parent].knows;
        let subreq = &mut self.reqs[child];
        subreq.owner = Owner::Parent(parent);
        if subreq.is_received() {
            return;
        }
        subreq.callback = Some(Callback::Deliver { parent, give_back, script: Rc::clone(script) });
        if subreq.outcome == IN_PROGRESS {
            return;
        }
        if subreq.knows || knows {
            self.post(child);
        } else {
            self.notify(child);
        }
    }

    pub(crate) fn look_at_reqs(&self) -> Vec<(usize, Outcome, bool)> {
        let looked_at = ops::looked_at(&self.live_reqs(), self.reqs.len()).into_iter();
        let look = |id: usize| {
            let req = &self.reqs[id];
            (id, req.outcome, req.has_callback())
        };
        looked_at.map(look).collect()
    }
}
