//! What the frequent ways through a context must not overlook, in one word: one look tells that there is nothing of it.

use std::cell::Cell;

use crate::context::ContextRef;

/// Of one context.
pub(crate) struct Attention(Cell<u32>);

/// Something that is so, or several.
#[derive(Clone, Copy)]
pub(crate) struct Cause(u32);

impl Cause {
    /// The owner is gone.
    pub(crate) const FREED: Cause = Cause(1);
    /// Something of this thread's own doing may stand before the immediates (LOOP-1).
    pub(crate) const STIRRED: Cause = Cause(1 << 1);
    /// A foreign loop may sleep on its behalf.
    pub(crate) const HOSTED: Cause = Cause(1 << 2);
    /// Other threads have handles.
    pub(crate) const THREADS: Cause = Cause(1 << 3);
    /// There is, or was, a nesting hook.
    pub(crate) const HOOKED: Cause = Cause(1 << 4);
    /// Somebody listens to a trace: how many do is counted in all the bits above.
    pub(crate) const LISTENERS: Cause = Cause(!(LISTENER - 1));

    pub(crate) const fn or(self, other: Self) -> Self {
        Cause(self.0 | other.0)
    }
}

/// What may stand before the immediates in a turn.
const STANDS_BEFORE: Cause = Cause::STIRRED.or(Cause::LISTENERS).or(Cause::THREADS);

const LISTENER: u32 = 1 << 5;

/// A subscriber of the `tracing` crate may come at any time.
const AT_FIRST: u32 = if cfg!(feature = "tracing") { LISTENER } else { 0 };

impl Default for Attention {
    fn default() -> Self {
        Attention(Cell::new(AT_FIRST))
    }
}

impl Attention {
    /// Whether it is so, or one of those.
    #[inline]
    pub(crate) fn is(&self, cause: Cause) -> bool {
        self.0.get() & cause.0 != 0
    }

    #[inline]
    pub(crate) fn set(&self, cause: Cause, is_so: bool) {
        let others = self.0.get() & !cause.0;
        self.0.set(if is_so { others | cause.0 } else { others });
    }

    /// How many listen.
    pub(crate) fn listeners(&self) -> u32 {
        (self.0.get() - AT_FIRST) / LISTENER
    }

    /// Somebody who did `before` listens, or not, from now on.
    pub(crate) fn count_listener(&self, before: bool, now: bool) {
        let gone = self.0.get() - LISTENER * u32::from(before);
        self.0.set(gone + LISTENER * u32::from(now));
    }
}

impl ContextRef {
    #[inline]
    pub(crate) fn attention(&self) -> &Attention {
        &self.trace().attention
    }

    /// Whether the owner is gone.
    #[must_use]
    #[inline]
    pub fn is_freed(&self) -> bool {
        self.attention().is(Cause::FREED)
    }

    /// Whether nothing stands before the immediates (LOOP-1), and nobody is told of the turn.
    ///
    /// What comes to stand there by this thread's doing [stirs](Self::stir) the context; a turn that finds nothing there
    /// [settles](Self::settle) it. Signals, other threads and forks are looked at each time.
    #[inline]
    pub(crate) fn is_quiet(&self) -> bool {
        let is_at_peace = self.is_in_its_process() && !self.signals().have_arrived();
        is_at_peace && (!self.attention().is(STANDS_BEFORE) || self.is_quiet_among_threads())
    }

    #[inline(never)]
    fn is_quiet_among_threads(&self) -> bool {
        !self.attention().is(Cause::STIRRED.or(Cause::LISTENERS)) && !self.threads().have_handed_over()
    }

    pub(crate) fn stir(&self) {
        self.attention().set(Cause::STIRRED, true);
    }

    pub(crate) fn settle(&self) {
        let stirred = self.signals().are_left() || self.threads().are_taken() || !self.tasks().is_empty();
        self.attention().set(Cause::STIRRED, stirred);
    }

    pub(crate) fn is_hosted(&self) -> bool {
        self.attention().is(Cause::HOSTED)
    }

    /// From now on a foreign loop may sleep whenever no turn runs.
    pub(crate) fn be_hosted(&self) {
        self.attention().set(Cause::HOSTED, true);
        self.threads().note_hosted();
        self.tasks().host_sleeps(self.nesting().level() == 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_and_listeners_do_not_touch_each_other() {
        let attention = Attention::default();
        let causes = [Cause::FREED, Cause::STIRRED, Cause::HOSTED, Cause::THREADS, Cause::HOOKED];
        for (n, cause) in causes.into_iter().enumerate() {
            attention.count_listener(false, true);
            attention.set(cause, true);
            assert_eq!(attention.listeners() as usize, n + 1);
            assert!(causes.iter().enumerate().all(|(m, other)| attention.is(*other) == (m <= n)));
        }
        attention.count_listener(true, true);
        for cause in causes {
            attention.set(cause, false);
            attention.count_listener(true, false);
        }
        let any = causes.into_iter().fold(Cause::FREED, Cause::or);
        assert!(!attention.is(any) && attention.listeners() == 0);
        assert_eq!(attention.is(Cause::LISTENERS), cfg!(feature = "tracing"));
    }
}
