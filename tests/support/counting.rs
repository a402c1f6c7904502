//! An allocator that counts, for the whole test program.

#![allow(unsafe_code, reason = "a counting allocator cannot be written without")]
#![allow(dead_code, unreachable_pub, reason = "shared by test programs")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Of this thread alone, so that tests that run at the same time do not disturb each other. It is initialised
    /// without an allocation and needs no destructor, so the allocator itself may use it.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
    static FREED: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

fn count_one(bytes: usize) {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
    BYTES.set(BYTES.get() + bytes);
}

fn count_freed(bytes: usize) {
    FREED.set(FREED.get() + bytes);
}

// SAFETY: every method hands its arguments on to `System` as they are and gives back what that gives; counting
// neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_one(layout.size());
        // SAFETY: the caller keeps the promises of `alloc`, which are those of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count_one(layout.size());
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count_one(size);
        count_freed(layout.size());
        // SAFETY: as in `alloc`; the block came from `System`, because all blocks do.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count_freed(layout.size());
        // SAFETY: as in `realloc`.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// How often the work allocates.
pub fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

/// How many bytes the work allocates, freed again or not.
pub fn bytes(work: impl FnOnce()) -> usize {
    let before = BYTES.get();
    work();
    BYTES.get() - before
}

/// How many bytes that the work has allocated are in use after it.
pub fn bytes_kept(work: impl FnOnce()) -> isize {
    let in_use = || BYTES.get().cast_signed() - FREED.get().cast_signed();
    let before = in_use();
    work();
    in_use() - before
}
