//! The Rust library's side of the comparison: carries out scenarios on tevent and prints what happens.
//!
//! c/ is its twin, rule by rule: a rule that says when an operation is passed over (see README.md) has to stand in both.

mod events;
mod fds;
mod files;
mod finish;
mod homes;
mod queues;
mod raise;
mod requests;
mod shelf;
mod signals;
mod turns;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::fmt::Write as _;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use tevent::{Backend, Context, ContextRef, When};

use crate::scenario::{Op, Scenario};
use crate::words::{Flags, Moment, microseconds};
use events::{ImSlot, TimerSlot};
use fds::FdSlot;
use files::FileSlot;
use queues::{EntrySlot, QueueSlot};
use requests::ReqSlot;
use shelf::Shelf;
use signals::{Line, SignalSlot};

/// How many operations handlers carry out in one scenario.
const FUEL: usize = 2000;
/// How deep handlers stand on top of each other before their scripts are not run any more.
const DEPTH: usize = 8;
/// How deep turns stand on top of each other.
const LEVELS: usize = 3;

/// A scenario that is being carried out.
#[derive(Clone)]
struct World(Rc<Inner>);

struct Inner {
    scenario: Scenario,
    start: Instant,
    trace: RefCell<String>,
    ctx: RefCell<Option<Context>>,
    ev: ContextRef,
    /// The context has been freed by the scenario.
    freed: Cell<bool>,
    nesting: Cell<bool>,
    /// The loop runs until nothing is left, and nothing may come that keeps it busy for ever.
    waiting: Cell<bool>,
    /// Handlers only tell.
    silent: Cell<bool>,
    fuel: Cell<usize>,
    depth: Cell<usize>,
    level: Cell<usize>,
    indent: Cell<usize>,
    freeing: Cell<usize>,
    numbers: Cell<usize>,
    /// How many handlers have run, to see whether a turn did anything.
    handled: Cell<usize>,
    signals_used: Cell<bool>,
    /// Signal handlers that stand on the stack.
    in_signals: Cell<usize>,
    lines: Cell<[Line; raise::NUMBERS]>,
    files: Shelf<FileSlot>,
    fds: Shelf<FdSlot>,
    timers: Shelf<TimerSlot>,
    immediates: Shelf<ImSlot>,
    signals: Shelf<SignalSlot>,
    requests: Shelf<ReqSlot>,
    queues: Shelf<QueueSlot>,
    entries: Shelf<EntrySlot>,
}

/// Why an operation was not carried out; both drivers see it.
struct Skipped;

/// What an operation says.
type Outcome = Result<Option<String>, Skipped>;

/// Carries out a scenario; what happened.
pub(crate) fn run(scenario: &Scenario) -> Result<String, String> {
    let ctx = Context::builder().backend(Backend::Epoll).batch(1).build();
    let ctx = ctx.map_err(|error| format!("no context: {error}"))?;
    let world = World(Rc::new(Inner {
        scenario: scenario.clone(),
        start: ctx.now(),
        trace: RefCell::new(format!("=== {}\n", scenario.name)),
        ev: ctx.clone(),
        ctx: RefCell::new(Some(ctx)),
        freed: Cell::new(false),
        nesting: Cell::new(false),
        waiting: Cell::new(false),
        silent: Cell::new(false),
        fuel: Cell::new(FUEL),
        depth: Cell::new(0),
        level: Cell::new(0),
        indent: Cell::new(0),
        freeing: Cell::new(0),
        numbers: Cell::new(0),
        handled: Cell::new(0),
        signals_used: Cell::new(false),
        in_signals: Cell::new(0),
        lines: Cell::default(),
        files: Shelf::new(),
        fds: Shelf::new(),
        timers: Shelf::new(),
        immediates: Shelf::new(),
        signals: Shelf::new(),
        requests: Shelf::new(),
        queues: Shelf::new(),
        entries: Shelf::new(),
    }));
    for op in &scenario.ops {
        world.execute(op);
    }
    world.finish();
    let mut trace = world.0.trace.take();
    trace.push_str("=== end\n");
    Ok(trace)
}

/// Whether the clock stands still, as `c/virtual_time.c` makes it.
pub(crate) fn time_is_virtual() -> bool {
    let before = Instant::now();
    thread::sleep(Duration::from_millis(1));
    before.elapsed() == Duration::from_millis(1)
}

impl World {
    fn say(&self, line: impl fmt::Display) {
        let mut trace = self.0.trace.borrow_mut();
        let indent = 2 * self.0.indent.get();
        // Writing into a string does not fail.
        let _ = writeln!(trace, "{:indent$}{line}", "");
    }

    fn execute(&self, op: &Op) {
        self.say(format_args!("> {op}"));
        match self.carry_out(op) {
            Ok(None) => {}
            Ok(Some(result)) => self.say(format_args!("= {result}")),
            Err(Skipped) => self.say("= -"),
        }
    }

    fn carry_out(&self, op: &Op) -> Outcome {
        let families = [
            World::file_op,
            World::fd_op,
            World::event_op,
            World::signal_op,
            World::req_op,
            World::finish_op,
            World::queue_op,
            World::turn_op,
        ];
        families.iter().find_map(|family| family(self, op)).unwrap_or(Err(Skipped))
    }

    fn run_script(&self, script: Option<usize>) {
        let inner = &*self.0;
        let Some(script) = script.filter(|_| !inner.silent.get() && inner.depth.get() < DEPTH) else {
            return;
        };
        inner.depth.set(inner.depth.get() + 1);
        for op in inner.scenario.scripts.get(&script).into_iter().flatten() {
            let fuel = inner.fuel.get();
            if fuel == 0 {
                break;
            }
            inner.fuel.set(fuel - 1);
            self.execute(op);
        }
        inner.depth.set(inner.depth.get() - 1);
    }

    /// A handler: what it is told, and below it what it does.
    fn handle(&self, told: impl fmt::Display, script: Option<usize>) {
        self.say(told);
        self.0.handled.set(self.0.handled.get() + 1);
        self.indented(|| self.run_script(script));
    }

    fn indented<R>(&self, run: impl FnOnce() -> R) -> R {
        self.0.indent.set(self.0.indent.get() + 1);
        let result = run();
        self.0.indent.set(self.0.indent.get() - 1);
        result
    }

    /// A weak hand on the world for handlers, so that nothing is kept by what it keeps.
    fn weak(&self) -> impl Fn() -> World + Clone + use<> {
        let weak = Rc::downgrade(&self.0);
        move || World(weak.upgrade().expect("handlers run while their scenario is carried out"))
    }

    fn since_start(&self, point: Instant) -> i128 {
        let micros = |duration: Duration| i128::try_from(duration.as_micros()).unwrap_or(i128::MAX);
        match point.checked_duration_since(self.0.start) {
            Some(since) => micros(since),
            None => -micros(self.0.start - point),
        }
    }

    fn when(&self, moment: Moment) -> When {
        match moment {
            Moment::Zero => When::Zero,
            Moment::In(delay) => When::In(microseconds(delay)),
            Moment::At(offset) => {
                let distance = Duration::from_micros(offset.unsigned_abs());
                let start = self.0.start;
                let point =
                    if offset < 0 { start.checked_sub(distance) } else { start.checked_add(distance) };
                When::At(point.unwrap_or(start))
            }
        }
    }

    fn unless_freed(&self) -> Result<(), Skipped> {
        skip_if(self.0.freed.get())
    }

    /// What can be asked without changing anything.
    fn status(&self) {
        let mut line = "~".to_owned();
        // Writing into a string does not fail.
        let mut add = |text: fmt::Arguments| line.write_fmt(text).unwrap_or_default();
        self.0.fds.for_each(|id, fd| add(format_args!(" e{id}={}", Flags(fd.fde.flags()))));
        self.0.requests.for_each(|id, req| add(format_args!(" r{id}={}", req.standing())));
        self.0.queues.for_each(|id, queue| add(format_args!(" q{id}={}", queue.standing())));
        self.say(line);
    }

    /// Everything that is left is freed, in an order that is always the same.
    fn finish(&self) {
        self.say("> end");
        self.0.silent.set(true);
        self.free_requests();
        self.free_queues();
        self.free_events();
        self.free_fds();
        self.free_signals();
        let ctx = self.0.ctx.take();
        drop(ctx);
    }
}

fn skip_if(condition: bool) -> Result<(), Skipped> {
    if condition { Err(Skipped) } else { Ok(()) }
}
