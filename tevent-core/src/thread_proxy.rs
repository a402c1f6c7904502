//! Threads that the loop waits for (THR-3).

use std::fmt;
use std::io;

use crate::context::ContextRef;
use crate::location::Location;
use crate::threaded::{Awaited, ScheduleError, ThreadedContext};

/// As [`ThreadedContext`], and keeps [`loop_wait`](ContextRef::loop_wait) going: as long as a proxy or one of its clones lives,
/// something may still come. `Send`, `Sync` and cheap to clone.
///
/// Made by the owner's thread, with [`ContextRef::thread_proxy`]. When the last one goes, and what it has scheduled has run, it
/// counts no more; a loop that sleeps is woken to see that.
///
/// C equivalent: `struct tevent_thread_proxy`. Spec: THR-3.
#[doc(alias = "tevent_thread_proxy")]
#[derive(Clone)]
pub struct ThreadProxy {
    /// The first to go: a virtual clock is held as long as the loop may still wait for this.
    awaited: Awaited,
    threads: ThreadedContext,
}

impl ThreadProxy {
    /// Schedules a closure into the loop, with all that it owns: it runs in the loop's thread as an immediate does, given the
    /// context. What one thread schedules runs in the order in which it was scheduled. Else as
    /// [`ThreadedContext::schedule`].
    ///
    /// C equivalent: `tevent_thread_proxy_schedule`. Spec: THR-3.
    ///
    /// ```
    /// use std::{sync::mpsc, thread};
    /// use tevent_core::Context;
    ///
    /// let ctx = Context::new()?;
    /// let proxy = ctx.thread_proxy()?;
    /// let (into, results) = mpsc::channel();
    /// thread::spawn(move || {
    ///     for n in 1..=3 {
    ///         let (into, work) = (into.clone(), vec![n; n]); // the closure owns its data
    ///         let _ = proxy.schedule(move |_ev| into.send(work.len()).unwrap_or_default());
    ///     }
    /// }); // and with the thread the proxy goes
    /// ctx.loop_wait()?; // so this ends
    /// assert_eq!(results.iter().sum::<usize>(), 6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the context is gone; the error hands the closure back.
    #[doc(alias = "tevent_thread_proxy_schedule")]
    #[track_caller]
    pub fn schedule<F>(&self, closure: F) -> Result<(), ScheduleError<F>>
    where
        F: FnOnce(&ContextRef) + Send + 'static,
    {
        self.threads.schedule_awaited(closure, self.awaited.clone(), Location::caller())
    }
}

impl fmt::Debug for ThreadProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadProxy").finish_non_exhaustive()
    }
}

impl ContextRef {
    /// A handle with which other threads schedule closures into this loop, and for which
    /// [`loop_wait`](Self::loop_wait) waits. Else as [`threaded`](Self::threaded).
    ///
    /// C equivalent: `tevent_thread_proxy_create`. Spec: THR-3.
    ///
    /// # Errors
    /// When the context has been freed, or the process has too many open files.
    #[doc(alias = "tevent_thread_proxy_create")]
    pub fn thread_proxy(&self) -> io::Result<ThreadProxy> {
        let threads = self.threaded()?;
        let awaited = threads.awaited();
        Ok(ThreadProxy { awaited, threads })
    }
}
