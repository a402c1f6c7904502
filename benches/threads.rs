//! Closures that another thread schedules into the loop, as fast as it can.
//!
//! `cargo bench --bench threads`; `ci/peers.sh` for the same beside other libraries.

#![allow(missing_docs, reason = "criterion's macros make functions without")]
#![allow(clippy::unwrap_used, reason = "a bench that fails to set itself up has failed")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::{Criterion, criterion_group, criterion_main};
use support::{batching, bench};

/// The start of the thread is a part of it.
fn closures(c: &mut Criterion) {
    let ctx = batching(1);
    let handle = ctx.threaded().unwrap();
    bench(c, "closures", |n| {
        let (handle, ran) = (handle.clone(), Arc::new(AtomicU64::new(0)));
        let raised = Arc::clone(&ran);
        let other = std::thread::spawn(move || {
            for _ in 0..n {
                let ran = Arc::clone(&raised);
                handle.schedule(move |_ev| _ = ran.fetch_add(1, Ordering::Relaxed)).unwrap();
            }
        });
        ctx.loop_until(|| ran.load(Ordering::Relaxed) == n).unwrap();
        other.join().unwrap();
    });
}

criterion_group!(benches, closures);
criterion_main!(benches);
