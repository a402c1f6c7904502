//! What events of every kind have in common.

use std::cell::Cell;

use crate::children::HomeLink;
use crate::location::Location;

/// The user's tag (TRACE-3), the creation place and the home of one event.
#[derive(Debug)]
pub(crate) struct EventBase {
    pub(crate) location: Location,
    pub(crate) tag: Cell<u64>,
    pub(crate) home: HomeLink,
}

impl EventBase {
    pub(crate) fn at(location: Location) -> Self {
        EventBase { location, tag: Cell::new(0), home: HomeLink::new() }
    }
}

/// The methods and traits that a Ref of every kind of event has alike. The Ref is a tuple struct around a
/// [`EventRc`](crate::sys::event_rc::EventRc) of an inner type with a field `base`; the owner is a tuple struct around the Ref.
macro_rules! event_ref {
    ($owner:ident, $reference:ident, $set_tag:literal, $get_tag:literal) => {
        impl $reference {
            /// The user's tag: any 64 bits, 0 at first, never looked at by the library (TRACE-3).
            #[doc = concat!("\nC equivalent: `", $get_tag, "`.")]
            #[doc(alias = $get_tag)]
            #[must_use]
            pub fn tag(&self) -> u64 {
                self.0.base.tag.get()
            }

            /// Sets the user's tag (TRACE-3).
            #[doc = concat!("\nC equivalent: `", $set_tag, "`.")]
            #[doc(alias = $set_tag)]
            pub fn set_tag(&self, tag: u64) {
                self.0.base.tag.set(tag);
            }

            /// Where the event was created.
            #[must_use]
            pub fn location(&self) -> $crate::Location {
                self.0.base.location
            }
        }

        impl $reference {
            /// Whose it is.
            pub(crate) fn home_link(&self) -> &$crate::HomeLink {
                &self.0.base.home
            }
        }

        impl $crate::ChildRef for $reference {
            type Owner = $owner;

            fn home(&self) -> &$crate::HomeLink {
                &self.0.base.home
            }
        }

        impl PartialEq for $reference {
            /// Whether both stand for the same event.
            fn eq(&self, other: &Self) -> bool {
                self.0.address() == other.0.address()
            }
        }

        impl Eq for $reference {}

        impl std::hash::Hash for $reference {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.0.address().hash(state);
            }
        }

        impl std::ops::Deref for $owner {
            type Target = $reference;

            fn deref(&self) -> &$reference {
                &self.0
            }
        }

        impl std::fmt::Debug for $owner {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

pub(crate) use event_ref;
