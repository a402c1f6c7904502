//! The ordered set of deadlines. A plain data structure with no loop in it: zero timers stand first in, first out, and behind
//! them all others in a [heap](TimerHeap).

use std::time::Instant;

use crate::fifo::{Fifo, Standing, Ticket};
use crate::timer_heap::{Queued, TimerHeap};

/// When something is due. `None` is the zero time, before all others (TIMER-2).
pub(crate) type Due = Option<Instant>;

/// What stands in it knows its [place](Queued::place), so it must never be asked of one that stands in another queue.
pub(crate) struct TimerQueue<T> {
    zero: Fifo<T>,
    later: TimerHeap<T>,
}

impl<T: Queued> Standing for T {
    fn moved(&self, to: Ticket) {
        self.place().line_up(to);
    }
}

impl<T: Queued + Clone> TimerQueue<T> {
    pub(crate) const fn new() -> Self {
        TimerQueue { zero: Fifo::new(), later: TimerHeap::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.zero.len() + self.later.len()
    }

    /// The deadline of the first.
    #[inline]
    pub(crate) fn first(&self) -> Option<Due> {
        if self.zero.is_empty() { self.later.first().map(Some) } else { Some(None) }
    }

    #[inline(always)]
    pub(crate) fn insert(&mut self, due: Due, value: &T) {
        match due {
            None => {
                let ticket = self.zero.push_back(|| value.clone());
                value.place().line_up(ticket);
            }
            Some(due) => self.later.insert(due, value.clone()),
        }
    }

    /// Moves one to a new deadline, behind its equals (TIMER-4). False if it stands nowhere.
    #[inline(never)]
    pub(crate) fn update(&mut self, value: &T, due: Due) -> bool {
        match due {
            Some(due) if value.place().is_in_heap() => self.later.update(value, due),
            due => match self.remove(value) {
                Some(value) => self.insert(due, &value),
                None => return false,
            },
        }
        true
    }

    #[inline]
    pub(crate) fn remove(&mut self, value: &T) -> Option<T> {
        let place = value.place();
        if place.is_in_heap() {
            self.later.remove(value)
        } else if place.is_in_line() {
            place.leave();
            self.zero.remove(place.ticket())
        } else {
            None
        }
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<T> {
        match self.zero.pop_front() {
            Some(first) => {
                first.place().leave();
                Some(first)
            }
            None => self.later.pop(),
        }
    }

    /// Whether it is the first.
    pub(crate) fn is_first(&self, value: &T) -> bool {
        let place = value.place();
        if place.is_in_line() {
            self.zero.is_front(place.ticket())
        } else {
            self.zero.is_empty() && place.is_at_top()
        }
    }

    /// The deadline of one; `None` if it stands nowhere.
    pub(crate) fn due(&self, value: &T) -> Option<Due> {
        if value.place().is_in_line() { Some(None) } else { self.later.due(value).map(Some) }
    }

    /// All, in no order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.zero.iter().chain(self.later.values())
    }

    /// All, in their order, and none stands anywhere any more.
    pub(crate) fn into_values(mut self) -> Vec<T> {
        std::iter::from_fn(|| self.pop()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timer_heap::Place;
    use std::rc::Rc;
    use std::time::Duration;

    struct Inner(u64, Place);

    #[derive(Clone)]
    struct Value(Rc<Inner>);

    impl Value {
        fn new(name: u64) -> Self {
            Value(Rc::new(Inner(name, Place::new())))
        }

        fn name(&self) -> u64 {
            self.0.0
        }
    }

    impl Queued for Value {
        fn place(&self) -> &Place {
            &self.0.1
        }
    }

    fn insert(queue: &mut TimerQueue<Value>, due: Due, name: u64) -> Value {
        let value = Value::new(name);
        queue.insert(due, &value);
        value
    }

    fn drain(queue: &mut TimerQueue<Value>) -> Vec<u64> {
        std::iter::from_fn(|| queue.pop()).map(|value| value.name()).collect()
    }

    #[test]
    fn equal_deadlines_keep_the_order_they_were_given_in() {
        let now = Instant::now();
        let mut queue = TimerQueue::new();
        insert(&mut queue, Some(now), 3);
        let moved = insert(&mut queue, Some(now), 5);
        insert(&mut queue, Some(now), 4);
        insert(&mut queue, None, 1);
        insert(&mut queue, None, 2);
        assert!(queue.update(&moved, Some(now)));
        assert_eq!(drain(&mut queue), [1, 2, 3, 4, 5]);
        assert!(!queue.update(&moved, None), "it has left");
        assert!(queue.remove(&moved).is_none() && queue.due(&moved).is_none());
    }

    /// The due times of a model's step: zero, seconds apart, and centuries away on either side of what a rank can say.
    fn due_of(n: u64, start: Instant) -> Due {
        let far = Duration::from_secs(300 * 365 * 24 * 60 * 60);
        match n % 11 {
            0 | 1 => None,
            2 => Some(start + far),
            3 => Some(start + far * 2),
            4 => start.checked_sub(far).or(Some(start)),
            n => Some(start + Duration::from_secs(n)),
        }
    }

    /// A fixed multiplicative walk in place of random numbers, against a sorted vector.
    fn walk(queue: &mut TimerQueue<Value>, steps: u64, inserts: u64) {
        let start = Instant::now() + Duration::from_secs(10);
        let mut model: Vec<(Due, u64, Value)> = Vec::new();
        let mut seed = 1_u64;
        for step in 1..steps {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(step);
            let due = due_of(seed >> 40, start);
            let pick = usize::try_from(seed >> 33).unwrap_or(0) % (model.len() + 1);
            match (seed >> 60, model.get(pick).cloned()) {
                (op, _) if op < inserts => model.push((due, step, insert(queue, due, step))),
                (_, None) => model.push((due, step, insert(queue, due, step))),
                (..=11, Some((_, _, value))) => {
                    assert!(queue.update(&value, due));
                    model[pick] = (due, step, value);
                }
                (_, Some((_, _, value))) => {
                    assert_eq!(queue.remove(&value).map(|gone| gone.name()), Some(value.name()));
                    assert!(!value.place().is_taken());
                    model.remove(pick);
                }
            }
            let first = model.iter().min_by_key(|m| (m.0, m.1));
            assert_eq!(queue.first(), first.map(|m| m.0));
            assert!(first.is_none_or(|m| queue.is_first(&m.2)));
            assert_eq!(queue.len(), model.len());
            if let Some((due, _, value)) = model.get(pick) {
                assert_eq!(queue.due(value), Some(*due), "the very deadline");
            }
        }
        model.sort_by_key(|m| (m.0, m.1));
        let expected: Vec<u64> = model.iter().map(|m| m.2.name()).collect();
        assert_eq!(drain(queue), expected);
        assert!(model.iter().all(|m| !m.2.place().is_taken()));
    }

    #[test]
    fn agrees_with_a_sorted_vector_under_inserts_updates_and_removes() {
        walk(&mut TimerQueue::new(), 5_000, 7); // grows to hundreds
        walk(&mut TimerQueue::new(), 20_000, 4); // stays small
    }

    #[test]
    fn agrees_with_it_when_numbers_come_to_their_end() {
        for numbers_left in 0..40 {
            let mut queue = TimerQueue::new();
            queue.later.next_number_is(u32::MAX - numbers_left);
            walk(&mut queue, 200, 7);
        }
    }
}
