//! Room for events: what one has left is there for the next.
//!
//! A few blocks of each size are kept, by thread, as events come and go all the time: `malloc` and `free` together are 126
//! instructions, this is a quarter. All beyond these few goes back at once.

use std::alloc::{self, Layout};
use std::cell::Cell;
use std::ptr::NonNull;

/// The sizes that are kept, in bytes: what `malloc` gives without waste.
const LEAST: usize = 24;
const STEP: usize = 16;
const SIZES: usize = 12;

/// How many blocks of each size are kept. None under miri, which is to find whoever uses one that was given back.
const KEPT: u8 = if cfg!(miri) { 0 } else { 32 };

/// A block that nobody uses.
struct Free {
    next: Option<NonNull<Free>>,
}

/// The blocks of one size that nobody uses.
struct Pile {
    first: Cell<Option<NonNull<Free>>>,
    count: Cell<u8>,
}

struct Piles([Pile; SIZES]);

thread_local! {
    static PILES: Piles = const {
        Piles([const { Pile { first: Cell::new(None), count: Cell::new(0) } }; SIZES])
    };
}

impl Pile {
    #[inline]
    fn take(&self) -> Option<NonNull<Free>> {
        let first = self.first.get()?;
        // SAFETY: it was written by `put`, and nobody has used the block since.
        self.first.set(unsafe { first.read() }.next);
        self.count.set(self.count.get() - 1);
        Some(first)
    }

    /// False if there are enough.
    ///
    /// # Safety
    /// The block is of this pile's size, aligned as a word, and nobody else's.
    #[inline]
    unsafe fn put(&self, block: NonNull<Free>) -> bool {
        let count = self.count.get();
        if count >= KEPT {
            return false;
        }
        // SAFETY: the caller gives a block that has room for a word.
        unsafe { block.write(Free { next: self.first.get() }) };
        self.first.set(Some(block));
        self.count.set(count + 1);
        true
    }
}

impl Drop for Piles {
    fn drop(&mut self) {
        for (size, pile) in self.0.iter().enumerate() {
            while let Some(block) = pile.take() {
                // SAFETY: a block of this pile was allocated by `allocate` with this layout.
                unsafe { alloc::dealloc(block.as_ptr().cast(), layout(size)) };
            }
        }
    }
}

/// Which pile has room for a `T`; `None` for what is too large, or aligned to more than a word.
const fn size_of_pile<T>() -> Option<usize> {
    let size = size_of::<T>().saturating_sub(LEAST).div_ceil(STEP);
    if align_of::<T>() <= align_of::<Free>() && size < SIZES { Some(size) } else { None }
}

const fn layout(size: usize) -> Layout {
    match Layout::from_size_align(LEAST + size * STEP, align_of::<Free>()) {
        Ok(layout) => layout,
        Err(_) => unreachable!(),
    }
}

const fn layout_of<T>() -> Layout {
    match size_of_pile::<T>() {
        Some(size) => layout(size),
        None => Layout::new::<T>(),
    }
}

/// Room for a `T`, with nothing in it yet, that [`give_back`] takes.
#[inline]
pub(super) fn take<T>() -> NonNull<T> {
    const { assert!(size_of::<T>() > 0) };
    let spare =
        size_of_pile::<T>().and_then(|size| PILES.try_with(|piles| piles.0[size].take()).ok().flatten());
    match spare {
        Some(block) => block.cast(),
        None => allocate(layout_of::<T>()).cast(),
    }
}

#[cold]
fn allocate(layout: Layout) -> NonNull<u8> {
    // SAFETY: no layout here has a size of 0: `take` sees to that.
    let block = unsafe { alloc::alloc(layout) };
    NonNull::new(block).unwrap_or_else(|| alloc::handle_alloc_error(layout))
}

/// # Safety
/// The block is one that [`take`] gave for a `T`, on any thread, and nobody uses it any more.
#[inline]
pub(super) unsafe fn give_back<T>(block: NonNull<T>) {
    let is_kept = size_of_pile::<T>().is_some_and(|size| {
        // SAFETY: it was allocated with the layout of this pile, and the caller gives it away.
        PILES.try_with(|piles| unsafe { piles.0[size].put(block.cast()) }).unwrap_or(false)
    });
    if !is_kept {
        // SAFETY: `take` has allocated it with this layout, or taken it from a pile of which all were.
        unsafe { alloc::dealloc(block.as_ptr().cast(), layout_of::<T>()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_are_kept_and_the_rest_goes_back() {
        let counts = || PILES.with(|piles| piles.0.iter().map(|pile| pile.count.get()).collect::<Vec<_>>());
        let blocks: Vec<NonNull<[u64; 5]>> = (0..100).map(|_| take()).collect();
        let before = counts();
        for block in &blocks {
            // SAFETY: it was just taken, and is given back this once.
            unsafe { give_back(*block) };
        }
        let (size, mut after) = (size_of_pile::<[u64; 5]>().expect("it is small"), before);
        after[size] = KEPT;
        assert_eq!(counts(), after);
        let again = take::<[u64; 4]>();
        assert!(
            KEPT == 0 || blocks.contains(&again.cast()),
            "one of the same pile, also for what is a little smaller"
        );
        // SAFETY: as above.
        unsafe { give_back(again) };
    }

    #[test]
    fn what_is_too_large_or_aligned_to_more_is_not_kept() {
        #[repr(align(64))]
        struct Aligned;
        assert_eq!((size_of_pile::<[u64; 24]>(), size_of_pile::<[u64; 26]>()), (Some(11), None));
        assert_eq!((size_of_pile::<Aligned>(), size_of_pile::<u8>()), (None, Some(0)));
        assert_eq!(layout_of::<[u8; 25]>().size(), 40);
    }

    #[test]
    fn it_can_be_given_back_when_the_thread_ends() {
        struct AtEnd(Cell<Option<NonNull<[u64; 5]>>>);
        impl Drop for AtEnd {
            fn drop(&mut self) {
                // SAFETY: `take` gave it, and it is given back this once.
                self.0.take().into_iter().for_each(|block| unsafe { give_back(block) });
            }
        }
        thread_local!(static AT_END: AtEnd = const { AtEnd(Cell::new(None)) });
        std::thread::spawn(|| {
            AT_END.with(|last| last.0.set(Some(take())));
            let other = take::<[u64; 5]>();
            // SAFETY: as above.
            unsafe { give_back(other) };
        })
        .join()
        .expect("nothing panics as the thread ends");
    }
}
