//! Requests, with a state of 32 bytes: created, called back, from the loop or at once, and received.
//!
//! `cargo bench --bench requests`; `ci/peers.sh` for the same beside other libraries.

#![allow(missing_docs, reason = "criterion's macros make functions without")]
#![allow(clippy::unwrap_used, reason = "a bench that fails to set itself up has failed")]

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use support::{batching, bench};
use tevent::{Req, ReqRef};

type State = [u64; 4];

fn called_back(req: &ReqRef<State>) {
    req.with_state(|state| state[0] += 1).unwrap();
}

fn receive(req: Req<State>) {
    assert_eq!(req.recv(|state| state[0]), Ok(1));
}

fn post(c: &mut Criterion) {
    let ctx = batching(1);
    bench(c, "request-post", |n| {
        for _ in 0..n {
            let req = Req::create(State::default());
            req.done();
            let req = req.post(&ctx);
            req.set_callback(called_back);
            ctx.loop_once().unwrap();
            receive(req);
        }
    });
}

fn nopost(c: &mut Criterion) {
    bench(c, "request-nopost", |n| {
        for _ in 0..n {
            let req = Req::create(State::default());
            req.set_callback(called_back);
            req.done();
            receive(req);
        }
    });
}

criterion_group!(benches, post, nopost);
criterion_main!(benches);
