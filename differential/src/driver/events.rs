//! Timers and immediates.

use std::time::Instant;

use tevent::{ContextRef, Immediate, ImmediateRef, Timer, TimerRef};

use super::{Outcome, Skipped, World, skip_if};
use crate::scenario::Op;
use crate::words::{Maybe, Moment, Req, Script};

pub(super) struct TimerSlot {
    timer: TimerRef,
    /// `None` where a request has it.
    owner: Option<Timer>,
    pub(super) of: Option<usize>,
    running: bool,
}

pub(super) struct ImSlot {
    im: ImmediateRef,
    /// `None` where a request has it.
    owner: Option<Immediate>,
    pub(super) of: Option<usize>,
    pub(super) running: usize,
    /// Its handler was entered a second time by nesting and has not returned for good.
    entered_again: bool,
}

impl ImSlot {
    fn new(im: ImmediateRef, owner: Option<Immediate>, of: Option<usize>) -> Self {
        ImSlot { im, owner, of, running: 0, entered_again: false }
    }

    fn owned(owner: Immediate) -> Self {
        ImSlot::new(owner.clone(), Some(owner), None)
    }
}

impl World {
    pub(super) fn event_op(&self, op: &Op) -> Option<Outcome> {
        Some(match *op {
            Op::Timer(timer, when, script, of) => self.add_timer(timer.0, when, script, of),
            Op::Update(timer, when) => self.update(timer.0, when),
            Op::FreeTimer(timer) => self.free_timer(timer.0),
            Op::Im(im, script, of) => self.add_im(im.0, script, of),
            Op::Sched(im) => self.with_im(im.0, |ev, im| im.schedule(ev)),
            Op::SchedWith(im, script) => {
                let (id, script, world) = (im.0, script.number(), self.weak());
                let handler = move |_: &ContextRef, _: &ImmediateRef| {
                    world().im_runs(id, " with", script);
                };
                self.with_im(id, |ev, im| im.schedule_with(ev, handler))
            }
            Op::Reset(im) => self.with_im(im.0, |_ev, im| im.reset()),
            Op::FreeIm(im) => self.free_im(im.0),
            _ => return None,
        })
    }

    fn add_timer(&self, id: usize, when: Moment, script: Maybe<Script>, of: Maybe<Req>) -> Outcome {
        let (script, of) = (script.number(), of.number());
        self.can_own(of)?;
        self.0.timers.claim(id)?;
        let (ev, when, world) = (&self.0.ev, self.when(when), self.weak());
        let handler = move |now| world().timer_runs(id, now, script);
        let slot = match of {
            None => {
                let owner = ev.add_timer(when, move |_ev, _te, now| handler(now));
                TimerSlot { timer: owner.clone(), owner: Some(owner), of, running: false }
            }
            Some(req) => {
                let timer = self.plain_req(req)?.add_timer(ev, when, move |_req, _te, now| handler(now));
                TimerSlot { timer, owner: None, of, running: false }
            }
        };
        self.0.timers.put(id, slot);
        Ok(None)
    }

    fn timer_runs(&self, id: usize, now: Option<Instant>, script: Option<usize>) {
        self.lists_are_empty();
        let _ = self.0.timers.with(id, |timer| timer.running = true);
        match now {
            None => self.handle(format_args!("timer t{id} zero"), script),
            Some(now) => self.handle(format_args!("timer t{id} {}", self.since_start(now)), script),
        }
        // It has fired; unless the handler has freed it, what is left of it goes now.
        let spent = self.0.timers.take(id);
        drop(spent);
    }

    fn update(&self, id: usize, when: Moment) -> Outcome {
        self.unless_freed()?;
        let (timer, running) = self.0.timers.with(id, |timer| (timer.timer.clone(), timer.running))?;
        // TIMER-8: undefined in C inside its own handler.
        skip_if(running)?;
        timer.update(self.when(when));
        Ok(None)
    }

    fn free_timer(&self, id: usize) -> Outcome {
        let slot = self.0.timers.take(id)?;
        let owner = match slot.of {
            None => slot.owner,
            Some(of) => self.plain_req(of)?.take(&slot.timer),
        };
        drop(owner);
        Ok(None)
    }

    fn add_im(&self, id: usize, script: Maybe<Script>, of: Maybe<Req>) -> Outcome {
        let (script, of) = (script.number(), of.number());
        self.can_own(of)?;
        // A request has no immediates without a handler of their own.
        skip_if(script.is_none() && of.is_some())?;
        self.0.immediates.claim(id)?;
        let world = self.weak();
        let handler = move || world().im_runs(id, "", script);
        let slot = match (of, script) {
            (Some(req), _) => {
                let im = self.plain_req(req)?.add_immediate(move |_req| handler());
                ImSlot::new(im, None, of)
            }
            (None, Some(_)) => ImSlot::owned(Immediate::new(move |_ev, _im| handler())),
            (None, None) => ImSlot::owned(Immediate::empty()),
        };
        self.0.immediates.put(id, slot);
        Ok(None)
    }

    fn with_im(&self, id: usize, act: impl FnOnce(&ContextRef, &ImmediateRef)) -> Outcome {
        self.unless_freed()?;
        let im = self.0.immediates.with(id, |slot| slot.im.clone())?;
        act(&self.0.ev, &im);
        Ok(None)
    }

    fn im_runs(&self, id: usize, how: &str, script: Option<usize>) {
        // It may be gone from the shelf when the handler returns.
        let _ = self.0.immediates.with(id, |im| {
            im.entered_again = im.running > 0;
            im.running += 1;
        });
        self.handle(format_args!("im i{id}{how}"), script);
        let _ = self.0.immediates.with(id, |im| im.running -= 1);
    }

    fn free_im(&self, id: usize) -> Outcome {
        // As with FD-9: C cannot free one whose handler was entered a second time by nesting.
        skip_if(self.0.immediates.with(id, |im| im.running > 0 && im.entered_again)?)?;
        let slot = self.0.immediates.take(id)?;
        let owner = match slot.of {
            None => slot.owner,
            Some(of) => self.plain_req(of)?.take(&slot.im),
        };
        drop(owner);
        Ok(None)
    }

    pub(super) fn free_events(&self) {
        for id in self.0.timers.which(|_| true) {
            let _: Result<_, Skipped> = self.free_timer(id);
        }
        for id in self.0.immediates.which(|_| true) {
            let _: Result<_, Skipped> = self.free_im(id);
        }
    }
}
