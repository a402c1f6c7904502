//! The timers of a daemon: a heartbeat that does not drift, a time limit that is called off, and an idle time that is put off.
//!
//! ```sh
//! cargo run --example timer
//! ```
//!
//! It prints
//!
//! ```text
//! beat 1
//! beat 2
//! the answer has come, the time limit is called off
//! beat 3
//! nothing has come for 10ms
//! ```

use std::cell::Cell;
use std::error::Error;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use tevent::{Context, ContextRef, Timer};

const PERIOD: Duration = Duration::from_millis(2);
const IDLE: Duration = Duration::from_millis(10);
const LIMIT: Duration = Duration::from_secs(60);

/// Calls `beat` at `first` and each `period` from then on, until it breaks.
///
/// A timer fires once. This one arms itself again, counted from when it was due and not from when it ran, so that beats do not drift.
/// Beats that were missed while something held the loop up are not made up for.
fn every(
    ev: &ContextRef,
    first: Instant,
    period: Duration,
    beat: impl Fn() -> ControlFlow<()> + 'static,
) -> Timer {
    let due = Cell::new(first);
    ev.add_timer(first, move |ev, te, _now| {
        due.set(ev.now().max(due.get() + period));
        if beat().is_continue() {
            te.update(due.get());
        }
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let ctx = Context::new()?;
    let start = ctx.now(); // all that follow count from here, so that their order is certain

    // The context keeps it, and this is a Ref: it moves the timer, and frees nothing.
    let idle =
        ctx.keep(ctx.add_timer(start + IDLE, |_ev, _te, _now| println!("nothing has come for {IDLE:?}")));

    // An owner. Whatever drops it calls the time limit off: here the beat that brings the answer.
    let limit =
        Cell::new(Some(ctx.add_timer(start + LIMIT, |_ev, _te, _now| println!("no answer has come"))));

    let beats = Cell::new(0);
    ctx.keep(every(&ctx, start + PERIOD, PERIOD, move || {
        beats.set(beats.get() + 1);
        println!("beat {}", beats.get());
        idle.update(IDLE);
        match beats.get() {
            2 => {
                drop(limit.take());
                println!("the answer has come, the time limit is called off");
                ControlFlow::Continue(())
            }
            3 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }));

    ctx.loop_wait()?; // until no timer is left
    Ok(())
}
