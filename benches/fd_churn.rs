//! Fd events that come and go: added and freed without a turn, and added, waited for and freed, where the event shares its
//! socket or borrows it.
//!
//! `cargo bench --bench fd_churn`; `ci/peers.sh` for the same beside other libraries.

#![allow(missing_docs, reason = "criterion's macros make functions without")]
#![allow(clippy::unwrap_used, reason = "a bench that fails to set itself up has failed")]

mod support;

use std::os::unix::net::UnixStream;
use std::rc::Rc;

use criterion::{Criterion, criterion_group, criterion_main};
use support::{Count, batching, bench, pair, turn_for};
use tevent::{FdFlags, FdSource};

fn churn(c: &mut Criterion) {
    let (ctx, (near, _far)) = (batching(1), pair());
    bench(c, "fd-churn", |n| {
        for _ in 0..n {
            drop(ctx.add_fd(&near, FdFlags::READ, |_ev, _fde, _flags| {}).unwrap());
        }
    });
}

fn cycle(c: &mut Criterion, name: &str, source: impl Fn(&Rc<UnixStream>) -> FdSource) {
    let (ctx, count, (near, _far)) = (batching(1), Count::default(), pair());
    let near = Rc::new(near);
    bench(c, name, |n| {
        for _ in 0..n {
            let up = count.clone();
            let fde = ctx.add_fd(source(&near), FdFlags::WRITE, move |_ev, _fde, _flags| up.up());
            turn_for(&ctx, &count, 1);
            drop(fde);
        }
    });
}

fn cycles(c: &mut Criterion) {
    cycle(c, "fd-cycle-owning", |near| Rc::clone(near).into());
    cycle(c, "fd-cycle-borrowed", |near| (&**near).into());
}

criterion_group!(benches, churn, cycles);
criterion_main!(benches);
