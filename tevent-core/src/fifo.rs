//! First in, first out, but one can leave from the middle: what waits for its turn among the immediates.
//!
//! A plain data structure: a ring whose places are numbered on and on. Who leaves from the middle leaves a gap, over which the
//! front goes on; when there are more gaps than values they close up. So each operation is O(1), a gap's share counted to who
//! made it, and none allocates once the ring has grown to its working size.

/// The place of one value, which is told of it by [`Standing::moved`]. It is void when the value has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(pub(crate) u32);

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
    /// None, or a power of two of places. The place with number n is at n modulo that.
    ring: Vec<Option<T>>,
    /// The number of the first place, which is never a gap, and of the one after the last. They wrap around.
    front: u32,
    back: u32,
    gaps: u32,
}

/// So many gaps do not matter, and so many places there are at least.
const FEW: u32 = 64;

impl<T: Standing> Fifo<T> {
    pub(crate) const fn new() -> Self {
        Fifo { ring: Vec::new(), front: 0, back: 0, gaps: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        (self.places() - self.gaps) as usize
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.front == self.back
    }

    /// The value is made once there is room for it, so that it need not be kept in memory until then.
    ///
    /// # Panics
    /// When there are more than 2³¹ at a time.
    #[inline]
    pub(crate) fn push_back(&mut self, make: impl FnOnce() -> T) -> Ticket {
        if self.places() as usize == self.ring.len() {
            self.grow();
        }
        let ticket = Ticket(self.back);
        let at = self.at(ticket.0);
        let place = &mut self.ring[at];
        // Nothing was there, so nothing has to be dropped.
        std::mem::forget(place.replace(make()));
        self.back = self.back.wrapping_add(1);
        ticket
    }

    /// For one that has just been at the front, and needs no ticket.
    ///
    /// # Panics
    /// As [`push_back`](Self::push_back).
    pub(crate) fn push_front(&mut self, value: T) {
        if self.places() as usize == self.ring.len() {
            self.grow();
        }
        self.front = self.front.wrapping_sub(1);
        let place = self.at(self.front);
        self.ring[place] = Some(value);
    }

    pub(crate) fn back_mut(&mut self) -> Option<&mut T> {
        let place = self.at(self.back.wrapping_sub(1));
        if self.is_empty() { None } else { self.ring[place].as_mut() }
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        let place = self.at(self.front);
        self.front = self.front.wrapping_add(1);
        if self.gaps > 0 {
            // The first keeps its place meanwhile: no other has the same.
            self.close_gaps();
        }
        // The last thing done, so that the value need not be kept in memory until then.
        self.ring[place].take()
    }

    /// Takes out the value that was given that ticket and has not left since.
    pub(crate) fn remove(&mut self, ticket: Ticket) -> Option<T> {
        let place = self.at(ticket.0);
        let left = self.ring.get_mut(place)?.take()?;
        self.gaps += 1;
        self.close_gaps();
        Some(left)
    }

    /// Whether it is the first of those that stand here whose ticket that is.
    pub(crate) fn is_front(&self, ticket: Ticket) -> bool {
        ticket.0 == self.front
    }

    /// The last of those that stand here, if its ticket is that.
    #[inline]
    pub(crate) fn back_at(&self, ticket: Ticket) -> Option<&T> {
        let is_back = ticket.0.wrapping_add(1) == self.back && !self.is_empty();
        if is_back { self.ring[self.at(ticket.0)].as_ref() } else { None }
    }

    /// From front to back.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        let numbers = (0..self.places()).map(|n| self.front.wrapping_add(n));
        numbers.filter_map(|number| self.ring[self.at(number)].as_ref())
    }

    /// From front to back. None of them is told of a new place.
    pub(crate) fn into_values(mut self) -> impl Iterator<Item = T> {
        let first = self.at(self.front) % self.ring.len().max(1);
        self.ring.rotate_left(first);
        self.ring.into_iter().flatten()
    }

    /// Gaps are counted too.
    fn places(&self) -> u32 {
        self.back.wrapping_sub(self.front)
    }

    /// Where in the ring the place with that number is.
    fn at(&self, number: u32) -> usize {
        number as usize & self.ring.len().wrapping_sub(1)
    }

    #[cold]
    fn grow(&mut self) {
        let room = self.ring.len().max(FEW as usize / 2) * 2;
        assert!(u32::try_from(room).is_ok(), "more values at a time than a ticket can tell apart");
        let ring = std::iter::repeat_with(|| None).take(room).collect();
        let mut values = std::mem::replace(&mut self.ring, ring);
        // They are all taken, so the one at the front's place is the first.
        let first = self.front as usize & values.len().saturating_sub(1);
        values.rotate_left(first);
        for (number, value) in (0..).zip(values) {
            let place = self.at(self.front.wrapping_add(number));
            self.ring[place] = value;
        }
    }

    /// Neither end is a gap; and all close up when they outnumber what stands between them.
    #[cold]
    fn close_gaps(&mut self) {
        while self.gaps > 0 && self.ring[self.at(self.back.wrapping_sub(1))].is_none() {
            self.back = self.back.wrapping_sub(1);
            self.gaps -= 1;
        }
        while self.gaps > 0 && self.ring[self.at(self.front)].is_none() {
            self.front = self.front.wrapping_add(1);
            self.gaps -= 1;
        }
        if self.gaps > self.places() / 2 + FEW {
            self.close_up();
        }
    }

    fn close_up(&mut self) {
        let mut to = self.front;
        for number in (0..self.places()).map(|n| self.front.wrapping_add(n)) {
            let place = self.at(number);
            if let Some(value) = self.ring[place].take() {
                value.moved(Ticket(to));
                let place = self.at(to);
                self.ring[place] = Some(value);
                to = to.wrapping_add(1);
            }
        }
        self.back = to;
        self.gaps = 0;
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
        // Numbers wrap around in the middle of it.
        (fifo.front, fifo.back) = (u32::MAX - 3_000, u32::MAX - 3_000);
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
            assert!(fifo.places() as usize <= 2 * (model.len() + FEW as usize) + 1, "gaps are bounded");
            let front = fifo.iter().next().map(|value| value.0);
            assert_eq!(front, model.first().map(|value| value.0), "no gap is in front");
        }
        assert!(fifo.front < u32::MAX - 3_000, "it has wrapped around");
        assert!(fifo.iter().map(|value| value.0).eq(model.iter().map(|value| value.0)));
        assert!(fifo.into_values().map(|value| value.0).eq(model.iter().map(|value| value.0)));
    }

    fn push(fifo: &mut Fifo<Value>, model: &mut Vec<Value>, number: u64) {
        let value: Value = Rc::new((number, Cell::new(Ticket::VOID)));
        value.1.set(fifo.push_back(|| Rc::clone(&value)));
        model.push(value);
    }
}
