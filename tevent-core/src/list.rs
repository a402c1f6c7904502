//! A list that can be left from the middle: the immediates, the ring of one fd, the children of an owner.
//!
//! A plain data structure. Nodes live in a slab and are linked by index, so that once it has grown to its
//! working size no operation allocates, and each is O(1).

use std::mem;
use std::num::NonZeroU32;

use slab::Slab;

/// Names one value of one [`List`]. The generation makes a key that outlived its value a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    index: u32,
    /// Never 0, so that no `Option` of a key takes more room.
    generation: NonZeroU32,
}

impl Key {
    /// # Panics
    /// When there are more than 2³² − 2 at a time.
    fn new(index: usize, generation: NonZeroU32) -> Self {
        let index = u32::try_from(index).ok().filter(|index| *index != NOBODY);
        Key { index: index.expect("more values at a time than a key can tell apart"), generation }
    }

    /// Enough to name a value that is certainly there; see [`List::key_at`].
    pub(crate) fn index(self) -> u32 {
        self.index
    }
}

/// In place of an `Option`, which would take twice the room.
const NOBODY: u32 = u32::MAX;

#[derive(Debug)]
struct Node<T> {
    value: T,
    generation: NonZeroU32,
    before: u32,
    after: u32,
}

#[derive(Debug)]
pub(crate) struct List<T> {
    nodes: Slab<Node<T>>,
    front: u32,
    back: u32,
    births: NonZeroU32,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        List::new()
    }
}

impl<T> List<T> {
    pub(crate) const fn new() -> Self {
        List { nodes: Slab::new(), front: NOBODY, back: NOBODY, births: NonZeroU32::MIN }
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.front == NOBODY
    }

    pub(crate) fn push_back(&mut self, value: T) -> Key {
        self.births = self.births.checked_add(1).unwrap_or(NonZeroU32::MIN);
        let generation = self.births;
        let key = Key::new(self.nodes.vacant_key(), generation);
        self.nodes.insert(Node { value, generation, before: NOBODY, after: NOBODY });
        self.link_back(key.index);
        key
    }

    /// Takes the value out; `None` if it has left already.
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        if !self.holds(key) {
            return None;
        }
        self.take(key.index)
    }

    pub(crate) fn pop_front(&mut self) -> Option<T> {
        self.take(self.front)
    }

    pub(crate) fn pop_back(&mut self) -> Option<T> {
        self.take(self.back)
    }

    /// The key of what stands at that index.
    pub(crate) fn key_at(&self, index: u32) -> Option<Key> {
        self.node(index).map(|node| Key { index, generation: node.generation })
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        self.node(key.index).filter(|node| node.generation == key.generation).map(|node| &node.value)
    }

    pub(crate) fn front(&self) -> Option<&T> {
        self.node(self.front).map(|node| &node.value)
    }

    pub(crate) fn move_to_back(&mut self, key: Key) {
        if self.holds(key) {
            self.unlink(key.index);
            self.link_back(key.index);
        }
    }

    /// From front to back.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        let mut next = self.front;
        std::iter::from_fn(move || {
            let (index, node) = (next, self.node(next)?);
            next = node.after;
            Some((Key { index, generation: node.generation }, &node.value))
        })
    }

    /// From back to front.
    pub(crate) fn iter_back(&self) -> impl Iterator<Item = &T> {
        let mut next = self.back;
        std::iter::from_fn(move || {
            let node = self.node(next)?;
            next = node.before;
            Some(&node.value)
        })
    }

    /// `None` for nobody.
    fn node(&self, index: u32) -> Option<&Node<T>> {
        self.nodes.get(index as usize)
    }

    fn node_mut(&mut self, index: u32) -> Option<&mut Node<T>> {
        self.nodes.get_mut(index as usize)
    }

    fn holds(&self, key: Key) -> bool {
        self.node(key.index).is_some_and(|node| node.generation == key.generation)
    }

    fn take(&mut self, index: u32) -> Option<T> {
        self.node(index)?;
        self.unlink(index);
        Some(self.nodes.remove(index as usize).value)
    }

    fn link_back(&mut self, index: u32) {
        let old = mem::replace(&mut self.back, index);
        let node = &mut self.nodes[index as usize];
        (node.before, node.after) = (old, NOBODY);
        match self.node_mut(old) {
            Some(old) => old.after = index,
            None => self.front = index,
        }
    }

    fn unlink(&mut self, index: u32) {
        let Node { before, after, .. } = self.nodes[index as usize];
        match self.node_mut(before) {
            Some(before) => before.after = after,
            None => self.front = after,
        }
        match self.node_mut(after) {
            Some(after) => after.before = before,
            None => self.back = before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(list: &List<u32>) -> Vec<u32> {
        list.iter().map(|(_, value)| *value).collect()
    }

    #[test]
    fn keeps_order_when_left_from_the_middle() {
        let mut list = List::new();
        let keys: Vec<Key> = (0..5).map(|n| list.push_back(n)).collect();
        assert_eq!(list.remove(keys[2]), Some(2));
        list.move_to_back(keys[0]);
        assert_eq!(values(&list), [1, 3, 4, 0]);
        assert_eq!((list.pop_front(), list.pop_back()), (Some(1), Some(0)));
        assert_eq!(list.len(), 2);
    }

    #[test]
    fn a_key_that_outlived_its_value_is_a_miss() {
        let mut list = List::new();
        let old = list.push_back(1);
        list.remove(old);
        let new = list.push_back(2);
        assert_eq!(old.index, new.index);
        assert_eq!(list.remove(old), None);
        list.move_to_back(old);
        assert_eq!(values(&list), [2]);
    }
}
