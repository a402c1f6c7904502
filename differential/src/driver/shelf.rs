//! Objects of one kind by their ids.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::Skipped;

pub(super) struct Shelf<T> {
    live: RefCell<BTreeMap<usize, T>>,
    used: RefCell<BTreeSet<usize>>,
}

impl<T> Shelf<T> {
    pub(super) const fn new() -> Self {
        Shelf { live: RefCell::new(BTreeMap::new()), used: RefCell::new(BTreeSet::new()) }
    }

    /// Takes an id that was never used.
    pub(super) fn claim(&self, id: usize) -> Result<(), Skipped> {
        if self.used.borrow_mut().insert(id) { Ok(()) } else { Err(Skipped) }
    }

    pub(super) fn is_used(&self, id: usize) -> bool {
        self.used.borrow().contains(&id)
    }

    pub(super) fn put(&self, id: usize, object: T) {
        self.live.borrow_mut().insert(id, object);
    }

    /// Looks at an object that lives; no handler may run in it.
    pub(super) fn with<R>(&self, id: usize, look: impl FnOnce(&mut T) -> R) -> Result<R, Skipped> {
        self.live.borrow_mut().get_mut(&id).map(look).ok_or(Skipped)
    }

    /// It lives no more.
    pub(super) fn take(&self, id: usize) -> Result<T, Skipped> {
        self.live.borrow_mut().remove(&id).ok_or(Skipped)
    }

    pub(super) fn lives(&self, id: usize) -> bool {
        self.live.borrow().contains_key(&id)
    }

    pub(super) fn for_each(&self, mut look: impl FnMut(usize, &mut T)) {
        for (id, object) in &mut *self.live.borrow_mut() {
            look(*id, object);
        }
    }

    /// The ids of those for which it holds.
    pub(super) fn which(&self, mut holds: impl FnMut(&T) -> bool) -> Vec<usize> {
        let live = self.live.borrow();
        live.iter().filter(|(_, object)| holds(object)).map(|(id, _)| *id).collect()
    }

    pub(super) fn any(&self, holds: impl FnMut(&T) -> bool) -> bool {
        !self.which(holds).is_empty()
    }
}
