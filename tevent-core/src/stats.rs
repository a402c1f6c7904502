//! What a loop has done so far, and what lives on it.

use std::cell::Cell;

use crate::context::ContextRef;
use crate::trace::EventKind;

/// Counts since the context was made, for tests and for a look at a running daemon.
///
/// ```
/// use tevent_core::{Context, Immediate};
///
/// let ctx = Context::new()?;
/// let im = ctx.keep(Immediate::new(|_ev, _im| {}));
/// im.schedule(&ctx);
/// ctx.loop_wait()?;
/// let stats = ctx.stats();
/// assert_eq!((stats.turns, stats.waits), (1, 0)); // an immediate runs without a look at the kernel
/// assert_eq!(stats.handled.immediates, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Turns of the loop that were begun.
    pub turns: u64,
    /// Times the kernel was asked what is ready, with or without a sleep.
    pub waits: u64,
    /// Times the kernel was told what to watch. The re-arming backend's own arming again is not counted.
    pub changes: u64,
    /// Times another thread, or a signal, has woken the loop.
    pub wakeups: u64,
    /// Handlers that were called.
    pub handled: PerKind,
}

/// A number for each kind of event. The library's own events are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PerKind {
    /// Of fd events.
    pub fds: u64,
    /// Of signal events.
    pub signals: u64,
    /// Of timers.
    pub timers: u64,
    /// Of immediates, those from other threads too.
    pub immediates: u64,
    /// Of queue entries: triggers.
    pub queue_entries: u64,
}

/// What the loop counts as it goes.
#[derive(Default)]
pub(crate) struct Counters {
    turns: Cell<u64>,
    wakeups: Cell<u64>,
    handled: [Cell<u64>; EventKind::COUNT],
}

impl Counters {
    pub(crate) fn turns(&self) -> u64 {
        self.turns.get()
    }

    #[inline]
    pub(crate) fn count_turn(&self) {
        self.turns.set(self.turns.get() + 1);
    }

    pub(crate) fn count_wakeup(&self) {
        self.wakeups.set(self.wakeups.get() + 1);
    }

    #[inline]
    pub(crate) fn count_handler(&self, kind: EventKind) {
        let count = &self.handled[kind as usize];
        count.set(count.get() + 1);
    }

    fn handled(&self, kind: EventKind) -> u64 {
        self.handled[kind as usize].get()
    }
}

impl ContextRef {
    /// What the loop has done so far. Costs next to nothing.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let (waits, changes) = self.with_fds(|fds| fds.counts()).unwrap_or_default();
        let counters = self.counters();
        Stats {
            turns: counters.turns.get(),
            waits,
            changes,
            wakeups: counters.wakeups.get(),
            handled: PerKind {
                fds: counters.handled(EventKind::Fd),
                signals: counters.handled(EventKind::Signal),
                timers: counters.handled(EventKind::Timer),
                immediates: counters.handled(EventKind::Immediate),
                queue_entries: counters.handled(EventKind::QueueEntry),
            },
        }
    }
}
