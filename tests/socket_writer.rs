//! The example `socket_writer`, run as a program, and the parts of it that are plain data structures.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "socket_writer/arguments.rs"]
mod arguments;
#[path = "socket_writer/counting.rs"]
mod counting;
#[path = "support/folder.rs"]
mod folder;
#[path = "socket_writer/parsing.rs"]
mod parsing;
#[path = "socket_writer/peers.rs"]
mod peers;
#[path = "socket_writer/program.rs"]
mod program;
#[path = "support/examples.rs"]
mod programs;
#[path = "support/running.rs"]
mod running;
#[path = "socket_writer/runs.rs"]
mod runs;

// The example's own modules, so that they are tested without a socket.
#[allow(dead_code, reason = "the tests use a part of it")]
#[path = "../examples/socket_writer/control.rs"]
mod control;
#[allow(dead_code, reason = "the tests use a part of it")]
#[path = "../examples/socket_writer/frame.rs"]
mod frame;
#[allow(dead_code, reason = "the tests use a part of it")]
#[path = "../examples/socket_writer/parser.rs"]
mod parser;
#[allow(dead_code, reason = "the tests use a part of it")]
#[path = "../examples/socket_writer/plan.rs"]
mod plan;
#[allow(dead_code, reason = "the tests use a part of it")]
#[path = "../examples/socket_writer/tally.rs"]
mod tally;
