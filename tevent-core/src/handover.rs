//! What other threads hand to the loop: a list behind a lock, and the question of who has to ring.
//!
//! A plain data structure with no loop and no kernel in it, so that every interleaving of it can be tried: `ci/loom.sh`.

use std::collections::VecDeque;

#[cfg(loom)]
use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};
#[cfg(not(loom))]
use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};

/// From any number of threads to one.
pub(crate) struct Handover<T> {
    state: Mutex<State<T>>,
    /// Somebody has handed something over since the owner last took all. Written under the lock, and looked at without it
    /// by the owner in each of its turns.
    waiting: AtomicBool,
}

struct State<T> {
    items: VecDeque<T>,
    open: bool,
}

impl<T> Handover<T> {
    pub(crate) fn new() -> Self {
        let state = State { items: VecDeque::new(), open: true };
        Handover { state: Mutex::new(state), waiting: AtomicBool::new(false) }
    }

    /// Hands something over; says whether the owner has to be rung for, which is so for the first since it last took all.
    ///
    /// # Errors
    /// Gives it back when the owner is gone.
    pub(crate) fn put<I>(&self, item: I, into: impl FnOnce(I) -> T) -> Result<bool, I> {
        let mut state = self.lock();
        if !state.open {
            return Err(item);
        }
        state.items.push_back(into(item));
        Ok(!self.waiting.swap(true, Ordering::Release))
    }

    /// Whether something may be here. For the owner, which is rung for what comes after it looked.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Acquire)
    }

    /// All that is here, in the order in which it came.
    pub(crate) fn take(&self) -> VecDeque<T> {
        let mut state = self.lock();
        self.waiting.store(false, Ordering::Relaxed);
        std::mem::take(&mut state.items)
    }

    /// The owner goes. Nothing is accepted after this; what was accepted and not taken is given out.
    pub(crate) fn close(&self) -> VecDeque<T> {
        let mut state = self.lock();
        state.open = false;
        std::mem::take(&mut state.items)
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Only moves happen under the lock, and `into`, which boxes; if that panics the list is whole.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_since_the_last_take_has_to_ring() {
        let handover = Handover::new();
        assert_eq!(handover.put(1, |n| n), Ok(true));
        assert_eq!(handover.put(2, |n| n), Ok(false));
        assert!(handover.is_waiting());
        assert_eq!(handover.take(), [1, 2]);
        assert!(!handover.is_waiting());
        assert_eq!(handover.put(3, |n| n), Ok(true));
        assert_eq!(handover.close(), [3]);
        assert_eq!(handover.put(4, |n| n), Err(4));
    }
}

#[cfg(all(test, loom))]
mod exhaustive {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    /// How many each thread hands over; with two and two it takes minutes and finds nothing else.
    const ITEMS: [u32; 2] = [2, 1];

    /// Two threads hand over while the owner takes and then goes: everything arrives or comes back, once, in each thread's
    /// order, and whenever something is left the owner has been told to look.
    #[test]
    fn nothing_is_lost_and_nothing_comes_twice() {
        loom::model(|| {
            let handover = Arc::new(Handover::new());
            let rings = Arc::new(loom::sync::atomic::AtomicUsize::new(0));
            let threads: Vec<_> = (0..2)
                .map(|thread| {
                    let (handover, rings) = (Arc::clone(&handover), Arc::clone(&rings));
                    thread::spawn(move || {
                        let mut back = Vec::new();
                        for n in 0..ITEMS[thread as usize] {
                            match handover.put((thread, n), |item| item) {
                                Ok(ring) => {
                                    rings.fetch_add(usize::from(ring), Ordering::Relaxed);
                                }
                                Err(item) => back.push(item),
                            }
                        }
                        back
                    })
                })
                .collect();
            let mut arrived: Vec<_> = handover.take().into();
            if handover.is_waiting() {
                arrived.extend(handover.take());
            }
            arrived.extend(handover.close());
            let mut all = arrived.clone();
            for thread in threads {
                all.extend(thread.join().expect("no panic"));
            }
            for thread in 0..2 {
                let of_thread = |items: &[(u32, u32)]| -> Vec<u32> {
                    items.iter().filter(|item| item.0 == thread).map(|item| item.1).collect()
                };
                let sent: Vec<u32> = (0..ITEMS[thread as usize]).collect();
                assert_eq!(of_thread(&all), sent, "each once, in order");
            }
        });
    }

    /// A put after the owner looked and before it sleeps rings.
    #[test]
    fn what_comes_after_the_take_rings() {
        loom::model(|| {
            let handover = Arc::new(Handover::new());
            let other = Arc::clone(&handover);
            let thread = thread::spawn(move || other.put(1, |n| n) == Ok(true));
            let taken = handover.take();
            let rang = thread.join().expect("no panic");
            assert!(rang, "nothing was waiting before it");
            assert_eq!(taken.is_empty(), handover.is_waiting(), "taken, or still to be seen");
        });
    }
}
