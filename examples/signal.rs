//! The signals of a daemon: SIGHUP to read its configuration again, SIGUSR1 to tell how it is, SIGTERM or Ctrl-C to end it well.
//!
//! ```sh
//! cargo run --example signal
//! ```
//!
//! It prints, as it sends the signals to itself,
//!
//! ```text
//! SIGHUP came 2 times: the configuration is read again
//! SIGUSR1 from this process: reloads so far: 1
//! signal 15: closing down
//! nothing is left to do
//! ```

use std::cell::Cell;
use std::error::Error;
use std::process;
use std::rc::Rc;

use rustix::process::{Signal, getpid, kill_process};
use tevent::{AddSignalError, Context, ContextRef, SignalFlags};

/// What the handlers share. They run in the loop, one after the other, and interrupt nothing: a `Cell` will do.
#[derive(Default)]
struct Daemon {
    reloads: Cell<u32>,
    stopped: Cell<bool>,
}

fn catch_signals(ev: &ContextRef, daemon: &Rc<Daemon>) -> Result<(), AddSignalError> {
    let reloading = Rc::clone(daemon);
    ev.keep(ev.add_signal(Signal::HUP.as_raw(), SignalFlags::RESTART, move |_ev, _se, delivery| {
        // Once for all that came since the loop last looked.
        println!("SIGHUP came {} times: the configuration is read again", delivery.count);
        reloading.reloads.set(reloading.reloads.get() + 1);
    })?);

    let telling = Rc::clone(daemon);
    ev.keep(ev.add_signal(Signal::USR1.as_raw(), SignalFlags::SIGINFO, move |_ev, _se, delivery| {
        // Once for each that came, with what the kernel says of it.
        let sender = match delivery.info.and_then(|info| info.pid()) {
            Some(pid) if pid == process::id() => "this process".to_owned(),
            Some(pid) => format!("process {pid}"),
            None => "the kernel".to_owned(),
        };
        println!("SIGUSR1 from {sender}: reloads so far: {}", telling.reloads.get());
    })?);

    for signal in [Signal::INT, Signal::TERM] {
        let stopping = Rc::clone(daemon);
        // Caught once: a second one kills a daemon that does not manage to end.
        ev.keep(ev.add_signal(signal.as_raw(), SignalFlags::RESETHAND, move |_ev, se, _delivery| {
            println!("signal {}: closing down", se.signal());
            stopping.stopped.set(true);
        })?);
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let ctx = Context::new()?;
    let daemon = Rc::new(Daemon::default());
    catch_signals(&ctx, &daemon)?;

    // In place of somebody with a shell and `kill`. All are pending before the loop looks: lower numbers come first.
    for signal in [Signal::TERM, Signal::HUP, Signal::USR1, Signal::HUP] {
        kill_process(getpid(), signal)?;
    }

    // `loop_wait` would go on for ever: signal events count, and three of them are still there.
    ctx.loop_until(|| daemon.stopped.get())?;
    println!("nothing is left to do");
    Ok(())
}
