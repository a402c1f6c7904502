//! The objects of one kind on the side of the loop: who is owned by the case, and a Ref to each that ever was.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Deref;

use super::ops::{self, CAP, Pick};

pub(crate) struct Shelf<O: Deref<Target: Sized>> {
    owners: RefCell<BTreeMap<usize, O>>,
    refs: RefCell<Vec<O::Target>>,
}

impl<O: Deref<Target: Clone>> Shelf<O> {
    pub(crate) fn new() -> Self {
        Shelf { owners: RefCell::default(), refs: RefCell::new(Vec::new()) }
    }

    /// How many there ever were; the number of the next.
    pub(crate) fn len(&self) -> usize {
        self.refs.borrow().len()
    }

    pub(crate) fn put(&self, owner: O) {
        let id = self.len();
        self.refs.borrow_mut().push(O::Target::clone(&owner));
        self.give_back(id, owner);
    }

    pub(crate) fn give_back(&self, id: usize, owner: O) {
        self.owners.borrow_mut().insert(id, owner);
    }

    /// To be dropped, or moved, outside of any borrow.
    pub(crate) fn take(&self, id: usize) -> Option<O> {
        self.owners.borrow_mut().remove(&id)
    }

    pub(crate) fn owns(&self, id: usize) -> bool {
        self.owners.borrow().contains_key(&id)
    }

    pub(crate) fn live(&self) -> Vec<usize> {
        self.owners.borrow().keys().copied().collect()
    }

    /// Frees the oldest where one more would be too many.
    pub(crate) fn make_room(&self) {
        let live = self.live();
        if live.len() >= CAP {
            drop(self.take(live[0]));
        }
    }

    pub(crate) fn pick(&self, n: Pick, me: Option<usize>) -> Option<usize> {
        ops::pick(n, me, &self.live(), self.len())
    }

    pub(crate) fn get(&self, id: usize) -> O::Target {
        self.refs.borrow()[id].clone()
    }

    /// A Ref to what is meant, if there is one.
    pub(crate) fn find(&self, n: Pick, me: Option<usize>) -> Option<O::Target> {
        self.pick(n, me).map(|id| self.get(id))
    }

    /// Looks at those worth looking at.
    pub(crate) fn look<T>(&self, look: impl Fn(usize, &O::Target) -> T) -> Vec<T> {
        let refs = self.refs.borrow();
        ops::looked_at(&self.live(), refs.len()).into_iter().map(|id| look(id, &refs[id])).collect()
    }
}
