//! Where something was created or finished.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic;
use std::sync::{Mutex, PoisonError};

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
#[derive(Clone, Copy)]
pub struct Location(Place);

/// Two words: every event and request has one or two.
#[derive(Clone, Copy)]
enum Place {
    Rust(&'static panic::Location<'static>),
    Given(&'static (&'static str, u32)),
}

/// The places that were given by hand, each once. They are parts of a program's text, so there is an end to them.
static GIVEN: Mutex<BTreeSet<&'static (&'static str, u32)>> = Mutex::new(BTreeSet::new());

impl Location {
    /// A place given by hand. It is remembered as long as the process lives, once however often it is given.
    ///
    /// # Complexity
    /// O(log n) in the number of places that were given.
    #[must_use]
    pub fn new(file: &'static str, line: u32) -> Self {
        // Nothing in here panics half-way.
        let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
        let place = given.get(&(file, line)).copied().unwrap_or_else(|| {
            let place = &*Box::leak(Box::new((file, line)));
            given.insert(place);
            place
        });
        Location(Place::Given(place))
    }

    /// The place of the caller, by the rules of `#[track_caller]`.
    #[must_use]
    #[track_caller]
    pub fn caller() -> Self {
        Location(Place::Rust(panic::Location::caller()))
    }

    /// The file, as the compiler names it.
    #[must_use]
    pub const fn file(&self) -> &'static str {
        match self.0 {
            Place::Rust(place) => place.file(),
            Place::Given(place) => place.0,
        }
    }

    /// The line, counted from 1.
    #[must_use]
    pub const fn line(&self) -> u32 {
        match self.0 {
            Place::Rust(place) => place.line(),
            Place::Given(place) => place.1,
        }
    }
}

impl PartialEq for Location {
    /// The same file and line.
    fn eq(&self, other: &Self) -> bool {
        (self.file(), self.line()) == (other.file(), other.line())
    }
}

impl Eq for Location {}

impl Hash for Location {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.file(), self.line()).hash(state);
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file(), self.line())
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_place_is_remembered_once() {
        let (one, other) = (Location::new("a.c", 1), Location::new("a.c", 1));
        assert!(
            matches!((one.0, other.0), (Place::Given(one), Place::Given(other)) if std::ptr::eq(one, other))
        );
        assert_ne!(one, Location::new("a.c", 2));
    }

    #[test]
    fn it_takes_two_words() {
        assert_eq!(size_of::<Location>(), 2 * size_of::<usize>());
        assert_eq!(size_of::<Option<Location>>(), 2 * size_of::<usize>());
    }
}
