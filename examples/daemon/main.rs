//! A key-value daemon that speaks RESP2, so that the tools of Redis are its clients.
//!
//! ```sh
//! cargo run --release --example daemon -- --port 7379 --dir /tmp
//! redis-cli -p 7379 SET greeting hello EX 60   # in another terminal
//! ```
//!
//! SIGTERM and SIGINT: answers what has arrived, writes a snapshot and ends; SIGHUP: prints statistics. A tree of small requests:
//!
//! ```text
//! server.rs        accepts; owns a connection for each client
//! connection.rs    waits for bytes, has them parsed and done, sends the replies through its queue
//! resp.rs          bytes to requests, replies to bytes
//! commands.rs      what each command does     daemon.rs   what all of it shares
//! store.rs         keys, values and the timers that end them
//! snapshot.rs      all of it in a file
//! ```
//!
//! What it takes at most: 1 GiB of keys and values, and for each client 2 MiB of a request that has not arrived whole and 16 MiB
//! of replies that it has not read, and a little around: `MAX_DATA`, `MAX_REQUEST`, `MAX_REPLY`, `MAX_UNSENT`.

mod args;
mod commands;
mod connection;
mod daemon;
mod listen;
mod resp;
mod server;
mod snapshot;
mod store;

use std::error::Error;
use std::io::{Write, stdout};
use std::process::ExitCode;

use clap::Parser;
use libc::{SIGHUP, SIGINT, SIGTERM};
use tevent::{Context, SignalFlags};

use args::Options;
use daemon::{Daemon, say};
use server::{server_recv, server_send, server_stop};

fn serve(options: Options) -> Result<(), Box<dyn Error>> {
    let ctx = Context::builder().batch(64).build()?;
    let daemon = Daemon::new(&ctx, options);
    let Options { unix, dir, .. } = &daemon.options;
    if let Some(dir) = dir {
        snapshot::load(&daemon, dir).map_err(|error| format!("the snapshot cannot be loaded: {error}"))?;
    }
    let port = daemon.options.port.or(if unix.is_none() { Some(7379) } else { None });
    let (on_port, on_path) = (port.map(listen::on_port), unix.as_deref().map(listen::on_path));
    let listeners: Vec<_> = on_port.into_iter().chain(on_path).collect::<Result<_, _>>()?;
    let (listeners, names): (Vec<_>, Vec<_>) = listeners.into_iter().unzip();
    let server = server_send(&daemon, listeners);
    for signal in [SIGTERM, SIGINT] {
        let server = server.clone();
        ctx.keep(ctx.add_signal(signal, SignalFlags::NONE, move |_ev, _se, _delivery| server_stop(&server))?);
    }
    let told = daemon.clone();
    ctx.keep(ctx.add_signal(SIGHUP, SignalFlags::NONE, move |_ev, _se, _delivery| say(&told.info()))?);
    names.iter().try_for_each(|name| writeln!(stdout(), "listening on {name}"))?;

    server.poll(&ctx)?;
    if let Err(error) = server_recv(server) {
        say(&format!("not all clients have read their replies: {error}"));
    }
    ctx.loop_until(|| !daemon.saving.get())?; // a snapshot on its way
    if dir.is_some() {
        daemon.save()?;
        ctx.loop_until(|| !daemon.saving.get())?;
    }
    unix.iter().try_for_each(std::fs::remove_file)?;
    let error = daemon.save_error.take();
    if error.is_empty() { Ok(()) } else { Err(error.into()) }
}

fn main() -> ExitCode {
    match Options::try_parse().map(serve) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            say(&error.to_string());
            ExitCode::FAILURE
        }
        Err(wrong) if wrong.use_stderr() => {
            say(wrong.to_string().lines().next().unwrap_or_default().trim_start_matches("error: "));
            ExitCode::from(2)
        }
        Err(help) => help.print().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS),
    }
}
