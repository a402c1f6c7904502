//! Where something was created or finished.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic;
use std::sync::{Mutex, PoisonError};

use crate::sys::place::{Given, Place};

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

/// The places that were given by hand, each once. They are parts of a program's text, so there is an end to them.
static GIVEN: Mutex<BTreeSet<&'static Given>> = Mutex::new(BTreeSet::new());

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
        Location(Place::given(place))
    }

    /// The place of the caller, by the rules of `#[track_caller]`.
    #[must_use]
    #[track_caller]
    pub fn caller() -> Self {
        Location(Place::of_rust(panic::Location::caller()))
    }

    /// The file, as the compiler names it.
    #[must_use]
    pub fn file(&self) -> &'static str {
        self.0.parts().0
    }

    /// The line, counted from 1.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.0.parts().1
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
    fn the_same_place_given_twice_is_remembered_once() {
        let before = GIVEN.lock().map(|given| given.len()).unwrap_or_default();
        let (one, other) = (Location::new("a.c", 1), Location::new("a.c", 1));
        assert_eq!((one, one.file(), one.line()), (other, "a.c", 1));
        assert_ne!(one, Location::new("a.c", 2));
        assert_eq!(GIVEN.lock().map(|given| given.len()).unwrap_or_default(), before + 2);
    }

    #[test]
    fn it_takes_one_word() {
        assert_eq!(size_of::<Option<Location>>(), size_of::<usize>());
        assert_eq!(Location::caller().line(), line!());
    }
}
