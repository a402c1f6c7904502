//! Finishing requests and what leads to their callbacks.

use tevent::{ReqRef, ReqState};

use super::requests::{AnyRef, each};
use super::{Outcome, Skipped, World, skip_if};
use crate::scenario::Op;

impl World {
    pub(super) fn finish_op(&self, op: &Op) -> Option<Outcome> {
        let ev = &self.0.ev;
        Some(match *op {
            Op::Done(req) => self.unfinished(req.0).map(|req| {
                req.done();
                None
            }),
            Op::Error(req, code) => self.unfinished(req.0).map(|req| Some(yes(req.error(u64::from(code))))),
            Op::Oom(req) => self.unfinished(req.0).map(|req| {
                req.oom();
                None
            }),
            Op::Nomem(req, there) => {
                self.unfinished(req.0).map(|req| Some(yes(req.nomem(there.0.then_some(self)))))
            }
            Op::Post(req) => self.with_postable(req.0, |req| {
                each!(AnyRef, req, req => req.post(ev));
                None
            }),
            Op::Defer(req) => self.with_postable(req.0, |req| {
                each!(AnyRef, req, req => req.defer_callback(ev));
                None
            }),
            Op::Endtime(req, when) => self.unfinished(req.0).map(|unfinished| {
                let _ = self.0.requests.with(req.0, |slot| slot.timed = true);
                unfinished.set_endtime(ev, self.when(when));
                Some(yes(true))
            }),
            Op::NoEndtime(req) => self.unfinished(req.0).and_then(|unfinished| {
                skip_if(self.0.waiting.get())?;
                self.0.requests.with(req.0, |slot| slot.timed = false)?;
                unfinished.reset_endtime();
                Ok(None)
            }),
            Op::Cancel(req) => self.unless_freed().and_then(|()| {
                let req = self.0.requests.with(req.0, |slot| slot.req.clone())?;
                Ok(Some(yes(each!(AnyRef, &req, req => req.cancel()))))
            }),
            Op::Notify(req) => self.with_live(req.0, |req| {
                each!(AnyRef, req, req => req.notify_callback());
                None
            }),
            _ => return None,
        })
    }

    /// Posting inside a callback, which may be a posted one that a nested turn would enter again: then C cannot free the
    /// request. Posting drops an end time that `poll` may wait for.
    fn with_postable(&self, id: usize, act: impl FnOnce(&AnyRef) -> Option<String>) -> Outcome {
        let allowed = self.0.requests.with(id, |slot| slot.calling == 0 || !self.0.nesting.get())?;
        skip_if(self.0.waiting.get() || !allowed)?;
        self.with_live(id, |req| {
            let _ = self.0.requests.with(id, |slot| slot.posted = true);
            act(req)
        })
    }

    /// REQ-15: finishing twice, also by an end time that comes later, is undefined in C.
    fn unfinished(&self, id: usize) -> Result<ReqRef<()>, Skipped> {
        self.unless_freed()?;
        let req = self.plain_req(id)?;
        skip_if(!req.is_in_progress())?;
        Ok(req)
    }

    fn with_live(&self, id: usize, act: impl FnOnce(&AnyRef) -> Option<String>) -> Outcome {
        self.unless_freed()?;
        let req = self.0.requests.with(id, |slot| slot.req.clone())?;
        // Of a received request the header says that no further action is valid; see README.md.
        skip_if(req.state() == ReqState::Received)?;
        Ok(act(&req))
    }
}

fn yes(said: bool) -> String {
    u8::from(said).to_string()
}
