//! First in, first out, but one can leave from the middle: what waits for its turn among the immediates.
//!
//! A plain data structure. Who leaves from the middle leaves a gap, over which the front goes on; when there are more gaps
//! than values they close up. So each operation is O(1), gaps counted to those who made them, and none allocates once the room
//! has grown to its working size.

use std::collections::VecDeque;

/// The place of one value, which knows it by [`Standing::moved`]. It is void when the value has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u32);

impl Ticket {
    /// Of one that has never stood in a list.
    pub(crate) const VOID: Ticket = Ticket(0);
}

/// What can stand in a [`Fifo`].
pub(crate) trait Standing {
    /// It has got another place.
    fn moved(&self, to: Ticket);
}

#[derive(Debug)]
pub(crate) struct Fifo<T> {
    places: VecDeque<Option<T>>,
    /// The ticket of the first place. It wraps around.
    front: u32,
    gaps: usize,
}

/// So many gaps do not matter.
const FEW: usize = 64;

impl<T: Standing> Fifo<T> {
    pub(crate) const fn new() -> Self {
        Fifo { places: VecDeque::new(), front: 0, gaps: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.gaps
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        // The first place is never a gap.
        self.places.is_empty()
    }

    /// # Panics
    /// When there are more than 2³² at a time.
    #[inline]
    pub(crate) fn push_back(&mut self, value: T) -> Ticket {
        let ticket = self.ticket(self.places.len());
        self.places.push_back(Some(value));
        ticket
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let first = self.places.pop_front()?;
        self.front = self.front.wrapping_add(1);
        if self.gaps > 0 {
            self.close_gaps();
        }
        first
    }

    /// Takes out the value that was given that ticket and has not left since.
    pub(crate) fn remove(&mut self, ticket: Ticket) -> Option<T> {
        let place = self.places.get_mut(self.index(ticket))?;
        let left = place.take();
        self.gaps += usize::from(left.is_some());
        self.close_gaps();
        left
    }

    /// From front to back.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.places.iter().flatten()
    }

    fn ticket(&self, index: usize) -> Ticket {
        let index = u32::try_from(index).expect("more values at a time than a ticket can tell apart");
        Ticket(self.front.wrapping_add(index))
    }

    fn index(&self, ticket: Ticket) -> usize {
        ticket.0.wrapping_sub(self.front) as usize
    }

    /// Neither end is a gap; and all close up when they outnumber what stands between them.
    fn close_gaps(&mut self) {
        while let Some(None) = self.places.back() {
            self.places.pop_back();
            self.gaps -= 1;
        }
        while let Some(None) = self.places.front() {
            self.places.pop_front();
            self.front = self.front.wrapping_add(1);
            self.gaps -= 1;
        }
        if self.gaps > self.len() + FEW {
            self.places.retain(Option::is_some);
            self.gaps = 0;
            for (index, value) in self.places.iter().flatten().enumerate() {
                value.moved(self.ticket(index));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;

    /// A number, and where it stands.
    type Value = Rc<(u64, Cell<Ticket>)>;

    impl Standing for Value {
        fn moved(&self, to: Ticket) {
            self.1.set(to);
        }
    }

    /// A fixed multiplicative walk in place of random numbers, against a vector.
    #[test]
    fn agrees_with_a_vector_when_left_at_both_ends_and_from_the_middle() {
        let mut fifo = Fifo::new();
        // Tickets wrap around in the middle of it.
        fifo.front = u32::MAX - 1_000;
        let mut model: Vec<Value> = Vec::new();
        let mut seed = 1_u64;
        for step in 0..50_000_u64 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(step);
            let pick = usize::try_from(seed >> 33).unwrap_or(0) % (model.len() + 1);
            // It grows for a while, and then it shrinks.
            let grows = step / 2_000 % 2 == 0;
            match (seed >> 60, model.get(pick).cloned()) {
                (0..=8, _) if grows => push(&mut fifo, &mut model, step),
                (0..=4, _) | (_, None) => push(&mut fifo, &mut model, step),
                (5..=6, _) => {
                    assert_eq!(fifo.pop_front().map(|value: Value| value.0), Some(model.remove(0).0));
                }
                (_, Some(value)) => {
                    let left = fifo.remove(value.1.get());
                    assert_eq!(left.map(|left| left.0), Some(model.remove(pick).0));
                }
            }
            assert_eq!((fifo.len(), fifo.is_empty()), (model.len(), model.is_empty()));
            assert!(fifo.places.len() <= 2 * model.len() + FEW + 1, "gaps are bounded");
        }
        let numbers = |values: &mut dyn Iterator<Item = &Value>| values.map(|v| v.0).collect::<Vec<_>>();
        assert_eq!(numbers(&mut fifo.iter()), numbers(&mut model.iter()));
    }

    fn push(fifo: &mut Fifo<Value>, model: &mut Vec<Value>, number: u64) {
        let value: Value = Rc::new((number, Cell::new(Ticket(0))));
        value.1.set(fifo.push_back(Rc::clone(&value)));
        model.push(value);
    }
}
