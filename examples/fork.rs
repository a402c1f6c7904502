//! A worker process by fork: the child begins anew with the same context, and the parent goes on and reaps it at SIGCHLD.
//!
//! ```sh
//! cargo run --example fork
//! ```
//!
//! It prints
//!
//! ```text
//! child: the parent's timer is pending here: false
//! child: my own timer has fired
//! parent: the child has ended with 7
//! parent: my timer is pending still: true
//! ```

use std::cell::Cell;
use std::error::Error;
use std::process;
use std::rc::Rc;
use std::time::Duration;

use fork::{Fork, fork};
use rustix::process::{Signal, WaitOptions, wait};
use tevent::{Context, ContextRef, SignalFlags, TimerRef};

/// All that the child does; what it gives is its exit code.
fn work_in_child(ev: &ContextRef, parents: &TimerRef) -> Result<i32, Box<dyn Error>> {
    // Without this the child goes on with copies of all the parent's events: both would serve the same sockets.
    // With it nothing of them is left, the SIGCHLD handler included; the parent's kernel object is not touched.
    ev.re_initialise()?;
    println!("child: the parent's timer is pending here: {}", parents.is_pending());

    ev.keep(
        ev.add_timer(Duration::from_millis(1), |_ev, _te, _now| println!("child: my own timer has fired")),
    );
    ev.loop_wait()?;
    Ok(7)
}

/// Tells `ended` of the exit code of each child.
fn reap_children(ev: &ContextRef, ended: impl Fn(Option<i32>) + 'static) -> Result<(), Box<dyn Error>> {
    ev.keep(ev.add_signal(Signal::CHILD.as_raw(), SignalFlags::NOCLDSTOP, move |_ev, _se, _delivery| {
        // One signal may stand for several children.
        while let Ok(Some((_pid, status))) = wait(WaitOptions::NOHANG) {
            ended(status.exit_status());
        }
    })?);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let ctx = Context::new()?;
    let timer =
        ctx.keep(ctx.add_timer(Duration::from_secs(3600), |_ev, _te, _now| println!("an hour has passed")));

    let code = Rc::new(Cell::new(None));
    let at_end = Rc::clone(&code);
    reap_children(&ctx, move |status| at_end.set(status))?; // before there is a child that could end

    // While the process has one thread: of several only the one that forks lives on in the child, and locks may be held for ever.
    if fork()? == Fork::Child {
        let code = work_in_child(&ctx, &timer).unwrap_or_else(|error| {
            eprintln!("child: {error}");
            1
        });
        // Ends here, and leaves the parent's part of the program to the parent.
        process::exit(code);
    }

    ctx.loop_until(|| code.get().is_some())?;
    println!("parent: the child has ended with {}", code.get().unwrap_or_default());
    println!("parent: my timer is pending still: {}", timer.is_pending());
    Ok(())
}
