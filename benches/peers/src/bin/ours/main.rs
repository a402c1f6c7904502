//! The workloads on tevent, as a user who wants speed writes them.

mod events;
mod memory;
mod requests;

use std::cell::Cell;
use std::process::ExitCode;
use std::rc::Rc;

use tevent::Context;
use tevent_peers::{Workload, program, runs};

fn main() -> ExitCode {
    program(WORKLOADS)
}

const WORKLOADS: &[Workload] = &[
    runs("immediate-rearm", events::immediate_rearm),
    runs("immediate-burst", events::immediate_burst),
    runs("immediate-once", events::immediate_once),
    runs("timer-cycle", events::timer_cycle),
    runs("timer-latest", events::timer_latest),
    runs("timer-fire", events::timer_fire),
    runs("timer-zero", events::timer_zero),
    runs("ring", |setup| events::ring(&setup, 1)),
    runs("ring-batch", |setup| events::ring(&setup, 64)),
    runs("fd-churn", events::fd_churn),
    runs("fd-cycle-owning", events::fd_cycle_owning),
    runs("fd-cycle-borrowed", events::fd_cycle_borrowed),
    runs("request-post", requests::post),
    runs("request-nopost", requests::nopost),
    runs("queue", requests::queue),
    runs("echo", |setup| requests::echo_server(setup, 1)),
    runs("echo-batch", |setup| requests::echo_server(setup, 64)),
    runs("closures", requests::closures),
    runs("memory-fds", memory::fds),
    runs("memory-timers", memory::timers),
    runs("memory-requests", memory::requests),
    runs("memory-immediates", memory::immediates),
    runs("latency", events::latency),
];

/// What handlers raise.
#[derive(Clone, Default)]
struct Count(Rc<Cell<u64>>);

impl Count {
    fn up(&self) {
        self.0.set(self.0.get() + 1);
    }

    fn get(&self) -> u64 {
        self.0.get()
    }

    fn clear(&self) {
        self.0.set(0);
    }
}

fn context() -> Context {
    batching(1)
}

fn batching(batch: usize) -> Context {
    Context::builder().batch(batch).build().expect("the kernel gives an epoll object")
}

/// Turns the loop until the count is there.
fn turn_until(ctx: &Context, count: &Count, n: u64) {
    ctx.loop_until(|| count.get() >= n).expect("the loop turns");
}
