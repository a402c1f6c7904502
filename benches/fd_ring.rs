//! Fd events that fire: a ring of pipes in which some are active, and a socket that can always be written.
//!
//! `cargo bench --bench fd_ring`; `ci/peers.sh` for the same beside other libraries.

#![allow(missing_docs, reason = "criterion's macros make functions without")]
#![allow(clippy::unwrap_used, reason = "a bench that fails to set itself up has failed")]

mod support;

use std::os::fd::OwnedFd;
use std::rc::Rc;

use criterion::{Criterion, criterion_group, criterion_main};
use rustix::pipe::{PipeFlags, pipe_with};
use support::{BATCHES, Count, batching, bench, may_open, pair, turn_for};
use tevent::FdFlags;

/// Where each handler reads and where it writes; a byte lies in every `of / active`-th pipe.
fn make_hops(active: usize, of: usize) -> impl Iterator<Item = (OwnedFd, OwnedFd)> {
    let pipe = |_| pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).unwrap();
    let (froms, mut tos): (Vec<_>, Vec<_>) = (0..of).map(pipe).unzip();
    for i in 0..active {
        rustix::io::write(&tos[i * of / active], b"x").unwrap();
    }
    tos.rotate_left(1);
    froms.into_iter().zip(tos)
}

/// A handler reads one byte and writes it to the next pipe: two system calls, and what the loop adds to them.
fn ring(c: &mut Criterion) {
    for (active, of) in [(1, 1000), (100, 1000), (100, 5000)] {
        let size = format!("{active}/{of}");
        if !may_open(2 * of as u64) {
            eprintln!("ring {size}: this process may not open so many files");
            continue;
        }
        for (mode, batch) in BATCHES {
            let (ctx, count) = (batching(batch), Count::default());
            for (from, to) in make_hops(active, of) {
                let (from, count) = (Rc::new(from), count.clone());
                let mine = Rc::clone(&from);
                let hop = move |_ev: &_, _fde: &_, _flags| {
                    let mut byte = [0];
                    rustix::io::read(&*mine, &mut byte).unwrap();
                    rustix::io::write(&to, &byte).unwrap();
                    count.up();
                };
                ctx.keep(ctx.add_fd(from, FdFlags::READ, hop).unwrap());
            }
            bench(c, &format!("ring{mode}/{size}"), |n| turn_for(&ctx, &count, n));
        }
    }
}

/// Nothing but the loop: its wait and the dispatch.
fn ready(c: &mut Criterion) {
    for (mode, batch) in BATCHES {
        let (ctx, count, (near, _far)) = (batching(batch), Count::default(), pair());
        let up = count.clone();
        let _fde = ctx.add_fd(&near, FdFlags::WRITE, move |_ev, _fde, _flags| up.up()).unwrap();
        bench(c, &format!("fd-ready{mode}"), |n| turn_for(&ctx, &count, n));
    }
}

criterion_group!(benches, ring, ready);
criterion_main!(benches);
