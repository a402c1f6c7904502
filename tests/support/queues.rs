//! Requests that wait in queues, and triggers that log.

#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

use tevent::{Req, ReqRef};

use crate::support::Log;

pub type Job = Req<&'static str>;

/// A trigger that logs the name of its request.
pub fn logs(log: &Log) -> impl Fn(&ReqRef<&'static str>) + Clone + 'static {
    let log = log.clone();
    move |req| log.add(req.with_state(|name| *name).unwrap())
}

pub fn jobs<const N: usize>(names: [&'static str; N]) -> [Job; N] {
    names.map(Req::create)
}
