//! A line that can be left from the middle.
//!
//! A plain data structure: places that are numbered on and on. Who leaves from the middle leaves a gap. Neither end is one, and
//! when there are more gaps than people they close up. So each operation is O(1), a gap's share counted to who made it, and none
//! allocates once there is room.

use std::collections::VecDeque;

/// What can stand in a [`Line`].
pub(crate) trait Standing {
    /// The number of its place from now on.
    fn stands_at(&self, number: u64);
}

pub(crate) struct Line<T> {
    places: VecDeque<Option<T>>,
    /// The number of the first place.
    first: u64,
    gaps: usize,
}

/// So many gaps do not matter.
const FEW: usize = 32;

impl<T: Standing> Line<T> {
    pub(crate) const fn new() -> Self {
        Line { places: VecDeque::new(), first: 0, gaps: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.gaps
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(crate) fn head(&self) -> Option<&T> {
        self.places.front()?.as_ref()
    }

    pub(crate) fn push_back(&mut self, value: T) {
        value.stands_at(self.first + self.places.len() as u64);
        self.places.push_back(Some(value));
    }

    pub(crate) fn pop_front(&mut self) -> Option<T> {
        self.remove(self.first)
    }

    pub(crate) fn is_head(&self, number: u64) -> bool {
        number == self.first && !self.is_empty()
    }

    /// Takes out who stands there.
    #[inline]
    pub(crate) fn remove(&mut self, number: u64) -> Option<T> {
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        if place == 0 && self.gaps == 0 {
            let head = self.places.pop_front()?;
            self.first += 1;
            return head;
        }
        self.leave_gap(place)
    }

    #[inline(never)]
    fn leave_gap(&mut self, place: usize) -> Option<T> {
        let left = self.places.get_mut(place)?.take()?;
        self.gaps += 1;
        while let Some(None) = self.places.front() {
            self.places.pop_front();
            self.first += 1;
            self.gaps -= 1;
        }
        while let Some(None) = self.places.back() {
            self.places.pop_back();
            self.gaps -= 1;
        }
        if self.gaps > self.len() + FEW {
            self.close_up();
        }
        Some(left)
    }

    #[cold]
    fn close_up(&mut self) {
        self.places.retain(Option::is_some);
        self.gaps = 0;
        for (number, value) in (self.first..).zip(self.places.iter().flatten()) {
            value.stands_at(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;

    /// A name, and where it stands.
    type Person = Rc<(u64, Cell<u64>)>;

    impl Standing for Person {
        fn stands_at(&self, number: u64) {
            self.1.set(number);
        }
    }

    /// A fixed multiplicative walk in place of random numbers, against a vector.
    #[test]
    fn agrees_with_a_vector_when_left_at_both_ends_and_from_the_middle() {
        let (mut line, mut model, mut closed_up) = (Line::<Person>::new(), Vec::<Person>::new(), 0);
        let mut seed = 1_u64;
        for step in 0..50_000_u64 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(step);
            let pick = usize::try_from(seed >> 33).unwrap_or(0) % (model.len() + 1);
            // It grows for a while, and then it shrinks.
            let joins = if step / 2_000 % 2 == 0 { 0..=8 } else { 0..=4 };
            match model.get(pick).cloned() {
                Some(person) if !joins.contains(&(seed >> 60)) => {
                    let gaps = line.gaps;
                    assert_eq!(line.remove(person.1.get()).map(|left| left.0), Some(person.0));
                    model.remove(pick);
                    closed_up += u32::from(gaps > FEW && line.gaps == 0);
                }
                _ => {
                    let person: Person = Rc::new((step, Cell::new(0)));
                    line.push_back(Rc::clone(&person));
                    model.push(person);
                }
            }
            assert_eq!((line.len(), line.is_empty()), (model.len(), model.is_empty()));
            assert!(line.places.len() <= 2 * model.len() + FEW, "gaps are bounded");
            assert_eq!(line.head().map(|head| head.0), model.first().map(|head| head.0));
            assert!(model.iter().all(|person| line.is_head(person.1.get()) == (person.0 == model[0].0)));
        }
        assert!(closed_up > 0);
        for person in model {
            assert_eq!(line.pop_front().map(|head| head.0), Some(person.0));
        }
        assert!(line.is_empty() && line.pop_front().is_none());
    }
}
