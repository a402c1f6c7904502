//! The steps of a turn, one by one: for the C ABI, whose backends call them from a turn of their own. Not for others.

use std::time::Duration;

use crate::context::ContextRef;
use crate::dispatch::{self, Patience, Timers};
use crate::error::LoopError;
use crate::foreign::Beside;
use crate::timer::TimerRef;

/// What became of the step that runs a timer.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "for the C ABI alone")]
pub enum TimerPhase {
    /// One was due, and has run.
    Ran,
    /// How long it is to the next.
    DueIn(Duration),
    /// There is none.
    Never,
}

impl ContextRef {
    /// [`loop_once`](ContextRef::loop_once), but that it is no level of nesting: the C ABI counts its own. Before the timers
    /// `own` may run something, and then says so.
    #[doc(hidden)]
    #[inline]
    pub fn run_turn(&self, own: impl FnOnce() -> bool) -> Result<(), LoopError> {
        let _then = Beside(self);
        dispatch::turn_with(self, Patience::AsSet, own)
    }

    /// How many turns there were.
    #[doc(hidden)]
    #[inline]
    pub fn turns(&self) -> u64 {
        self.counters().turns()
    }

    /// How many of the pending timers are no events of the user's: they do not keep [`loop_wait`](ContextRef::loop_wait) going.
    #[doc(hidden)]
    #[inline]
    pub fn leave_out_timers(&self, count: usize) {
        self.left_out_timers().set(count);
    }

    /// Takes a pending timer of this context's out of its queue: it is inert until it is [updated](TimerRef::update). False, and it is
    /// as it was, if it is not pending, or if somebody traces, who would miss its end.
    #[doc(hidden)]
    pub fn disarm_timer(&self, te: &TimerRef) -> bool {
        if self.trace().is_on() || !te.is_pending() {
            return false;
        }
        let queued = self.timers().borrow_mut().remove(te);
        drop(queued);
        true
    }

    /// Step 1: the pending signals. Says whether any handler ran.
    #[doc(hidden)]
    pub fn run_signal_phase(&self) -> bool {
        self.signals().run_pending(self)
    }

    /// Step 2: what other threads have scheduled joins the immediates.
    #[doc(hidden)]
    pub fn run_thread_phase(&self) {
        self.threads().move_to_immediates(self);
        self.tasks().move_to_immediates(self);
    }

    /// Step 3: the first immediate. Says whether there was one.
    #[doc(hidden)]
    pub fn run_immediate_phase(&self) -> bool {
        dispatch::run_immediate(self)
    }

    /// Step 4: the first timer, if it is due.
    #[doc(hidden)]
    pub fn run_timer_phase(&self) -> TimerPhase {
        let now = match dispatch::next_timer(self) {
            Timers::None => return TimerPhase::Never,
            Timers::Zero => None,
            Timers::At(due) => {
                let now = self.now();
                if due > now {
                    return TimerPhase::DueIn(due - now);
                }
                Some(now)
            }
        };
        dispatch::run_timer(self, now);
        TimerPhase::Ran
    }
}
