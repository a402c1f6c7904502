//! What single operations cost: `cargo bench --bench operations`. For comparison see `peers`.

#![allow(missing_docs, reason = "criterion's macros make functions without")]
#![allow(clippy::unwrap_used, reason = "a bench that fails to set itself up has failed")]

use std::os::unix::net::UnixStream;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use tevent::{Context, FdFlags, Immediate, Queue, Req};

fn immediate(c: &mut Criterion) {
    let ctx = Context::new().unwrap();
    let im = Immediate::new(|_ev, _im| {});
    c.bench_function("schedule an immediate and run it", |b| {
        b.iter(|| {
            im.schedule(&ctx);
            ctx.loop_once().unwrap();
        });
    });
}

fn timer(c: &mut Criterion) {
    let mut group = c.benchmark_group("update a timer");
    for others in [0_u64, 1_000, 1_000_000] {
        let ctx = Context::new().unwrap();
        let hour = Duration::from_secs(3600);
        let _others: Vec<_> =
            (0..others).map(|n| ctx.add_timer(hour + Duration::from_micros(n), |_, _, _| {})).collect();
        let timer = ctx.add_timer(hour, |_, _, _| {});
        group.bench_with_input(BenchmarkId::new("among", others), &others, |b, _| {
            b.iter(|| timer.update(hour));
        });
    }
}

fn fd(c: &mut Criterion) {
    for batch in [1, 64] {
        let ctx = Context::builder().batch(batch).build().unwrap();
        let (near, _far) = UnixStream::pair().unwrap();
        let _fde = ctx.add_fd(&near, FdFlags::WRITE, |_, _, _| {}).unwrap();
        c.bench_function(&format!("a ready fd, batch {batch}"), |b| b.iter(|| ctx.loop_once().unwrap()));
    }
}

fn request(c: &mut Criterion) {
    let ctx = Context::new().unwrap();
    c.bench_function("a request: create, call back, receive", |b| {
        b.iter(|| {
            let req = Req::create(0_u32);
            req.set_callback(|_req| {});
            req.done();
            req.recv(|s| *s)
        });
    });
    let queue = Queue::create("bench");
    c.bench_function("a turn in a queue: add, trigger, free", |b| {
        b.iter_batched(
            || Req::create(()),
            |req| {
                queue.add(&ctx, &req, |_req| {}).unwrap();
                ctx.loop_once().unwrap();
                drop(req); // or the next one would wait for its turn
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, immediate, timer, fd, request);
criterion_main!(benches);
