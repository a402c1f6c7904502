//! A key-value daemon that speaks RESP2, so that the tools of Redis are its clients.
//!
//! ```sh
//! cargo run --release --example daemon -- --port 7379 --dir /tmp &
//! redis-cli -p 7379 SET greeting hello EX 60
//! redis-benchmark -p 7379 -t get,set -q
//! kill -HUP %1   # prints statistics
//! kill %1        # answers what has arrived, writes a snapshot, and ends
//! ```
//!
//! A tree of small requests, one file for each subject:
//!
//! ```text
//! server.rs        accepts; owns a connection for each client
//! connection.rs    waits for bytes, has them parsed and done, sends the replies through its queue
//! resp.rs          bytes to requests          reply.rs    results to bytes
//! commands.rs      what each command does     glob.rs     patterns of KEYS
//! store.rs         keys, values and the timers that end them
//! snapshot.rs      a request around a thread that writes it all to a file
//! ```
//!
//! What it takes at most: 1 GiB of keys and values (`store::MAX_DATA`), 512 MiB of requests that have not arrived whole and replies
//! that have not left (`daemon::MAX_BUFFERS`), and some KiB for each client.

mod args;
mod commands;
mod connection;
mod daemon;
mod glob;
mod listen;
mod reply;
mod resp;
mod server;
mod snapshot;
mod store;

use std::error::Error;
use std::io::{Write, stdout};
use std::process::ExitCode;

use libc::{SIGHUP, SIGINT, SIGTERM};
use tevent::{Context, SignalFlags};

use args::{Options, USAGE};
use daemon::{Daemon, say};
use listen::listen;
use server::{server_recv, server_send, server_stop};

fn serve(options: Options) -> Result<(), Box<dyn Error>> {
    let ctx = Context::builder().batch(64).build()?;
    let daemon = Daemon::new(&ctx, options);
    snapshot::load(&daemon)?;
    let listeners = listen(&daemon.options)?;
    for (_, name) in &listeners {
        writeln!(stdout(), "listening on {name}")?;
    }
    let server = server_send(&daemon, listeners.into_iter().map(|(listener, _)| listener).collect());
    for signal in [SIGTERM, SIGINT] {
        let server = server.clone();
        ctx.keep(ctx.add_signal(signal, SignalFlags::NONE, move |_ev, _se, _delivery| server_stop(&server))?);
    }
    let told = daemon.clone();
    ctx.keep(ctx.add_signal(SIGHUP, SignalFlags::NONE, move |_ev, _se, _delivery| say(&told.info()))?);
    server.poll(&ctx)?;
    if let Err(error) = server_recv(server) {
        say(&format!("clients that did not read were left: {error}"));
    }
    // A snapshot on its way, and a last one.
    ctx.loop_until(|| !daemon.saving.get())?;
    if !daemon.is_saved() {
        daemon.save()?;
        ctx.loop_until(|| !daemon.saving.get())?;
    }
    if daemon.is_saved() { Ok(()) } else { Err("the last changes are not saved".into()) }
}

fn main() -> ExitCode {
    let (code, message) = match args::parse(std::env::args_os().skip(1)).map(|options| options.map(serve)) {
        Ok(None) => {
            return stdout().write_all(USAGE.as_bytes()).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
        }
        Ok(Some(Ok(()))) => return ExitCode::SUCCESS,
        Ok(Some(Err(error))) => (1, error.to_string()),
        Err(error) => (2, error.to_string()),
    };
    say(&message);
    ExitCode::from(code)
}
