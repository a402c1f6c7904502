//! The conditions of an fd event.

use std::fmt;
use std::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign, Not, Sub};

/// What an fd event asks for, and what its handler is told: any subset of READ, WRITE and ERROR (FD-1).
///
/// C equivalent: `TEVENT_FD_READ`, `TEVENT_FD_WRITE`, `TEVENT_FD_ERROR`, with the same numbers.
///
/// ```
/// use tevent_core::FdFlags;
///
/// let flags = FdFlags::READ | FdFlags::WRITE;
/// assert!(flags.contains(FdFlags::READ));
/// assert_eq!(flags - FdFlags::READ, FdFlags::WRITE);
/// assert_eq!(format!("{flags:?}"), "READ|WRITE");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct FdFlags(u8);

impl FdFlags {
    /// Nothing is watched; the event exists.
    pub const NONE: FdFlags = FdFlags(0);
    /// Bytes, a connection or the end of the stream can be read; also told on hang-up and error.
    #[doc(alias = "TEVENT_FD_READ")]
    pub const READ: FdFlags = FdFlags(1);
    /// Bytes can be written. An event that asks for it alone is never told of a hang-up or error (FD-6): ask for
    /// `WRITE | ERROR`, unless something else watches the file.
    #[doc(alias = "TEVENT_FD_WRITE")]
    pub const WRITE: FdFlags = FdFlags(2);
    /// Hang-up, error, or the peer has shut down its sending side.
    #[doc(alias = "TEVENT_FD_ERROR")]
    pub const ERROR: FdFlags = FdFlags(4);

    pub(crate) const EACH: [FdFlags; 3] = [FdFlags::READ, FdFlags::WRITE, FdFlags::ERROR];

    /// The flags of a C number; bits with no meaning are dropped.
    #[must_use]
    pub const fn from_bits_truncate(bits: u16) -> Self {
        FdFlags((bits & 7) as u8)
    }

    /// The C number.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0 as u16
    }

    /// Whether no flag is set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` is set.
    #[must_use]
    pub const fn contains(self, other: FdFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is set.
    #[must_use]
    pub const fn intersects(self, other: FdFlags) -> bool {
        self.0 & other.0 != 0
    }

    /// `self` where `on`, nothing otherwise.
    pub(crate) const fn when(self, on: bool) -> Self {
        if on { self } else { FdFlags::NONE }
    }
}

impl BitOr for FdFlags {
    type Output = FdFlags;

    fn bitor(self, other: FdFlags) -> FdFlags {
        FdFlags(self.0 | other.0)
    }
}

impl BitOrAssign for FdFlags {
    fn bitor_assign(&mut self, other: FdFlags) {
        self.0 |= other.0;
    }
}

impl BitAnd for FdFlags {
    type Output = FdFlags;

    fn bitand(self, other: FdFlags) -> FdFlags {
        FdFlags(self.0 & other.0)
    }
}

impl BitAndAssign for FdFlags {
    fn bitand_assign(&mut self, other: FdFlags) {
        self.0 &= other.0;
    }
}

impl Sub for FdFlags {
    type Output = FdFlags;

    fn sub(self, other: FdFlags) -> FdFlags {
        FdFlags(self.0 & !other.0)
    }
}

impl Not for FdFlags {
    type Output = FdFlags;

    fn not(self) -> FdFlags {
        FdFlags(!self.0 & 7)
    }
}

impl fmt::Debug for FdFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [(Self::READ, "READ"), (Self::WRITE, "WRITE"), (Self::ERROR, "ERROR")];
        let mut separator = "";
        for (flag, name) in names {
            if self.contains(flag) {
                write!(f, "{separator}{name}")?;
                separator = "|";
            }
        }
        if self.is_empty() { f.write_str("NONE") } else { Ok(()) }
    }
}
