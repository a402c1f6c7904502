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
use crate::sys::slot::Slot;
use crate::sys::thin_rc::Tail;

/// In a box of its own, because few have one.
pub(crate) type CloseFn = Box<dyn FnOnce(RawFd)>;

pub(crate) struct Inner {
    pub(crate) base: EventBase,
    /// `None` once it is freed or its context is gone.
    pub(crate) ctx: Cell<Option<ContextRef>>,
    pub(crate) close_fn: Cell<Option<Box<CloseFn>>>,
    pub(crate) interest: Interest,
}

/// With the 12 bytes of its `ThinRc` and the allocator's word it takes 96 bytes, where its handler captures nothing.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(12 + size_of::<Inner>() + size_of::<Slot<()>>() <= 88);

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

/// The handler, and what goes with it.
pub(crate) trait Watcher {
    fn call(&self, ev: &ContextRef, fde: &FdRef, flags: FdFlags);
    fn dismiss(&self);

    /// The file, if others share it.
    fn shared_file(&self) -> Option<Weak<dyn Any>> {
        None
    }

    /// What it held of its file, once.
    fn let_go(&self) -> Hold {
        Hold::Borrowed
    }
}

impl<T: Watcher + 'static> Tail<dyn Watcher> for T {
    fn as_dyn(&self) -> &(dyn Watcher + 'static) {
        self
    }
}

/// Of a borrowed file.
impl<F: Fn(&ContextRef, &FdRef, FdFlags) + 'static> Watcher for Slot<F> {
    fn call(&self, ev: &ContextRef, fde: &FdRef, flags: FdFlags) {
        Slot::call(self, |handler| handler(ev, fde, flags));
    }

    fn dismiss(&self) {
        Slot::dismiss(self);
    }
}

/// Of a file that the event keeps open.
pub(crate) struct Holding<W> {
    pub(crate) hold: Cell<Hold>,
    pub(crate) handler: W,
}

impl<W: Watcher> Watcher for Holding<W> {
    fn call(&self, ev: &ContextRef, fde: &FdRef, flags: FdFlags) {
        self.handler.call(ev, fde, flags);
    }

    fn dismiss(&self) {
        self.handler.dismiss();
    }

    fn shared_file(&self) -> Option<Weak<dyn Any>> {
        let hold = self.hold.take();
        let shared = match &hold {
            Hold::Shared(file) if Rc::strong_count(file) > 1 => Some(Rc::downgrade(file)),
            _ => None,
        };
        self.hold.set(hold);
        shared
    }

    fn let_go(&self) -> Hold {
        self.hold.take()
    }
}
