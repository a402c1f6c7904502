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
//! server.rs        accepts, and owns a connection for each client
//! connection.rs    waits for bytes, has them parsed and done, sends the replies through its queue
//! resp.rs          bytes to requests, replies to bytes          args.rs      the command line
//! commands.rs      what each command does (tests/daemon/)       daemon.rs    what all parts share
//! store.rs         keys, values and the timers that end them
//! snapshot.rs      all of it in a file                          ci/daemon.sh real clients
//! ```
//!
//! What it takes at most: 1 GiB of keys and values (`MAX_DATA`), and for each client 2 MiB of a request that has not arrived whole
//! (`MAX_REQUEST`) and 17 MiB of replies that it has not read (`MAX_REPLY`, `MAX_UNSENT`), twice as much while such a buffer grows.

mod args;
mod commands;
mod connection;
mod daemon;
mod resp;
mod server;
mod snapshot;
mod store;

use std::error::Error;
use std::io::{Write, stdout};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use libc::{SIGHUP, SIGINT, SIGTERM};
use tevent::io::{Address, Stream};
use tevent::{Context, SignalFlags};

use args::Options;
use daemon::{Daemon, say};
use server::{server_send, server_stop};

fn serve(options: Options) -> Result<(), Box<dyn Error>> {
    let ctx = Context::builder().batch(512).build()?;
    let daemon = Daemon::new(&ctx, options);
    let Options { unix, dir, .. } = &daemon.options;
    let unloaded = |dir: &Path, error| format!("cannot load from {}: {error}", dir.display());
    dir.iter().try_for_each(|dir| snapshot::load(&daemon, dir).map_err(|error| unloaded(dir, error)))?;
    let listen = |address: Address| address.listen().map_err(|e| format!("cannot listen on {address}: {e}"));
    let listeners: Vec<_> = daemon.options.addresses().map(listen).collect::<Result<_, _>>()?;
    let names: Vec<_> = listeners.iter().map(Stream::local_address).collect::<Result<_, _>>()?;
    let server = server_send(&daemon, listeners);
    for signal in [SIGTERM, SIGINT] {
        let server = server.clone();
        ctx.keep(ctx.add_signal(signal, SignalFlags::NONE, move |_ev, _se, _delivery| server_stop(&server))?);
    }
    let asked = daemon.clone();
    ctx.keep(ctx.add_signal(SIGHUP, SignalFlags::NONE, move |_ev, _se, _delivery| say(&asked.info()))?);
    names.iter().try_for_each(|name| writeln!(stdout(), "listening on {name}"))?;
    server.poll(&ctx)?;
    if let Err(error) = server.recv(|_server| ()) {
        say(&format!("not all clients have read their replies: {error}"));
    }
    ctx.loop_until(|| !daemon.saving.get())?; // a snapshot on its way
    if dir.is_some() {
        daemon.save()?;
        ctx.loop_until(|| !daemon.saving.get())?;
    }
    unix.iter().try_for_each(std::fs::remove_file)?;
    if daemon.save_error.borrow().is_empty() { Ok(()) } else { Err("the last changes are lost".into()) }
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
