//! The turns of the loop, and what each of them chose.

use std::time::Instant;

use tevent::LoopError;

use super::ops::LEVELS;
use super::real::Real;
use super::seen::{Choice, Entry, Turned};

/// A turn that is being taken, and how things stood when it began.
pub(crate) struct OpenTurn {
    number: usize,
    logged: usize,
    now: Instant,
    flags: Vec<u16>,
}

impl Real {
    pub(crate) fn turn(&self) {
        if self.level.get() >= LEVELS {
            return;
        }
        self.level.set(self.level.get() + 1);
        self.begin_turn();
        let result = self.ctx.loop_once();
        self.end_turn(result.is_ok());
        self.level.set(self.level.get() - 1);
        self.say(Entry::Turned(turned(&result)));
    }

    pub(crate) fn turns(&self, n: u8) {
        if self.level.get() >= LEVELS {
            return;
        }
        self.level.set(self.level.get() + 1);
        let mut taken = 0;
        let result = self.ctx.loop_until(|| {
            if taken > 0 {
                self.end_turn(true);
            }
            if taken < n {
                self.begin_turn();
            }
            taken += 1;
            taken > n
        });
        if result.is_err() {
            self.end_turn(false);
        }
        self.level.set(self.level.get() - 1);
        self.say(Entry::Turned(turned(&result)));
    }

    fn begin_turn(&self) {
        let number = self.choices.borrow().len();
        self.choices.borrow_mut().push(Choice::default());
        self.open.borrow_mut().push(OpenTurn {
            number,
            logged: self.log.borrow().len(),
            now: self.ctx.now(),
            flags: self.flags(),
        });
    }

    fn end_turn(&self, ok: bool) {
        let turn = self.open.borrow_mut().pop().unwrap();
        if self.log.borrow().len() > turn.logged {
            return;
        }
        // No handler ran that could have changed them.
        let silenced = self.flags().iter().zip(&turn.flags).position(|(after, before)| after != before);
        let choice = &mut self.choices.borrow_mut()[turn.number];
        choice.served = silenced.map(|fd| self.watched.borrow()[fd]);
        choice.quiet = ok && silenced.is_none() && self.ctx.now() == turn.now;
    }

    pub(crate) fn note_served(&self, file: usize) {
        // The log tells which handlers ran; the turn that called this one is the innermost.
        if let Some(turn) = self.open.borrow().last() {
            self.choices.borrow_mut()[turn.number].served = Some(file);
        }
    }

    fn flags(&self) -> Vec<u16> {
        (0..self.fds.len()).map(|id| self.fds.get(id).flags().bits()).collect()
    }
}

fn turned(result: &Result<(), LoopError>) -> Turned {
    match result {
        Ok(()) => Turned::Ok,
        Err(LoopError::WouldBlock) => Turned::WouldBlock,
        Err(LoopError::Wait(_)) => Turned::Deadlock,
        Err(other) => panic!("a turn failed: {other}"),
    }
}
