//! Timers: added and cancelled among as many others, moved, with the latest deadline of all, fired, and of the zero time.
//!
//! `cargo bench --bench timers`; `ci/peers.sh` for the same beside other libraries.

#![allow(missing_docs, reason = "criterion's macros make functions without")]
#![allow(clippy::unwrap_used, reason = "a bench that fails to set itself up has failed")]

mod support;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use support::{Count, Random, batching, bench, bench_groups, turn_for};
use tevent::{ContextRef, Timer, When};

const LATEST: Duration = Duration::from_secs(3 * 3600);

fn add(ev: &ContextRef, when: impl Into<When>, count: &Count) -> Timer {
    let count = count.clone();
    ev.add_timer(when, move |_ev, _te, _now| count.up())
}

/// Their deadlines are random, between one and two hours from now.
fn pending(ev: &ContextRef, n: u64, random: &mut Random) -> Vec<Timer> {
    (0..n).map(|_| add(ev, random.pending(), &Count::default())).collect()
}

fn cycle(c: &mut Criterion) {
    for others in [0, 1_000, 10_000, 100_000] {
        let (ctx, count, mut random) = (batching(1), Count::default(), Random::default());
        let _others = pending(&ctx, others, &mut random);
        bench(c, &format!("timer-cycle/{others}"), |n| {
            (0..n).for_each(|_| drop(add(&ctx, random.pending(), &count)));
        });
    }
}

/// What a time-out does that is put off again and again.
fn update(c: &mut Criterion) {
    for others in [0, 100_000] {
        let (ctx, count, mut random) = (batching(1), Count::default(), Random::default());
        let _others = pending(&ctx, others, &mut random);
        let timer = add(&ctx, LATEST, &count);
        bench(c, &format!("timer-update/{others}"), |n| {
            (0..n).for_each(|_| assert!(timer.update(random.pending())));
        });
    }
}

fn latest(c: &mut Criterion) {
    let (ctx, count, mut random) = (batching(1), Count::default(), Random::default());
    let _others = pending(&ctx, 10_000, &mut random);
    bench(c, "timer-latest/10000", |n| (0..n).for_each(|_| drop(add(&ctx, LATEST, &count))));
}

/// Most of the time it waits for them: 50 ms.
fn fire(c: &mut Criterion) {
    let (ctx, count, mut random) = (batching(1), Count::default(), Random::default());
    bench_groups(c, "timer-fire", 10_000, || {
        let soon = |_| add(&ctx, Duration::from_micros(random.below(50_000)), &count);
        let _timers: Vec<_> = (0..10_000).map(soon).collect();
        turn_for(&ctx, &count, 10_000);
    });
}

fn zero(c: &mut Criterion) {
    let (ctx, count) = (batching(1), Count::default());
    bench_groups(c, "timer-zero", 1000, || {
        let _timers: Vec<_> = (0..1000).map(|_| add(&ctx, When::Zero, &count)).collect();
        turn_for(&ctx, &count, 1000);
    });
}

criterion_group!(benches, cycle, update, latest, fire, zero);
criterion_main!(benches);
