//! A shared pointer of one word to a value and, behind it, something of any type.

use std::cell::Cell;
use std::ops::Deref;
use std::ptr::NonNull;

/// As an `Rc` of a struct whose last field is a `dyn D`, without weak ones. It is one word instead of two, and where the
/// value lies does not depend on the type of what is behind it, so that it takes no while to find.
pub(crate) struct ThinRc<V: 'static, D: ?Sized + 'static>(NonNull<Head<V, D>>);

/// What can stand behind the value.
pub(crate) trait Tail<D: ?Sized + 'static>: 'static {
    fn as_dyn(&self) -> &D;
}

/// Without the tail, which begins where the padding of this may lie: no reference to one is ever made, but to its fields.
#[repr(C)]
struct Head<V: 'static, D: ?Sized + 'static> {
    kind: &'static Kind<V, D>,
    value: V,
    /// Behind the value, so that it shares a word with a tail that begins with half of one, as a slot does.
    shares: Cell<u32>,
}

/// `repr(C)` puts the fields that both have at the same places, so that a pointer to it is a pointer to its head.
#[repr(C)]
struct Whole<V: 'static, D: ?Sized + 'static, T> {
    kind: &'static Kind<V, D>,
    value: V,
    shares: Cell<u32>,
    tail: T,
}

/// What is done with a `Whole` of one type of tail, by a pointer to its head.
struct Kind<V: 'static, D: ?Sized + 'static> {
    tail: unsafe fn(NonNull<Head<V, D>>) -> NonNull<D>,
    drop: unsafe fn(NonNull<Head<V, D>>),
}

trait OfKind<V: 'static, D: ?Sized + 'static> {
    const KIND: &'static Kind<V, D>;
}

impl<V: 'static, D: ?Sized + 'static, T: Tail<D>> OfKind<V, D> for T {
    const KIND: &'static Kind<V, D> = &Kind {
        tail: |head| {
            let whole = head.cast::<Whole<V, D, T>>();
            // SAFETY: the caller says that the head is that of such a `Whole`, which lives, and of which nobody makes a `&mut`.
            let whole = unsafe { whole.as_ref() };
            NonNull::from(whole.tail.as_dyn())
        },
        drop: |head| {
            let whole = head.cast::<Whole<V, D, T>>().as_ptr();
            // SAFETY: the caller says that the head is that of such a `Whole`, which `new` took out of a box, and does not use it
            // any more.
            drop(unsafe { Box::from_raw(whole) });
        },
    };
}

impl<V: 'static, D: ?Sized + 'static> ThinRc<V, D> {
    /// There is room before the value is made, so that it is not made elsewhere and then copied.
    #[inline]
    pub(crate) fn new<T: Tail<D>>(make: impl FnOnce() -> V, tail: T) -> Self {
        let room = Box::new_uninit();
        let kind = <T as OfKind<V, D>>::KIND;
        let whole = Box::write(room, Whole { kind, value: make(), shares: Cell::new(1), tail });
        ThinRc(NonNull::from(Box::leak(whole)).cast())
    }

    /// What stands behind the value.
    #[inline]
    pub(crate) fn tail(&self) -> &D {
        let tail = self.kind().tail;
        // SAFETY: it is of the kind that its head says, and lives.
        let tail = unsafe { tail(self.0) };
        // SAFETY: it lives as long as this share does, and nobody makes a `&mut` of it.
        unsafe { tail.as_ref() }
    }

    /// Tells it from all others.
    #[inline]
    pub(crate) fn address(&self) -> usize {
        self.0.addr().get()
    }

    #[inline]
    fn kind(&self) -> &'static Kind<V, D> {
        // SAFETY: it lives as long as there is a share.
        unsafe { (*self.0.as_ptr()).kind }
    }

    #[inline]
    fn shares(&self) -> &Cell<u32> {
        // SAFETY: it lives as long as there is a share, and nobody makes a `&mut` of it.
        unsafe { &(*self.0.as_ptr()).shares }
    }
}

impl<V: 'static, D: ?Sized + 'static> Deref for ThinRc<V, D> {
    type Target = V;

    #[inline]
    fn deref(&self) -> &V {
        // SAFETY: it lives as long as there is a share, and nobody makes a `&mut` of it.
        unsafe { &(*self.0.as_ptr()).value }
    }
}

impl<V: 'static, D: ?Sized + 'static> Clone for ThinRc<V, D> {
    /// # Panics
    /// When there are more than 2³² − 1 shares, which is possible where they are forgotten.
    #[inline]
    fn clone(&self) -> Self {
        let shares = self.shares();
        shares.set(shares.get().checked_add(1).expect("fewer shares than can be counted"));
        ThinRc(self.0)
    }
}

impl<V: 'static, D: ?Sized + 'static> Drop for ThinRc<V, D> {
    #[inline]
    fn drop(&mut self) {
        let shares = self.shares();
        shares.set(shares.get() - 1);
        if shares.get() == 0 {
            let drop = self.kind().drop;
            // SAFETY: it is of the kind that its head says, and this was the last share.
            unsafe { drop(self.0) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Display;
    use std::rc::Rc;

    impl<T: Display + 'static> Tail<dyn Display> for T {
        fn as_dyn(&self) -> &(dyn Display + 'static) {
            self
        }
    }

    #[repr(align(64))]
    struct Aligned(Rc<str>);

    impl Display for Aligned {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(&self.0)
        }
    }

    type Noted = ThinRc<(Rc<()>, Cell<u8>), dyn Display>;

    #[test]
    fn value_and_tail_live_as_long_as_there_is_a_share() {
        let (value, text) = (Rc::new(()), Rc::<str>::from("text"));
        let make = || (Rc::clone(&value), Cell::new(1));
        let tails: [Noted; 3] = [
            ThinRc::new(make, Rc::clone(&text)),
            ThinRc::new(make, Aligned(Rc::clone(&text))),
            ThinRc::new(make, 'c'),
        ];
        for (noted, tail) in tails.into_iter().zip(["text", "text", "c"]) {
            let share = noted.clone();
            share.1.set(2);
            assert_eq!((noted.1.get(), noted.address()), (2, share.address()));
            drop(noted);
            assert_eq!(share.tail().to_string(), tail);
        }
        assert_eq!((Rc::strong_count(&value), Rc::strong_count(&text)), (1, 1));
    }

    #[test]
    fn it_is_one_word_and_its_count_lies_beside_the_tail() {
        assert_eq!(size_of::<Option<Noted>>(), size_of::<usize>());
        assert_eq!(size_of::<Whole<u64, dyn Display, u32>>(), size_of::<usize>() + 16);
    }
}
