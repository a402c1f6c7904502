//! Scheduling from other threads (THR): what they hold. The loop's side is in `threads.rs`.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, ThreadId};

use crate::batch::Job;
use crate::context::ContextRef;
use crate::handover::{Handover, Headcount};
use crate::list::Key;
use crate::location::Location;
use crate::sys::eventfd::Bell;
use crate::sys::fork;
use crate::sys::parcel::Parcel;

/// Lets any thread run a closure in the loop's own thread. `Send`, `Sync` and cheap to clone; keeps nothing alive and does
/// not keep [`loop_wait`](ContextRef::loop_wait) going.
///
/// Made by the owner's thread, with [`ContextRef::threaded`].
///
/// C equivalent: `struct tevent_threaded_context`. Spec: THR-1, THR-2.
#[doc(alias = "tevent_threaded_context")]
pub struct ThreadedContext(Arc<Shared>);

/// What the handles and the loop share.
pub(crate) struct Shared {
    pub(crate) handover: Handover<Arrived>,
    pub(crate) bell: Bell,
    /// How many handles there are.
    handles: Headcount,
    /// Handles that have gone, and have not rung for it yet.
    leaving: Headcount,
    /// How many [`Awaited`] there are.
    awaited: Headcount,
    /// The virtual clock of a simulated loop must not jump while there is a handle; so the loop looks again when one goes.
    simulated: bool,
    /// The process of the loop, as a count of forks.
    process: u32,
    /// The thread of the loop, which is awake when it comes here itself.
    thread: ThreadId,
    /// The loop is a guest of a foreign loop, which may sleep while the thread is here.
    hosted: AtomicBool,
}

impl Shared {
    /// For a loop of this process and thread.
    pub(crate) fn new(bell: Bell, simulated: bool, hosted: bool) -> Arc<Self> {
        Arc::new(Shared {
            handover: Handover::new(),
            bell,
            handles: Headcount::new(),
            leaving: Headcount::new(),
            awaited: Headcount::new(),
            simulated,
            process: fork::generation(),
            thread: thread::current().id(),
            hosted: AtomicBool::new(hosted),
        })
    }

    /// Whether another thread can still schedule something. In a forked child there is none.
    pub(crate) fn has_handles(&self) -> bool {
        self.process == fork::generation() && (self.handles.count() > 0 || self.leaving.count() > 0)
    }

    /// How many there are that `loop_wait` waits for.
    pub(crate) fn awaited(&self) -> usize {
        self.awaited.count()
    }

    pub(crate) fn be_hosted(&self) {
        self.hosted.store(true, Ordering::Relaxed);
    }

    /// Wakes a loop that may sleep.
    fn ring(&self) {
        if self.may_sleep() {
            self.bell.ring();
        }
    }

    /// Seen from the thread that asks.
    fn may_sleep(&self) -> bool {
        thread::current().id() != self.thread || self.hosted.load(Ordering::Relaxed)
    }

    /// Puts something into the basket, and rings if nobody has.
    fn hand_over<I>(&self, item: I, into: impl FnOnce(I, &mut Arrived)) -> Result<(), I> {
        if self.handover.put(item, into, || self.may_sleep())? {
            self.bell.ring();
        }
        Ok(())
    }
}

/// What is handed over.
#[derive(Default)]
pub(crate) struct Arrived {
    pub(crate) closures: VecDeque<Job>,
    /// Tasks of futures that were woken. Each counts until it has joined the immediates.
    pub(crate) wakes: Vec<(Key, Awaited)>,
}

/// As long as one of these lives, `loop_wait` goes on: something may still come (THR-3).
pub(crate) struct Awaited(Arc<Shared>);

impl Awaited {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.awaited.enter();
        Awaited(Arc::clone(shared))
    }
}

impl Clone for Awaited {
    fn clone(&self) -> Self {
        Awaited::new(&self.0)
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        let last = self.0.awaited.leave();
        if last && self.0.process == fork::generation() {
            // A loop that sleeps has to see it.
            self.0.ring();
        }
    }
}

/// A closure, which goes before it counts no more.
struct Counted<F> {
    closure: F,
    awaited: Awaited,
}

/// The closure cannot run any more, because the loop's context is gone. Hands it back.
pub struct ScheduleError<F>(F);

impl<F> ScheduleError<F> {
    /// What was to run.
    pub fn into_inner(self) -> F {
        self.0
    }
}

impl<F> fmt::Debug for ScheduleError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScheduleError").finish_non_exhaustive()
    }
}

impl<F> fmt::Display for ScheduleError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the context has been freed")
    }
}

impl<F> std::error::Error for ScheduleError<F> {}

impl ThreadedContext {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        shared.handles.enter();
        ThreadedContext(Arc::clone(shared))
    }

    /// Schedules a closure into the loop: it runs in the loop's thread as an immediate does, given the context. What one
    /// thread schedules runs in the order in which it was scheduled. A sleeping loop is woken; one that is awake, or has
    /// been woken, is not told again.
    ///
    /// A closure that was accepted and has not run when the context goes is dropped with it, in the loop's thread.
    ///
    /// C equivalent: `tevent_threaded_schedule_immediate`. Spec: THR-1, THR-2.
    ///
    /// ```
    /// use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
    /// use tevent_core::Context;
    ///
    /// let ctx = Context::new()?;
    /// let (handle, result) = (ctx.threaded()?, Arc::new(AtomicU32::new(0)));
    /// let into = Arc::clone(&result);
    /// let worker = std::thread::spawn(move || {
    ///     let sum = (1..=100).sum();
    ///     handle.schedule(move |_ev| into.store(sum, Ordering::Relaxed))
    /// });
    /// ctx.loop_until(|| result.load(Ordering::Relaxed) > 0)?;
    /// assert_eq!(result.load(Ordering::Relaxed), 5050);
    /// # assert!(worker.join().is_ok_and(|scheduled| scheduled.is_ok()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// There is no bound on how many may wait; each takes 40 bytes until it has run. One that captures up to three words (24 bytes) is
    /// not allocated for, a larger one is put into a box. Only the first since the loop last looked wakes it.
    ///
    /// # Complexity
    /// O(1): one lock, which is held for a move.
    ///
    /// # Errors
    /// When the context is gone; the error hands the closure back.
    #[doc(alias = "tevent_threaded_schedule_immediate")]
    #[track_caller]
    pub fn schedule<F>(&self, closure: F) -> Result<(), ScheduleError<F>>
    where
        F: FnOnce(&ContextRef) + Send + 'static,
    {
        self.hand_over(closure, |closure| closure, Location::caller()).map_err(ScheduleError)
    }

    /// As [`schedule`](Self::schedule). The closure counts until it has run, or was dropped.
    pub(crate) fn schedule_awaited<F>(
        &self,
        closure: F,
        awaited: Awaited,
        location: Location,
    ) -> Result<(), ScheduleError<F>>
    where
        F: FnOnce(&ContextRef) + Send + 'static,
    {
        let call = |counted: Counted<F>| {
            move |ev: &ContextRef| {
                let Counted { closure, awaited } = counted;
                let _until_it_has_run = awaited;
                closure(ev);
            }
        };
        let put = self.hand_over(Counted { closure, awaited }, call, location);
        put.map_err(|refused| ScheduleError(refused.closure))
    }

    fn hand_over<I, F>(&self, item: I, into: impl FnOnce(I) -> F, location: Location) -> Result<(), I>
    where
        F: FnOnce(&ContextRef) + Send + 'static,
    {
        if self.0.process != fork::generation() {
            // In a forked child the lock may be held by a thread that is not here.
            return Err(item);
        }
        let push = |item, arrived: &mut Arrived| {
            arrived.closures.push_back(Job { closure: Parcel::new(into(item)), location });
        };
        self.0.hand_over(item, push)
    }

    /// Counts from now on.
    pub(crate) fn awaited(&self) -> Awaited {
        Awaited::new(&self.0)
    }

    pub(crate) fn downgrade(&self) -> WeakThreads {
        WeakThreads(Arc::downgrade(&self.0))
    }
}

impl Clone for ThreadedContext {
    fn clone(&self) -> Self {
        ThreadedContext::new(&self.0)
    }
}

impl Drop for ThreadedContext {
    fn drop(&mut self) {
        // Before the ring: the loop that it wakes must not count this one. Until then a virtual clock is held: the loop must
        // not find that nothing can come any more while the ring is under way.
        self.0.leaving.enter();
        self.0.handles.leave();
        if self.0.simulated && self.0.process == fork::generation() {
            self.0.ring();
        }
        self.0.leaving.leave();
    }
}

/// As [`ThreadedContext`], for wakers: it does not hold a virtual clock.
pub(crate) struct WeakThreads(Weak<Shared>);

impl WeakThreads {
    /// Wakes a foreign loop that sleeps, for a task that this thread has woken itself.
    pub(crate) fn ring(&self) {
        if let Some(shared) = self.0.upgrade().filter(|shared| shared.process == fork::generation()) {
            shared.ring();
        }
    }

    /// Whether it wakes nobody any more: the loop is gone, or this is a forked child of its process.
    pub(crate) fn is_dead(&self) -> bool {
        self.0.upgrade().is_none_or(|shared| shared.process != fork::generation())
    }

    /// Has the loop poll that task, unless it is gone, or this is a forked child of its process.
    pub(crate) fn wake(&self, task: Key) {
        let Some(shared) = self.0.upgrade().filter(|shared| shared.process == fork::generation()) else {
            return;
        };
        let push = |task, arrived: &mut Arrived| arrived.wakes.push((task, Awaited::new(&shared)));
        // A loop that is gone polls no task.
        let _refused = shared.hand_over(task, push);
    }
}

impl fmt::Debug for ThreadedContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadedContext").finish_non_exhaustive()
    }
}
