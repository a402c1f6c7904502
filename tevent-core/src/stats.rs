//! What a loop has done so far.

/// Counts since the context was made, for tests and for a look at a running daemon. Reading them costs nothing.
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
}
