//! Scheduling from other threads (THR).

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, ThreadId};

use crate::context::ContextRef;
use crate::fd::FdEvent;
use crate::fd_flags::FdFlags;
use crate::handover::Handover;
use crate::immediate::Immediate;
use crate::list::Key;
use crate::location::Location;
use crate::stack::drop_each;
use crate::sys::eventfd::Bell;
use crate::sys::fork;

/// Lets any thread run a closure in the loop's own thread. `Send`, `Sync` and cheap to clone; keeps nothing alive and does
/// not keep [`loop_wait`](ContextRef::loop_wait) going.
///
/// Made by the owner's thread, with [`ContextRef::threaded`].
///
/// C equivalent: `struct tevent_threaded_context`. Spec: THR-1, THR-2.
pub struct ThreadedContext(Arc<Shared>);

struct Shared {
    handover: Handover<Item>,
    bell: Bell,
    /// How many handles there are.
    handles: AtomicUsize,
    /// How many [`Awaited`] there are.
    awaited: AtomicUsize,
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
    /// Wakes a loop that may sleep.
    fn ring(&self) {
        if thread::current().id() != self.thread || self.hosted.load(Ordering::Relaxed) {
            self.bell.ring();
        }
    }
}

/// What is handed over.
enum Item {
    Closure(Job),
    /// A task of a future was woken; it counts until it has joined the immediates.
    Wake(Key, Awaited),
}

type Closure = Box<dyn FnOnce(&ContextRef) + Send>;

struct Job {
    closure: Closure,
    location: Location,
    /// Counts until the closure has run.
    awaited: Option<Awaited>,
}

/// As long as one of these lives, `loop_wait` goes on: something may still come (THR-3).
pub(crate) struct Awaited(Arc<Shared>);

impl Awaited {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.awaited.fetch_add(1, Ordering::Relaxed);
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
        let last = self.0.awaited.fetch_sub(1, Ordering::Release) == 1;
        if last && self.0.process == fork::generation() {
            // A loop that sleeps has to see it.
            self.0.ring();
        }
    }
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
    fn new(shared: &Arc<Shared>) -> Self {
        shared.handles.fetch_add(1, Ordering::SeqCst);
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
    /// # Errors
    /// When the context is gone; the error hands the closure back.
    #[doc(alias = "tevent_threaded_schedule_immediate")]
    #[track_caller]
    pub fn schedule<F>(&self, closure: F) -> Result<(), ScheduleError<F>>
    where
        F: FnOnce(&ContextRef) + Send + 'static,
    {
        self.hand_over(closure, None, Location::caller())
    }

    pub(crate) fn hand_over<F>(
        &self,
        closure: F,
        awaited: Option<Awaited>,
        location: Location,
    ) -> Result<(), ScheduleError<F>>
    where
        F: FnOnce(&ContextRef) + Send + 'static,
    {
        if self.0.process != fork::generation() {
            // In a forked child the lock may be held by a thread that is not here.
            return Err(ScheduleError(closure));
        }
        let into = |closure| Item::Closure(Job { closure: Box::new(closure) as Closure, location, awaited });
        let ring = self.0.handover.put(closure, into).map_err(ScheduleError)?;
        if ring {
            self.0.ring();
        }
        Ok(())
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
        // Before the ring: the loop that it wakes must not count this one.
        self.0.handles.fetch_sub(1, Ordering::SeqCst);
        if self.0.simulated && self.0.process == fork::generation() {
            self.0.ring();
        }
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
        let put = shared.handover.put(task, |task| Item::Wake(task, Awaited::new(&shared)));
        if matches!(put, Ok(true)) {
            shared.ring();
        }
    }
}

impl fmt::Debug for ThreadedContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadedContext").finish_non_exhaustive()
    }
}

/// The loop's side; it comes into being with the first handle, and goes with the context.
#[derive(Default)]
pub(crate) struct Threads(RefCell<Option<Listening>>);

struct Listening {
    shared: Arc<Shared>,
    _watch: FdEvent,
}

/// The loop's share, which the fd event watches.
struct Ear(Arc<Shared>);

impl AsFd for Ear {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.bell.as_fd()
    }
}

impl ContextRef {
    /// A handle with which other threads schedule closures into this loop.
    ///
    /// The first call makes a wake-up fd, which the loop watches from then on. On a [simulated](crate::Backend::Simulated)
    /// context the clock does not jump while a handle lives, because another thread may still use it.
    ///
    /// C equivalent: `tevent_threaded_context_create`. Spec: THR-1.
    ///
    /// # Errors
    /// When the context has been freed, or the process has too many open files.
    #[doc(alias = "tevent_threaded_context_create")]
    pub fn threaded(&self) -> io::Result<ThreadedContext> {
        if let Some(listening) = &*self.threads().0.borrow() {
            return Ok(ThreadedContext::new(&listening.shared));
        }
        let simulated = self.sim_clock().is_some();
        let shared = Arc::new(Shared {
            handover: Handover::new(),
            bell: Bell::new()?,
            handles: AtomicUsize::new(0),
            awaited: AtomicUsize::new(0),
            hosted: AtomicBool::new(self.is_hosted()),
            simulated,
            process: fork::generation(),
            thread: thread::current().id(),
        });
        let ear = Rc::new(Ear(Arc::clone(&shared)));
        let heard = Rc::downgrade(&ear);
        let watch = self.add_internal_fd(ear, FdFlags::READ, move |ev, _fde, _flags| {
            if let Some(ear) = heard.upgrade() {
                ear.0.bell.silence();
                ev.counters().count_wakeup();
            }
        })?;
        if let Some(clock) = self.sim_clock() {
            let shared = Arc::downgrade(&shared);
            let handles = move || shared.upgrade().map_or(0, |shared| shared.handles.load(Ordering::SeqCst));
            clock.hold_while(move || handles() > 0);
        }
        let handle = ThreadedContext::new(&shared);
        self.threads().0.replace(Some(Listening { shared, _watch: watch }));
        Ok(handle)
    }
}

impl Threads {
    /// What other threads have scheduled joins the immediates, at their tail (LOOP-1).
    pub(crate) fn move_to_immediates(&self, ev: &ContextRef) {
        let items = match &*self.0.borrow() {
            Some(listening) if listening.shared.handover.is_waiting() => listening.shared.handover.take(),
            _ => return,
        };
        for item in items {
            match item {
                Item::Closure(job) => enlist(ev, job),
                Item::Wake(task, _counts) => ev.tasks().woken_afar(task),
            }
        }
    }

    /// The loop has become a guest.
    pub(crate) fn note_hosted(&self) {
        if let Some(listening) = &*self.0.borrow() {
            listening.shared.hosted.store(true, Ordering::Relaxed);
        }
    }

    /// Whether something was scheduled that has not joined the immediates.
    pub(crate) fn are_waiting(&self) -> bool {
        self.0.borrow().as_ref().is_some_and(|listening| listening.shared.handover.is_waiting())
    }

    /// From how many handles and closures something may still come that the loop waits for.
    pub(crate) fn awaited(&self) -> usize {
        let listening = self.0.borrow();
        listening.as_ref().map_or(0, |listening| listening.shared.awaited.load(Ordering::Acquire))
    }

    /// In a forked child, where the threads are not: their handles are dead, and the bell is the parent's too.
    pub(crate) fn abandon(&self) {
        let listening = self.0.take();
        drop(listening);
    }

    /// The context goes, or begins anew, with none.
    pub(crate) fn take(&self) -> Self {
        Threads(RefCell::new(self.0.take()))
    }

    /// Handles give back what they are given from now on.
    pub(crate) fn close(self) {
        if let Some(listening) = self.0.into_inner() {
            drop_each(listening.shared.handover.close());
        }
    }
}

/// The immediate belongs to the context until it has run.
fn enlist(ev: &ContextRef, job: Job) {
    let im = ev.keep(Immediate::empty_at(job.location));
    im.schedule_with(ev, move |ev, im| {
        let _until_it_has_run = ev.take(im);
        let _awaited = job.awaited;
        (job.closure)(ev);
    });
}
