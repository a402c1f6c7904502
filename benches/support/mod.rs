//! What the benches share: a count that handlers raise, a loop turned until it is there, and random deadlines.

#![allow(dead_code, unreachable_pub, reason = "each bench uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a bench that fails to set itself up has failed")]

use std::cell::Cell;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tevent::{Context, ContextRef};

/// The modes of taking events from the kernel, and what the workloads are called in each.
pub const BATCHES: [(&str, usize); 2] = [("", 1), ("-batch", 64)];

/// What handlers raise.
#[derive(Clone, Default)]
pub struct Count(Rc<Cell<u64>>);

impl Count {
    pub fn up(&self) {
        self.0.set(self.0.get() + 1);
    }

    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

pub fn batching(batch: usize) -> Context {
    Context::builder().batch(batch).build().unwrap()
}

/// Turns the loop until `n` more are counted.
pub fn turn_for(ev: &ContextRef, count: &Count, n: u64) {
    let wanted = count.get() + n;
    ev.loop_until(|| count.get() >= wanted).unwrap();
}

/// Measures work that is told how many operations to do. It is called as in `benches/peers`: the workload and its size.
pub fn bench(c: &mut Criterion, name: &str, mut work: impl FnMut(u64)) {
    c.bench_function(name, |b| {
        b.iter_custom(|n| {
            let started = Instant::now();
            work(n);
            started.elapsed()
        });
    });
}

/// Measures work of which `size` operations belong together; what is told is the time of all.
pub fn bench_groups(c: &mut Criterion, name: &str, size: u64, mut work: impl FnMut()) {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(size));
    group.bench_function(size.to_string(), |b| b.iter(&mut work));
    group.finish();
}

/// xorshift64, the same numbers in each run.
pub struct Random(u64);

impl Default for Random {
    fn default() -> Self {
        Random(0x9E37_79B9_7F4A_7C15)
    }
}

impl Random {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    /// Where pending timers lie: between one and two hours from now.
    pub fn pending(&mut self) -> Duration {
        Duration::from_secs(3600) + Duration::from_micros(self.below(3_600_000_000))
    }
}

/// Both ends of a socket pair that does not block.
pub fn pair() -> (UnixStream, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    (near, far)
}

/// As many open files as this process may have; says whether that is enough for so many.
pub fn may_open(files: u64) -> bool {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    maximum.is_none_or(|maximum| maximum >= files + 64)
}
