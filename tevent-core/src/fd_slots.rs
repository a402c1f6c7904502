//! Every fd number's slot, found by the number.

use std::collections::HashMap;
use std::os::fd::RawFd;

use crate::fd_slot::FdSlot;
use crate::reactor::SlotKey;

/// The kernel hands out the lowest number that is free, and keeps a table itself: so do we.
pub(crate) struct FdSlots {
    near: Vec<FdSlot>,
    /// Numbers that no process has by default: mostly they are mistakes, and must not cost the room of all below them.
    far: HashMap<RawFd, FdSlot>,
}

/// The kernel's own default for the highest number.
const FAR: RawFd = 1 << 20;

impl FdSlots {
    pub(crate) fn new() -> Self {
        FdSlots { near: Vec::new(), far: HashMap::new() }
    }

    #[inline]
    pub(crate) fn get(&self, number: RawFd) -> Option<&FdSlot> {
        match self.near.get(index(number)) {
            None => self.far(number),
            near => near,
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, number: RawFd) -> Option<&mut FdSlot> {
        if index(number) < self.near.len() { self.near.get_mut(index(number)) } else { self.far_mut(number) }
    }

    /// The slot that the kernel means, unless that has become another's.
    #[inline]
    pub(crate) fn keyed(&mut self, SlotKey { number, generation }: SlotKey) -> Option<&mut FdSlot> {
        self.get_mut(number).filter(|slot| slot.is_of(generation))
    }

    #[cold]
    fn far(&self, number: RawFd) -> Option<&FdSlot> {
        self.far.get(&number)
    }

    #[cold]
    fn far_mut(&mut self, number: RawFd) -> Option<&mut FdSlot> {
        self.far.get_mut(&number)
    }

    /// A number's slot, vacant if it had none.
    #[inline]
    pub(crate) fn of(&mut self, number: RawFd) -> &mut FdSlot {
        let index = index(number);
        if index < self.near.len() { &mut self.near[index] } else { self.beyond(number) }
    }

    #[cold]
    fn beyond(&mut self, number: RawFd) -> &mut FdSlot {
        if number >= FAR {
            return self.far.entry(number).or_insert(FdSlot::VACANT);
        }
        self.near.resize_with(index(number) + 1, || FdSlot::VACANT);
        &mut self.near[index(number)]
    }

    /// Nothing is to be known of that number any more.
    #[inline]
    pub(crate) fn vacate(&mut self, number: RawFd) {
        if let Some(slot) = self.near.get_mut(index(number)) {
            *slot = FdSlot::VACANT;
        } else {
            self.vacate_far(number);
        }
    }

    #[cold]
    fn vacate_far(&mut self, number: RawFd) {
        self.far.remove(&number);
    }

    /// Those of which anything is known, the oldest first.
    pub(crate) fn known(&self) -> Vec<(RawFd, &FdSlot)> {
        let near = (0..).zip(&self.near);
        let far = self.far.iter().map(|(number, slot)| (*number, slot));
        let mut known: Vec<_> = near.chain(far).filter(|(_number, slot)| !slot.is_vacant()).collect();
        known.sort_by_key(|(_number, slot)| slot.told().generation);
        known
    }
}

/// Numbers in the table are never negative.
fn index(number: RawFd) -> usize {
    number.cast_unsigned() as usize
}
