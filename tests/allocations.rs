//! The hot path does not allocate, and the rest allocates a fixed number of times.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

#[path = "support/counting.rs"]
mod counting;

use std::cell::Cell;
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use counting::{allocations, bytes};
use support::{on_every_backend, pair, turns};
use tevent::{FdFlags, FdSource, Immediate, Queue, Req, ReqRef, ReqState, When};

const ROUNDS: u64 = 100;

/// How many events' memory stays for the next ones: what comes and goes by so few does not allocate.
const KEPT: u64 = 32;

/// Does the work a few times to warm up, then often, and wants no allocation.
#[track_caller]
fn assert_none(what: &str, mut work: impl FnMut()) {
    (0..4).for_each(|_| work());
    let count = allocations(|| (0..ROUNDS).for_each(|_| work()));
    assert_eq!(count, 0, "{what} allocates {count} times in {ROUNDS} rounds");
}

/// Makes many of something, with room for them made before and no memory of events left over, and tells how often each allocates.
#[track_caller]
fn assert_each<T>(what: &str, expected: u64, mut make: impl FnMut() -> T) {
    let room: Vec<T> = (0..KEPT + ROUNDS).map(|_| make()).collect();
    drop(room);
    let left_over: Vec<T> = (0..KEPT).map(|_| make()).collect();
    let mut all = Vec::with_capacity(usize::try_from(ROUNDS).unwrap());
    let total = allocations(|| (0..ROUNDS).for_each(|_| all.push(make())));
    assert_eq!(total, expected * ROUNDS, "{what} allocates {total} times for {ROUNDS}");
    drop(left_over);
}

/// A count that handlers raise, to see that they ran.
fn counter() -> (Rc<Cell<u64>>, impl Fn() + 'static) {
    let count = Rc::new(Cell::new(0));
    let raised = Rc::clone(&count);
    (count, move || raised.set(raised.get() + 1))
}

#[track_caller]
fn assert_ran(runs: &Cell<u64>) {
    assert_eq!(runs.get(), ROUNDS + 4, "the handler ran in every round");
}

#[test]
fn the_allocator_counts() {
    assert_eq!(allocations(|| drop(Box::new(1))), 1);
    assert_eq!(allocations(|| drop(vec![0_u8; 100])), 1, "zeroed ones too");
    let mut list = vec![1_u8; 4];
    assert_eq!(allocations(|| list.reserve_exact(1000)), 1, "and those that grow");
    let (mut numbers, number) = ([0; 8], Cell::new(1));
    assert_eq!(allocations(|| numbers.fill(number.get())), 0, "and nothing else");
}

on_every_backend! {
    fn im_1_scheduling_and_running_an_immediate_allocates_nothing(backend) {
        let ctx = backend.context();
        let (runs, ran) = counter();
        let im = Immediate::new(move |_ev, _im| ran());
        assert_none("an immediate", || {
            im.schedule(&ctx);
            im.schedule(&ctx); // moves to the tail
            turns(&ctx, 1);
        });
        assert_ran(&runs);
    }

    fn fd_2_running_an_fd_event_allocates_nothing(backend) {
        let ctx = backend.context();
        let (near, mut far) = pair();
        far.write_all(b"x").unwrap();
        let (runs, ran) = counter();
        let fde = ctx.add_fd(&near, FdFlags::READ, move |_ev, _fde, _flags| ran()).unwrap();
        assert_none("an fd event", || turns(&ctx, 1));
        assert_ran(&runs);
        drop(fde);
    }

    fn fd_12_running_many_fd_events_in_rotation_allocates_nothing(backend) {
        let ctx = backend.context();
        let pairs: Vec<_> = (0..8).map(|_| pair()).collect();
        let (runs, ran) = counter();
        let ran = Rc::new(ran);
        let events: Vec<_> = pairs.iter().flat_map(|(near, far)| [near, far]).map(|socket| {
            let ran = Rc::clone(&ran);
            ctx.add_fd(socket, FdFlags::WRITE, move |_ev, _fde, _flags| ran()).unwrap()
        }).collect();
        turns(&ctx, 64);
        assert_none("fd events in rotation", || turns(&ctx, 1));
        assert_eq!(runs.get(), 64 + ROUNDS + 4);
        drop(events);
    }

    fn fd_7_changing_the_flags_of_an_fd_event_allocates_nothing(backend) {
        let ctx = backend.context();
        let (near, _far) = pair();
        let (runs, ran) = counter();
        let fde = ctx.add_fd(&near, FdFlags::NONE, move |_ev, fde, _flags| {
            fde.set_flags(FdFlags::NONE);
            ran();
        }).unwrap();
        assert_none("set_flags", || {
            fde.set_flags(FdFlags::WRITE);
            turns(&ctx, 1);
        });
        assert_ran(&runs);
    }

    fn timer_4_moving_a_timer_allocates_nothing(backend) {
        let ctx = backend.context();
        let others: Vec<_> = (1..20).map(|n| ctx.add_timer(Duration::from_secs(n), |_, _, _| {})).collect();
        let te = ctx.add_timer(Duration::from_secs(9), |_ev, _te, _now| {});
        let mut seconds = 0;
        assert_none("updating a timer", || {
            seconds = (seconds * 7 + 5) % 31;
            assert!(te.update(Duration::from_secs(seconds)));
        });
        drop(others);
    }

    fn timer_8_running_a_timer_that_its_handler_arms_again_allocates_nothing(backend) {
        for when in [When::Zero, When::In(Duration::ZERO)] {
            let ctx = backend.context();
            let (runs, ran) = counter();
            let _te = ctx.add_timer(when, move |_ev, te, _now| {
                ran();
                assert!(te.update(when));
            });
            assert_none("a periodic timer", || turns(&ctx, 1));
            assert_ran(&runs);
        }
    }

    /// Each timer's own allocation, but for the few of which the memory was kept, and nothing for its place in the queue, once
    /// that has its room.
    fn timer_7_adding_cancelling_and_firing_cost_one_allocation_a_timer(backend) {
        let ctx = backend.context();
        let mut timers = Vec::with_capacity(100);
        for when in [When::Zero, When::In(Duration::ZERO), When::In(Duration::from_secs(9))] {
            for (ends, rounds) in [("cancelled", 4), ("fired", 4)] {
                for round in 0..rounds {
                    let added = allocations(|| timers.extend((0..100).map(|_| ctx.add_timer(when, |_, _, _| {}))));
                    let fires = ends == "fired" && when != When::In(Duration::from_secs(9));
                    let ended = allocations(|| {
                        turns(&ctx, if fires { 100 } else { 0 });
                        timers.clear();
                    });
                    if round > 1 {
                        assert_eq!((added, ended), (100 - KEPT, 0), "{when:?}, {ends}");
                    }
                }
            }
        }
    }

    fn timer_3_waiting_for_a_timer_allocates_nothing(backend) {
        let ctx = backend.context();
        let period = Duration::from_micros(if backend.is_simulated() { 1_000_000 } else { 10 });
        let (runs, ran) = counter();
        let _te = ctx.add_timer(period, move |_ev, te, _now| {
            ran();
            assert!(te.update(period));
        });
        let seen = Rc::clone(&runs);
        assert_none("waiting for a timer", || {
            let before = seen.get();
            while seen.get() == before {
                turns(&ctx, 1);
            }
        });
        assert_ran(&runs);
    }

    fn queue_2_triggering_an_entry_allocates_nothing(backend) {
        let ctx = backend.context();
        let (queue, req) = (Queue::create("queue"), Req::create(()));
        let (runs, ran) = counter();
        let entry = queue.add_entry(&ctx, &req, move |_req| ran()).unwrap();
        assert_none("a trigger", || {
            turns(&ctx, 1);
            queue.stop();
            entry.untrigger();
            queue.start();
        });
        assert_ran(&runs);
    }

    fn queue_3_the_next_entrys_turn_allocates_nothing(backend) {
        let ctx = backend.context();
        let queue = Queue::create("queue");
        let (runs, ran) = counter();
        let ran = Rc::new(ran);
        let rounds = usize::try_from(ROUNDS).unwrap() + 4;
        let mut reqs = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            let (req, ran) = (Req::create(()), Rc::clone(&ran));
            queue.add(&ctx, &req, move |_req| ran()).unwrap();
            reqs.push(req);
        }
        let mut reqs = reqs.into_iter();
        assert_none("one's turn after the other", || {
            turns(&ctx, 1);
            drop(reqs.next());
        });
        assert_ran(&runs);
    }

    fn req_2_advancing_a_request_in_an_fd_handler_allocates_nothing(backend) {
        let ctx = backend.context();
        let (near, mut far) = pair();
        far.write_all(b"x").unwrap();
        let req = Req::create(0_u64);
        req.add_fd(&ctx, &near, FdFlags::READ, |req, _flags| {
            req.advance(|count| {
                *count += 1;
                Poll::Pending
            });
        }).unwrap();
        assert_none("advance", || turns(&ctx, 1));
        assert_eq!(req.with_state(|count| *count), Some(ROUNDS + 4));
    }

    fn thr_1_closures_of_other_threads_that_capture_little_allocate_nothing(backend) {
        let ctx = backend.context();
        let (handle, ran) = (ctx.threaded().unwrap(), Arc::<AtomicU64>::default());
        let schedule = move |count: u64| for n in 0..count {
            let ran = Arc::clone(&ran);
            let three_words = (ran, n, count);
            handle.schedule(move |_ev| _ = three_words.0.fetch_add(1, Ordering::Relaxed)).unwrap();
        };
        // The lists grow to their working size, each in its turn, and are used again.
        for _ in 0..8 {
            schedule(ROUNDS);
            turns(&ctx, usize::try_from(ROUNDS).unwrap());
        }
        assert_eq!(allocations(|| schedule(ROUNDS)), 0, "in a thread that schedules");
        assert_eq!(allocations(|| turns(&ctx, usize::try_from(ROUNDS).unwrap())), 0, "in the loop's");
        let afar = thread::spawn(move || allocations(|| schedule(ROUNDS)));
        assert_eq!(afar.join().unwrap(), 0, "in another thread");
        assert_eq!(allocations(|| turns(&ctx, usize::try_from(ROUNDS).unwrap())), 0, "in the loop's");
        assert_eq!(ctx.stats().handled.immediates, ROUNDS * 10);
    }

    fn thr_1_closures_of_other_threads_that_capture_more_allocate_once(backend) {
        let ctx = backend.context();
        let (handle, proxy) = (ctx.threaded().unwrap(), ctx.thread_proxy().unwrap());
        let four_words = [1_u64; 4];
        let round = |count| for _ in 0..count {
            handle.schedule(move |_ev| assert_eq!(four_words, [1; 4])).unwrap();
            proxy.schedule(move |_ev| assert_eq!(four_words, [1; 4])).unwrap();
            // What counts it takes one of the three words that cost nothing.
            proxy.schedule(move |_ev| assert_eq!(four_words[..2], [1; 2])).unwrap();
        };
        for _ in 0..8 {
            round(ROUNDS);
            turns(&ctx, usize::try_from(ROUNDS * 3).unwrap());
        }
        assert_eq!(allocations(|| round(ROUNDS)), ROUNDS * 3);
        assert_eq!(allocations(|| turns(&ctx, usize::try_from(ROUNDS * 3).unwrap())), 0);
    }

    fn fixed_allocations_of_events(backend) {
        let ctx = backend.context();
        let (near, far) = pair();
        assert_each("add_timer", 1, || ctx.add_timer(Duration::from_secs(1), |_ev, _te, _now| {}));
        assert_each("Immediate::new", 1, || Immediate::new(|_ev, _im| {}));
        let sibling = || ctx.add_fd(&far, FdFlags::READ, |_ev, _fde, _flags| {}).unwrap();
        let _first = sibling();
        assert_each("add_fd, as one of many on a number,", 1, sibling);
        drop(near);
    }

    fn events_that_come_and_go_allocate_nothing(backend) {
        let ctx = backend.context();
        let (near, far) = pair();
        assert_none("add_timer", || drop(ctx.add_timer(Duration::from_secs(1), |_ev, _te, _now| {})));
        assert_none("Immediate::new", || drop(Immediate::new(|_ev, _im| {})));
        let far = Rc::new(far);
        for is_shared in [false, true] {
            assert_none("add_fd, as the first on its number,", || {
                let file = if is_shared { FdSource::from(Rc::clone(&far)) } else { FdSource::from(&near) };
                drop(ctx.add_fd(file, FdFlags::READ, |_ev, _fde, _flags| {}).unwrap());
            });
        }
    }

    fn fixed_allocations_of_a_schedule_with_a_handler_of_its_own(backend) {
        let ctx = backend.context();
        let im = Immediate::empty();
        let (runs, ran) = counter();
        let ran = Rc::new(ran);
        let round = || {
            let ran = Rc::clone(&ran);
            im.schedule_with(&ctx, move |_ev, _im| ran());
            turns(&ctx, 1);
        };
        round();
        let count = allocations(round);
        assert_eq!(count, 1, "schedule_with allocates {count} times");
        assert_eq!(runs.get(), 2);
    }
}

#[test]
fn fixed_allocations_of_requests() {
    assert_each("Req::create", 1, || Req::create([0_u8; 500]));
    assert_each("Req::create and done", 1, || {
        let req = Req::create(());
        req.done();
        req
    });
    assert_each("Req::create and set_callback", 1, || {
        let req = Req::create(());
        req.set_callback(|_req| {}); // captures nothing
        req
    });
    let log = support::Log::new();
    assert_each("Req::create and set_callback with something captured", 2, || {
        let (req, log) = (Req::create(()), log.clone());
        req.set_callback(move |_req| log.add("called"));
        req
    });
    let ctx = support::Kind::Epoll.context();
    assert_each("Req::create, set_callback, done, post and the turn that calls back", 1, || {
        let req = Req::create(());
        req.done();
        let req = req.post(&ctx);
        req.set_callback(|_req| {});
        turns(&ctx, 1);
    });
    let finish = || {
        let req = Req::create(7);
        req.done();
        assert_eq!(req.recv(|result| *result), Ok(7));
    };
    assert_each("Req::create, done and recv", 1, finish);
}

#[test]
fn fixed_allocations_of_a_sub_request() {
    let count = allocations(|| {
        let req = Req::create(());
        let subreq = req.add_subreq(Req::create(()), |req, subreq| {
            assert!(subreq.recv(|()| ()).is_ok());
            req.done();
        });
        subreq.done();
        assert_eq!(req.state(), ReqState::Done);
    });
    // Two requests, the parent's children, and the callback.
    assert_eq!(count, 4, "a request with a finished sub-request allocates {count} times");
}

#[test]
fn fixed_allocations_of_a_queued_request() {
    let (ctx, queue) = (support::Kind::Epoll.context(), Queue::create("queue"));
    let queued = |trigger: fn(&ReqRef<()>)| {
        let req = Req::create(());
        queue.add(&ctx, &req, trigger).unwrap();
        req
    };
    // The request, its children, and its place in the queue with the trigger.
    assert_each("Req::create and Queue::add", 3, || queued(|_req| {}));
    assert_each("one that is triggered, done and freed", 3, || {
        let req = queued(|req| _ = req.done());
        turns(&ctx, 1);
        assert_eq!(req.recv(|()| ()), Ok(()));
    });
    assert_each(
        "one whose trigger adds an immediate, which stands beside the place in the queue, in what the last one's left,",
        3,
        || {
            let req = queued(|req| _ = req.add_immediate(|_req| {}));
            turns(&ctx, 1);
            req.received();
        },
    );
    assert_each("Queue::add_entry and its place given back", 1 + 2, || {
        let req = Req::create(());
        let entry = queue.add_entry(&ctx, &req, |_req| {}).unwrap();
        drop(req.take(&entry));
        req
    });
}

/// The head is stuck, and there is always somebody at the end, so that all others leave from the middle.
#[test]
fn a_queue_that_is_left_from_the_middle_does_not_grow() {
    let (ctx, queue) = (support::Kind::Epoll.context(), Queue::create("queue"));
    let join = || {
        let req = Req::create(());
        queue.add(&ctx, &req, |_req| {}).unwrap();
        req
    };
    let (head, mut last) = (join(), join());
    let mut come_and_go = |rounds| {
        for _ in 0..rounds {
            drop(std::mem::replace(&mut last, join()));
        }
    };
    come_and_go(1_000);
    let count = allocations(|| come_and_go(10_000));
    assert_eq!((count, queue.len()), (3 * 10_000, 2));
    drop(head);
    turns(&ctx, 1);
}

/// Of one more, where lists have their room and no memory of events is left over.
fn bytes_of<T>(make: impl Fn() -> T) -> usize {
    let room: Vec<T> = (0..=KEPT).map(|_| make()).collect();
    drop(room);
    let left_over: Vec<T> = (0..KEPT).map(|_| make()).collect();
    let bytes = bytes(|| drop(make()));
    drop(left_over);
    bytes
}

/// Upper bounds, so that nobody makes an object larger without noticing. The closures capture nothing.
#[test]
fn bytes_of_each_object() {
    let ctx = support::Kind::Epoll.context();
    let (near, _far) = pair();
    let first = ctx.add_fd(&near, FdFlags::READ, |_, _, _| {}).unwrap();
    let sizes = [
        ("Immediate", 88, bytes_of(|| Immediate::new(|_, _| {}))),
        ("Timer", 72, bytes_of(|| ctx.add_timer(When::Zero, |_, _, _| {}))),
        ("FdEvent", 88, bytes_of(|| ctx.add_fd(&near, FdFlags::READ, |_, _, _| {}))),
        ("Req<()>", 152, bytes_of(|| Req::create(()))),
    ];
    for (object, bound, size) in sizes {
        println!("{object}: {size} bytes");
        assert!((1..=bound).contains(&size), "{object} takes {size} bytes, more than {bound}");
    }
    drop(first);
    // A slip of the pen, not a file: it costs no room for all the numbers below it.
    let slip = bytes_of(|| ctx.add_fd(2_000_000_000, FdFlags::READ, |_, _, _| {}));
    assert!(slip < 1000, "a number that no process has costs {slip} bytes");
}

/// One that is to say "never" must not make all others far from where the heap counts.
#[test]
fn timers_beside_one_that_is_a_century_away_are_updated_without_allocations() {
    let ctx = tevent::Context::new().unwrap();
    let _never = ctx.add_timer(Duration::from_secs(u32::MAX.into()), |_, _, _| {});
    let timers: Vec<_> = (0..100).map(|_| ctx.add_timer(Duration::from_secs(60), |_, _, _| {})).collect();
    let mut later = 60;
    assert_none("an update", || {
        later += 1;
        for te in &timers {
            assert!(te.update(Duration::from_secs(later)));
        }
    });
}
