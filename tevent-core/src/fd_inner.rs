//! What an fd event consists of. There may be very many that are idle, so it is small: nothing of what most do not have.

use std::any::Any;
use std::cell::Cell;
use std::os::fd::RawFd;
use std::rc::{Rc, Weak};

use crate::context::ContextRef;
use crate::event::EventBase;
use crate::fd::FdRef;
use crate::fd_flags::FdFlags;
use crate::fd_slot::{Place, Told};
use crate::fd_source::Hold;
use crate::sys::event_rc::{Event, EventRc, Handler};

/// In a box of its own, because few have one.
pub(crate) type CloseFn = Box<dyn FnOnce(RawFd)>;

pub(crate) struct Inner {
    pub(crate) base: EventBase,
    /// `None` once it is freed or its context is gone.
    pub(crate) ctx: Cell<Option<ContextRef>>,
    pub(crate) close_fn: Cell<Option<Box<CloseFn>>>,
    pub(crate) interest: Interest,
}

/// With the words of its `EventRc` and the allocator's it takes 96 bytes, where its handler captures one word.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(16 + size_of::<Inner>() + 8 <= 88);

/// What the fd table has to do with.
pub(crate) struct Interest {
    place: Cell<Place>,
    number: RawFd,
    flags: Cell<FdFlags>,
    marks: Cell<Marks>,
}

/// What was, or is, the case with an event.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marks(u8);

impl Marks {
    pub(crate) const NONE: Marks = Marks(0);
    /// The library's own: it never counts (LOOP-3), and is not traced (TRACE-3).
    pub(crate) const INTERNAL: Marks = Marks(1);
    /// Told to traces as attached.
    pub(crate) const ATTACHED: Marks = Marks(2);
    /// Its owner is gone.
    pub(crate) const FREED: Marks = Marks(4);
    /// A hang-up or error was reported to it (FD-6).
    pub(crate) const SAW_ERROR: Marks = Marks(8);
    /// It keeps its file open: its number stands for the same one as long as it lives.
    pub(crate) const HOLDS: Marks = Marks(16);
}

impl Interest {
    pub(crate) fn new(number: RawFd, flags: FdFlags, marks: Marks) -> Self {
        Interest {
            place: Cell::new(Place::Nowhere),
            number,
            flags: Cell::new(flags),
            marks: Cell::new(marks),
        }
    }

    pub(crate) fn number(&self) -> RawFd {
        self.number
    }

    pub(crate) fn place(&self) -> Place {
        self.place.get()
    }

    pub(crate) fn set_place(&self, place: Place) {
        self.place.set(place);
    }

    /// What the kernel was told, of one that is alone on its number.
    pub(crate) fn told(&self) -> Told {
        match self.place() {
            Place::Alone { generation, registered } => Told { generation, registered },
            Place::Nowhere | Place::InRing(_) => Told::default(),
        }
    }

    pub(crate) fn set_told(&self, Told { generation, registered }: Told) {
        self.set_place(Place::Alone { generation, registered });
    }

    pub(crate) fn flags(&self) -> FdFlags {
        self.flags.get()
    }

    pub(crate) fn set_flags(&self, flags: FdFlags) {
        self.flags.set(flags);
    }

    pub(crate) fn mark(&self, mark: Marks) {
        self.marks.set(Marks(self.marks.get().0 | mark.0));
    }

    pub(crate) fn is(&self, mark: Marks) -> bool {
        self.marks.get().0 & mark.0 != 0
    }

    /// What the kernel has to be asked for on its behalf: its flags, but not WRITE alone after an error (FD-6).
    pub(crate) fn watched(&self) -> FdFlags {
        let flags = self.flags();
        if flags == FdFlags::WRITE && self.is(Marks::SAW_ERROR) {
            return FdFlags::NONE;
        }
        flags
    }

    /// Whether it keeps `loop_wait` going.
    pub(crate) fn could_fire(&self) -> bool {
        !self.is(Marks::INTERNAL) && !self.watched().is_empty()
    }
}

impl Event for Inner {
    type Args<'a> = (&'a ContextRef, &'a FdRef, FdFlags);
    /// How an event that keeps its file open does that.
    type Beside = Cell<Hold>;
}

impl<F: Fn(&ContextRef, &FdRef, FdFlags) + 'static> Handler<Inner> for F {
    #[inline]
    fn handle(&self, (ev, fde, flags): (&ContextRef, &FdRef, FdFlags)) {
        self(ev, fde, flags);
    }
}

/// The file, if others share it.
pub(crate) fn shared_file(fde: &EventRc<Inner>) -> Option<Weak<dyn Any>> {
    let beside = fde.beside()?;
    let hold = beside.take();
    let shared = match &hold {
        Hold::Shared(file) if Rc::strong_count(file) > 1 => Some(Rc::downgrade(file)),
        _ => None,
    };
    beside.set(hold);
    shared
}

/// What it held of its file, once.
pub(crate) fn let_go(fde: &EventRc<Inner>) -> Hold {
    fde.beside().map(Cell::take).unwrap_or_default()
}
