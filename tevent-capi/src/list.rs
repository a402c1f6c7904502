//! Lists of objects that are linked through themselves: what is on one allocates nothing to be there.

use std::cell::Cell;

use crate::chunk::Chunk;

/// Its place in the one list that it may be on.
pub struct Links<T> {
    before: Cell<Option<Chunk<T>>>,
    after: Cell<Option<Chunk<T>>>,
    listed: Cell<bool>,
}

impl<T> Links<T> {
    pub const fn new() -> Self {
        Links { before: Cell::new(None), after: Cell::new(None), listed: Cell::new(false) }
    }

    pub fn next(&self) -> Option<Chunk<T>> {
        self.after.get()
    }
}

pub trait Linked: Sized {
    fn links(&self) -> &Links<Self>;
}

pub struct List<T> {
    first: Cell<Option<Chunk<T>>>,
    last: Cell<Option<Chunk<T>>>,
}

impl<T: Linked> List<T> {
    pub const fn new() -> Self {
        List { first: Cell::new(None), last: Cell::new(None) }
    }

    pub fn first(&self) -> Option<Chunk<T>> {
        self.first.get()
    }

    pub fn is_empty(&self) -> bool {
        self.first.get().is_none()
    }

    pub fn push_back(&self, object: Chunk<T>) {
        let last = self.last.replace(Some(object));
        let links = object.links();
        links.listed.set(true);
        links.before.set(last);
        links.after.set(None);
        match last {
            Some(last) => last.links().after.set(Some(object)),
            None => self.first.set(Some(object)),
        }
    }

    /// Takes it off this list, if it is on it; it is on no other.
    pub fn remove(&self, object: Chunk<T>) {
        let links = object.links();
        if !links.listed.replace(false) {
            return;
        }
        let (before, after) = (links.before.take(), links.after.take());
        match before {
            Some(before) => before.links().after.set(after),
            None => self.first.set(after),
        }
        match after {
            Some(after) => after.links().before.set(before),
            None => self.last.set(before),
        }
    }

    /// The first that is such, if any.
    pub fn find(&self, is: impl Fn(Chunk<T>) -> bool) -> Option<Chunk<T>> {
        let mut at = self.first.get();
        while let Some(object) = at {
            if is(object) {
                return at;
            }
            at = object.links().next();
        }
        None
    }
}
