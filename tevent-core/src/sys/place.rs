//! A place in source text in one word: every event has one, and every request two.

use std::panic::Location;
use std::ptr::NonNull;

/// A place that was given by hand.
pub(crate) type Given = (&'static str, u32);

/// Either kind of place, told apart by the lowest bit of its address.
#[derive(Clone, Copy)]
pub(crate) struct Place(NonNull<()>);

const GIVEN: usize = 1;

const _: () = assert!(align_of::<Location<'static>>() > GIVEN && align_of::<Given>() > GIVEN);

// SAFETY: it stands for a shared reference to what lives for ever and is never changed, which may go to any thread.
unsafe impl Send for Place {}

// SAFETY: as above.
unsafe impl Sync for Place {}

impl Place {
    pub(crate) fn of_rust(place: &'static Location<'static>) -> Self {
        Place(NonNull::from(place).cast())
    }

    pub(crate) fn given(place: &'static Given) -> Self {
        Place(NonNull::from(place).cast().map_addr(|address| address | GIVEN))
    }

    /// The file and the line.
    pub(crate) fn parts(self) -> (&'static str, u32) {
        if self.0.addr().get() & GIVEN == 0 {
            // SAFETY: without the bit it is what `of_rust` was given, which lives for ever.
            let place = unsafe { self.0.cast::<Location<'static>>().as_ref() };
            (place.file(), place.line())
        } else {
            let address = self.0.as_ptr().map_addr(|address| address & !GIVEN).cast::<Given>();
            // SAFETY: with the bit, which is taken away, it is what `given` was given, which lives for ever.
            unsafe { *address }
        }
    }
}
