//! An owner of any type, in the same little room.

use std::any::TypeId;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::rc::Rc;

use crate::req::Known;

/// What a home has to know of an owner.
pub(crate) trait Owner: 'static {
    /// The request that it is, if it is one.
    fn as_request(&self) -> Option<Rc<dyn Known>>;
}

/// An owner of any type, as a `Box<dyn Owner>` is; but one that takes no more than two words, as all of ours do, is in no box.
pub(crate) struct Kept {
    /// Holds a value of the type that `kind` is of.
    room: Room,
    kind: &'static Kind,
}

/// Of pointers, so that it is neither `Send` nor `Sync`.
type Room = MaybeUninit<[*const (); 2]>;

/// A type, and what is done with a room that holds a value of it.
struct Kind {
    of: fn() -> TypeId,
    drop: unsafe fn(&mut Room),
    as_request: unsafe fn(&Room) -> Option<Rc<dyn Known>>,
}

/// Larger owners.
struct Boxed<O>(Box<O>);

impl<O: Owner> Owner for Boxed<O> {
    fn as_request(&self) -> Option<Rc<dyn Known>> {
        self.0.as_request()
    }
}

const fn fits<T>() -> bool {
    size_of::<T>() <= size_of::<Room>() && align_of::<T>() <= align_of::<Room>()
}

trait InRoom: Owner + Sized {
    const KIND: &'static Kind = &Kind {
        of: TypeId::of::<Self>,
        drop: |room| {
            // SAFETY: the caller says that the room holds a `Self`, and does not use it any more.
            unsafe { room.as_mut_ptr().cast::<Self>().drop_in_place() }
        },
        as_request: |room| {
            // SAFETY: the caller says that the room holds a `Self`; the room is borrowed.
            let owner = unsafe { &*room.as_ptr().cast::<Self>() };
            owner.as_request()
        },
    };
}

impl<T: Owner> InRoom for T {}

impl Kept {
    #[inline]
    pub(crate) fn new<O: Owner>(owner: O) -> Self {
        if fits::<O>() { Kept::put(owner) } else { Kept::put(Boxed(Box::new(owner))) }
    }

    /// The owner, if it is of that type; otherwise it is dropped.
    pub(crate) fn into_owner<O: Owner>(self) -> Option<O> {
        if fits::<O>() { self.get::<O>() } else { self.get::<Boxed<O>>().map(|boxed| *boxed.0) }
    }

    /// The request that it is, if it is one.
    pub(crate) fn as_request(&self) -> Option<Rc<dyn Known>> {
        // SAFETY: the room holds a value of that kind.
        unsafe { (self.kind.as_request)(&self.room) }
    }

    #[inline]
    fn put<T: Owner>(value: T) -> Self {
        assert!(fits::<T>());
        let mut room = Room::uninit();
        // SAFETY: there is room for a `T`, and it is aligned, as was just asserted.
        unsafe { room.as_mut_ptr().cast::<T>().write(value) };
        Kept { room, kind: T::KIND }
    }

    fn get<T: Owner>(self) -> Option<T> {
        if (self.kind.of)() != TypeId::of::<T>() {
            return None;
        }
        let this = ManuallyDrop::new(self);
        // SAFETY: it holds a value of that type, which is read this once: `this` is not dropped.
        Some(unsafe { this.room.as_ptr().cast::<T>().read() })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // SAFETY: the room holds a value of that kind, and is not used after this.
        unsafe { (self.kind.drop)(&mut self.room) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Small(Rc<()>);
    struct Large(Rc<()>, [u64; 9]);
    #[repr(align(64))]
    struct Aligned(Rc<()>);

    impl Owner for Small {
        fn as_request(&self) -> Option<Rc<dyn Known>> {
            None
        }
    }

    impl Owner for Large {
        fn as_request(&self) -> Option<Rc<dyn Known>> {
            None
        }
    }

    impl Owner for Aligned {
        fn as_request(&self) -> Option<Rc<dyn Known>> {
            None
        }
    }

    /// Kept and dropped, kept and taken back, kept and asked for by another type.
    fn comes_and_goes<O: Owner>(make: impl Fn(Rc<()>) -> O, held: impl Fn(&O) -> &Rc<()>) {
        let watch = Rc::new(());
        let kept = Kept::new(make(Rc::clone(&watch)));
        assert!(kept.as_request().is_none());
        assert_eq!(Rc::strong_count(&watch), 2);
        drop(kept);
        assert_eq!(Rc::strong_count(&watch), 1);
        let owner = Kept::new(make(Rc::clone(&watch))).into_owner::<O>();
        assert!(owner.is_some_and(|owner| Rc::ptr_eq(held(&owner), &watch)));
        assert_eq!(Rc::strong_count(&watch), 1);
    }

    #[test]
    fn an_owner_of_any_size_comes_and_goes() {
        comes_and_goes(Small, |owner| &owner.0);
        comes_and_goes(|rc| Large(rc, [7; 9]), |owner| if owner.1 == [7; 9] { &owner.0 } else { panic!() });
        comes_and_goes(Aligned, |owner| &owner.0);
    }

    #[test]
    fn an_owner_that_is_asked_for_by_another_type_is_dropped() {
        let watch = Rc::new(());
        assert!(Kept::new(Small(Rc::clone(&watch))).into_owner::<Large>().is_none());
        assert!(Kept::new(Aligned(Rc::clone(&watch))).into_owner::<Small>().is_none());
        assert_eq!(Rc::strong_count(&watch), 1);
    }

    #[test]
    fn a_place_for_one_is_three_words() {
        assert_eq!(size_of::<Option<Kept>>(), 24);
        assert!(fits::<Rc<dyn Known>>() && !fits::<Large>() && !fits::<Aligned>());
    }
}
