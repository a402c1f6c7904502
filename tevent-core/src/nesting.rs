//! Running the loop inside its own handlers, and the hook that is told of it (LOOP-5, LOOP-6).

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::rc::Rc;

use crate::attention::Cause;
use crate::context::ContextRef;
use crate::error::LoopError;
use crate::location::Location;
use crate::stack::{Scope, bounded_drop};

/// What a nesting hook is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Nesting {
    /// How many calls that run this loop stand on top of each other, this one included: 1 is the outermost.
    pub level: u32,
    /// Before the first turn, or after the last.
    pub phase: NestingPhase,
    /// Where the loop was run.
    pub location: Location,
}

/// When a nesting hook is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NestingPhase {
    /// Before the first turn of the call.
    Begin,
    /// After its last turn.
    End,
}

pub(crate) type Hook = Rc<dyn Fn(&ContextRef, Nesting) -> Result<(), Box<dyn Error + Send + Sync>>>;

/// Of one context.
#[derive(Default)]
pub(crate) struct NestingState {
    level: Cell<u32>,
    allowed: Cell<bool>,
    hook: RefCell<Option<Hook>>,
}

impl NestingState {
    /// The loop begins anew: whoever runs it now runs it at the outermost level, also inside a handler.
    pub(crate) fn begin_anew(&self) {
        self.level.set(0);
    }

    pub(crate) fn level(&self) -> u32 {
        self.level.get()
    }

    pub(crate) fn take_hook(&self) -> Option<Hook> {
        self.hook.take()
    }
}

impl ContextRef {
    /// Allows handlers to run the loop again. It cannot be taken back, as in C.
    ///
    /// C equivalent: `tevent_loop_allow_nesting`. Spec: LOOP-5.
    ///
    /// ```
    /// use tevent_core::{Context, When, wakeup_recv, wakeup_send};
    ///
    /// let ctx = Context::new()?;
    /// ctx.allow_nesting();
    /// ctx.keep(ctx.add_timer(When::Zero, |ev, _te, _now| {
    ///     let req = wakeup_send(ev, When::Zero);
    ///     assert!(req.poll(ev).is_ok()); // turns the loop inside of a handler
    ///     assert!(wakeup_recv(req));
    /// }));
    /// ctx.loop_wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "tevent_loop_allow_nesting")]
    pub fn allow_nesting(&self) {
        self.nesting().allowed.set(true);
    }

    /// Sets what is called at the begin and at the end of each [`loop_once`](Self::loop_once) and
    /// [`loop_until`](Self::loop_until), the turns of [`loop_wait`](Self::loop_wait) included.
    ///
    /// Its failure ends that call with [`LoopError::Hook`]. When it fails at the begin, neither a turn nor the hook's end
    /// follows; at the end, a failure of the turn itself goes first. A handler that panics leaves out the end.
    /// The hook goes with the context, and with [`re_initialise`](Self::re_initialise).
    ///
    /// C equivalent: `tevent_loop_set_nesting_hook`. Spec: LOOP-6.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tevent_core::{Context, LoopError};
    ///
    /// let ctx = Context::new()?;
    /// ctx.set_nesting_hook(|_ev, nesting| match nesting.level {
    ///     1 => Ok(()),
    ///     _ => Err("no nesting today".into()),
    /// });
    /// ctx.allow_nesting();
    /// ctx.keep(ctx.add_timer(Duration::ZERO, |ev, _te, _now| {
    ///     assert!(matches!(ev.loop_once(), Err(LoopError::Hook(_))));
    /// }));
    /// ctx.loop_once()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If there is a hook already.
    #[doc(alias = "tevent_loop_set_nesting_hook")]
    #[doc(alias = "tevent_nesting_hook")]
    #[track_caller]
    pub fn set_nesting_hook(
        &self,
        hook: impl Fn(&ContextRef, Nesting) -> Result<(), Box<dyn Error + Send + Sync>> + 'static,
    ) {
        let place = &self.nesting().hook;
        assert!(place.borrow().is_none(), "the context has a nesting hook already");
        if !self.is_freed() {
            *place.borrow_mut() = Some(Rc::new(hook));
            self.attention().set(Cause::HOOKED, true);
        }
    }

    /// Runs turns as one level of nesting.
    #[track_caller]
    pub(crate) fn nested(
        &self,
        location: Location,
        turns: impl FnOnce() -> Result<(), LoopError>,
    ) -> Result<(), LoopError> {
        let _level = Level::enter(self);
        if self.attention().is(Cause::HOOKED) {
            self.tell_hook(NestingPhase::Begin, location)?;
        }
        let ended = turns();
        // One may have been set meanwhile.
        if self.attention().is(Cause::HOOKED) {
            let told = self.tell_hook(NestingPhase::End, location);
            return ended.and(told);
        }
        ended
    }

    #[cold]
    fn tell_hook(&self, phase: NestingPhase, location: Location) -> Result<(), LoopError> {
        // Cloned, because it may set or drop hooks.
        let hook = self.nesting().hook.borrow().clone();
        let Some(hook) = hook else { return Ok(()) };
        let told = hook(self, Nesting { level: self.nesting().level(), phase, location });
        bounded_drop(hook);
        told.map_err(LoopError::Hook)
    }

    #[track_caller]
    pub(crate) fn assert_may_run(&self) {
        assert!(
            self.nesting().level() == 0 || self.nesting().allowed.get(),
            "the loop is run inside one of its own handlers without allow_nesting()"
        );
    }
}

/// One level of nesting, from the call that runs the loop to its return.
struct Level<'a> {
    ev: &'a ContextRef,
    /// The level around it. The loop may have begun anew meanwhile, which is the outermost level again.
    outer: u32,
    _stack: Scope,
}

impl<'a> Level<'a> {
    #[inline]
    #[track_caller]
    fn enter(ev: &'a ContextRef) -> Self {
        ev.assert_may_run();
        // It may run what was put off, and that may panic: then the level has not been entered.
        let stack = Scope::enter();
        let level = &ev.nesting().level;
        let outer = level.get();
        level.set(outer + 1);
        if ev.is_hosted() {
            ev.tasks().host_sleeps(false);
        }
        Level { ev, outer, _stack: stack }
    }
}

impl Drop for Level<'_> {
    fn drop(&mut self) {
        self.ev.nesting().level.set(self.outer);
        if self.ev.is_hosted() {
            self.ev.tasks().host_sleeps(self.outer == 0);
        }
    }
}
