//! How a signal is caught.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// How a signal is caught. Those of the first event on a signal go to the operating system as they are (SIG-3).
///
/// C equivalent: the argument `sa_flags`, with the system's numbers.
///
/// ```
/// use tevent_core::SignalFlags;
///
/// let flags = SignalFlags::SIGINFO | SignalFlags::RESETHAND;
/// assert!(flags.contains(SignalFlags::SIGINFO));
/// assert_eq!(format!("{flags:?}"), "SIGINFO|RESETHAND");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct SignalFlags(i32);

impl SignalFlags {
    /// Nothing special: deliveries are counted.
    pub const NONE: SignalFlags = SignalFlags(0);
    /// The handler runs once for each delivery, and is told what the kernel says of it.
    #[doc(alias = "SA_SIGINFO")]
    pub const SIGINFO: SignalFlags = SignalFlags(libc::SA_SIGINFO);
    /// System calls that the signal interrupts go on, where they can.
    #[doc(alias = "SA_RESTART")]
    pub const RESTART: SignalFlags = SignalFlags(libc::SA_RESTART);
    /// The event is freed after its handler has run once, and the kernel has gone back to the default action by then.
    #[doc(alias = "SA_RESETHAND")]
    pub const RESETHAND: SignalFlags = SignalFlags(libc::SA_RESETHAND);
    /// SIGCHLD is not for children that stop or continue.
    #[doc(alias = "SA_NOCLDSTOP")]
    pub const NOCLDSTOP: SignalFlags = SignalFlags(libc::SA_NOCLDSTOP);
    /// Children do not become zombies.
    #[doc(alias = "SA_NOCLDWAIT")]
    pub const NOCLDWAIT: SignalFlags = SignalFlags(libc::SA_NOCLDWAIT);
    /// The signal may interrupt the system's own handler. What runs in the loop is never interrupted by another of it.
    #[doc(alias = "SA_NODEFER")]
    pub const NODEFER: SignalFlags = SignalFlags(libc::SA_NODEFER);
    /// The system's handler runs on the thread's alternate stack.
    #[doc(alias = "SA_ONSTACK")]
    pub const ONSTACK: SignalFlags = SignalFlags(libc::SA_ONSTACK);

    const NAMES: [(SignalFlags, &str); 7] = [
        (SignalFlags::SIGINFO, "SIGINFO"),
        (SignalFlags::RESTART, "RESTART"),
        (SignalFlags::RESETHAND, "RESETHAND"),
        (SignalFlags::NOCLDSTOP, "NOCLDSTOP"),
        (SignalFlags::NOCLDWAIT, "NOCLDWAIT"),
        (SignalFlags::NODEFER, "NODEFER"),
        (SignalFlags::ONSTACK, "ONSTACK"),
    ];

    /// The flags of a system's number, all bits as they are.
    #[must_use]
    pub const fn from_bits(bits: i32) -> Self {
        SignalFlags(bits)
    }

    /// The system's number.
    #[must_use]
    pub const fn bits(self) -> i32 {
        self.0
    }

    /// Whether all of `other` is set.
    #[must_use]
    pub const fn contains(self, other: SignalFlags) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for SignalFlags {
    type Output = SignalFlags;

    fn bitor(self, other: SignalFlags) -> SignalFlags {
        SignalFlags(self.0 | other.0)
    }
}

impl BitOrAssign for SignalFlags {
    fn bitor_assign(&mut self, other: SignalFlags) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for SignalFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let mut separator = "";
        for (flag, name) in Self::NAMES {
            if self.contains(flag) {
                write!(f, "{separator}{name}")?;
                separator = "|";
                rest &= !flag.0;
            }
        }
        match (self.0, rest) {
            (0, _) => f.write_str("NONE"),
            (_, 0) => Ok(()),
            (_, rest) => write!(f, "{separator}{rest:#x}"),
        }
    }
}
