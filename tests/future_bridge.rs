//! Requests as futures and futures as requests, on every backend.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

#[path = "future_bridge/ends.rs"]
mod ends;
#[path = "future_bridge/order.rs"]
mod order;
#[path = "future_bridge/requests.rs"]
mod requests;
#[path = "future_bridge/wakes.rs"]
mod wakes;
#[path = "future_bridge/words.rs"]
mod words;
