//! What other threads hand to the loop: a list behind a lock, the count of those who may still come, and the question of who
//! has to ring.
//!
//! A plain data structure with no loop and no kernel in it, so that every interleaving of it can be tried: `ci/loom.sh`.

#[cfg(loom)]
use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
#[cfg(not(loom))]
use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// From any number of threads to one. They put what they have into a basket, which the owner swaps for an empty one.
pub(crate) struct Handover<B> {
    state: Mutex<State<B>>,
    /// Somebody has handed something over since the owner last took all. Written under the lock, and looked at without it
    /// by the owner in each of its turns.
    waiting: Apart<AtomicBool>,
}

/// On cache lines of its own (two, as they are fetched in pairs): the owner looks without being held up by those who take the
/// lock meanwhile.
#[repr(align(128))]
struct Apart<T>(T);

struct State<B> {
    basket: B,
    open: bool,
    /// The owner was rung for, and has not silenced the bell: it looks once more before it sleeps.
    rung: bool,
}

impl<B: Default> Handover<B> {
    pub(crate) fn new() -> Self {
        let state = State { basket: B::default(), open: true, rung: false };
        Handover { state: Mutex::new(state), waiting: Apart(AtomicBool::new(false)) }
    }

    /// Hands something over; says whether the owner has to be rung for. That is so at most once until it has silenced the bell,
    /// and only for the first since it last took all, if the caller `may_ring`: not if it is the owner's thread, which looks
    /// before it sleeps.
    ///
    /// # Errors
    /// Gives it back when the owner is gone.
    pub(crate) fn put<I>(
        &self,
        item: I,
        into: impl FnOnce(I, &mut B),
        may_ring: impl FnOnce() -> bool,
    ) -> Result<bool, I> {
        let mut state = self.lock();
        if !state.open {
            return Err(item);
        }
        into(item, &mut state.basket);
        // Nobody else writes it while the lock is held.
        if self.waiting.0.load(Ordering::Relaxed) {
            return Ok(false);
        }
        self.waiting.0.store(true, Ordering::Release);
        let ring = !state.rung && may_ring();
        state.rung |= ring;
        Ok(ring)
    }

    /// Whether something may be here. For the owner, which is rung for what comes after it looked.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.0.load(Ordering::Acquire)
    }

    /// All that is here, for an empty basket, whose room is used again.
    pub(crate) fn take(&self, basket: &mut B) {
        let mut state = self.lock();
        self.waiting.0.store(false, Ordering::Relaxed);
        std::mem::swap(&mut state.basket, basket);
    }

    /// The owner has silenced the bell. It looks after this, before it sleeps: who hands over before it does not ring.
    pub(crate) fn silenced(&self) {
        self.lock().rung = false;
    }

    /// The owner goes. Nothing is accepted after this; what was accepted and not taken is given out.
    pub(crate) fn close(&self) -> B {
        let mut state = self.lock();
        state.open = false;
        std::mem::take(&mut state.basket)
    }

    fn lock(&self) -> MutexGuard<'_, State<B>> {
        // Only moves happen under the lock, and `into`, which may allocate; if that panics the basket is whole.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// How many there are of something that lives in any thread, and that the loop may wait for.
pub(crate) struct Headcount(AtomicUsize);

impl Headcount {
    pub(crate) fn new() -> Self {
        Headcount(AtomicUsize::new(0))
    }

    pub(crate) fn enter(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Says whether it was the last: then a loop that sleeps has to be rung for. What it did before is seen by whoever finds it
    /// gone.
    pub(crate) fn leave(&self) -> bool {
        self.0.fetch_sub(1, Ordering::AcqRel) == 1
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_that_finds_the_bell_silent_has_to_ring() {
        let handover = Handover::new();
        let put_from = |n, afar| handover.put(n, |n, all: &mut Vec<u32>| all.push(n), || afar);
        let put = |n| put_from(n, true);
        let mut taken = Vec::with_capacity(100);
        assert_eq!(put(1), Ok(true));
        assert_eq!(put(2), Ok(false));
        assert!(handover.is_waiting());
        handover.take(&mut taken);
        assert_eq!(taken, [1, 2]);
        assert!(!handover.is_waiting());
        assert_eq!(put(3), Ok(false), "it has not been silenced");
        handover.take(&mut Vec::new());
        handover.silenced();
        assert_eq!(put_from(4, false), Ok(false), "the owner knows");
        assert_eq!(put(5), Ok(false), "and will look");
        handover.take(&mut Vec::with_capacity(100));
        assert_eq!(put(6), Ok(true), "nobody has rung");
        let left = handover.close();
        assert_eq!((left.as_slice(), left.capacity()), (&[6][..], 100), "the room was used again");
        assert_eq!(put(7), Err(7));
    }
}

#[cfg(all(test, loom))]
mod exhaustive {
    use super::*;
    use loom::sync::{Arc, Notify};
    use loom::thread::{self, JoinHandle};

    /// How many each thread hands over; with two and two it takes minutes and finds nothing else.
    const ITEMS: [u32; 2] = [2, 1];

    /// As an eventfd: rung any number of times, it ends waits until it is silenced. A loop that sleeps for ever is a deadlock,
    /// which loom reports.
    struct Bell(Notify, std::sync::atomic::AtomicUsize);

    impl Bell {
        fn new() -> Arc<Self> {
            Arc::new(Bell(Notify::new(), 0.into()))
        }

        fn ring(&self) {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.notify();
        }

        /// Sleeps, and is silenced.
        fn sleep(&self) {
            self.0.wait();
        }
    }

    /// Every interleaving in which threads are interrupted three times at most: without a bound these take minutes.
    fn model_of_sleep(model: impl Fn() + Send + Sync + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(model);
    }

    fn put<T>(handover: &Handover<Vec<T>>, item: T) -> Result<bool, T> {
        handover.put(item, |item, all| all.push(item), || true)
    }

    fn take<T>(handover: &Handover<Vec<T>>) -> Vec<T> {
        let mut all = Vec::new();
        handover.take(&mut all);
        all
    }

    fn join<T>(thread: JoinHandle<T>) -> T {
        thread.join().expect("no panic")
    }

    /// Two threads hand over while the owner takes and then goes: everything arrives or comes back, once, in each thread's
    /// order.
    #[test]
    fn nothing_is_lost_and_nothing_comes_twice() {
        loom::model(|| {
            let handover = Arc::new(Handover::new());
            let put_each = |thread: u32| {
                let handover = Arc::clone(&handover);
                move || -> Vec<_> {
                    let items = (0..ITEMS[thread as usize]).map(|n| (thread, n));
                    items.filter_map(|item| put(&handover, item).err()).collect()
                }
            };
            let threads = [0, 1].map(|thread| thread::spawn(put_each(thread)));
            let mut all = Vec::new();
            if handover.is_waiting() {
                all.extend(take(&handover));
            }
            all.extend(handover.close());
            all.extend(threads.into_iter().flat_map(join));
            for thread in 0..2 {
                let of_thread = all.iter().filter(|item| item.0 == thread).map(|item| item.1);
                assert!(of_thread.eq(0..ITEMS[thread as usize]), "each once, in order");
            }
        });
    }

    /// A put after the owner looked and before it sleeps rings.
    #[test]
    fn what_comes_after_the_take_rings() {
        loom::model(|| {
            let handover = Arc::new(Handover::new());
            let other = Arc::clone(&handover);
            let thread = thread::spawn(move || put(&other, 1) == Ok(true));
            let taken = take(&handover);
            assert!(join(thread), "nothing was waiting before it");
            assert_eq!(taken.is_empty(), handover.is_waiting(), "taken, or still to be seen");
        });
    }

    /// The turns of a loop that waits for an item of each of two threads: it is never left asleep, and is rung for once for each
    /// time it has taken, at most.
    #[test]
    fn a_loop_that_falls_asleep_is_woken_for_whatever_comes() {
        model_of_sleep(|| {
            let (handover, bell) = (Arc::new(Handover::new()), Bell::new());
            let threads = [0, 1].map(|item| {
                let (handover, bell) = (Arc::clone(&handover), Arc::clone(&bell));
                thread::spawn(move || {
                    if put(&handover, item).expect("open") {
                        bell.ring();
                    }
                })
            });
            let (mut got, mut taken) = (0, 0);
            while got < 2 {
                if handover.is_waiting() {
                    got += take(&handover).len();
                    taken += 1;
                } else {
                    bell.sleep();
                    handover.silenced();
                }
            }
            threads.map(join);
            let rung = bell.1.load(Ordering::Relaxed);
            assert!(rung <= taken, "rung for {rung} times, taken {taken} times");
        });
    }

    /// `loop_wait` with two proxies, one of which hands over something that counts until it has run: it ends with the last of
    /// the three, whoever that is, and has run it.
    #[test]
    fn a_loop_that_waits_for_the_last_to_leave_is_woken_by_it() {
        model_of_sleep(|| {
            let (handover, bell) = (Arc::new(Handover::new()), Bell::new());
            let count = Arc::new(Headcount::new());
            let threads = [true, false].map(|hands_over| {
                count.enter();
                let (handover, bell, count) = (Arc::clone(&handover), Arc::clone(&bell), Arc::clone(&count));
                thread::spawn(move || {
                    if hands_over {
                        count.enter();
                        if put(&handover, ()).expect("open") {
                            bell.ring();
                        }
                    }
                    if count.leave() {
                        bell.ring();
                    }
                })
            });
            let mut ran = 0;
            while count.count() > 0 {
                if handover.is_waiting() {
                    for () in take(&handover) {
                        ran += 1;
                        count.leave();
                    }
                } else {
                    bell.sleep();
                    handover.silenced();
                }
            }
            assert_eq!(ran, 1);
            threads.map(join);
        });
    }

    /// A loop that goes while a thread hands over its last, and leaves: what was accepted is given out by the close, and nothing
    /// is left behind for nobody.
    #[test]
    fn what_is_accepted_while_the_owner_goes_is_given_out_once() {
        loom::model(|| {
            let handover = Arc::new(Handover::new());
            let item = Arc::new(());
            let threads = [0, 1].map(|_| {
                let (handover, item) = (Arc::clone(&handover), Arc::clone(&item));
                thread::spawn(move || put(&handover, item).is_err())
            });
            let given_out = handover.close();
            let came_back = threads.map(join).into_iter().filter(|came_back| *came_back).count();
            assert_eq!(given_out.len() + came_back, 2);
            drop(given_out);
            assert!(handover.close().is_empty(), "nothing comes after the close");
        });
    }
}
