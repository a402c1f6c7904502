//! Contexts: making, freeing and beginning anew.

use std::cell::Cell;
use std::ffi::{CStr, c_int};
use std::time::Duration;

use tevent_core::ContextRef;

use crate::backend::{self, Ops};
use crate::busy::{self, Busy, Handled};
use crate::chunk::{Chunk, Parent, Private, Text};
use crate::clock::Clock;
use crate::debug::Debug;
use crate::export::{abort, export};
use crate::fd::{self, Fd};
use crate::immediate::{self, Immediate};
use crate::list::List;
use crate::run::Nesting;
use crate::signal::{self, Signal};
use crate::talloc;
use crate::threaded::Threads;
use crate::timer;
use crate::timers::{self, Timers};
use crate::trace::Tracing;
use crate::wake::Wake;
use crate::wrapper::Wrapping;

/// Seconds, at first (LOOP-2).
const WAIT_TIMEOUT: c_int = 30;

pub const NAME: &CStr = c"struct tevent_context";

/// `struct tevent_context`, one that runs a loop or a wrapper of one.
pub struct Context {
    /// `None` in a wrapper.
    core: Option<tevent_core::Context>,
    pub ops: &'static Ops,
    wait_timeout: Cell<c_int>,
    busy: Busy,
    pub fds: List<Fd>,
    pub timers: Timers,
    pub clock: Clock,
    pub immediates: List<Immediate>,
    pub signals: List<Signal>,
    pub threads: Threads,
    pub wake: Wake,
    pub nesting: Nesting,
    pub debug: Debug,
    pub tracing: Tracing,
    /// Of a main context those that wrap it, of a wrapper what it wraps.
    pub wrapping: Wrapping,
}

impl Context {
    pub fn new(core: Option<tevent_core::Context>, ops: &'static Ops, wrapping: Wrapping) -> Self {
        Context {
            core,
            ops,
            wait_timeout: Cell::new(WAIT_TIMEOUT),
            busy: Busy::default(),
            fds: List::new(),
            timers: Timers::new(),
            clock: Clock::default(),
            immediates: List::new(),
            signals: List::new(),
            threads: Threads::default(),
            wake: Wake::default(),
            nesting: Nesting::default(),
            debug: Debug::default(),
            tracing: Tracing::default(),
            wrapping,
        }
    }

    /// The core's loop.
    pub fn core(&self) -> &ContextRef {
        self.core.as_deref().expect("a wrapper is not asked for its loop")
    }

    /// How long a turn waits when no timer is pending. `None` is for ever.
    pub fn wait_timeout(&self) -> Option<Duration> {
        let seconds = self.wait_timeout.get();
        (seconds != c_int::MAX).then(|| Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
    }

    /// Whether it has been freed, and only its memory is still there.
    pub fn is_destroyed(&self) -> bool {
        self.busy.is_destroyed()
    }
}

impl Handled for Context {
    fn busy(&self) -> &Busy {
        &self.busy
    }
}

impl Chunk<Context> {
    /// The context that runs the loop: itself, or the one that it wraps. None once that has gone.
    pub fn main(self) -> Option<Chunk<Context>> {
        if self.is_destroyed() {
            return None;
        }
        match self.wrapping.of() {
            Some(main) => main.get(),
            None => Some(self),
        }
    }
}

/// A context with a loop and nothing in it.
fn create(parent: Parent, ops: &'static Ops) -> Option<Chunk<Context>> {
    let core = tevent_core::Context::new().ok()?;
    // Whether the loop may be run in its handlers is looked after here, as the complaint names a place in C.
    core.allow_nesting();
    let ev = talloc::create(parent, NAME, Context::new(Some(core), ops, Wrapping::main()))?;
    talloc::set_destructor(ev, tevent_common_context_destructor);
    Some(ev)
}

/// Every event becomes inert: its pointer to the context is cleared, and whoever traces is told.
fn detach_all(ev: Chunk<Context>) {
    ev.threads.close();
    ev.wake.clear();
    while let Some(wrapper) = ev.wrapping.first_wrapper() {
        wrapper.leave(ev);
    }
    while let Some(fde) = ev.fds.first() {
        fd::detach(fde);
    }
    while let Some(te) = ev.timers.find(|_te| true) {
        timer::detach(te);
    }
    timers::begin_anew(ev);
    while let Some(im) = ev.immediates.first() {
        immediate::detach(im);
    }
    while let Some(se) = ev.signals.first() {
        signal::detach(se);
    }
    ev.nesting.begin_anew();
}

export! {
    fn tevent_context_init(parent: Parent) -> Option<Chunk<Context>> {
        tevent_context_init_byname(parent, Text::NONE)
    }

    fn tevent_context_init_byname(parent: Parent, name: Text) -> Option<Chunk<Context>> {
        let ops = backend::find(name)?;
        tevent_context_init_ops(parent, Some(ops), Private::NONE)
    }

    fn tevent_context_init_ops(
        parent: Parent,
        ops: Option<&'static Ops>,
        additional: Private,
    ) -> Option<Chunk<Context>> {
        let ops = ops?;
        // Its place in C's struct is not public, so that nobody can read it back.
        let _ = additional;
        let ev = create(parent, ops)?;
        let failed = ops.context_init.is_some_and(|init| init.call(ev) != 0);
        if failed {
            talloc::free(ev);
            return None;
        }
        Some(ev)
    }

    fn tevent_re_initialise(ev: Chunk<Context>) -> c_int {
        if ev.wrapping.of().is_some() {
            abort(Some(ev), "tevent_common_context_destructor() active on wrapper");
        }
        detach_all(ev);
        if ev.core().re_initialise().is_err() {
            return -1;
        }
        match ev.ops.context_init {
            Some(init) => init.call(ev),
            None => 0,
        }
    }

    fn tevent_context_set_wait_timeout(ev: Chunk<Context>, seconds: c_int) -> c_int {
        let ev = ev.main().unwrap_or(ev);
        let old = ev.wait_timeout.replace(seconds);
        ev.core().set_wait_timeout(ev.wait_timeout());
        old
    }

    fn tevent_common_context_destructor(ev: Chunk<Context>) -> c_int {
        if !ev.is_destroyed() {
            detach_all(ev);
        }
        busy::end(ev, "tevent_context double free")
    }

    fn tevent_signal_support(ev: Chunk<Context>) -> bool {
        ev.ops.add_signal.is_some()
    }
}
