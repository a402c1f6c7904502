//! A loop on which everything goes on at once. A pulse of one millisecond sets each kind of work going, and the loop does it as it
//! comes; so there is the same to do in each second, and the loop sleeps in between.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tevent::{Context, ContextRef};
use tevent_peers::Random;

use crate::{events, fds, forks, requests, signals};

pub(crate) const PULSE: Duration = Duration::from_millis(1);
/// Pulses from one fork to the next.
const FORKS: u64 = 1000;

/// What the threads share.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) stop: AtomicBool,
    /// Tasks that another thread is to wake.
    pub(crate) sleepers: Mutex<Vec<Waker>>,
}

/// What a world tells of itself while it runs.
#[derive(Default)]
pub(crate) struct Gauge {
    pub(crate) turns: AtomicU64,
    /// Nanoseconds of the processor's time that its thread has had.
    pub(crate) cpu: AtomicU64,
}

/// What all kinds of work stand on.
pub(crate) struct Stage {
    pub(crate) ev: ContextRef,
    pub(crate) shared: Arc<Shared>,
    random: RefCell<Random>,
}

impl Stage {
    /// A number below that.
    pub(crate) fn below(&self, n: usize) -> usize {
        usize::try_from(self.random.borrow_mut().draw() % n as u64).expect("it is below n")
    }

    /// A delay of less than that many milliseconds.
    pub(crate) fn delay(&self, milliseconds: usize) -> Duration {
        Duration::from_micros(self.below(1000 * milliseconds) as u64)
    }
}

/// How much of a kind has come to its end.
#[derive(Clone, Default)]
pub(crate) struct Done(Rc<Cell<u64>>);

impl Done {
    pub(crate) fn up(&self) {
        self.0.set(self.0.get() + 1);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.get()
    }
}

/// A kind of work.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    /// Sets it going, once in a pulse.
    pub(crate) pulse: Box<dyn Fn()>,
    pub(crate) done: Done,
}

/// Makes one.
type Make = fn(&Rc<Stage>) -> Work;

const KINDS: &[Make] = &[
    events::immediates,
    events::timers,
    fds::ring,
    fds::churn,
    fds::sockets,
    requests::trees,
    requests::frames,
    requests::tasks,
    signals::signals,
];

/// How much of each kind was done.
pub(crate) type Did = Vec<(&'static str, u64)>;

/// Turns a loop until it is to stop; `begun` is given its context first. At the end nothing of it is left.
pub(crate) fn run(batch: usize, shared: &Arc<Shared>, gauge: &Gauge, begun: impl FnOnce(&ContextRef)) -> Did {
    let ctx = Context::builder().batch(batch).build().expect("the kernel gives an epoll object");
    let random = RefCell::default();
    let stage = Rc::new(Stage { ev: ctx.clone(), shared: Arc::clone(shared), random });
    let kinds: Rc<Vec<Work>> = Rc::new(KINDS.iter().map(|make| make(&stage)).collect());
    let pulses = Rc::new(Cell::new(0));
    let (works, beat) = (Rc::clone(&kinds), Rc::clone(&pulses));
    ctx.keep(ctx.add_timer(PULSE, move |_ev, te, _now| {
        te.update(PULSE);
        beat.set(beat.get() + 1);
        works.iter().for_each(|work| (work.pulse)());
    }));
    begun(&ctx);

    let (mut told, mut forked) = (0, 0);
    while !shared.stop.load(Ordering::Relaxed) {
        ctx.loop_once().expect("the loop turns");
        if told != pulses.get() {
            told = pulses.get();
            gauge.turns.store(ctx.stats().turns, Ordering::Relaxed);
            gauge.cpu.store(cpu_time(), Ordering::Relaxed);
            if told % FORKS == 0 {
                forks::turn_in_child(&ctx);
                forked += 1;
            }
        }
    }
    let mut did: Did = kinds.iter().map(|work| (work.name, work.done.get())).collect();
    did.push(("forks", forked));
    did
}

fn cpu_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let time = Duration::try_from(time).expect("the processor's time is not negative");
    u64::try_from(time.as_nanos()).expect("that is 500 years")
}
