//! The context: what a loop owns, and running it.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::io;
use std::ops::Deref;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use crate::attention::Cause;
use crate::builder::Builder;
use crate::children::{ChildRef, Children, Until};
use crate::error::LoopError;
use crate::fd::FdRef;
use crate::fd_slot::Place;
use crate::fd_table::FdTable;
use crate::fifo::Fifo;
use crate::future::Tasks;
use crate::list::List;
use crate::location::Location;
use crate::nesting::NestingState;
use crate::panics::Panics;
use crate::reactor::SimClock;
use crate::req::Known;
use crate::scheduled::Scheduled;
use crate::signal::Signals;
use crate::stack::bounded_drop;
use crate::stats::Counters;
use crate::sys::fork;
use crate::threads::Threads;
use crate::timer::TimerRef;
use crate::timer_queue::TimerQueue;
use crate::trace::Trace;

/// An event loop. Owns: dropping it detaches all its events and drops what it [keeps](ContextRef::keep).
///
/// All its methods are those of [`ContextRef`], to which it derefs; `ctx.clone()` gives such a Ref.
///
/// In the child of a fork it goes on with all its events, and the parent's is left alone; handles of other threads are dead
/// there (LOOP-9). It may be dropped anywhere, also inside one of its own handlers; then the turn ends after that handler.
/// Events that outlive it are inert (LOOP-7).
///
/// Its lists, of immediates, timers, requests and of what it keeps, have room for the most that ever stood in them at a time; that of
/// immediates and timers is given back by [`re_initialise`](ContextRef::re_initialise). `cargo test --test room_after_a_burst` tells how much.
///
/// C equivalent: `struct tevent_context`, freed with `talloc_free`. Spec: LOOP-1 to LOOP-10.
///
/// ```
/// use std::time::Duration;
/// use tevent_core::Context;
///
/// let ctx = Context::new()?;
/// ctx.keep(ctx.add_timer(Duration::from_millis(2), |_ev, _te, _now| println!("two")));
/// ctx.keep(ctx.add_timer(Duration::from_millis(1), |_ev, _te, _now| println!("one")));
/// ctx.loop_wait()?; // until no event is left that could fire
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "tevent_context")]
#[must_use = "dropping a Context detaches all its events"]
pub struct Context(ContextRef);

/// A handle on a [`Context`]: a cheap clone that frees nothing and turns inert when the owner goes.
///
/// C equivalent: `struct tevent_context *` where it is not the owner's.
#[derive(Clone)]
pub struct ContextRef(Rc<Inner>);

/// Remembers a context that it does not keep.
pub(crate) struct WeakContext(Weak<Inner>);

impl WeakContext {
    #[inline]
    pub(crate) fn is(&self, ev: &ContextRef) -> bool {
        std::ptr::eq(self.0.as_ptr(), Rc::as_ptr(&ev.0))
    }

    pub(crate) fn upgrade(&self) -> Option<ContextRef> {
        self.0.upgrade().map(ContextRef)
    }
}

struct Inner {
    location: Location,
    /// What it was made with, for a new beginning.
    builder: Builder,
    /// `None` once freed.
    fds: RefCell<Option<FdTable>>,
    timers: RefCell<TimerQueue<TimerRef>>,
    immediates: RefCell<Fifo<Scheduled>>,
    signals: Signals,
    /// The virtual clock of a simulated context.
    clock: OnceCell<Rc<SimClock>>,
    kept: Rc<Children>,
    /// Those that were told of this context.
    requests: RefCell<List<Weak<dyn Known>>>,
    threads: Threads,
    tasks: Tasks,
    nesting: NestingState,
    wait_timeout: Cell<Option<Duration>>,
    counters: Counters,
    left_out_timers: Cell<usize>,
    trace: Trace,
    /// The process it lives in, as a count of forks.
    process: Cell<u32>,
}

/// How long a turn waits when no timer is pending (LOOP-2).
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

impl Context {
    /// Makes a context with the default backend.
    ///
    /// C equivalent: `tevent_context_init`.
    ///
    /// # Errors
    /// When the kernel gives no epoll object, for example because the process has too many open files.
    #[doc(alias = "tevent_context_init")]
    #[track_caller]
    pub fn new() -> io::Result<Self> {
        Context::builder().build()
    }

    /// Makes a context by choice of its backend and batch. See [`Builder`].
    pub const fn builder() -> Builder {
        Builder::new()
    }

    #[track_caller]
    pub(crate) fn assemble(builder: Builder, fds: FdTable, clock: Option<Rc<SimClock>>) -> Self {
        Context(ContextRef(Rc::new(Inner {
            location: Location::caller(),
            builder,
            fds: RefCell::new(Some(fds)),
            timers: RefCell::new(TimerQueue::new()),
            immediates: RefCell::new(Fifo::new()),
            signals: Signals::default(),
            clock: clock.map_or_else(OnceCell::new, OnceCell::from),
            kept: Children::new(None),
            requests: RefCell::new(List::new()),
            threads: Threads::default(),
            tasks: Tasks::default(),
            nesting: NestingState::default(),
            wait_timeout: Cell::new(Some(WAIT_TIMEOUT)),
            counters: Counters::default(),
            left_out_timers: Cell::new(0),
            trace: Trace::default(),
            process: Cell::new(fork::generation()),
        })))
    }
}

impl Deref for Context {
    type Target = ContextRef;

    fn deref(&self) -> &ContextRef {
        &self.0
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let inner = &self.0.0;
        let mut panics = Panics::default();
        self.detach_all(None, &mut panics);
        panics.catch(|| inner.kept.close(Until::Freed));
        panics.resume();
    }
}

impl ContextRef {
    /// The current time, from the context's own clock. It is monotonic: a step of the wall clock does not move it. A
    /// simulated context has a virtual one.
    ///
    /// C equivalent: `tevent_timeval_current`. Spec: TIMER-6.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tevent_core::{Context, When};
    ///
    /// let ctx = Context::new()?;
    /// let due = ctx.now() + Duration::from_millis(1);
    /// let timer = ctx.add_timer(due, |_ev, _te, _now| {});
    /// assert_eq!(timer.due(), Some(When::At(due)));
    /// ctx.loop_wait()?;
    /// assert!(ctx.now() >= due); // never early
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "tevent_timeval_current")]
    #[must_use]
    pub fn now(&self) -> Instant {
        match self.0.clock.get() {
            Some(clock) => clock.now(),
            None => Instant::now(),
        }
    }

    /// Drops all events and leaves a usable, empty context, with a new kernel object.
    ///
    /// The events turn inert, as if the context had been freed, and so do handles of other threads; owners that the context
    /// [keeps](Self::keep) it goes on to keep. Whether nesting is allowed and the wait timeout stay as they are; the
    /// [nesting hook](Self::set_nesting_hook) is dropped. Inside a handler the turn ends after that handler (a timer may arm itself again even then),
    /// and the loop may be run there without leave to nest, as a child that was forked in a handler does.
    ///
    /// C equivalent: `tevent_re_initialise`. Spec: LOOP-8.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tevent_core::Context;
    ///
    /// let ctx = Context::new()?;
    /// let te = ctx.add_timer(Duration::ZERO, |_ev, _te, _now| unreachable!());
    /// ctx.re_initialise()?;
    /// assert!(!te.is_pending());
    /// ctx.loop_wait()?; // nothing is left
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the context has been freed, or the kernel gives no epoll object; then nothing has changed.
    #[doc(alias = "tevent_re_initialise")]
    pub fn re_initialise(&self) -> io::Result<()> {
        if self.is_freed() {
            return Err(LoopError::Freed.into());
        }
        let mut fds = self.0.builder.fd_table(self.sim_clock())?;
        let outer = self.with_fds(|fds| fds.outer().cloned()).flatten();
        if let Some(outer) = outer {
            fds.embed(outer)?;
            self.with_fds(|old| old.leave_outer());
        }
        let mut panics = Panics::default();
        self.detach_all(Some(fds), &mut panics);
        self.nesting().begin_anew();
        panics.resume();
        Ok(())
    }

    /// Keeps an owner as long as the context lives, and gives its Ref.
    ///
    /// This is the home of what C parents to the context. A kept timer leaves when it has fired. The context drops
    /// what it keeps when it goes, the newest first; one that has gone already drops it at once.
    ///
    /// C equivalent: `talloc_steal(ev, owner)`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tevent_core::{Context, TimerRef};
    ///
    /// let ctx = Context::new()?;
    /// let idle: TimerRef = ctx.keep(ctx.add_timer(Duration::from_secs(60), |_ev, _te, _now| {}));
    /// assert!(idle.is_pending()); // nobody here has to hold the owner
    /// drop(ctx);
    /// assert!(!idle.is_pending());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Complexity
    /// O(1), however much is kept; one of the crate's own owners needs no allocation once the list has grown.
    #[doc(alias = "talloc_steal")]
    pub fn keep<O>(&self, owner: O) -> O::Target
    where
        O: Deref + 'static,
        O::Target: ChildRef<Owner = O>,
    {
        self.0.kept.keep(Until::Freed, owner)
    }

    /// Gives back an owner that the context [keeps](Self::keep); `None` if it does not. To free it early, drop it.
    ///
    /// C equivalent: `talloc_steal` to another parent; `drop(ctx.take(&child))` is `talloc_free(child)`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tevent_core::Context;
    ///
    /// let ctx = Context::new()?;
    /// let timer = ctx.keep(ctx.add_timer(Duration::from_secs(60), |_ev, _te, _now| {}));
    /// drop(ctx.take(&timer)); // cancels
    /// assert!(!timer.is_pending());
    /// assert!(ctx.take(&timer).is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Complexity
    /// O(1), however much is kept.
    pub fn take<R: ChildRef>(&self, child: &R) -> Option<R::Owner> {
        self.0.kept.take(child)
    }

    /// The callbacks that are told of its points and events.
    ///
    /// Spec: TRACE-1, TRACE-2.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.0.trace
    }

    /// Where the context was created.
    #[must_use]
    pub fn location(&self) -> Location {
        self.0.location
    }

    /// Every event becomes inert, and handles of other threads too.
    fn detach_all(&self, new_fds: Option<FdTable>, panics: &mut Panics) {
        let inner = &*self.0;
        self.notice_fork();
        // Replaced first: a context that goes is freed before any user code runs, and what that code adds to one that
        // begins anew is new.
        let goes = new_fds.is_none();
        self.attention().set(Cause::FREED, goes);
        self.stir();
        let fds = inner.fds.replace(new_fds);
        if let (true, Some(fds)) = (goes, &fds) {
            fds.leave_outer_for_good();
        }
        // Not popped one by one, so that none of them is told of a new place after it has let go of its old one.
        let immediates: Vec<Scheduled> = inner.immediates.replace(Fifo::new()).into_values().collect();
        // None of these stands in a queue any more.
        let timers = inner.timers.replace(TimerQueue::new()).into_values();
        let signals = inner.signals.take();
        let threads = inner.threads.close(self);
        let hook = inner.nesting.take_hook();
        inner.tasks.forget_all();
        let fd_events: Vec<FdRef> = fds.iter().flat_map(FdTable::events).collect();
        // All of them let go of their places before any user code runs, so that none is looked for in the new lists.
        immediates.iter().for_each(Scheduled::unlink);
        for fde in &fd_events {
            fde.interest().set_place(Place::Nowhere);
        }
        for fde in fd_events.iter().rev() {
            panics.catch(|| fde.detach());
        }
        for te in &timers {
            panics.catch(|| te.end());
        }
        for scheduled in immediates {
            panics.catch(|| scheduled.abandon(self));
        }
        for se in signals.events().iter().rev() {
            panics.catch(|| se.abandon());
        }
        panics.catch(|| drop((fds, timers, signals, fd_events)));
        threads.drop_each(panics);
        panics.catch(|| bounded_drop(hook));
    }

    /// The rest is for the events and for the order of a turn. No user code runs in the closure.
    #[inline]
    pub(crate) fn with_fds<R>(&self, run: impl FnOnce(&mut FdTable) -> R) -> Option<R> {
        self.notice_fork();
        self.0.fds.borrow_mut().as_mut().map(run)
    }

    /// In the child of a fork the same events go on, with a kernel object of their own; the parent's is not touched, and what
    /// it has reported is its own. Handles of other threads are dead here (LOOP-9). Costs no system call.
    #[inline]
    pub(crate) fn notice_fork(&self) {
        if !self.is_in_its_process() {
            self.go_on_in_child();
        }
    }

    #[cold]
    fn go_on_in_child(&self) {
        self.0.process.set(fork::generation());
        self.stir();
        if let Some(fds) = self.0.fds.borrow_mut().as_mut() {
            fds.rebuild();
        }
        self.0.threads.abandon();
        self.0.signals.settle();
    }

    /// Whether no fork has happened that it has not noticed.
    #[inline]
    pub(crate) fn is_in_its_process(&self) -> bool {
        self.0.process.get() == fork::generation()
    }

    #[inline]
    pub(crate) fn downgrade(&self) -> WeakContext {
        WeakContext(Rc::downgrade(&self.0))
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    pub(crate) fn nesting(&self) -> &NestingState {
        &self.0.nesting
    }

    pub(crate) fn threads(&self) -> &Threads {
        &self.0.threads
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.0.tasks
    }

    pub(crate) fn requests(&self) -> &RefCell<List<Weak<dyn Known>>> {
        &self.0.requests
    }

    pub(crate) fn kept(&self) -> &Rc<Children> {
        &self.0.kept
    }

    pub(crate) fn signals(&self) -> &Signals {
        &self.0.signals
    }

    pub(crate) fn timers(&self) -> &RefCell<TimerQueue<TimerRef>> {
        &self.0.timers
    }

    pub(crate) fn immediates(&self) -> &RefCell<Fifo<Scheduled>> {
        &self.0.immediates
    }

    pub(crate) fn sim_clock(&self) -> Option<&Rc<SimClock>> {
        self.0.clock.get()
    }

    pub(crate) fn wait_timeout(&self) -> &Cell<Option<Duration>> {
        &self.0.wait_timeout
    }

    /// How many of the pending timers are no events.
    pub(crate) fn left_out_timers(&self) -> &Cell<usize> {
        &self.0.left_out_timers
    }
}

impl PartialEq for ContextRef {
    /// Whether both stand for the same context.
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ContextRef {}

impl fmt::Debug for ContextRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let armed = self.with_fds(|fds| fds.armed()).unwrap_or(0);
        f.debug_struct("Context")
            .field("freed", &self.is_freed())
            .field("armed_fds", &armed)
            .field("timers", &self.0.timers.borrow().len())
            .field("immediates", &self.0.immediates.borrow().iter().map(Scheduled::count).sum::<usize>())
            .field("signals", &self.0.signals.events().len())
            .field("kept", &self.0.kept.len())
            .field("level", &self.0.nesting.level())
            .field("location", &self.0.location)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
