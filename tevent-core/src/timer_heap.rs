//! Deadlines in their order. A plain data structure with no loop in it.
//!
//! A heap with four children to a node, which lie side by side, of entries of a few words: the deadline is a count of
//! nanoseconds, and what is due knows its own [place](Place). So one can be moved or removed from the middle in O(log n)
//! and without allocation (TIMER-7).

use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::mem;
use std::time::{Duration, Instant};

use crate::fifo::Ticket;

/// Where in a queue something stands.
pub(crate) struct Place {
    /// The index in the heap, or one of the constants.
    at: Cell<u32>,
    /// In the heap the order among equal deadlines: each insert and each update takes the next number. Among the zero timers
    /// the ticket.
    number: Cell<u32>,
}

impl Place {
    const NOWHERE: u32 = u32::MAX;
    const IN_LINE: u32 = u32::MAX - 1;
    /// The last index in a heap.
    const MOST: usize = (u32::MAX / 2) as usize;

    pub(crate) const fn new() -> Self {
        Place { at: Cell::new(Self::NOWHERE), number: Cell::new(0) }
    }

    pub(crate) fn is_taken(&self) -> bool {
        self.at.get() != Self::NOWHERE
    }

    /// In the heap.
    fn stand(&self, at: usize) {
        // No heap is longer than `MOST`.
        #[allow(clippy::cast_possible_truncation, reason = "see above")]
        self.at.set(at as u32);
    }

    pub(crate) fn leave(&self) {
        self.at.set(Self::NOWHERE);
    }

    /// Among the zero timers.
    pub(crate) fn line_up(&self, ticket: Ticket) {
        self.at.set(Self::IN_LINE);
        self.number.set(ticket.0);
    }

    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.number.get())
    }

    pub(crate) fn is_in_heap(&self) -> bool {
        self.at.get() as usize <= Self::MOST
    }

    /// In the heap, and the first there.
    pub(crate) fn is_at_top(&self) -> bool {
        self.at.get() == 0
    }

    pub(crate) fn is_in_line(&self) -> bool {
        self.at.get() == Self::IN_LINE
    }
}

/// What can stand in a queue, in one at a time.
pub(crate) trait Queued {
    fn place(&self) -> &Place;
}

struct Entry<T> {
    /// Nanoseconds after the heap's base. The least and the greatest stand for all that are farther away.
    rank: u64,
    value: T,
}

impl<T: Queued> Entry<T> {
    fn number(&self) -> u32 {
        self.value.place().number.get()
    }

    fn is_far(&self) -> bool {
        is_far(self.rank)
    }
}

fn is_far(rank: u64) -> bool {
    rank == u64::MIN || rank == u64::MAX
}

pub(crate) struct TimerHeap<T> {
    entries: Vec<Entry<T>>,
    /// Decades before the first deadline was given.
    base: Option<Instant>,
    /// The deadlines of those that are centuries away from it, by their numbers.
    far: BTreeMap<u32, Instant>,
    /// The latest number.
    number: u32,
}

const CHILDREN: usize = 4;

/// Of a node that is not at the top.
fn parent(at: usize) -> usize {
    (at - 1) / CHILDREN
}

const DECADES: Duration = Duration::from_secs(1_000_000_000);
/// In seconds, and still a number of nanoseconds.
const CENTURIES: u64 = 18_000_000_000;

impl<T: Queued> TimerHeap<T> {
    pub(crate) const fn new() -> Self {
        TimerHeap { entries: Vec::new(), base: None, far: BTreeMap::new(), number: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The earliest deadline.
    pub(crate) fn first(&self) -> Option<Instant> {
        self.entries.first().map(|entry| self.due_of(entry))
    }

    /// # Panics
    /// When there are more than 2³¹ at a time.
    #[inline(always)]
    pub(crate) fn insert(&mut self, due: Instant, value: T) {
        let number = self.next_number();
        let at = self.entries.len();
        assert!(at <= Place::MOST, "more timers at a time than a place can tell apart");
        value.place().number.set(number);
        let rank = self.rank(due, number);
        self.entries.push(Entry { rank, value });
        self.rise(at);
    }

    /// Gives one of those in the heap a new deadline, behind its equals (TIMER-4).
    pub(crate) fn update(&mut self, value: &T, due: Instant) {
        let number = self.next_number();
        let at = index(value);
        self.forget_far(at);
        value.place().number.set(number);
        self.entries[at].rank = self.rank(due, number);
        self.settle(at);
    }

    /// Takes out one of those in the heap.
    #[inline]
    pub(crate) fn remove(&mut self, value: &T) -> Option<T> {
        self.remove_at(index(value))
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        self.remove_at(0)
    }

    /// In no order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|entry| &entry.value)
    }

    /// The deadline of one of those in the heap.
    pub(crate) fn due(&self, value: &T) -> Option<Instant> {
        self.entries.get(index(value)).map(|entry| self.due_of(entry))
    }

    fn due_of(&self, entry: &Entry<T>) -> Instant {
        match self.base {
            Some(base) if !entry.is_far() => base + Duration::from_nanos(entry.rank),
            _ => self.far[&entry.number()],
        }
    }

    #[inline]
    fn rank(&mut self, due: Instant, number: u32) -> u64 {
        let base = *self.base.get_or_insert_with(base);
        match due.checked_duration_since(base).and_then(nanoseconds) {
            Some(rank) => rank,
            None => self.far_rank(due, number, if due <= base { u64::MIN } else { u64::MAX }),
        }
    }

    #[cold]
    fn far_rank(&mut self, due: Instant, number: u32, rank: u64) -> u64 {
        self.far.insert(number, due);
        rank
    }

    #[inline]
    fn forget_far(&mut self, at: usize) {
        if self.entries[at].is_far() {
            self.forget_due(self.entries[at].number());
        }
    }

    #[cold]
    fn forget_due(&mut self, number: u32) {
        self.far.remove(&number);
    }

    /// The number of the next insert or update. Places may change.
    #[inline]
    fn next_number(&mut self) -> u32 {
        if self.number == u32::MAX {
            self.renumber();
        }
        self.number += 1;
        self.number
    }

    /// Numbers all anew, once in four thousand million times. In their order they are a heap again.
    #[cold]
    fn renumber(&mut self) {
        let mut entries = mem::take(&mut self.entries);
        entries.sort_by(|a, b| self.compare(a, b));
        let mut far = BTreeMap::new();
        self.number = 0;
        for entry in &entries {
            self.number += 1;
            if entry.is_far() {
                far.insert(self.number, self.far[&entry.number()]);
            }
            entry.value.place().number.set(self.number);
        }
        (self.entries, self.far) = (entries, far);
        (0..self.entries.len()).for_each(|at| self.note(at));
    }

    #[cfg(test)]
    pub(crate) fn next_number_is(&mut self, number: u32) {
        self.number = number;
    }

    #[inline]
    fn compare(&self, a: &Entry<T>, b: &Entry<T>) -> Ordering {
        a.rank.cmp(&b.rank).then_with(|| self.compare_equals(a, b))
    }

    #[inline(never)]
    fn compare_equals(&self, a: &Entry<T>, b: &Entry<T>) -> Ordering {
        let (a, b) = (a.number(), b.number());
        // Two of a rank are both far, or neither is.
        self.far.get(&a).cmp(&self.far.get(&b)).then(a.cmp(&b))
    }

    fn is_before(&self, a: usize, b: usize) -> bool {
        self.compare(&self.entries[a], &self.entries[b]).is_lt()
    }

    #[inline]
    fn remove_at(&mut self, at: usize) -> Option<T> {
        let last = self.entries.len().checked_sub(1)?;
        if at > last {
            return None;
        }
        self.forget_far(at);
        // The last leaves no gap: so goes the usual time-out, which is the latest of all.
        let gone = if at == last { self.entries.pop()?.value } else { self.remove_from_the_middle(at) };
        gone.place().leave();
        Some(gone)
    }

    #[inline(never)]
    fn remove_from_the_middle(&mut self, at: usize) -> T {
        let gone = self.entries.swap_remove(at).value;
        self.settle(at);
        gone
    }

    fn settle(&mut self, at: usize) {
        if self.rise(at) == at {
            self.sink(at);
        }
    }

    #[inline(always)]
    fn rise(&mut self, at: usize) -> usize {
        let to = if self.is_to_rise(at) { self.rise_far(at) } else { at };
        self.note(to);
        to
    }

    #[inline]
    fn is_to_rise(&self, at: usize) -> bool {
        at > 0 && self.is_before(at, parent(at))
    }

    #[inline(never)]
    fn rise_far(&mut self, mut at: usize) -> usize {
        while self.is_to_rise(at) {
            self.swap(at, parent(at));
            at = parent(at);
        }
        at
    }

    fn sink(&mut self, mut at: usize) {
        while let Some(child) = self.first_child(at)
            && self.is_before(child, at)
        {
            self.swap(at, child);
            at = child;
        }
        self.note(at);
    }

    /// Of the children of a node the one that is due first.
    fn first_child(&self, at: usize) -> Option<usize> {
        let first = at * CHILDREN + 1;
        let end = self.entries.len().min(first + CHILDREN);
        (first..end).reduce(|a, b| if self.is_before(b, a) { b } else { a })
    }

    /// The one that moves on is noted when it has come to rest.
    fn swap(&mut self, moving: usize, other: usize) {
        self.entries.swap(moving, other);
        self.note(moving);
    }

    fn note(&self, at: usize) {
        self.entries[at].value.place().stand(at);
    }
}

/// Not told by the first deadline, which may be one that is to say "never".
#[cold]
fn base() -> Instant {
    let now = Instant::now();
    now.checked_sub(DECADES).unwrap_or(now)
}

/// A count that is not [far](is_far). (In few steps: `Duration::as_nanos` counts in 128 bits.)
#[inline]
fn nanoseconds(duration: Duration) -> Option<u64> {
    let seconds = duration.as_secs();
    let rank = seconds.wrapping_mul(1_000_000_000).wrapping_add(duration.subsec_nanos().into());
    (seconds < CENTURIES && rank > 0).then_some(rank)
}

fn index<T: Queued>(value: &T) -> usize {
    value.place().at.get() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Queued for std::rc::Rc<Place> {
        fn place(&self) -> &Place {
            self
        }
    }

    #[test]
    fn the_base_itself_is_no_later_than_what_follows_it() {
        let mut heap = TimerHeap::new();
        let base = *heap.base.insert(Instant::now());
        let step = Duration::from_nanos(1);
        let dues = [base + step, base, base.checked_sub(step).unwrap_or(base)];
        for due in &dues {
            heap.insert(*due, std::rc::Rc::new(Place::new()));
        }
        for due in dues.iter().rev() {
            assert_eq!(heap.first(), Some(*due));
            heap.pop();
        }
    }

    /// What a timer takes beside its own allocation.
    #[test]
    fn an_entry_is_a_deadline_and_a_pointer() {
        assert_eq!(size_of::<Entry<crate::timer::TimerRef>>(), size_of::<u64>() + size_of::<usize>());
        assert_eq!(size_of::<Place>(), 8);
    }
}
