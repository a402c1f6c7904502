//! Fd events (FD): handlers that run as long as a file is ready.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::io;
use std::os::fd::RawFd;
use std::rc::{Rc, Weak};

use crate::context::ContextRef;
use crate::event::{EventBase, event_ref};
use crate::fd_flags::FdFlags;
use crate::fd_inner::{CloseFn, Inner, Interest, Marks, let_go, shared_file};
use crate::fd_source::{AddFdError, FdSource, Hold};
use crate::fd_table::FdTable;
use crate::location::Location;
use crate::look::look;
use crate::panics::Panics;
use crate::stack::{bounded, bounded_drop};
use crate::sys::event_rc::{EventRc, Handler};
use crate::trace::{DebugLevel, EventTracePoint, Traced};

/// Watches a file. Owns: dropping it ends the watch at once.
///
/// Made by [`ContextRef::add_fd`]. All its methods are those of [`FdRef`], to which it derefs;
/// `fde.clone()` gives such a Ref.
///
/// When it is dropped it is no longer watched, its handler is never called again (also when the kernel has
/// reported the file already), then its [close function](FdRef::set_close_fn) runs, then a file it owns is
/// closed.
///
/// An `FdEvent` that is kept inside its own handler can never be dropped and leaks; let the context or a
/// request keep it.
///
/// C equivalent: `struct tevent_fd`. Spec: FD-1 to FD-12.
///
/// # Complexity
/// Dropping it is O(1), however many events watch its number (on a [simulated](crate::Backend::Simulated) context O(n) in the number of
/// watched fds), and a system call, but for a file that somebody else [shares](FdSource) too.
#[doc(alias = "tevent_fd")]
#[must_use = "dropping an FdEvent ends the watch; `ctx.keep(fde)` lets it go on"]
pub struct FdEvent(FdRef);

/// A handle on an [`FdEvent`]: a cheap clone that frees nothing and turns inert when the owner goes.
#[derive(Clone)]
#[repr(transparent)] // see `sys/event_or_box.rs`
pub struct FdRef(EventRc<Inner>);

event_ref!(FdEvent, FdRef, "tevent_fd_set_tag", "tevent_fd_get_tag");

impl ContextRef {
    /// Watches a file. The handler runs in a turn of its own whenever one of the asked flags is ready and
    /// nothing of higher priority is; it is called again in later turns as long as the condition holds
    /// (level-triggered).
    ///
    /// `fd` is anything that [`FdSource`] is made from: a reference or a number (borrowed), an `Rc` (shared)
    /// or an `OwnedFd` (closed with the event). Any number of events may watch one number; for one readiness
    /// one of them runs, in rotation (FD-4).
    ///
    /// The handler is given the context, the event, and those of its own flags that are ready: at least one,
    /// never another (FD-5). With [`FdFlags::NONE`] the event exists and nothing is watched.
    /// Files that the kernel cannot watch, such as regular files, are always ready to read and write (FD-10).
    ///
    /// The mode of the file stays as it is. A handler that reads or writes by `std` needs `set_nonblocking(true)`: a blocking file sleeps in
    /// a write that does not fit, and in a read where another was faster, and the loop with it. A `tevent::io::Stream` does not need it.
    ///
    /// A number that is not open is no error: the event is added and disarmed, its flags read `NONE` (FD-3).
    ///
    /// C equivalent: `tevent_add_fd`; with an `OwnedFd` also `tevent_fd_set_auto_close`. Spec: FD-1 to FD-12.
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use std::os::unix::net::UnixStream;
    /// use tevent_core::{Context, FdFlags};
    ///
    /// let ctx = Context::new()?;
    /// let (mut near, mut far) = UnixStream::pair()?;
    /// far.write_all(b"hello")?;
    /// let fde = ctx.add_fd(&near, FdFlags::READ, |_ev, fde, flags| {
    ///     assert_eq!(flags, FdFlags::READ);
    ///     fde.set_flags(FdFlags::NONE); // once is enough
    /// })?;
    /// ctx.loop_wait()?; // no event is left that could fire
    /// let mut five = [0; 5];
    /// near.read_exact(&mut five)?;
    /// assert_eq!(&five, b"hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A negative number, a context that has been freed, or a kernel that refuses to watch one more file.
    ///
    /// # Complexity
    /// O(1).
    #[doc(alias = "tevent_add_fd")]
    #[doc(alias = "tevent_fd_set_auto_close")]
    #[doc(alias = "tevent_fd_handler_t")]
    #[track_caller]
    pub fn add_fd(
        &self,
        fd: impl Into<FdSource>,
        flags: FdFlags,
        handler: impl Fn(&ContextRef, &FdRef, FdFlags) + 'static,
    ) -> Result<FdEvent, AddFdError> {
        self.watch(fd.into(), flags, Marks::NONE, handler)
    }

    /// Watches a file of the library's own.
    pub(crate) fn add_internal_fd(
        &self,
        fd: impl Into<FdSource>,
        flags: FdFlags,
        handler: impl Fn(&ContextRef, &FdRef, FdFlags) + 'static,
    ) -> Result<FdEvent, AddFdError> {
        self.watch(fd.into(), flags, Marks::INTERNAL, handler)
    }

    /// Says which numbers were found not to be open (FD-3).
    #[cold]
    pub(crate) fn say_what_is_not_open(&self) {
        let numbers = self.with_fds(FdTable::take_not_open).unwrap_or_default();
        for number in &numbers {
            self.debug(DebugLevel::Error, format_args!("fd {number} is not open: its events are disarmed"));
        }
    }

    #[track_caller]
    fn watch(
        &self,
        FdSource { number, hold }: FdSource,
        flags: FdFlags,
        marks: Marks,
        handler: impl Fn(&ContextRef, &FdRef, FdFlags) + 'static,
    ) -> Result<FdEvent, AddFdError> {
        let fde = FdEvent(FdRef::new(self, number, flags, marks, hold, handler));
        let added = if number < 0 {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "the number is negative"))
        } else {
            self.with_fds(|fds| fds.add(&fde)).unwrap_or_else(|| {
                Err(io::Error::new(io::ErrorKind::NotConnected, "the context has been freed"))
            })
        };
        match added {
            Ok(()) => {
                if fde.flags() != flags {
                    self.say_what_is_not_open();
                }
                if marks != Marks::INTERNAL {
                    fde.interest().mark(Marks::ATTACHED);
                    self.tell(Traced::Fd(&fde), EventTracePoint::Attach);
                }
                Ok(fde)
            }
            Err(error) => {
                let hold = let_go(&fde.0.0);
                let file = FdSource { number, hold };
                // Before the result is made: one that is made already would leak if this panics.
                drop(fde);
                Err(AddFdError::new(file, error))
            }
        }
    }
}

impl Drop for FdEvent {
    fn drop(&mut self) {
        self.0.interest().mark(Marks::FREED);
        let _then = Release(&self.0);
        self.0.detach();
    }
}

/// What comes after the end of the watch, though that panics: the close function, and then the file.
struct Release<'a>(&'a FdRef);

impl Drop for Release<'_> {
    #[inline]
    fn drop(&mut self) {
        let close_fn = self.0.0.close_fn.take();
        if close_fn.is_some() || self.0.interest().is(Marks::HOLDS) {
            self.release(close_fn);
        }
    }
}

impl Release<'_> {
    fn release(&self, close_fn: Option<Box<CloseFn>>) {
        let inner = &self.0.0;
        let hold = let_go(inner);
        let number = inner.interest.number();
        match &hold {
            _ if close_fn.is_some() => {}
            Hold::Borrowed => return,
            // Others keep it: nothing of the user's is dropped.
            Hold::Shared(file) if Rc::strong_count(file) > 1 => return,
            Hold::Shared(_) | Hold::Owned(_) => {}
        }
        // One job, so that the file is closed after the function though that may have to wait.
        let job = move || {
            if let Some(close_fn) = close_fn {
                close_fn(number);
            }
            match hold {
                Hold::Borrowed => {}
                Hold::Shared(file) => drop(file),
                Hold::Owned(file) => drop(file),
            }
        };
        let mut panics = Panics::default();
        panics.catch(|| bounded(job));
        panics.resume();
    }
}

impl FdRef {
    #[track_caller]
    fn new(
        ev: &ContextRef,
        number: RawFd,
        flags: FdFlags,
        marks: Marks,
        hold: Hold,
        handler: impl Handler<Inner>,
    ) -> Self {
        let location = Location::caller();
        let make = || Inner {
            base: EventBase::at(location),
            ctx: Cell::new(Some(ev.clone())),
            close_fn: Cell::new(None),
            interest: Interest::new(number, flags, marks),
        };
        if let Hold::Borrowed = hold {
            return FdRef(EventRc::new(make, handler));
        }
        let fde = FdRef(EventRc::with_beside(make, Cell::new(hold), handler));
        fde.interest().mark(Marks::HOLDS);
        fde
    }

    /// The number it watches.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.interest().number()
    }

    /// The flags it asks for; `NONE` when it is disarmed or freed, or its context is gone (LOOP-7).
    ///
    /// C equivalent: `tevent_fd_get_flags`. Spec: FD-7.
    #[doc(alias = "tevent_fd_get_flags")]
    #[must_use]
    pub fn flags(&self) -> FdFlags {
        self.interest().flags()
    }

    /// Asks for other flags, at once, for this event and for what its siblings on the same number see.
    ///
    /// Where the kernel refuses, for example because the number is no longer open, the event is disarmed, as
    /// in C: [`flags`](Self::flags) reads `NONE` then. Does nothing on an event whose context is gone. After
    /// a hang-up or error was reported to this event it never fires for WRITE alone (FD-6).
    ///
    /// Each change is a system call, but for a file that somebody else [shares](FdSource) too: what narrows the flags of that is told
    /// to the kernel when the loop waits next, and where something asks for the same again by then it is not told at all.
    ///
    /// # Complexity
    /// O(1), where the event is alone on its number.
    ///
    /// C equivalent: `tevent_fd_set_flags`. Spec: FD-7.
    ///
    /// ```
    /// use std::{io::Write, os::unix::net::UnixStream};
    /// use tevent_core::{Context, FdFlags};
    ///
    /// let ctx = Context::new()?;
    /// let (near, mut far) = UnixStream::pair()?;
    /// far.write_all(b"x")?;
    /// let fde = ctx.add_fd(&near, FdFlags::NONE, |_ev, fde, _flags| fde.set_flags(FdFlags::NONE))?;
    /// ctx.loop_wait()?; // nothing is watched, so there is nothing to wait for
    /// fde.set_flags(FdFlags::READ);
    /// ctx.loop_once()?;
    /// assert_eq!(fde.flags(), FdFlags::NONE); // the handler has run
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "tevent_fd_set_flags")]
    #[doc(alias = "TEVENT_FD_READABLE")]
    #[doc(alias = "TEVENT_FD_WRITEABLE")]
    #[doc(alias = "TEVENT_FD_NOT_READABLE")]
    #[doc(alias = "TEVENT_FD_NOT_WRITEABLE")]
    pub fn set_flags(&self, flags: FdFlags) {
        if flags != self.flags() {
            self.with_fds(|fds| fds.set_flags(self, flags));
            if self.flags() != flags {
                let ctx = look(&self.0.ctx, ContextRef::clone);
                ctx.inspect(ContextRef::say_what_is_not_open);
            }
        }
    }

    /// Sets what runs when the event is freed, once, after the fd is no longer watched. It is given the
    /// number. A later call replaces an earlier one; the function replaced is dropped without a call.
    ///
    /// For closing the file nothing needs to be set: give [`add_fd`](ContextRef::add_fd) an `OwnedFd`. A file
    /// that the event owns or shares is still open while the function runs, and released after it.
    ///
    /// C equivalent: `tevent_fd_set_close_fn`. Spec: FD-8.
    ///
    /// ```
    /// use std::os::{fd::AsRawFd, unix::net::UnixStream};
    /// use tevent_core::{Context, FdFlags};
    ///
    /// let ctx = Context::new()?;
    /// let (near, _far) = UnixStream::pair()?;
    /// let fde = ctx.add_fd(&near, FdFlags::READ, |_ev, _fde, _flags| {})?;
    /// let number = near.as_raw_fd();
    /// fde.set_close_fn(move |fd| {
    ///     assert_eq!(fd, number);
    ///     drop(near); // not before the watch has ended
    /// });
    /// drop(fde);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "tevent_fd_set_close_fn")]
    #[doc(alias = "tevent_fd_close_fn_t")]
    pub fn set_close_fn(&self, close_fn: impl FnOnce(RawFd) + 'static) {
        if !self.interest().is(Marks::FREED) {
            bounded_drop(self.0.close_fn.replace(Some(Box::new(Box::new(close_fn)))));
        }
    }

    /// Runs the handler for a readiness that the turn has picked.
    pub(crate) fn run(&self, ev: &ContextRef, flags: FdFlags) {
        if self.is_internal() {
            self.0.call((ev, self, flags));
        } else {
            ev.handle(Traced::Fd(self), || self.0.call((ev, self, flags)));
        }
    }

    /// Out of the table and never called again; freed, or left by its context.
    pub(crate) fn detach(&self) {
        let ctx = self.0.ctx.take();
        if let Some(ctx) = &ctx {
            ctx.with_fds(|fds| fds.remove(self));
        }
        self.interest().set_flags(FdFlags::NONE);
        let Some(ctx) = ctx.filter(|ctx| ctx.trace().is_on() && self.interest().is(Marks::ATTACHED)) else {
            return self.0.dismiss();
        };
        let mut panics = Panics::default();
        panics.catch(|| ctx.tell(Traced::Fd(self), EventTracePoint::Detach));
        panics.catch(|| self.0.dismiss());
        panics.resume();
    }

    fn with_fds<R>(&self, run: impl FnOnce(&mut FdTable) -> R) -> Option<R> {
        look(&self.0.ctx, |ctx| ctx.with_fds(run))?
    }

    /// For the fd table, which has the event in its ring.
    pub(crate) fn interest(&self) -> &Interest {
        &self.0.interest
    }

    pub(crate) fn is_internal(&self) -> bool {
        self.interest().is(Marks::INTERNAL)
    }

    /// Whether it keeps `loop_wait` going.
    pub(crate) fn could_fire(&self) -> bool {
        self.interest().could_fire()
    }

    /// Its file, if others share it, so that it stays open when the event goes. A close function is entitled to a file
    /// that is no longer watched, whoever else has it.
    pub(crate) fn lasting_file(&self) -> Option<Weak<dyn Any>> {
        if !self.interest().is(Marks::HOLDS) || look(&self.0.close_fn, |_set| ()).is_some() {
            return None;
        }
        shared_file(&self.0)
    }
}

impl fmt::Debug for FdRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fd")
            .field("fd", &self.fd())
            .field("flags", &self.flags())
            .field("tag", &self.tag())
            .field("location", &self.location())
            .finish_non_exhaustive()
    }
}
