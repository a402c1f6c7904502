//! A list that can be left from the middle: the immediates, the ring of one fd, the children of an owner.
//!
//! A plain data structure. Nodes live in a slab and are linked by index, so that once it has grown to its
//! working size no operation allocates, and each is O(1).

use slab::Slab;

/// Names one value of one [`List`]. The generation makes a key that outlived its value a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) index: usize,
    pub(crate) generation: u32,
}

#[derive(Debug)]
struct Node<T> {
    value: T,
    generation: u32,
    before: Option<usize>,
    after: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct List<T> {
    nodes: Slab<Node<T>>,
    front: Option<usize>,
    back: Option<usize>,
    births: u32,
}

impl<T> List<T> {
    pub(crate) const fn new() -> Self {
        List { nodes: Slab::new(), front: None, back: None, births: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.front.is_none()
    }

    pub(crate) fn push_back(&mut self, value: T) -> Key {
        self.births = self.births.wrapping_add(1);
        let generation = self.births;
        let index = self.nodes.insert(Node { value, generation, before: None, after: None });
        self.link_back(index);
        Key { index, generation }
    }

    /// Takes the value out; `None` if it has left already.
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        if !self.holds(key) {
            return None;
        }
        self.unlink(key.index);
        Some(self.nodes.remove(key.index).value)
    }

    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let index = self.front?;
        self.unlink(index);
        Some(self.nodes.remove(index).value)
    }

    pub(crate) fn pop_back(&mut self) -> Option<T> {
        let index = self.back?;
        self.unlink(index);
        Some(self.nodes.remove(index).value)
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        self.nodes.get(key.index).filter(|node| node.generation == key.generation).map(|node| &node.value)
    }

    pub(crate) fn front(&self) -> Option<&T> {
        self.front.map(|index| &self.nodes[index].value)
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
            let index = next?;
            let node = &self.nodes[index];
            next = node.after;
            let generation = node.generation;
            Some((Key { index, generation }, &node.value))
        })
    }

    /// From back to front.
    pub(crate) fn iter_back(&self) -> impl Iterator<Item = &T> {
        let mut next = self.back;
        std::iter::from_fn(move || {
            let node = &self.nodes[next?];
            next = node.before;
            Some(&node.value)
        })
    }

    fn holds(&self, key: Key) -> bool {
        self.nodes.get(key.index).is_some_and(|node| node.generation == key.generation)
    }

    fn link_back(&mut self, index: usize) {
        let old = self.back.replace(index);
        self.nodes[index].before = old;
        self.nodes[index].after = None;
        match old {
            Some(old) => self.nodes[old].after = Some(index),
            None => self.front = Some(index),
        }
    }

    fn unlink(&mut self, index: usize) {
        let Node { before, after, .. } = self.nodes[index];
        match before {
            Some(before) => self.nodes[before].after = after,
            None => self.front = after,
        }
        match after {
            Some(after) => self.nodes[after].before = before,
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
