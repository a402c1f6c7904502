//! The queue: 1,000 requests take turns; each is finished by an immediate, and its callback frees it, so that the next has its turn.
//!
//! `cargo bench --bench queue`; `ci/peers.sh` for the same beside other libraries.

#![allow(missing_docs, reason = "criterion's macros make functions without")]
#![allow(clippy::unwrap_used, reason = "a bench that fails to set itself up has failed")]

mod support;

use std::task::Poll;

use criterion::{Criterion, criterion_group, criterion_main};
use support::{Count, batching, bench, bench_groups, turn_for};
use tevent::{Queue, Req, ReqRef};

fn queue(c: &mut Criterion) {
    let (ctx, count, queue) = (batching(1), Count::default(), Queue::create("queue"));
    bench_groups(c, "queue", 1000, || {
        for _ in 0..1000 {
            let (req, ev, up) = (Req::create([0_u64; 4]), ctx.clone(), count.clone());
            let trigger = move |req: &ReqRef<_>| {
                let finish = req.add_immediate(|req: &ReqRef<[u64; 4]>| {
                    req.advance(|state| {
                        state[0] += 1;
                        Poll::Ready(Ok(()))
                    });
                });
                finish.schedule(&ev);
            };
            queue.add(&ctx, &req, trigger).unwrap();
            ctx.add_subreq(req, move |_ev, req| {
                assert_eq!(req.recv(|state| state[0]), Ok(1));
                up.up();
            });
        }
        turn_for(&ctx, &count, 1000);
    });
}

/// One turn alone: added, triggered, freed.
fn turn(c: &mut Criterion) {
    let (ctx, count, queue) = (batching(1), Count::default(), Queue::create("queue"));
    bench(c, "queue-turn", |n| {
        for _ in 0..n {
            let (req, up) = (Req::create(()), count.clone());
            queue.add(&ctx, &req, move |_req| up.up()).unwrap();
            turn_for(&ctx, &count, 1);
        }
    });
}

criterion_group!(benches, queue, turn);
criterion_main!(benches);
