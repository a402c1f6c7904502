//! The ordered set of deadlines. A plain data structure with no loop in it.
//!
//! A binary heap whose entries know their place, so that one can be moved or removed from the middle in
//! O(log n) and without allocation (TIMER-7). Equal deadlines keep the order they were given in: each
//! insert and each update takes the next number.

use std::num::NonZeroU32;
use std::time::Instant;

use slab::Slab;

/// When something is due. `None` is the zero time, before all others (TIMER-2).
pub(crate) type Due = Option<Instant>;

/// Names one entry. The generation makes a key that outlived its entry a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimerKey {
    index: u32,
    generation: NonZeroU32,
}

#[derive(Debug)]
struct Entry<T> {
    value: T,
    generation: NonZeroU32,
    /// Where in the heap.
    at: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    due: Due,
    number: u64,
}

#[derive(Debug)]
pub(crate) struct TimerQueue<T> {
    entries: Slab<Entry<T>>,
    /// Each with the index of its entry.
    heap: Vec<(Rank, u32)>,
    numbers: u64,
    births: NonZeroU32,
}

impl<T> TimerQueue<T> {
    pub(crate) const fn new() -> Self {
        TimerQueue { entries: Slab::new(), heap: Vec::new(), numbers: 0, births: NonZeroU32::MIN }
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// The deadline of the first entry.
    pub(crate) fn first(&self) -> Option<Due> {
        self.heap.first().map(|(rank, _)| rank.due)
    }

    /// Whether that entry is the first.
    pub(crate) fn is_first(&self, key: TimerKey) -> bool {
        self.place(key) == Some(0)
    }

    /// # Panics
    /// When there are more than 2³² at a time.
    pub(crate) fn insert(&mut self, due: Due, value: T) -> TimerKey {
        let rank = self.next_rank(due);
        let at = self.heap.len();
        self.births = self.births.checked_add(1).unwrap_or(NonZeroU32::MIN);
        let generation = self.births;
        let index = short(self.entries.insert(Entry { value, generation, at: short(at) }));
        self.heap.push((rank, index));
        self.rise(at);
        TimerKey { index, generation }
    }

    /// Moves an entry to a new deadline, behind its equals (TIMER-4). False if it has left already.
    pub(crate) fn update(&mut self, key: TimerKey, due: Due) -> bool {
        let Some(at) = self.place(key) else {
            return false;
        };
        self.heap[at].0 = self.next_rank(due);
        self.settle(at);
        true
    }

    pub(crate) fn remove(&mut self, key: TimerKey) -> Option<T> {
        let at = self.place(key)?;
        Some(self.remove_at(at))
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        (!self.is_empty()).then(|| self.remove_at(0))
    }

    /// All, in no order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|(_, entry)| &entry.value)
    }

    /// The deadline of an entry; `None` if it has left already.
    pub(crate) fn due(&self, key: TimerKey) -> Option<Due> {
        self.place(key).map(|at| self.heap[at].0.due)
    }

    fn next_rank(&mut self, due: Due) -> Rank {
        self.numbers += 1;
        Rank { due, number: self.numbers }
    }

    fn place(&self, key: TimerKey) -> Option<usize> {
        let entry = self.entries.get(key.index as usize)?;
        (entry.generation == key.generation).then_some(entry.at as usize)
    }

    fn remove_at(&mut self, at: usize) -> T {
        let (_, index) = self.heap.swap_remove(at);
        if at < self.heap.len() {
            self.settle(at);
        }
        self.entries.remove(index as usize).value
    }

    fn settle(&mut self, at: usize) {
        let at = self.rise(at);
        self.sink(at);
    }

    fn rise(&mut self, mut at: usize) -> usize {
        while at > 0 {
            let parent = (at - 1) / 2;
            if self.heap[parent].0 <= self.heap[at].0 {
                break;
            }
            self.swap(parent, at);
            at = parent;
        }
        self.note(at);
        at
    }

    fn sink(&mut self, mut at: usize) {
        loop {
            let left = 2 * at + 1;
            let smallest = [left, left + 1]
                .into_iter()
                .filter(|child| *child < self.heap.len())
                .min_by_key(|child| self.heap[*child].0);
            match smallest {
                Some(child) if self.heap[child].0 < self.heap[at].0 => {
                    self.swap(child, at);
                    at = child;
                }
                _ => break,
            }
        }
        self.note(at);
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.note(a);
        self.note(b);
    }

    fn note(&mut self, at: usize) {
        let (_, index) = self.heap[at];
        self.entries[index as usize].at = short(at);
    }
}

fn short(index: usize) -> u32 {
    u32::try_from(index).expect("more timers at a time than a key can tell apart")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn drain<T>(queue: &mut TimerQueue<T>) -> Vec<T> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn equal_deadlines_keep_the_order_they_were_given_in() {
        let now = Instant::now();
        let mut queue = TimerQueue::new();
        queue.insert(Some(now), "b1");
        let moved = queue.insert(Some(now), "moved");
        queue.insert(Some(now), "b2");
        queue.insert(None, "zero1");
        queue.insert(None, "zero2");
        assert!(queue.update(moved, Some(now)));
        assert_eq!(drain(&mut queue), ["zero1", "zero2", "b1", "b2", "moved"]);
        assert!(!queue.update(moved, None), "a spent key is a miss");
    }

    /// A fixed multiplicative walk in place of random numbers, against a sorted vector.
    #[test]
    fn agrees_with_a_sorted_vector_under_inserts_updates_and_removes() {
        let start = Instant::now();
        let mut queue = TimerQueue::new();
        let mut model: Vec<(Due, u64, TimerKey, u64)> = Vec::new();
        let mut seed = 1_u64;
        for step in 1..20_000_u64 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(step);
            let due = (seed >> 40).checked_rem(7).filter(|n| *n > 0);
            let due = due.map(|n| start + Duration::from_secs(n));
            let pick = usize::try_from(seed >> 33).unwrap_or(0) % (model.len() + 1);
            match (seed >> 60, model.get(pick).copied()) {
                (0..=6, _) | (_, None) => {
                    let key = queue.insert(due, step);
                    model.push((due, step, key, step));
                }
                (7..=10, Some((_, _, key, value))) => {
                    assert!(queue.update(key, due));
                    model[pick] = (due, step, key, value);
                }
                (_, Some((_, _, key, value))) => {
                    assert_eq!(queue.remove(key), Some(value));
                    model.remove(pick);
                }
            }
            assert_eq!(queue.first(), model.iter().map(|m| m.0).min());
            assert_eq!(queue.len(), model.len());
        }
        model.sort_by_key(|m| (m.0, m.1));
        let expected: Vec<u64> = model.iter().map(|m| m.3).collect();
        assert_eq!(drain(&mut queue), expected);
    }
}
