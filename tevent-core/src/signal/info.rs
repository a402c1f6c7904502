//! What a signal's handler is told.

use super::ring::Words;

/// What one call of a [signal event](crate::SignalEvent)'s handler stands for.
///
/// C equivalent: the arguments `count` and `siginfo` of `tevent_signal_handler_t`. Spec: SIG-2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignalDelivery {
    /// How many deliveries; 1 where there is an `info`.
    pub count: u32,
    /// What the kernel says of this delivery, for an event with [`SignalFlags::SIGINFO`](crate::SignalFlags::SIGINFO).
    pub info: Option<SignalInfo>,
}

/// What the kernel says of one delivery of a signal.
///
/// Which parts there are depends on who sent it; what the kernel does not fill in reads `None`.
///
/// C equivalent: `siginfo_t`. Spec: SIG-2.
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// use tevent_core::{Context, SignalFlags};
///
/// let (sigusr1, ctx) = (10, Context::new()?);
/// let seen = Rc::new(Cell::new(None));
/// let see = Rc::clone(&seen);
/// let _se = ctx.add_signal(sigusr1, SignalFlags::SIGINFO, move |_ev, _se, delivery| see.set(delivery.info))?;
/// # #[allow(unsafe_code)]
/// unsafe { libc::kill(libc::getpid(), sigusr1) };
/// ctx.loop_once()?;
/// let info = seen.get().expect("one delivery");
/// assert_eq!((info.signal(), info.pid()), (sigusr1, Some(std::process::id())));
/// assert_eq!(info.status(), None); // that is for SIGCHLD
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalInfo {
    signal: i32,
    code: i32,
    pid: u32,
    uid: u32,
    status: i32,
    value: u64,
}

impl SignalInfo {
    pub(crate) fn from_words(signal: i32, [first, second, value]: Words) -> Self {
        let (code, pid) = halves(first);
        let (status, uid) = halves(second);
        SignalInfo { signal, code: code.cast_signed(), pid, uid, status: status.cast_signed(), value }
    }

    /// The way through the [ring](super::ring::Ring).
    pub(crate) fn into_words(code: i32, pid: u32, uid: u32, status: i32, value: u64) -> Words {
        [join(code.cast_unsigned(), pid), join(status.cast_unsigned(), uid), value]
    }

    /// The signal's number.
    #[must_use]
    pub const fn signal(&self) -> i32 {
        self.signal
    }

    /// Why it was sent: `SI_USER`, `SI_QUEUE`, `CLD_EXITED` and so on, as the system numbers them.
    #[must_use]
    pub const fn code(&self) -> i32 {
        self.code
    }

    /// The sender's process; for SIGCHLD the child.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.has_sender().then_some(self.pid)
    }

    /// The real user of that process.
    #[must_use]
    pub fn uid(&self) -> Option<u32> {
        self.has_sender().then_some(self.uid)
    }

    /// For SIGCHLD: the child's exit status, or the signal that ended, stopped or continued it.
    #[must_use]
    pub fn status(&self) -> Option<i32> {
        self.is_of_child().then_some(self.status)
    }

    /// The number that was sent along, by `sigqueue` and its like. A pointer that was sent reads as
    /// [`value_pointer`](Self::value_pointer).
    #[must_use]
    pub fn value(&self) -> Option<i32> {
        // In C it is a union of both, and begins at the same address.
        let [a, b, c, d, ..] = self.value_pointer()?.to_ne_bytes();
        Some(i32::from_ne_bytes([a, b, c, d]))
    }

    /// The pointer that was sent along, as a number.
    #[must_use]
    pub fn value_pointer(&self) -> Option<u64> {
        matches!(self.code, libc::SI_QUEUE | libc::SI_TIMER | libc::SI_MESGQ | libc::SI_ASYNCIO)
            .then_some(self.value)
    }

    /// What the kernel has filled in, whatever it means: code, process, user and value. For the C ABI, which makes a
    /// `siginfo_t` of it.
    #[doc(hidden)]
    #[must_use]
    pub const fn parts(&self) -> (i32, u32, u32, u64) {
        (self.code, self.pid, self.uid, self.value)
    }

    fn has_sender(&self) -> bool {
        matches!(self.code, libc::SI_USER | libc::SI_QUEUE | libc::SI_TKILL | libc::SI_MESGQ)
            || self.is_of_child()
    }

    fn is_of_child(&self) -> bool {
        self.signal == libc::SIGCHLD && (libc::CLD_EXITED..=libc::CLD_CONTINUED).contains(&self.code)
    }
}

fn join(upper: u32, lower: u32) -> u64 {
    u64::from(upper) << 32 | u64::from(lower)
}

fn halves(word: u64) -> (u32, u32) {
    let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).unwrap_or_default();
    (half(word >> 32), half(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sig_2_what_the_kernel_does_not_fill_in_reads_none() {
        let words = |code| SignalInfo::into_words(code, 7, 8, -9, 10);
        let user = SignalInfo::from_words(libc::SIGUSR1, words(libc::SI_USER));
        assert_eq!((user.pid(), user.uid(), user.status(), user.value()), (Some(7), Some(8), None, None));
        let queued = SignalInfo::from_words(libc::SIGUSR1, words(libc::SI_QUEUE));
        assert_eq!(
            (queued.pid(), queued.value_pointer(), queued.code()),
            (Some(7), Some(10), libc::SI_QUEUE)
        );
        let child = SignalInfo::from_words(libc::SIGCHLD, words(libc::CLD_KILLED));
        assert_eq!((child.pid(), child.status(), child.value()), (Some(7), Some(-9), None));
        let timer = SignalInfo::from_words(libc::SIGALRM, words(libc::SI_TIMER));
        assert_eq!((timer.pid(), timer.value_pointer()), (None, Some(10)));
    }
}
