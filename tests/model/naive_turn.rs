//! The model's turns of the loop (LOOP).

use std::rc::Rc;

use super::naive::{Later, Naive, Soon};
use super::ops::{Kind, LEVELS};
use super::seen::{Choice, Entry, TIMED_OUT, Turned};

impl Naive {
    /// LOOP-4: a failing turn is the last.
    pub(crate) fn turns(&mut self, n: u8) {
        if self.level >= LEVELS {
            return;
        }
        self.level += 1;
        let mut turned = Turned::Ok;
        for _ in 0..n {
            if turned == Turned::Ok {
                turned = self.turn();
            }
        }
        self.level -= 1;
        self.say(Entry::Turned(turned));
    }

    /// LOOP-1.
    fn turn(&mut self) -> Turned {
        let number = self.turns;
        self.turns += 1;
        let Some(choice) = self.choices.get(number).copied() else {
            self.illegal("a turn was not taken".to_owned());
            return Turned::Ok;
        };
        if !self.soon.is_empty() {
            let first = self.soon.remove(0);
            self.nothing_served(choice);
            self.run_soon(first);
            return Turned::Ok;
        }
        if self.run_due_timer(choice) {
            return Turned::Ok;
        }
        if std::mem::take(&mut self.may_be_quiet) && choice.quiet {
            return Turned::Ok;
        }
        if self.serve_a_file(number, choice) {
            return Turned::Ok;
        }
        // LOOP-2.
        if self.wait_timeout == Some(0) {
            return Turned::WouldBlock;
        }
        let next_due = self.later.first().and_then(|(due, _)| *due);
        match (next_due, self.wait_timeout) {
            (Some(due), _) => self.now = due,
            (None, Some(timeout)) => self.now += timeout,
            (None, None) => return Turned::Deadlock,
        }
        self.run_due_timer(choice);
        Turned::Ok
    }

    pub(crate) fn nothing_served(&mut self, choice: Choice) {
        if let Some(file) = choice.served {
            self.illegal(format!("file {file} was served out of its turn"));
        }
    }

    fn run_soon(&mut self, what: Soon) {
        match what {
            Soon::User(id) => {
                let once = self.ims[id].once.take();
                self.say(Entry::Im { im: id, once: once.is_some() });
                let script = once.unwrap_or_else(|| Rc::clone(&self.ims[id].script));
                self.run(&script, Some((Kind::Im, id)));
            }
            Soon::Post(req) => self.call_posted(req),
            Soon::Queue(queue) => self.trigger_head(queue),
        }
    }

    /// TIMER-1 to TIMER-3, TIMER-8.
    fn run_due_timer(&mut self, choice: Choice) -> bool {
        let is_due = self.later.first().is_some_and(|(due, _)| *due <= Some(self.now));
        if !is_due {
            return false;
        }
        self.nothing_served(choice);
        let (due, what) = self.later.remove(0);
        match what {
            Later::EndTime(req) => {
                self.finish(req, TIMED_OUT);
            }
            Later::User(id) => {
                self.timers[id].running += 1;
                self.say(Entry::Timer { timer: id, now: due.map(|_| self.now) });
                let script = Rc::clone(&self.timers[id].script);
                self.run(&script, Some((Kind::Timer, id)));
                self.timers[id].running -= 1;
                if self.timers[id].running == 0 && self.due(Later::User(id)).is_none() {
                    self.timers[id].spent = true;
                }
            }
        }
        true
    }
}
