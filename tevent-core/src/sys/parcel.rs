//! A closure of any type, in a room of one size: what little it captures lies in the room itself, and costs no allocation.

use std::mem::{ManuallyDrop, MaybeUninit};

/// Enough for a shared pointer and two numbers, or a vector.
type Room = MaybeUninit<[usize; 3]>;

/// Owns a closure that takes an `&A`, and is called once at most.
pub(crate) struct Parcel<A: 'static> {
    /// Those of the closure's own type, a value of which lies in the room.
    acts: &'static Acts<A>,
    room: Room,
}

/// What can be done with what lies in a room, which has then left it.
struct Acts<A> {
    call: unsafe fn(&mut Room, &A),
    drop: unsafe fn(&mut Room),
}

struct Of<F, A>(F, A);

impl<F: FnOnce(&A), A> Of<F, A> {
    const ACTS: Acts<A> = Acts { call: Self::call, drop: Self::drop };

    /// # Safety
    /// A value of the type F lies in the room, and is not used after this.
    unsafe fn call(room: &mut Room, with: &A) {
        // SAFETY: by the promise; it is read this once.
        let closure = unsafe { room.as_mut_ptr().cast::<F>().read() };
        closure(with);
    }

    /// # Safety
    /// As of [`call`](Self::call).
    unsafe fn drop(room: &mut Room) {
        // SAFETY: by the promise; it is dropped this once.
        unsafe { room.as_mut_ptr().cast::<F>().drop_in_place() };
    }
}

impl<A> Parcel<A> {
    /// Allocates for what is larger than the room.
    #[inline]
    pub(crate) fn new<F: FnOnce(&A) + Send + 'static>(closure: F) -> Self {
        if Self::has_room_for::<F>() { Self::pack(closure) } else { Self::pack(Box::new(closure)) }
    }

    const fn has_room_for<F>() -> bool {
        size_of::<F>() <= size_of::<Room>() && align_of::<F>() <= align_of::<Room>()
    }

    #[inline]
    fn pack<F: FnOnce(&A) + Send + 'static>(closure: F) -> Self {
        assert!(Self::has_room_for::<F>(), "a box is a pointer");
        let mut room = Room::uninit();
        // SAFETY: the room is ours, and by size and alignment fit for an F.
        unsafe { room.as_mut_ptr().cast::<F>().write(closure) };
        Parcel { acts: &Of::<F, A>::ACTS, room }
    }

    /// Calls the closure.
    #[inline]
    pub(crate) fn open(self, with: &A) {
        let mut parcel = ManuallyDrop::new(self);
        let call = parcel.acts.call;
        // SAFETY: the acts are those of the type of what lies in the room since `pack`; and what is called here is not dropped.
        unsafe { call(&mut parcel.room, with) };
    }
}

impl<A> Drop for Parcel<A> {
    fn drop(&mut self) {
        // SAFETY: as in `open`, which is not called for one that is dropped.
        unsafe { (self.acts.drop)(&mut self.room) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;

    #[test]
    fn small_and_large_are_called_once_and_dropped_once() {
        let (sum, held) = (Cell::new(0), Arc::new(5));
        let add = |n: usize| move |sum: &Cell<usize>| sum.set(sum.get() + n);
        let (nothing, a, b) = (|_: &Cell<usize>| (), Arc::clone(&held), Arc::clone(&held));
        let large = [7; 100];
        let parcels = [
            Parcel::new(nothing),
            Parcel::new(add(1)),
            Parcel::new(move |sum: &Cell<usize>| add(*a)(sum)),
            Parcel::new(move |sum: &Cell<usize>| add(large.iter().sum::<usize>() + *b)(sum)),
        ];
        assert_eq!(Arc::strong_count(&held), 3);
        for parcel in parcels {
            parcel.open(&sum);
        }
        assert_eq!((sum.get(), Arc::strong_count(&held)), (1 + 5 + 700 + 5, 1));
    }

    #[test]
    fn one_that_is_not_opened_or_that_panics_lets_go_of_what_it_holds() {
        let held = Arc::new(());
        let (a, b) = (Arc::clone(&held), Arc::clone(&held));
        drop(Parcel::new(move |(): &()| drop(a)));
        let panics = Parcel::new(move |(): &()| panic!("as asked, with {b:?}"));
        assert!(catch_unwind(AssertUnwindSafe(|| panics.open(&()))).is_err());
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[test]
    fn what_needs_a_larger_alignment_is_put_elsewhere() {
        #[repr(align(64))]
        struct Aligned(u8);
        let (aligned, seen) = (Aligned(9), Cell::new(0));
        let look = move |seen: &Cell<u8>| {
            let aligned = &aligned;
            assert!(std::ptr::from_ref(aligned).is_aligned());
            seen.set(aligned.0);
        };
        Parcel::new(look).open(&seen);
        assert_eq!(seen.get(), 9);
        assert_eq!(size_of::<Parcel<()>>(), 32);
    }
}
