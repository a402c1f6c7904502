//! The example `daemon`, run as a program.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "daemon_process/crowded.rs"]
mod crowded;
#[path = "daemon_process/ending.rs"]
mod ending;
#[path = "support/folder.rs"]
mod folder;
#[path = "support/examples.rs"]
mod programs;
#[path = "support/running.rs"]
mod running;
#[path = "daemon_process/saving.rs"]
mod saving;
#[path = "daemon_process/served.rs"]
mod served;
#[path = "daemon_process/starting.rs"]
mod starting;
