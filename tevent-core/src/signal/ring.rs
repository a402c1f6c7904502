//! Deliveries on their way from the operating system's handler to the loop.
//!
//! A plain data structure without locks and allocation, so that a signal handler may fill it, in any thread, also on top
//! of itself. Every interleaving is tried: `ci/loom.sh`.

#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What one delivery says, in the words that one place has room for.
pub(crate) type Words = [u64; 3];

/// What no delivery says: its process would have the number −1.
const GIVEN_UP: Words = [u64::MAX; 3];

/// From any number of handlers to one loop, in order.
pub(crate) struct Ring {
    places: Box<[Place]>,
    /// The next to be filled, counted from the start.
    head: AtomicUsize,
    /// The next to be taken.
    tail: AtomicUsize,
}

/// Its words are written between the claim of the place and the new `turn`, and read after that.
struct Place {
    /// The position that may claim it; one more when it is filled.
    turn: AtomicUsize,
    words: [AtomicU64; 3],
}

impl Ring {
    /// At least two: with one a place that is filled would look as one that was taken.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        debug_assert!(capacity > 1, "a ring of {capacity}");
        let place = |at| Place { turn: AtomicUsize::new(at), words: [0, 0, 0].map(AtomicU64::new) };
        Ring {
            places: (0..capacity).map(place).collect(),
            head: AtomicUsize::new(0),
            tail: AtomicUsize::new(0),
        }
    }

    /// How many are on their way.
    pub(crate) fn len(&self) -> usize {
        let mut tail = self.tail.load(Ordering::Acquire);
        loop {
            let head = self.head.load(Ordering::Acquire);
            // The loop may have taken some in between, so that the two do not belong together.
            let later = self.tail.load(Ordering::Acquire);
            if later == tail {
                return head - tail;
            }
            tail = later;
        }
    }

    /// False when there is no room.
    pub(crate) fn push(&self, words: Words) -> bool {
        let mut at = self.head.load(Ordering::Relaxed);
        loop {
            let place = &self.places[at % self.places.len()];
            let turn = place.turn.load(Ordering::Acquire);
            // A turn that is behind was filled a round ago, and not taken since.
            if turn < at {
                return false;
            }
            if turn == at {
                match self.head.compare_exchange(at, at + 1, Ordering::AcqRel, Ordering::Relaxed) {
                    Ok(_) => {
                        for (to, word) in place.words.iter().zip(words) {
                            to.store(word, Ordering::Relaxed);
                        }
                        place.turn.store(at + 1, Ordering::Release);
                        return true;
                    }
                    Err(other) => at = other,
                }
            } else {
                at = self.head.load(Ordering::Relaxed);
            }
        }
    }

    /// The oldest. For the one loop. `None` also where a handler in another thread is still writing it.
    pub(crate) fn pop(&self) -> Option<Words> {
        loop {
            let words = self.pop_any()?;
            if words != GIVEN_UP {
                return Some(words);
            }
        }
    }

    /// In the child of a fork, where no other thread is: places that one had claimed by then will never be filled by it, and
    /// are passed over.
    pub(crate) fn give_up_unfinished(&self) {
        for at in self.tail.load(Ordering::Relaxed)..self.head.load(Ordering::Relaxed) {
            let place = &self.places[at % self.places.len()];
            if place.turn.load(Ordering::Acquire) == at {
                for (to, word) in place.words.iter().zip(GIVEN_UP) {
                    to.store(word, Ordering::Relaxed);
                }
                place.turn.store(at + 1, Ordering::Release);
            }
        }
    }

    fn pop_any(&self) -> Option<Words> {
        let at = self.tail.load(Ordering::Relaxed);
        let place = &self.places[at % self.places.len()];
        if place.turn.load(Ordering::Acquire) != at + 1 {
            return None;
        }
        let words = [0, 1, 2].map(|n: usize| place.words[n].load(Ordering::Relaxed));
        place.turn.store(at + self.places.len(), Ordering::Release);
        self.tail.store(at + 1, Ordering::Release);
        Some(words)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn first_in_first_out_until_it_is_full_and_round_and_round() {
        let ring = Ring::with_capacity(4);
        for round in 0..10 {
            for n in 0..4 {
                assert!(ring.push([round, n, 0]));
            }
            assert!(!ring.push([99, 99, 99]), "no room");
            assert_eq!(ring.len(), 4);
            for n in 0..4 {
                assert_eq!(ring.pop(), Some([round, n, 0]));
            }
            assert_eq!(ring.pop(), None);
        }
    }

    #[test]
    fn what_a_thread_did_not_finish_before_a_fork_holds_up_nothing_in_the_child() {
        let ring = Ring::with_capacity(4);
        for n in 0..3 {
            assert!(ring.push([n; 3]));
        }
        // The second is claimed, and not written.
        ring.places[1].turn.store(1, Ordering::Relaxed);
        assert_eq!((ring.pop(), ring.pop()), (Some([0; 3]), None));
        ring.give_up_unfinished();
        assert_eq!((ring.pop(), ring.pop(), ring.len()), (Some([2; 3]), None, 0));
        assert!((0..4).all(|n| ring.push([n; 3])), "all places can be filled again");
        assert_eq!(ring.pop(), Some([0; 3]));
    }
}

#[cfg(all(test, loom))]
mod exhaustive {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    /// Two handlers fill a ring of two while the loop takes: nothing is torn, lost or taken twice, and each handler's
    /// order is kept.
    #[test]
    fn nothing_is_lost_torn_or_taken_twice() {
        loom::model(|| {
            let ring = Arc::new(Ring::with_capacity(2));
            let handlers: Vec<_> = [1, 2]
                .map(|handler: u64| {
                    let ring = Arc::clone(&ring);
                    thread::spawn(move || ring.push([handler, handler, handler]))
                })
                .into_iter()
                .collect();
            let mut taken: Vec<Words> = ring.pop().into_iter().collect();
            for handler in handlers {
                assert!(handler.join().expect("no panic"), "two places are enough for two");
            }
            taken.extend(std::iter::from_fn(|| ring.pop()));
            taken.sort_unstable();
            assert_eq!(taken, [[1; 3], [2; 3]]);
        });
    }

    /// What finds the ring full is told so, and a place that was taken is filled again.
    #[test]
    fn a_full_ring_says_so() {
        loom::model(|| {
            let ring = Arc::new(Ring::with_capacity(2));
            assert!(ring.push([1; 3]) && ring.push([2; 3]));
            let other = Arc::clone(&ring);
            let handler = thread::spawn(move || other.push([3; 3]));
            let first = ring.pop();
            let pushed = handler.join().expect("no panic");
            assert_eq!(first, Some([1; 3]));
            assert_eq!(ring.pop(), Some([2; 3]));
            assert_eq!(ring.pop(), pushed.then_some([3; 3]));
        });
    }

    /// Two handlers want the last place, while the loop makes room for one more.
    #[test]
    fn the_last_place_goes_to_one() {
        loom::model(|| {
            let ring = Arc::new(Ring::with_capacity(2));
            assert!(ring.push([1; 3]));
            let handlers: Vec<_> = [2, 3]
                .map(|handler: u64| {
                    let ring = Arc::clone(&ring);
                    thread::spawn(move || ring.push([handler; 3]))
                })
                .into_iter()
                .collect();
            let mut taken: Vec<Words> = ring.pop().into_iter().collect();
            assert_eq!(taken, [[1; 3]], "it was there before");
            let pushed = handlers.into_iter().map(|handler| handler.join().expect("no panic"));
            let pushed = pushed.filter(|pushed| *pushed).count();
            assert!(pushed >= 1);
            taken.extend(std::iter::from_fn(|| ring.pop()));
            assert_eq!(taken.len(), 1 + pushed, "what was pushed comes, and nothing else");
            assert!(taken[1..].iter().all(|words| *words == [2; 3] || *words == [3; 3]));
            assert!(pushed < 2 || taken[1] != taken[2]);
        });
    }
}
