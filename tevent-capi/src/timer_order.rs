//! Timers in the order of their times. A plain data structure: a heap with four children to a node, of entries of a few words.
//! A timer knows its index, so that one leaves from the middle in O(log n) and without allocation.

use crate::chunk::Chunk;
use crate::timer::Timer;
use crate::timers::Place;

struct Entry {
    /// Microseconds of the wall clock.
    due: i64,
    /// The order among equal times.
    number: u64,
    te: Chunk<Timer>,
}

impl Entry {
    fn is_before(&self, other: &Entry) -> bool {
        (self.due, self.number) < (other.due, other.number)
    }
}

const CHILDREN: usize = 4;

pub struct TimerOrder {
    entries: Vec<Entry>,
    number: u64,
}

impl TimerOrder {
    pub const fn new() -> Self {
        TimerOrder { entries: Vec::new(), number: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn first(&self) -> Option<(i64, Chunk<Timer>)> {
        self.entries.first().map(|entry| (entry.due, entry.te))
    }

    /// In no order.
    pub fn timers(&self) -> impl Iterator<Item = Chunk<Timer>> {
        self.entries.iter().map(|entry| entry.te)
    }

    /// Behind all that are due at the same time.
    pub fn insert(&mut self, due: i64, te: Chunk<Timer>) {
        self.number += 1;
        self.entries.push(Entry { due, number: self.number, te });
        self.rise(self.entries.len() - 1);
    }

    pub fn remove(&mut self, at: usize) {
        self.entries.swap_remove(at);
        if at < self.entries.len() {
            self.sink(at);
            self.rise(at);
        }
    }

    fn rise(&mut self, at: usize) {
        let mut at = at;
        while at > 0 {
            let above = (at - 1) / CHILDREN;
            if !self.entries[at].is_before(&self.entries[above]) {
                break;
            }
            self.entries.swap(at, above);
            self.note(at);
            at = above;
        }
        self.note(at);
    }

    fn sink(&mut self, at: usize) {
        let mut at = at;
        loop {
            let children = at * CHILDREN + 1..self.entries.len().min(at * CHILDREN + 1 + CHILDREN);
            let least = children.reduce(|least, child| {
                if self.entries[child].is_before(&self.entries[least]) { child } else { least }
            });
            let Some(least) = least.filter(|least| self.entries[*least].is_before(&self.entries[at])) else {
                break;
            };
            self.entries.swap(at, least);
            self.note(at);
            at = least;
        }
        self.note(at);
    }

    /// It stands there now.
    fn note(&self, at: usize) {
        self.entries[at].te.place().set(Place::Later(at));
    }
}
