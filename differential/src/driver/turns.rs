//! Running the loop.

use std::cell::Cell;
use std::io;
use std::thread;

use tevent::LoopError;

use super::requests::{AnyRef, each};
use super::{LEVELS, Outcome, Skipped, World, skip_if};
use crate::scenario::Op;
use crate::words::microseconds;

impl World {
    pub(super) fn turn_op(&self, op: &Op) -> Option<Outcome> {
        let inner = &*self.0;
        Some(match *op {
            Op::Turn() => self.if_can_turn(|| self.turn()),
            Op::Until(req, turns) => self.until(req.0, turns),
            Op::RunAll() => self.run_waiting(|| inner.ev.loop_wait()),
            Op::Poll(req) => self.poll(req.0),
            Op::Sleep(time) => {
                thread::sleep(microseconds(time));
                Ok(None)
            }
            Op::AllowNesting() => self.unless_freed().map(|()| {
                inner.nesting.set(true);
                inner.ev.allow_nesting();
                None
            }),
            Op::FreeContext() => self.free_context(),
            _ => return None,
        })
    }

    fn if_can_turn(&self, run: impl FnOnce() -> Result<(), LoopError>) -> Outcome {
        let inner = &*self.0;
        self.unless_freed()?;
        // While something is being freed, events that count no more may still be there and run.
        skip_if(inner.freeing.get() > 0)?;
        let level = inner.level.get();
        // An event that goes with its request must not be entered a second time by nesting and then be freed (FD-9).
        let owned_one_runs = inner.fds.any(|fd| fd.running > 0 && fd.of.is_some())
            || inner.immediates.any(|im| im.running > 0 && im.of.is_some());
        skip_if(
            (level > 0 && !inner.nesting.get()) || level >= LEVELS || owned_one_runs || self.signals_run(),
        )?;
        if self.siblings_clash() {
            return Ok(Some("siblings".to_owned()));
        }
        self.run_level(run);
        Ok(None)
    }

    /// With signals there are turns in which the library only takes note of its own wake-up. They do not count: whether and
    /// when there is one is its own affair.
    pub(super) fn turn(&self) -> Result<(), LoopError> {
        let inner = &*self.0;
        let mut result = Ok(());
        for _ in 0..4 {
            let (handled, now) = (inner.handled.get(), std::time::Instant::now());
            if inner.level.get() <= 1 {
                self.signals_before_turn();
            }
            result = inner.ev.loop_once();
            if inner.level.get() <= 1 {
                self.signals_after_turn();
            }
            let nothing = handled == inner.handled.get() && now == std::time::Instant::now();
            if !inner.signals_used.get() || inner.freed.get() || !nothing {
                break;
            }
        }
        result
    }

    fn run_level(&self, run: impl FnOnce() -> Result<(), LoopError>) {
        let level = &self.0.level;
        level.set(level.get() + 1);
        let result = self.indented(run);
        level.set(level.get() - 1);
        let number = match result {
            Ok(()) => 0,
            Err(error) => -io::Error::from(error).raw_os_error().unwrap_or(1),
        };
        self.say(format_args!("= {number} +{}", self.since_start(std::time::Instant::now())));
        if level.get() == 0 {
            self.status();
        }
    }

    fn until(&self, id: usize, turns: u32) -> Outcome {
        // It counts turns, and with signals there are some that do not count.
        skip_if(self.0.signals_used.get())?;
        let left = Cell::new(turns);
        let in_progress = |id| {
            let req = self.0.requests.with(id, |slot| slot.req.clone());
            req.is_ok_and(|req| each!(AnyRef, &req, req => req.is_in_progress()))
        };
        let finished = || {
            let over = left.get() == 0;
            left.set(left.get().saturating_sub(1));
            over || !in_progress(id) || self.siblings_clash()
        };
        self.if_can_turn(|| self.0.ev.loop_until(finished))
    }

    /// Nothing but fds can keep the loop busy for ever, so there must be none; none without flags either, for which
    /// 0.14.1 waits in `tevent_loop_wait`, unlike LOOP-3 (see README.md, open disagreements).
    fn run_waiting(&self, run: impl FnOnce() -> Result<(), LoopError>) -> Outcome {
        self.unless_freed()?;
        skip_if(
            self.0.freeing.get() > 0 || self.0.level.get() > 0 || self.fds_live() || self.signals_live(),
        )?;
        self.0.waiting.set(true);
        self.run_level(|| {
            let result = run();
            self.0.waiting.set(false);
            result
        });
        Ok(None)
    }

    fn poll(&self, id: usize) -> Outcome {
        let (req, top, timed) =
            self.0.requests.with(id, |slot| (slot.req.clone(), slot.is_top(), slot.timed && !slot.posted))?;
        skip_if(!top || matches!(req, AnyRef::Wait(_)))?;
        each!(AnyRef, &req, req => {
            skip_if(!timed && req.is_in_progress())?;
            self.run_waiting(|| req.poll(&self.0.ev))
        })
    }

    fn free_context(&self) -> Outcome {
        self.unless_freed()?;
        // LOOP-7: inside its own handlers a use after free in C; so is an entry that is freed after its context.
        skip_if(
            self.0.level.get() > 0 || self.0.depth.get() > 0 || self.queues_hold() || self.signals_pending(),
        )?;
        self.0.freed.set(true);
        let ctx = self.0.ctx.take();
        drop(ctx.ok_or(Skipped)?);
        self.status();
        Ok(None)
    }
}
