//! Choosing a context's backend and batch.

use std::io;
use std::rc::Rc;

use crate::context::Context;
use crate::fd_table::FdTable;
use crate::reactor::{Epoll, Reactor, Rearm, Sim, SimClock};
use crate::sys::fork;

/// What stands between the loop and the kernel. All keep the same promises; the default is for daemons.
///
/// One thing they notice at different times: that a number was closed under a borrowed event. The kernel says nothing of it, so
/// that only the simulated one, which looks at each number, disarms such an event at once; the others do when the kernel is next
/// told of the number ([`add_fd`](crate::ContextRef::add_fd), [`set_flags`](crate::FdRef::set_flags)).
///
/// C equivalent: the names that `tevent_backend_list` gives.
#[doc(alias = "tevent_backend_list")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// Level-triggered epoll.
    #[default]
    Epoll,
    /// Edge-triggered registrations that are armed again before each wait: portable, one more system call for
    /// each fd event.
    Rearm,
    /// Real fds looked at without waiting, a virtual clock that jumps where the loop would sleep, and an order of
    /// ready fds drawn from a seed. For tests: they never sleep, and one seed gives one order.
    ///
    /// Call [`set_wait_timeout(None)`](crate::ContextRef::set_wait_timeout) in such a test: a loop that nothing can wake then fails, and
    /// says so. With the usual wait timeout it jumps 30 seconds a turn, for ever. Times come from
    /// [`now`](crate::ContextRef::now): once the clock has jumped, `Instant::now()` lies in its past.
    Simulated {
        /// The same seed gives the same order.
        seed: u64,
    },
}

/// Makes a [`Context`] that is not the default one.
///
/// ```
/// use std::time::Duration;
/// use tevent_core::{Backend, Context};
///
/// let ctx = Context::builder().backend(Backend::Simulated { seed: 7 }).build()?;
/// let year = Duration::from_secs(365 * 24 * 60 * 60);
/// let started = ctx.now();
/// let _timer = ctx.add_timer(year, |_ev, _te, _now| {});
/// ctx.loop_wait()?; // returns at once
/// assert_eq!(ctx.now() - started, year);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder makes a context only when it is told to `build`"]
pub struct Builder {
    backend: Backend,
    batch: usize,
}

/// The room for a batch is allocated once; more of it would serve nobody.
const LARGEST_BATCH: usize = 4096;

impl Builder {
    pub(crate) const fn new() -> Self {
        Builder { backend: Backend::Epoll, batch: 1 }
    }

    /// Chooses the backend.
    pub const fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// Fetches up to `n` ready fds in one wait; 1 at first, as C does. Above 4,096 it is 4,096.
    ///
    /// They are still dispatched one a turn, immediates and timers are looked at in between, and what
    /// was freed or changed since the fetch is not dispatched. What differs from 1: an fd may have been drained by
    /// another handler since it was fetched (so use non-blocking fds), and ready fds may come in another order.
    ///
    /// Where many fds are ready at a time it saves nearly all of the waits: with 64 of them one system call in place of 64.
    ///
    /// ```
    /// use tevent_core::Context;
    ///
    /// let ctx = Context::builder().batch(64).build()?; // for a daemon with many busy connections
    /// assert_eq!(ctx.stats().turns, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If `n` is 0.
    #[track_caller]
    pub const fn batch(mut self, n: usize) -> Self {
        assert!(n > 0, "a batch holds at least one event");
        self.batch = if n < LARGEST_BATCH { n } else { LARGEST_BATCH };
        self
    }

    /// Makes the context.
    ///
    /// C equivalent: `tevent_context_init_byname`.
    ///
    /// # Errors
    /// When the kernel gives no epoll object, for example because the process has too many open files.
    #[doc(alias = "tevent_context_init_byname")]
    #[track_caller]
    pub fn build(self) -> io::Result<Context> {
        fork::watch();
        let simulated = matches!(self.backend, Backend::Simulated { .. });
        let clock = simulated.then(SimClock::new);
        let fds = self.fd_table(clock.as_ref())?;
        Ok(Context::assemble(self, fds, clock))
    }

    /// An empty table on a new backend. A simulated one goes by that clock.
    pub(crate) fn fd_table(&self, clock: Option<&Rc<SimClock>>) -> io::Result<FdTable> {
        let batch = self.batch;
        let reactor: Box<dyn Reactor> = match (self.backend, clock) {
            (Backend::Simulated { seed }, Some(clock)) => Box::new(Sim::new(batch, seed, Rc::clone(clock))),
            (Backend::Rearm, _) => Box::new(Rearm::new(batch)?),
            _ => Box::new(Epoll::new(batch)?),
        };
        Ok(FdTable::new(reactor, batch))
    }
}
