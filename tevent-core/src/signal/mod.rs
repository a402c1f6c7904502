//! Signal events (SIG): handlers that run in the loop after the process was sent a signal.

pub(crate) mod arrivals;
mod flags;
mod info;
mod pending;
mod ring;

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::io;

use crate::context::ContextRef;
use crate::event::{EventBase, event_ref};
use crate::list::Key;
use crate::location::Location;
use crate::panics::Panics;
use crate::sys::event_rc::{Event, EventRc, Handler};
use crate::trace::{EventTracePoint, Traced};

pub use flags::SignalFlags;
pub use info::{SignalDelivery, SignalInfo};
pub(crate) use pending::Signals;

/// Catches a signal. Owns: dropping it ends that at once; when the last event on a signal in the process goes, the
/// signal's previous action is restored.
///
/// Made by [`ContextRef::add_signal`]. All its methods are those of [`SignalRef`], to which it derefs; `se.clone()`
/// gives such a Ref.
///
/// C equivalent: `struct tevent_signal`. Spec: SIG-1 to SIG-7.
#[doc(alias = "tevent_signal")]
#[must_use = "dropping a SignalEvent ends it; `ctx.keep(se)` lets it go on"]
pub struct SignalEvent(SignalRef);

/// A handle on a [`SignalEvent`]: a cheap clone that frees nothing and turns inert when the owner goes.
#[derive(Clone)]
pub struct SignalRef(EventRc<Inner>);

event_ref!(SignalEvent, SignalRef, "tevent_signal_set_tag", "tevent_signal_get_tag");

struct Inner {
    base: EventBase,
    signal: i32,
    flags: SignalFlags,
    /// `None` once it is freed, or its context is gone.
    listed: RefCell<Option<(ContextRef, Key)>>,
}

impl Event for Inner {
    type Args<'a> = (&'a ContextRef, &'a SignalRef, SignalDelivery);
    type Beside = ();
}

impl<F: Fn(&ContextRef, &SignalRef, SignalDelivery) + 'static> Handler<Inner> for F {
    #[inline]
    fn handle(&self, (ev, se, delivery): (&ContextRef, &SignalRef, SignalDelivery)) {
        self(ev, se, delivery);
    }
}

/// Why a signal cannot be caught.
#[derive(Debug)]
pub struct AddSignalError {
    signal: i32,
    error: io::Error,
}

impl AddSignalError {
    /// The number that was refused.
    #[must_use]
    pub const fn signal(&self) -> i32 {
        self.signal
    }
}

impl fmt::Display for AddSignalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot catch signal {}: {}", self.signal, self.error)
    }
}

impl Error for AddSignalError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

impl From<AddSignalError> for io::Error {
    fn from(error: AddSignalError) -> Self {
        error.error
    }
}

impl ContextRef {
    /// Catches a signal. The handler runs in a turn of the loop, before immediates, timers and fds: all handlers of all
    /// signals that are pending run in one turn, lower numbers first, and of one signal the newest event first. Any
    /// number of events, in any number of contexts, may catch one signal; each context runs its own.
    ///
    /// The handler is given the context, the event, and [how often](SignalDelivery) the signal came since it last ran.
    /// With [`SignalFlags::SIGINFO`] it runs once for each delivery, and is told what the kernel says of it. Up to 256 of
    /// those wait for the loop; after that the signal is blocked in the loop's thread, and so kept by the kernel, until the
    /// loop has looked. Otherwise no signal mask is touched. Standard signals merge in the kernel while one is pending, so that one
    /// SIGCHLD may stand for several children: reap until none is left, whatever `info` says.
    ///
    /// With [`SignalFlags::RESETHAND`] the event is freed after its handler has run once. All flags of the first
    /// event on a signal go to the system as they are; those of later ones only say what is told to their handlers.
    ///
    /// The signal wakes the loop whichever thread the kernel delivers it to. A simulated context's clock may jump over a
    /// signal that is still to come: [hold it](Self::hold_clock) where one is awaited.
    ///
    /// C equivalent: `tevent_add_signal`. Spec: SIG-1 to SIG-7.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// use tevent_core::{Context, SignalFlags};
    ///
    /// let (sighup, ctx) = (1, Context::new()?);
    /// let reloads = Rc::new(Cell::new(0));
    /// let count = Rc::clone(&reloads);
    /// ctx.keep(ctx.add_signal(sighup, SignalFlags::NONE, move |_ev, _se, delivery| {
    ///     count.set(count.get() + delivery.count);
    /// })?);
    /// # #[allow(unsafe_code)]
    /// unsafe { libc::raise(sighup) };
    /// ctx.loop_once()?;
    /// assert_eq!(reloads.get(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `EINVAL` for a number that is no signal, or a signal that cannot be caught; a context that has been freed; or no
    /// room for one more open file, as the first event of a context needs a wake-up fd.
    #[doc(alias = "tevent_add_signal")]
    #[doc(alias = "tevent_signal_handler_t")]
    #[track_caller]
    pub fn add_signal(
        &self,
        signal: i32,
        flags: SignalFlags,
        handler: impl Fn(&ContextRef, &SignalRef, SignalDelivery) + 'static,
    ) -> Result<SignalEvent, AddSignalError> {
        let location = Location::caller();
        let make = || Inner { base: EventBase::at(location), signal, flags, listed: RefCell::new(None) };
        let se = SignalEvent(SignalRef(EventRc::new(make, handler)));
        let added = if self.is_freed() {
            Err(io::Error::new(io::ErrorKind::NotConnected, "the context has been freed"))
        } else {
            self.signals().add(self, &se, flags)
        };
        match added {
            Ok(key) => {
                se.0.0.listed.replace(Some((self.clone(), key)));
                self.tell(Traced::Signal(&se), EventTracePoint::Attach);
                Ok(se)
            }
            Err(error) => {
                // Before the result is made: one that is made already would leak if this panics.
                drop(se);
                Err(AddSignalError { signal, error })
            }
        }
    }
}

impl Drop for SignalEvent {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl SignalRef {
    /// The number of the signal.
    #[must_use]
    pub fn signal(&self) -> i32 {
        self.0.signal
    }

    /// The flags it was added with.
    #[must_use]
    pub fn flags(&self) -> SignalFlags {
        self.0.flags
    }

    /// Whether it may still be called: false once it is freed, also by
    /// [`RESETHAND`](SignalFlags::RESETHAND), or its context is gone.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.0.listed.borrow().is_some()
    }

    /// Runs the handler; false if it was freed before its turn came.
    pub(crate) fn run(&self, ev: &ContextRef, delivery: SignalDelivery) -> bool {
        if !self.is_active() {
            return false;
        }
        let _after = EndIfOneShot(self);
        ev.handle(Traced::Signal(self), || self.0.call((ev, self, delivery)));
        true
    }

    /// Never called again.
    pub(crate) fn end(&self) {
        if let Some((ev, key)) = &*self.0.listed.borrow() {
            ev.signals().remove(self.0.signal, *key);
        }
        self.abandon();
    }

    /// As [`end`](Self::end), for one whose context goes, and whose list has gone.
    pub(crate) fn abandon(&self) {
        let listed = self.0.listed.take();
        let mut panics = Panics::default();
        if let Some((ev, _key)) = listed {
            panics.catch(|| ev.tell(Traced::Signal(self), EventTracePoint::Detach));
        }
        panics.catch(|| self.0.dismiss());
        panics.resume();
    }
}

/// After a handler, also one that panicked (SIG-4).
struct EndIfOneShot<'a>(&'a SignalRef);

impl Drop for EndIfOneShot<'_> {
    fn drop(&mut self) {
        let se = self.0;
        if se.0.flags.contains(SignalFlags::RESETHAND) {
            let mut panics = Panics::default();
            panics.catch(|| se.end());
            // Dropped here, outside any borrow: the box of the owner that the home kept.
            panics.catch(|| drop(se.0.base.home.leave()));
            panics.resume();
        }
    }
}

impl fmt::Debug for SignalRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal")
            .field("signal", &self.signal())
            .field("flags", &self.flags())
            .field("active", &self.is_active())
            .field("tag", &self.tag())
            .field("location", &self.location())
            .finish_non_exhaustive()
    }
}
