//! The example `daemon`, in this process: its own modules on loops of all kinds, most of them with a virtual clock, and clients that
//! the tests move step by step.
//!
//! `tests/daemon_process.rs` runs it as a program, `tests/daemon_parser.rs` feeds its parser, `tests/daemon_memory.rs` weighs it.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

#[path = "daemon/dialogues.rs"]
mod dialogues;
#[path = "daemon/draining.rs"]
mod draining;
#[path = "support/folder.rs"]
mod folder;
#[path = "daemon/limits.rs"]
mod limits;
#[path = "daemon/naive.rs"]
mod naive;
#[path = "daemon/patterns.rs"]
mod patterns;
#[path = "daemon/pipelines.rs"]
mod pipelines;
#[path = "support/random.rs"]
mod random;
#[path = "daemon/snapshots.rs"]
mod snapshots;
#[path = "support/streams.rs"]
mod streams;
#[path = "daemon/times.rs"]
mod times;
#[path = "daemon/world.rs"]
mod world;

// The example's own modules; their `crate` is this one.
#[allow(dead_code, reason = "the tests listen elsewhere")]
#[path = "../examples/daemon/args.rs"]
mod args;
#[path = "../examples/daemon/commands.rs"]
mod commands;
#[path = "../examples/daemon/connection.rs"]
mod connection;
#[path = "../examples/daemon/daemon.rs"]
mod daemon;
#[path = "../examples/daemon/resp.rs"]
mod resp;
#[path = "../examples/daemon/server.rs"]
mod server;
#[path = "../examples/daemon/snapshot.rs"]
mod snapshot;
#[path = "../examples/daemon/store.rs"]
mod store;
