//! Words that the tests of the loop share.

#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]

use std::time::Duration;

use tevent::{ContextRef, Immediate, LoopError, Timer, When};

use super::support::Log;

pub const HOUR: Duration = Duration::from_secs(3600);

/// A timer and an immediate that only note their names.
pub fn timer(ev: &ContextRef, when: impl Into<When>, name: &str, log: &Log) -> Timer {
    let (name, log) = (name.to_owned(), log.clone());
    ev.add_timer(when, move |_ev, _te, _now| log.add(&*name))
}

pub fn immediate(name: &str, log: &Log) -> Immediate {
    let (name, log) = (name.to_owned(), log.clone());
    Immediate::new(move |_ev, _im| log.add(&*name))
}

pub type Turning = fn(&ContextRef) -> Result<(), LoopError>;

/// The ways to run the loop.
pub const WAYS: [Turning; 3] = [|ev| ev.loop_once(), |ev| ev.loop_wait(), |ev| ev.loop_until(|| false)];
