//! The words of a scenario: ids, flags, moments.

use std::fmt;
use std::time::Duration;

use tevent::FdFlags;

/// What an operation's words can be.
pub(crate) trait Word: Sized + fmt::Display {
    fn read(text: &str) -> Option<Self>;
}

/// The number of an object of one kind; the letter names the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id<const KIND: char>(pub(crate) usize);

pub(crate) type File = Id<'f'>;
pub(crate) type FdEvent = Id<'e'>;
pub(crate) type Timer = Id<'t'>;
pub(crate) type Im = Id<'i'>;
pub(crate) type Req = Id<'r'>;
pub(crate) type Queue = Id<'q'>;
pub(crate) type Entry = Id<'n'>;
/// What a handler does when it runs.
pub(crate) type Script = Id<'h'>;
pub(crate) type Signal = Id<'s'>;

/// How many ids of a kind the C driver has room for.
const IDS: usize = 256;

impl<const KIND: char> Word for Id<KIND> {
    fn read(text: &str) -> Option<Self> {
        let number = text.strip_prefix(KIND)?.parse().ok()?;
        (number < IDS).then_some(Id(number))
    }
}

impl<const KIND: char> fmt::Display for Id<KIND> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{KIND}{}", self.0)
    }
}

/// A word that may be absent: `-`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Maybe<T>(pub(crate) Option<T>);

impl<const KIND: char> Maybe<Id<KIND>> {
    pub(crate) fn number(self) -> Option<usize> {
        self.0.map(|id| id.0)
    }
}

impl<T: Word> Word for Maybe<T> {
    fn read(text: &str) -> Option<Self> {
        if text == "-" { Some(Maybe(None)) } else { T::read(text).map(|word| Maybe(Some(word))) }
    }
}

impl<T: Word> fmt::Display for Maybe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(word) => word.fmt(f),
            None => f.write_str("-"),
        }
    }
}

/// READ and WRITE: `-`, `r`, `w` or `rw`. ERROR is newer than the C library that is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags(pub(crate) FdFlags);

impl Flags {
    pub(crate) const ALL: [(&'static str, FdFlags); 4] = [
        ("-", FdFlags::NONE),
        ("r", FdFlags::READ),
        ("w", FdFlags::WRITE),
        ("rw", FdFlags::from_bits_truncate(3)),
    ];
}

impl Word for Flags {
    fn read(text: &str) -> Option<Self> {
        Flags::ALL.iter().find(|(name, _)| *name == text).map(|(_, flags)| Flags(*flags))
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Flags::ALL.iter().find(|(_, flags)| *flags == self.0).map(|(name, _)| *name);
        f.write_str(name.unwrap_or("?"))
    }
}

/// The zero time, or microseconds from now or from the start of the scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Zero,
    In(u32),
    At(i64),
}

impl Word for Moment {
    fn read(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None => (text == "zero").then_some(Moment::Zero),
            Some(("in", delay)) => delay.parse().ok().map(Moment::In),
            Some(("at", point)) => point.parse().ok().map(Moment::At),
            Some(_) => None,
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::Zero => f.write_str("zero"),
            Moment::In(delay) => write!(f, "in:{delay}"),
            Moment::At(point) => write!(f, "at:{point}"),
        }
    }
}

/// A plain number.
impl Word for u32 {
    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// `yes` or `no`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Yes(pub(crate) bool);

impl Word for Yes {
    fn read(text: &str) -> Option<Self> {
        match text {
            "yes" => Some(Yes(true)),
            "no" => Some(Yes(false)),
            _ => None,
        }
    }
}

impl fmt::Display for Yes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 { "yes" } else { "no" })
    }
}

pub(crate) fn microseconds(n: u32) -> Duration {
    Duration::from_micros(u64::from(n))
}
