//! Nothing, an fd event, or something in a box, in one word: every fd number has one of these.

use std::marker::PhantomData;
use std::mem;
use std::ptr;

use crate::fd::FdRef;

/// Which it is tells the lowest bit of the address.
pub(crate) struct EventOrBox<T> {
    word: *mut (),
    owns: PhantomData<(FdRef, Box<T>)>,
}

const BOXED: usize = 1;

impl<T> EventOrBox<T> {
    pub(crate) const NOTHING: Self = EventOrBox { word: ptr::null_mut(), owns: PhantomData };

    pub(crate) fn of_event(fde: FdRef) -> Self {
        // SAFETY: it is a word, which points to an event. Those are aligned as words, so the bit is not set.
        let word = unsafe { mem::transmute::<FdRef, *mut ()>(fde) };
        EventOrBox { word, owns: PhantomData }
    }

    pub(crate) fn of_box(value: Box<T>) -> Self {
        const { assert!(align_of::<T>() > BOXED) };
        let word = Box::into_raw(value).cast::<()>().map_addr(|address| address | BOXED);
        EventOrBox { word, owns: PhantomData }
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.word.is_null()
    }

    #[inline]
    pub(crate) fn event(&self) -> Option<&FdRef> {
        if self.is_nothing() || self.is_boxed() {
            return None;
        }
        // SAFETY: without the bit it is what `of_event` was given, and stays so for as long as this is borrowed.
        Some(unsafe { &*ptr::from_ref(&self.word).cast::<FdRef>() })
    }

    #[inline]
    pub(crate) fn boxed(&self) -> Option<&T> {
        // SAFETY: with the bit it is what `of_box` was given, which nobody else has.
        self.is_boxed().then(|| unsafe { &*self.in_box() })
    }

    #[inline]
    pub(crate) fn boxed_mut(&mut self) -> Option<&mut T> {
        // SAFETY: as above, and nobody has borrowed this.
        self.is_boxed().then(|| unsafe { &mut *self.in_box() })
    }

    fn is_boxed(&self) -> bool {
        self.word.addr() & BOXED != 0
    }

    fn in_box(&self) -> *mut T {
        self.word.map_addr(|address| address & !BOXED).cast()
    }
}

impl<T> Drop for EventOrBox<T> {
    #[inline]
    fn drop(&mut self) {
        if self.is_nothing() {
            return;
        }
        if self.is_boxed() {
            // SAFETY: `of_box` was given it, and it is not used after this.
            drop(unsafe { Box::from_raw(self.in_box()) });
        } else {
            // SAFETY: `of_event` was given it, and it is not used after this.
            drop(unsafe { mem::transmute::<*mut (), FdRef>(self.word) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, FdFlags};
    use std::rc::Rc;

    #[test]
    fn it_is_a_word_and_gives_back_what_it_was_given() {
        assert_eq!(size_of::<EventOrBox<u16>>(), size_of::<usize>());
        let nothing = EventOrBox::<u16>::NOTHING;
        assert!(nothing.is_nothing() && nothing.event().is_none() && nothing.boxed().is_none());
        let ctx = Context::builder().backend(crate::Backend::Simulated { seed: 1 }).build();
        let ctx = ctx.expect("it asks for nothing");
        let held = Rc::new(());
        let inside = Rc::clone(&held);
        let fde =
            ctx.add_fd(0, FdFlags::NONE, move |_ev, _fde, _flags| _ = &inside).expect("it is not watched");
        let event = EventOrBox::<u16>::of_event(fde.clone());
        assert!(event.event() == Some(&fde) && event.boxed().is_none() && !event.is_nothing());
        drop(fde);
        assert_eq!(Rc::strong_count(&held), 1, "the handler has gone, the event is there");
        assert_eq!(event.event().map(FdRef::flags), Some(FdFlags::NONE));
        let mut boxed = EventOrBox::of_box(Box::new((7_u16, Rc::clone(&held))));
        boxed.boxed_mut().expect("it is").0 += 1;
        assert!(boxed.boxed().is_some_and(|inside| inside.0 == 8) && boxed.event().is_none());
        drop((event, boxed));
        assert_eq!(Rc::strong_count(&held), 1);
    }
}
