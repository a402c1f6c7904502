//! Immediates: one that schedules itself again, a burst of 1,000, one that is made for a single run.
//!
//! `cargo bench --bench immediates`; `ci/peers.sh` for the same beside other libraries.

#![allow(missing_docs, reason = "criterion's macros make functions without")]
#![allow(clippy::unwrap_used, reason = "a bench that fails to set itself up has failed")]

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use support::{Count, batching, bench, bench_groups, turn_for};
use tevent::Immediate;

fn counting(count: &Count) -> Immediate {
    let count = count.clone();
    Immediate::new(move |_ev, _im| count.up())
}

/// A turn of the loop, and no system call.
fn rearm(c: &mut Criterion) {
    let (ctx, count) = (batching(1), Count::default());
    let up = count.clone();
    let im = Immediate::new(move |ev, im| {
        up.up();
        im.schedule(ev);
    });
    im.schedule(&ctx);
    bench(c, "immediate-rearm", |n| turn_for(&ctx, &count, n));
}

fn burst(c: &mut Criterion) {
    let (ctx, count) = (batching(1), Count::default());
    let immediates: Vec<_> = (0..1000).map(|_| counting(&count)).collect();
    bench_groups(c, "immediate-burst", 1000, || {
        for im in &immediates {
            im.schedule(&ctx);
        }
        turn_for(&ctx, &count, 1000);
    });
}

fn once(c: &mut Criterion) {
    let (ctx, count) = (batching(1), Count::default());
    bench(c, "immediate-once", |n| {
        for _ in 0..n {
            let im = counting(&count);
            im.schedule(&ctx);
            turn_for(&ctx, &count, 1);
        }
    });
}

criterion_group!(benches, rearm, burst, once);
criterion_main!(benches);
