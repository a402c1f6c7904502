//! A million closures: from threads that race with the end of the context (THR-2), and how often they ring for the loop (THR-1).

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/random.rs"]
mod random;
mod support;

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use random::Random;
use support::{Kind, on_every_backend, run_ready};
use tevent::{Context, ContextRef, ThreadedContext};

const MILLION: usize = 1_000_000;
const THREADS: usize = 4;

/// The only test that has bells in this process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What has become of each closure: how often each of these was.
const RAN: u8 = 0x01;
const DROPPED: u8 = 0x04;
const CAME_BACK: u8 = 0x10;

/// Notes the fate of one closure, which owns it.
struct Parcel(Arc<[AtomicU8]>, usize);

impl Parcel {
    fn note(&self, what: u8) {
        self.0[self.1].fetch_add(what, Relaxed);
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        self.note(DROPPED);
    }
}

/// When the owner drops its context.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Scheduled(usize),
    Ran(usize),
}

/// All threads together have scheduled, and the loop has run.
#[derive(Default)]
struct Progress {
    scheduled: AtomicUsize,
    ran: AtomicUsize,
}

impl Progress {
    fn has_come(&self, moment: Moment) -> bool {
        match moment {
            Moment::Scheduled(n) => self.scheduled.load(Relaxed) >= n,
            Moment::Ran(n) => self.ran.load(Relaxed) >= n,
        }
    }
}

/// Each closure of a thread runs, then is dropped with the context, then comes back: in this order, and each once.
fn race_with_the_end(kind: Kind, per_thread: usize, moment: Moment) -> [usize; 3] {
    let ctx = kind.context();
    let (progress, start) = (Arc::<Progress>::default(), Arc::new(Barrier::new(THREADS + 1)));
    let threads: Vec<JoinHandle<Arc<[AtomicU8]>>> = (0..THREADS)
        .map(|_| {
            let handle = ctx.threaded().unwrap();
            let (progress, start) = (Arc::clone(&progress), Arc::clone(&start));
            thread::spawn(move || {
                let fates: Arc<[AtomicU8]> = (0..per_thread).map(|_| AtomicU8::new(0)).collect();
                start.wait();
                for n in 0..per_thread {
                    let (parcel, seen) = (Parcel(Arc::clone(&fates), n), Arc::clone(&progress));
                    let accepted = handle.schedule(move |_ev| {
                        parcel.note(RAN);
                        seen.ran.fetch_add(1, Relaxed);
                    });
                    if accepted.is_err() {
                        fates[n].fetch_add(CAME_BACK, Relaxed);
                    }
                    progress.scheduled.fetch_add(1, Relaxed);
                }
                fates
            })
        })
        .collect();
    start.wait();
    ctx.loop_until(|| progress.has_come(moment)).unwrap();
    drop(ctx);
    let mut sums = [0; 3];
    for thread in threads {
        let fates: Vec<u8> = thread.join().unwrap().iter().map(|fate| fate.load(Relaxed)).collect();
        let place =
            |fate: &u8| [RAN + DROPPED, DROPPED, CAME_BACK + DROPPED].iter().position(|one| one == fate);
        let places: Option<Vec<usize>> = fates.iter().map(place).collect();
        let places = places.expect("each has one fate");
        assert!(places.is_sorted(), "what a thread has scheduled is run in order, or not any more");
        for place in places {
            sums[place] += 1;
        }
    }
    assert_eq!(sums[0], progress.ran.load(Relaxed));
    sums
}

/// 4 threads schedule 1,000,000 closures while the owner drops its context at a random moment: each is delivered, handed
/// back, or dropped with the context, and none twice.
#[test]
fn thr_2_nothing_is_lost_in_a_race_with_the_end_of_the_context() {
    let _alone = alone();
    let seed = RandomState::new().hash_one(0);
    println!("seed {seed}");
    let mut random = Random(seed);
    let rounds = 10;
    let per_thread = MILLION / THREADS / rounds;
    let all = per_thread * THREADS;
    for round in 0..rounds {
        let moment = match round {
            0 => Moment::Scheduled(0),
            1 => Moment::Scheduled(random.below(100)),
            2 => Moment::Ran(random.below(100)),
            3 => Moment::Ran(all / 2 + random.below(100)),
            4 => Moment::Scheduled(all - random.below(100)),
            5 => Moment::Ran(all - random.below(100)),
            6 => Moment::Ran(all),
            _ => Moment::Scheduled(random.below(all)),
        };
        let [ran, dropped, back] = race_with_the_end(Kind::ALL[round % 4], per_thread, moment);
        println!("{moment:?}: {ran} ran, {dropped} were dropped with the context, {back} came back");
        assert_eq!(ran + dropped + back, all);
    }
}

/// How often the bells of this process were rung since they were last silent.
fn rings() -> u64 {
    let infos = fs::read_dir("/proc/self/fdinfo").unwrap().flatten();
    let texts = infos.filter_map(|info| fs::read_to_string(info.path()).ok());
    let counts = texts.filter_map(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("eventfd-count:").map(str::to_owned));
        line.map(|count| u64::from_str_radix(count.trim(), 16).unwrap())
    });
    counts.sum()
}

/// That many closures from that many threads, each of which counts.
fn send(ctx: &Context, threads: usize, all: usize, ran: &Arc<AtomicUsize>) -> Vec<JoinHandle<()>> {
    let one = |handle: ThreadedContext| {
        let ran = Arc::clone(ran);
        move || {
            for _ in 0..all / threads {
                let ran = Arc::clone(&ran);
                handle.schedule(move |_ev| _ = ran.fetch_add(1, Relaxed)).unwrap();
            }
        }
    };
    (0..threads).map(|_| thread::spawn(one(ctx.threaded().unwrap()))).collect()
}

fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn thr_1_a_million_closures_ring_once_for_a_loop_that_does_not_look() {
    let _alone = alone();
    for threads in [1, THREADS] {
        let (ctx, ran) = (Kind::Epoll.context(), Arc::<AtomicUsize>::default());
        join(send(&ctx, threads, MILLION, &ran));
        assert_eq!(rings(), 1, "from {threads}");
        // They are dropped; to run them is a job for others.
        drop(ctx);
        assert_eq!((ran.load(Relaxed), rings()), (0, 0));
    }
}

on_every_backend! {
    fn thr_1_a_loop_that_is_busy_is_rung_for_once_more_at_most(backend) {
        let _alone = alone();
        for threads in [1, THREADS] {
            let (ctx, ran) = (backend.context(), Arc::<AtomicUsize>::default());
            let (entered, leave) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
            let (is_entered, may_leave) = (Arc::clone(&entered), Arc::clone(&leave));
            ctx.threaded().unwrap().schedule(move |_ev| {
                is_entered.wait();
                may_leave.wait();
            }).unwrap();
            let handles: Vec<_> = (0..threads).map(|_| ctx.threaded().unwrap()).collect();
            let count = Arc::clone(&ran);
            let outside = thread::spawn(move || {
                // The loop is inside of its handler from here to the end of all of them.
                entered.wait();
                let before = rings();
                let sending = handles.into_iter().map(|handle| {
                    let count = Arc::clone(&count);
                    thread::spawn(move || for _ in 0..10_000 {
                        let count = Arc::clone(&count);
                        handle.schedule(move |_ev| _ = count.fetch_add(1, Relaxed)).unwrap();
                    })
                });
                join(sending.collect());
                let rung = rings() - before;
                leave.wait();
                rung
            });
            ctx.loop_until(|| ran.load(Relaxed) == threads * 10_000).unwrap();
            run_ready(&ctx);
            // On a virtual clock each handle that goes rings too.
            let handles = if backend.is_simulated() { threads as u64 } else { 0 };
            assert_eq!(outside.join().unwrap(), 1 + handles);
            assert!(ctx.stats().wakeups <= 2, "{:?}", ctx.stats());
        }
    }
}

/// Each closure waits until the other thread has scheduled the next: the loop takes them one by one, without ever looking at
/// its bell.
#[test]
fn thr_1_a_loop_that_goes_on_turning_is_rung_for_once() {
    const COUNT: usize = 10_000;
    let _alone = alone();
    let (ctx, ran) = (Kind::Epoll.context(), Arc::<AtomicUsize>::default());
    let (handle, count) = (ctx.threaded().unwrap(), Arc::clone(&ran));
    let scheduled = Arc::new(AtomicUsize::new(0));
    let sender = thread::spawn(move || {
        for n in 1..=COUNT {
            let (up, next) = (Arc::clone(&count), Arc::clone(&scheduled));
            let run = move |_ev: &ContextRef| {
                while next.load(Relaxed) < (n + 1).min(COUNT) {
                    thread::yield_now();
                }
                up.fetch_add(1, Relaxed);
            };
            handle.schedule(run).unwrap();
            scheduled.store(n, Relaxed);
            while n > 1 && count.load(Relaxed) < n - 1 {
                thread::yield_now();
            }
        }
    });
    ctx.loop_until(|| ran.load(Relaxed) == COUNT).unwrap();
    sender.join().unwrap();
    let heard = ctx.stats().wakeups;
    assert!(rings() + heard <= 2, "{} unheard, {heard} heard", rings());
}

/// How often depends on who is faster; that it is seldom does not.
#[test]
fn thr_1_a_million_closures_wake_a_turning_loop_seldom() {
    let _alone = alone();
    for threads in [1, THREADS] {
        let (ctx, ran) = (Kind::Epoll.context(), Arc::<AtomicUsize>::default());
        let sending = send(&ctx, threads, MILLION, &ran);
        ctx.loop_until(|| ran.load(Relaxed) == MILLION).unwrap();
        join(sending);
        let stats = ctx.stats();
        println!("from {threads}: {} waits, {} wake-ups", stats.waits, stats.wakeups);
        assert!(stats.wakeups <= stats.waits && stats.waits < 100_000, "{stats:?}");
    }
}
