//! Where something was created or finished.

use std::fmt;
use std::panic;

/// A place in source text: the file and the line.
///
/// Every event and request remembers the place of the call that created it, and a request the place of
/// the call that finished it. It is a type of our own, not [`std::panic::Location`], so that it can also
/// name a line of a C program.
///
/// C equivalent: `__location__`, the string `"file.c:line"`.
///
/// ```
/// use tevent_core::Location;
///
/// let here = Location::new("smbd/process.c", 4021);
/// assert_eq!(here.to_string(), "smbd/process.c:4021");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Location {
    file: &'static str,
    line: u32,
}

impl Location {
    /// A place given by hand.
    #[must_use]
    pub const fn new(file: &'static str, line: u32) -> Self {
        Location { file, line }
    }

    /// The place of the caller, by the rules of `#[track_caller]`.
    #[must_use]
    #[track_caller]
    pub fn caller() -> Self {
        let caller = panic::Location::caller();
        Location::new(caller.file(), caller.line())
    }

    /// The file, as the compiler names it.
    #[must_use]
    pub const fn file(&self) -> &'static str {
        self.file
    }

    /// The line, counted from 1.
    #[must_use]
    pub const fn line(&self) -> u32 {
        self.line
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
