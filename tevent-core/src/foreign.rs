//! Living inside another loop: an fd to watch, a time to wake up at, and turns that never sleep.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::time::Duration;

use crate::context::ContextRef;
use crate::dispatch::{self, Patience};
use crate::error::LoopError;
use crate::fd_table::FdTable;
use crate::location::Location;
use crate::sys::epoll::{self, Change};
use crate::sys::eventfd::Bell;
use crate::sys::fork;

/// What a foreign loop watches for READ, such as tokio's `AsyncFd`, glib's `g_source_add_unix_fd`, a bare epoll, or another of our
/// contexts. Made by [`ContextRef::loop_fd`].
///
/// It stays open as long as it lives, whatever becomes of the context. When that is freed it is never readable again.
///
/// In a forked child it stands for a kernel object of the child's own under the same number, from the first use of the
/// context there; a foreign loop that shares its own object with the parent has to be made anew in the child and to add it again.
#[derive(Clone)]
pub struct LoopFd(Rc<Outer>);

impl AsFd for LoopFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.object.as_fd()
    }
}

impl AsRawFd for LoopFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.object.as_raw_fd()
    }
}

impl fmt::Debug for LoopFd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LoopFd").field(&self.as_raw_fd()).finish()
    }
}

/// An epoll object around that of the backend, which changes: it is made anew for a fork, for `re_initialise`, and when it
/// reports what nobody can name any more.
pub(crate) struct Outer {
    object: OwnedFd,
    /// Wakes the foreign loop when its time-out has become too long.
    bell: RefCell<Bell>,
    rung: Cell<bool>,
    /// The process it belongs to, as a count of forks.
    process: Cell<u32>,
}

impl Outer {
    fn new() -> io::Result<Rc<Self>> {
        let (object, bell) = (epoll::create()?, Bell::new()?);
        add(&object, bell.as_fd().as_raw_fd())?;
        let process = Cell::new(fork::generation());
        Ok(Rc::new(Outer { object, bell: RefCell::new(bell), rung: Cell::new(false), process }))
    }

    /// Is readable when that one is.
    pub(crate) fn watch(&self, inner: RawFd) -> io::Result<()> {
        if !self.is_own() {
            let bell = Bell::new()?;
            epoll::renew(&self.object)?;
            add(&self.object, bell.as_fd().as_raw_fd())?;
            // Now that nothing of it is the parent's.
            self.bell.replace(bell);
            self.rung.set(false);
            self.process.set(fork::generation());
        }
        add(&self.object, inner)
    }

    /// Before that one is closed, as a forked child may hold it open. In the child it is the parent's, and is left alone.
    pub(crate) fn forget(&self, inner: RawFd) {
        if self.is_own() {
            // It fails where it was never added.
            let _ = epoll::control(self.object.as_raw_fd(), Change::Delete, inner, 0, 0);
        }
    }

    /// The foreign loop looks again, until it has asked how long it may sleep.
    pub(crate) fn ring(&self) {
        if self.is_own() && !self.rung.replace(true) {
            self.bell.borrow().ring();
        }
    }

    pub(crate) fn silence(&self) {
        if self.is_own() && self.rung.replace(false) {
            self.bell.borrow().silence();
        }
    }

    fn is_own(&self) -> bool {
        self.process.get() == fork::generation()
    }
}

fn add(epoll: &OwnedFd, number: RawFd) -> io::Result<()> {
    epoll::control(epoll.as_raw_fd(), Change::Add, number, libc::EPOLLIN.cast_unsigned(), 0)
}

impl ContextRef {
    /// An fd that is readable when an fd event, a signal or another thread has something for this loop. With it the loop can live
    /// inside another one:
    ///
    /// - watch it for READ, and sleep no longer than [`next_timeout`](Self::next_timeout), asked before each sleep;
    /// - when either comes, call [`dispatch`](Self::dispatch) once, if the loop is told of a readiness as long as it lasts
    ///   (level-triggered). One that is told of it once (edge-triggered, such as tokio's) calls it until it says false, and should let
    ///   others run between two calls, because an event that stays ready makes that never.
    ///
    /// What is added or scheduled outside of its turns while the foreign loop sleeps, as by another task of tokio, makes it readable
    /// too, where the time-out has become too long. From the first call on the kernel is told of every change at once.
    ///
    /// `examples/inside_tokio.rs` is the recipe for tokio. The foreign loop is not told that the context has been freed, as the fd is
    /// never readable again: who frees the context also ends what waits for the fd, as shown there.
    ///
    /// C has no equivalent.
    ///
    /// ```
    /// use std::{io::Write, os::unix::net::UnixStream, time::Duration};
    /// use tevent_core::{Context, FdFlags};
    ///
    /// let (outer, inner) = (Context::new()?, Context::new()?); // one of our own as the foreign loop
    /// let fd = inner.loop_fd()?;
    /// let guest = inner.clone();
    /// let _watch = outer.add_fd(&fd, FdFlags::READ, move |_ev, _fde, _flags| {
    ///     guest.dispatch().expect("the guest has its context");
    /// })?;
    ///
    /// let (near, mut far) = UnixStream::pair()?;
    /// let _fde = inner.add_fd(&near, FdFlags::READ, |_ev, fde, _flags| fde.set_flags(FdFlags::NONE))?;
    /// far.write_all(b"x")?;
    /// assert_eq!(inner.next_timeout(), None); // only the kernel has something for it
    /// outer.loop_once()?;
    /// assert_eq!(inner.stats().handled.fds, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `Unsupported` for a [simulated](crate::Backend::Simulated) context, which has no kernel object (the other two calls work on
    /// it); a context that has been freed; or a process that has too many open files.
    pub fn loop_fd(&self) -> io::Result<LoopFd> {
        let made = self.with_fds(|fds| -> io::Result<Rc<Outer>> {
            if let Some(outer) = fds.outer() {
                return Ok(Rc::clone(outer));
            }
            let outer = Outer::new()?;
            fds.embed(Rc::clone(&outer))?;
            Ok(outer)
        });
        let outer = made.unwrap_or_else(|| Err(LoopError::Freed.into()))?;
        self.be_hosted();
        Ok(LoopFd(outer))
    }

    /// How long a foreign loop may sleep before it calls [`dispatch`](Self::dispatch), if its fd is not readable before: zero when
    /// something can run at once, the time to the next timer, or `None` when there is none. The wait timeout of LOOP-2 has no part in it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tevent_core::{Backend, Context};
    ///
    /// let ctx = Context::builder().backend(Backend::Simulated { seed: 1 }).build()?;
    /// assert_eq!(ctx.next_timeout(), None);
    /// ctx.keep(ctx.add_timer(Duration::from_secs(5), |_ev, _te, _now| {}));
    /// assert_eq!(ctx.next_timeout(), Some(Duration::from_secs(5)));
    /// assert!(!ctx.dispatch()?); // nothing is ready, and it does not wait
    /// ctx.advance_clock(Duration::from_secs(5));
    /// assert_eq!(ctx.next_timeout(), Some(Duration::ZERO));
    /// assert!(ctx.dispatch()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    /// Round up to the unit of the foreign loop, such as `timeout.as_nanos().div_ceil(1_000_000)` milliseconds: rounded down it spins
    /// for the last part of each sleep. Only the loop that is going to sleep may ask: what would have woken it is taken as seen.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        self.with_outer(Outer::silence);
        if self.signals().is_deaf() && self.signals().be_heard(self).is_err() {
            // No room for what would wake the foreign loop: it looks by itself, until there is.
            return Some(Duration::ZERO);
        }
        if self.is_hosted() && self.tasks().wake_host(self).is_err() {
            return Some(Duration::ZERO);
        }
        if self.with_fds(|fds| fds.is_ready()).unwrap_or(false) {
            return Some(Duration::ZERO);
        }
        dispatch::time_to_next(self)
    }

    /// One turn that never sleeps; says whether there was anything to do, and so may be more. Else as
    /// [`loop_once`](Self::loop_once): at most one source's handlers run, and inside a handler it has to be
    /// [allowed](Self::allow_nesting).
    ///
    /// # Errors
    /// As `loop_once`, but for [`WouldBlock`](LoopError::WouldBlock): to find nothing is no failure here.
    ///
    /// # Panics
    /// As `loop_once`.
    #[track_caller]
    pub fn dispatch(&self) -> Result<bool, LoopError> {
        self.with_outer(Outer::silence);
        let _then = Arm(self);
        match self.nested(Location::caller(), || dispatch::turn(self, Patience::None)) {
            Ok(()) => Ok(true),
            Err(LoopError::WouldBlock) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl ContextRef {
    /// Something may be due earlier than a foreign loop that sleeps has been told.
    #[inline]
    pub(crate) fn is_due_earlier(&self) {
        if self.is_hosted() && self.nesting().level() == 0 {
            self.with_outer(Outer::ring);
        }
    }

    #[cold]
    fn arm_for_host(&self) {
        self.with_fds(FdTable::arm);
        self.is_due_earlier();
    }

    fn with_outer(&self, run: impl FnOnce(&Outer)) {
        if self.is_hosted()
            && let Some(outer) = self.with_fds(|fds| fds.outer().cloned()).flatten()
        {
            run(&outer);
        }
    }
}

/// Before control goes back to somebody who has run turns beside a foreign loop that sleeps: it has not been told of what they left
/// behind.
pub(crate) struct Beside<'a>(pub(crate) &'a ContextRef);

impl Drop for Beside<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.0.is_hosted() {
            self.0.arm_for_host();
        }
    }
}

/// Before control goes back to a foreign loop, also by a panic.
struct Arm<'a>(&'a ContextRef);

impl Drop for Arm<'_> {
    fn drop(&mut self) {
        self.0.with_fds(FdTable::arm);
    }
}
