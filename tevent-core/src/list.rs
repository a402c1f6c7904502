//! A list that can be left from the middle: the ring of one fd, the children of an owner, the requests that a context knows.
//!
//! A plain data structure. Nodes are linked by index, so that once it has grown to its working size no operation allocates, and
//! each is O(1). The first stand in the list itself, because most lists hold one or two.

use std::iter;
use std::mem;
use std::num::NonZeroU32;

/// Names one value of one [`List`]. The generation makes a key that outlived its value a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    index: u32,
    /// Never 0, so that no `Option` of a key takes more room.
    generation: NonZeroU32,
}

impl Key {
    /// Enough to name a value that is certainly there; see [`List::key_at`].
    pub(crate) fn index(self) -> u32 {
        self.index
    }
}

/// In place of an `Option`, which would take twice the room.
const NOBODY: u32 = u32::MAX;

#[derive(Debug)]
struct Node<T> {
    /// `None` when it is free.
    value: Option<T>,
    generation: NonZeroU32,
    before: u32,
    /// Of a free one the next that is free.
    after: u32,
    chain: u32,
}

impl<T> Node<T> {
    const fn free() -> Self {
        Node { value: None, generation: NonZeroU32::MIN, before: NOBODY, after: NOBODY, chain: 0 }
    }
}

#[derive(Clone, Copy, Debug)]
struct Ends {
    front: u32,
    back: u32,
}

/// One chain of values, or several in the same room, so that a key is of one of them only. So many values as are said find room
/// `HERE`, without an allocation.
#[derive(Debug)]
pub(crate) struct List<T, const CHAINS: usize = 1, const HERE: usize = 1> {
    here: [Node<T>; HERE],
    /// From index `HERE` on.
    more: Vec<Node<T>>,
    /// How many nodes have ever been in use.
    used: u32,
    /// The first of those that are free again.
    free: u32,
    births: NonZeroU32,
    len: u32,
    ends: [Ends; CHAINS],
}

impl<T, const CHAINS: usize, const HERE: usize> Default for List<T, CHAINS, HERE> {
    fn default() -> Self {
        List::new()
    }
}

/// Of the one chain, or the first.
impl<T, const CHAINS: usize, const HERE: usize> List<T, CHAINS, HERE> {
    #[inline]
    pub(crate) fn push_back(&mut self, value: T) -> Key {
        self.push_back_of(0, value)
    }

    pub(crate) fn pop_front(&mut self) -> Option<T> {
        self.take(self.ends[0].front)
    }

    pub(crate) fn front(&self) -> Option<&T> {
        self.node(self.ends[0].front)?.value.as_ref()
    }

    /// From front to back.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.iter_of(0)
    }

    /// From back to front.
    pub(crate) fn iter_back(&self) -> impl Iterator<Item = &T> {
        let mut next = self.ends[0].back;
        iter::from_fn(move || {
            let node = self.node(next)?;
            next = node.before;
            node.value.as_ref()
        })
    }
}

impl<T, const CHAINS: usize, const HERE: usize> List<T, CHAINS, HERE> {
    pub(crate) const fn new() -> Self {
        List {
            here: [const { Node::free() }; HERE],
            more: Vec::new(),
            used: 0,
            free: NOBODY,
            births: NonZeroU32::MIN,
            len: 0,
            ends: [Ends { front: NOBODY, back: NOBODY }; CHAINS],
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[allow(
        clippy::inline_always,
        reason = "a value of two words is copied as one, right after it was written as two: a stall"
    )]
    #[inline(always)]
    pub(crate) fn push_back_of(&mut self, chain: u32, value: T) -> Key {
        let (index, generation) = self.link_new(chain);
        // A free node has no value that would have to be dropped.
        mem::forget(self.at(index).value.replace(value));
        Key { index, generation }
    }

    /// Takes the room that is free next.
    ///
    /// # Panics
    /// When there are more than 2³² − 2 at a time.
    fn link_new(&mut self, chain: u32) -> (u32, NonZeroU32) {
        let index = if self.free == NOBODY { self.use_more() } else { self.free };
        self.births = self.births.checked_add(1).unwrap_or(NonZeroU32::MIN);
        let generation = self.births;
        let before = mem::replace(&mut self.ends[chain as usize].back, index);
        match before {
            NOBODY => self.ends[chain as usize].front = index,
            before => self.at(before).after = index,
        }
        let node = self.at(index);
        (node.generation, node.before, node.chain) = (generation, before, chain);
        self.free = mem::replace(&mut node.after, NOBODY);
        self.len += 1;
        (index, generation)
    }

    /// One that stands free, and has no other after it.
    fn use_more(&mut self) -> u32 {
        let index = self.used;
        assert!(index != NOBODY, "more values at a time than a key can tell apart");
        if index as usize >= HERE {
            self.more.push(Node::free());
        }
        self.used += 1;
        index
    }

    /// Takes the value out; `None` if it has left already.
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        self.get(key)?;
        self.take(key.index)
    }

    pub(crate) fn pop_back_of(&mut self, chain: u32) -> Option<T> {
        self.take(self.ends[chain as usize].back)
    }

    /// The key of what stands at that index.
    pub(crate) fn key_at(&self, index: u32) -> Option<Key> {
        let node = self.node(index).filter(|node| node.value.is_some())?;
        Some(Key { index, generation: node.generation })
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let node = self.node(key.index).filter(|node| node.generation == key.generation);
        node?.value.as_ref()
    }

    pub(crate) fn move_to_back(&mut self, key: Key) {
        if self.get(key).is_some() {
            self.unlink(key.index);
            self.link_back(key.index);
        }
    }

    /// From front to back.
    pub(crate) fn iter_of(&self, chain: u32) -> impl Iterator<Item = (Key, &T)> {
        let mut next = self.ends[chain as usize].front;
        iter::from_fn(move || {
            let (index, node) = (next, self.node(next)?);
            next = node.after;
            Some((Key { index, generation: node.generation }, node.value.as_ref()?))
        })
    }

    /// `None` for nobody.
    fn node(&self, index: u32) -> Option<&Node<T>> {
        let index = index as usize;
        if index < HERE { Some(&self.here[index]) } else { self.more.get(index - HERE) }
    }

    fn at(&mut self, index: u32) -> &mut Node<T> {
        let index = index as usize;
        if index < HERE { &mut self.here[index] } else { &mut self.more[index - HERE] }
    }

    /// `None` for nobody.
    fn take(&mut self, index: u32) -> Option<T> {
        self.node(index)?;
        self.unlink(index);
        let free = self.free;
        let node = self.at(index);
        node.after = free;
        let value = node.value.take();
        self.free = index;
        self.len -= 1;
        value
    }

    fn link_back(&mut self, index: u32) {
        let chain = self.at(index).chain as usize;
        let old = mem::replace(&mut self.ends[chain].back, index);
        let node = self.at(index);
        (node.before, node.after) = (old, NOBODY);
        match old {
            NOBODY => self.ends[chain].front = index,
            old => self.at(old).after = index,
        }
    }

    fn unlink(&mut self, index: u32) {
        let &mut Node { before, after, chain, .. } = self.at(index);
        match before {
            NOBODY => self.ends[chain as usize].front = after,
            before => self.at(before).after = after,
        }
        match after {
            NOBODY => self.ends[chain as usize].back = before,
            after => self.at(after).before = before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values<const CHAINS: usize, const HERE: usize>(list: &List<u32, CHAINS, HERE>) -> Vec<u32> {
        list.iter().map(|(_, value)| *value).collect()
    }

    #[test]
    fn keeps_order_when_left_from_the_middle() {
        let mut list = List::<u32>::new();
        let keys: Vec<Key> = (0..5).map(|n| list.push_back(n)).collect();
        assert_eq!(list.remove(keys[2]), Some(2));
        list.move_to_back(keys[0]);
        assert_eq!(values(&list), [1, 3, 4, 0]);
        assert_eq!((list.pop_front(), list.pop_back_of(0)), (Some(1), Some(0)));
        assert_eq!(list.len(), 2);
    }

    #[test]
    fn a_key_that_outlived_its_value_is_a_miss() {
        let mut list = List::<u32>::new();
        let old = list.push_back(1);
        list.remove(old);
        let new = list.push_back(2);
        assert_eq!(old.index, new.index);
        assert_eq!(list.remove(old), None);
        list.move_to_back(old);
        assert_eq!(values(&list), [2]);
    }

    #[test]
    fn chains_share_their_room_and_nothing_else() {
        let mut list = List::<u32, 2, 2>::new();
        let keys: Vec<Key> = (0..8).map(|n| list.push_back_of(n % 2, n)).collect();
        assert_eq!(list.remove(keys[2]), Some(2));
        assert_eq!(list.remove(keys[7]), Some(7));
        let again = list.push_back_of(1, 9);
        assert_eq!(again.index, keys[7].index, "the latest that became free");
        let odd: Vec<u32> = list.iter_of(1).map(|(_, value)| *value).collect();
        assert_eq!((values(&list), odd), (vec![0, 4, 6], vec![1, 3, 5, 9]));
        assert_eq!((list.pop_back_of(0), list.pop_back_of(1), list.len()), (Some(6), Some(9), 5));
        assert_eq!(list.more.capacity(), list.more.len().next_power_of_two(), "two stand in the list itself");
    }
}
