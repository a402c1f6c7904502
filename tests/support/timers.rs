//! Timers that log, and points in time.

#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

use std::time::{Duration, Instant};

use tevent::{ContextRef, TimerRef, When};

use crate::support::Log;

pub const MS: Duration = Duration::from_millis(1);
pub const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

/// A timer that logs its name, kept by the context.
pub fn log_timer(ctx: &ContextRef, log: &Log, name: &'static str, when: impl Into<When>) -> TimerRef {
    let log = log.clone();
    ctx.keep(ctx.add_timer(when, move |_, _, _| log.add(name)))
}

/// The `n`th of several points that follow on each other closely.
pub fn nth(base: Instant, n: u32) -> Instant {
    base + Duration::from_nanos(n.into())
}
