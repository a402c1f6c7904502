//! Signals (SIG). A raise is delivered before it returns: nothing here waits for the kernel.

use tevent::{SignalDelivery, SignalEvent, SignalFlags, SignalRef};

use super::raise::{self, NUMBERS};
use super::{Outcome, World, skip_if};
use crate::scenario::Op;
use crate::words::{Maybe, Script};

/// More than what is queued before a signal is held back.
const MOST_AT_ONCE: u32 = 300;
const FEW: u32 = 5;

pub(super) struct SignalSlot {
    se: SignalRef,
    owner: SignalEvent,
    line: usize,
    /// Freed by itself when its handler has run.
    once: bool,
    info: bool,
    running: usize,
}

/// All events on one signal.
#[derive(Clone, Copy, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own, as in the C driver")]
pub(super) struct Line {
    /// The first of them has `SA_SIGINFO`.
    info: bool,
    /// The kernel has gone back to the default action, which is to end the process.
    spent: bool,
    /// Something may be on its way: it was raised, and no turn since has passed without its handlers.
    pending: bool,
    raised: bool,
    ran: bool,
}

impl World {
    pub(super) fn signal_op(&self, op: &Op) -> Option<Outcome> {
        Some(match *op {
            Op::Signal(event, line, how, script) => self.add_signal(event.0, line, how, script),
            Op::Raise(line, times, value) => self.raise(line, times, value),
            Op::FreeSignal(event) => self.free_signal(event.0),
            _ => return None,
        })
    }

    fn add_signal(&self, id: usize, line: u32, how: u32, script: Maybe<Script>) -> Outcome {
        let (line, info, once) = (line as usize % NUMBERS, how & 1 != 0, how & 2 != 0);
        self.unless_freed()?;
        skip_if(self.0.waiting.get())?;
        let others = self.0.signals.which(|slot| slot.line == line).len();
        let a_once = self.0.signals.any(|slot| slot.line == line && slot.once);
        // SIG-2, MUST DIFFER: one with SA_SIGINFO after a plain one. And where the kernel goes back to the default action
        // (SIG-4) it does so for the others too.
        skip_if(others > 0 && (once || a_once || (info && !self.line(line).info)))?;
        // In C it is told of what was delivered before it was added.
        skip_if(others > 0 && self.line(line).pending)?;
        self.0.signals.claim(id)?;
        if others == 0 {
            self.change_line(line, |line| *line = Line { info, ..Line::default() });
        }
        self.0.signals_used.set(true);
        let flag = |set, flag| if set { flag } else { SignalFlags::NONE };
        let flags = flag(info, SignalFlags::SIGINFO) | flag(once, SignalFlags::RESETHAND);
        let (world, script) = (self.weak(), script.number());
        let handler = move |_: &_, _: &_, got: SignalDelivery| world().signal_runs(id, got, script);
        match self.0.ev.add_signal(raise::number(line), flags, handler) {
            Ok(owner) => {
                self.0.signals.put(id, SignalSlot { se: owner.clone(), owner, line, once, info, running: 0 });
                Ok(None)
            }
            Err(error) => Ok(Some(format!("{error}"))),
        }
    }

    fn signal_runs(&self, id: usize, got: SignalDelivery, script: Option<usize>) {
        let _ = self.0.signals.with(id, |slot| slot.running += 1);
        self.0.in_signals.set(self.0.in_signals.get() + 1);
        if let Ok((line, ())) = self.0.signals.with(id, |slot| (slot.line, ())) {
            self.change_line(line, |line| line.ran = true);
        }
        match got.info {
            None => self.handle(format_args!("signal s{id} {}", got.count), script),
            Some(info) => {
                let (code, value) = (info.code(), info.value().unwrap_or(-1));
                self.handle(format_args!("signal s{id} info {} {code} {value}", got.count), script);
            }
        }
        self.0.in_signals.set(self.0.in_signals.get() - 1);
        let _ = self.0.signals.with(id, |slot| slot.running -= 1);
        if self.0.signals.with(id, |slot| slot.once).unwrap_or(false) {
            let freed = self.0.signals.take(id);
            drop(freed.map(|slot| slot.owner));
        }
    }

    fn raise(&self, line: u32, times: u32, value: u32) -> Outcome {
        let line = line as usize % NUMBERS;
        self.unless_freed()?;
        let once = self.0.signals.any(|slot| slot.line == line && slot.once);
        // One that is raised in its own handler finds a queue in C that still has what is being handled.
        let running = self.0.signals.any(|slot| slot.line == line && slot.running > 0);
        skip_if(!self.0.signals.any(|slot| slot.line == line) || self.line(line).spent || running)?;
        // In C the first event decides for good whether deliveries are queued, and the signal held back; here it is held back
        // while somebody is told of each.
        let queued = self.0.signals.any(|slot| slot.line == line && slot.info);
        // And what a user may have in the kernel's queue has an end.
        let few = (self.line(line).info && !queued) || self.line(line).pending;
        let most = if few { FEW } else { MOST_AT_ONCE };
        self.change_line(line, |state| {
            (state.pending, state.raised) = (true, true);
            state.spent = once;
        });
        for n in 0..if once { 1 } else { times.min(most) } {
            raise::raise(line, value + n);
        }
        Ok(None)
    }

    fn free_signal(&self, id: usize) -> Outcome {
        let look = |slot: &mut SignalSlot| (slot.line, slot.once, slot.info, slot.running);
        let (line, once, info, running) = self.0.signals.with(id, look)?;
        let others_run = self.0.signals.any(|slot| slot.line == line && slot.running > 0) && running == 0;
        // SIG-5: in C an event may free itself in its handler, once, and no other of the same signal; and what is pending
        // when the last is freed goes to the next event added. And see `raise` for what is queued when nobody is told of each.
        skip_if(others_run || running > 1 || (running > 0 && once))?;
        let last = self.0.signals.which(|slot| slot.line == line).len() == 1;
        skip_if((last || info) && !self.0.freed.get() && self.line(line).pending)?;
        let freed = self.0.signals.take(id)?;
        debug_assert!(freed.se == *freed.owner);
        drop(freed.owner);
        Ok(None)
    }

    /// C goes on in the middle of a signal's list when a nested turn returns.
    pub(super) fn signals_run(&self) -> bool {
        self.0.in_signals.get() > 0
    }

    pub(super) fn signals_live(&self) -> bool {
        self.0.signals.any(|_| true)
    }

    /// SIG-5: what is pending in C when the last event goes is not dropped.
    pub(super) fn signals_pending(&self) -> bool {
        self.0.lines.get().iter().any(|line| line.pending)
    }

    /// The outermost turn begins.
    pub(super) fn signals_before_turn(&self) {
        self.change_lines(|line| (line.raised, line.ran) = (false, false));
    }

    /// And ends: pending signals come first, so that one whose handlers did not run is not pending.
    pub(super) fn signals_after_turn(&self) {
        self.change_lines(|line| line.pending &= line.ran || line.raised);
    }

    /// Everything but signal events is gone.
    pub(super) fn free_signals(&self) {
        for _ in 0..10 {
            if self.0.freed.get() || !self.signals_pending() {
                break;
            }
            let _ = self.turn();
        }
        for id in self.0.signals.which(|_| true) {
            let freed = self.0.signals.take(id);
            drop(freed.map(|slot| slot.owner));
        }
    }

    fn line(&self, line: usize) -> Line {
        self.0.lines.get()[line]
    }

    fn change_line(&self, line: usize, change: impl FnOnce(&mut Line)) {
        let mut lines = self.0.lines.get();
        change(&mut lines[line]);
        self.0.lines.set(lines);
    }

    fn change_lines(&self, change: impl Fn(&mut Line)) {
        let mut lines = self.0.lines.get();
        lines.iter_mut().for_each(change);
        self.0.lines.set(lines);
    }
}
