//! Waits that really wait: ended by another thread, interrupted by signals, longer than the kernel can count
//! (LOOP-2, LOOP-10).
//!
//! The other thread acts when the kernel says that the loop's thread sleeps; nobody sleeps a guessed time.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/sleepers.rs"]
mod sleepers;
mod support;

use std::cell::Cell;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use sleepers::{PATIENCE, Signals, Task, in_time};
use support::{Kind, on_every_backend, pair};
use tevent::{ClockHold, Context, FdEvent, FdFlags};

/// A loop that waits for one byte, and really waits on every backend.
struct Waiting {
    ctx: Context,
    far: UnixStream,
    got: Rc<Cell<bool>>,
    _fde: FdEvent,
    _hold: Option<ClockHold>,
}

impl Waiting {
    fn new(backend: Kind) -> Self {
        let (ctx, (near, far), got) = (backend.context(), pair(), Rc::new(Cell::new(false)));
        let set = Rc::clone(&got);
        let fde = ctx.add_fd(OwnedFd::from(near), FdFlags::READ, move |_ev, fde, _flags| {
            set.set(true);
            fde.set_flags(FdFlags::NONE);
        });
        let hold = backend.is_simulated().then(|| ctx.hold_clock());
        Waiting { ctx, far, got, _fde: fde.unwrap(), _hold: hold }
    }

    /// Turns until the byte is there, and says how often; no turn may fail.
    #[track_caller]
    fn turn_until_it_comes(&self) -> usize {
        let (mut turns, started) = (0, Instant::now());
        while !self.got.get() {
            self.ctx.loop_once().unwrap();
            turns += 1;
            assert!(started.elapsed() < PATIENCE, "nothing came in {turns} turns");
        }
        turns
    }

    /// The same, while the byte is sent when this thread has come to sleep.
    #[track_caller]
    fn turns_when_it_comes_to_a_sleeper(&self) -> usize {
        let (task, mut far) = (Task::current(), self.far.try_clone().unwrap());
        thread::scope(|scope| {
            let sender = scope.spawn(move || {
                let asleep = task.comes_to_sleep();
                far.write_all(b"x").unwrap();
                asleep
            });
            let turns = self.turn_until_it_comes();
            assert!(sender.join().unwrap(), "it never slept");
            turns
        })
    }
}

on_every_backend! {
    fn loop_2_a_wait_for_ever_and_one_of_years_last_until_something_comes(backend) {
        // 2^31 and 2^32 milliseconds are where a count of 32 bits turns negative, or starts again.
        let wraps = [31, 32].map(|bits| Some(Duration::from_millis(1 << bits)));
        for timeout in wraps.into_iter().chain([None, Some(Duration::MAX)]) {
            let waiting = Waiting::new(backend);
            waiting.ctx.set_wait_timeout(timeout);
            assert_eq!(waiting.turns_when_it_comes_to_a_sleeper(), 1, "{timeout:?}");
        }
    }

    fn loop_2_a_timer_that_is_years_away_does_not_make_the_loop_spin(backend) {
        for delay in [Duration::from_millis(1 << 32), Duration::MAX] {
            let waiting = Waiting::new(backend);
            let _timer = waiting.ctx.add_timer(delay, |_ev, _te, _now| unreachable!("it is not due"));
            assert_eq!(waiting.turns_when_it_comes_to_a_sleeper(), 1, "{delay:?}");
        }
    }

    fn loop_10_a_signal_that_interrupts_the_wait_is_no_error(backend) {
        let ways: [fn(&Waiting); 3] = [
            |waiting| assert!(waiting.turn_until_it_comes() > 0),
            |waiting| waiting.ctx.loop_until(|| waiting.got.get()).unwrap(),
            |waiting| waiting.ctx.loop_wait().unwrap(),
        ];
        for way in ways {
            let (waiting, signals) = (Waiting::new(backend), Signals::caught());
            waiting.ctx.set_wait_timeout(None);
            let (task, mut far) = (Task::current(), waiting.far.try_clone().unwrap());
            let delivered = &signals.delivered;
            thread::scope(|scope| {
                let sender = scope.spawn(move || {
                    let interrupted = (0..20).filter(|_| task.interrupt_sleep(delivered)).count();
                    far.write_all(b"x").unwrap();
                    interrupted
                });
                way(&waiting);
                assert_eq!(sender.join().unwrap(), 20);
            });
            assert!(waiting.got.get());
        }
    }

    /// Were the time of an interrupted wait lost, signals that keep coming would put a timer off for ever.
    fn loop_10_signals_neither_hasten_nor_postpone_a_timer(backend) {
        let (waiting, signals) = (Waiting::new(backend), Signals::caught());
        let _timer = waiting.ctx.add_timer(Duration::from_secs(3600), |_ev, _te, _now| unreachable!("early"));
        let (task, mut far) = (Task::current(), waiting.far.try_clone().unwrap());
        let (delivered, step) = (&signals.delivered, Duration::from_millis(1));
        let started = waiting.ctx.now();
        thread::scope(|scope| {
            let sender = scope.spawn(move || {
                let interrupted = (0..10).filter(|_| {
                    let (asleep, since) = (task.comes_to_sleep(), Instant::now());
                    asleep && in_time(|| since.elapsed() >= step) && task.interrupt_sleep(delivered)
                });
                let interrupted = interrupted.count();
                far.write_all(b"x").unwrap();
                interrupted
            });
            waiting.turn_until_it_comes();
            assert_eq!(sender.join().unwrap(), 10);
        });
        let slept = waiting.ctx.now() - started;
        assert!(slept >= 10 * step, "of ten milliseconds asleep the clock counts {slept:?}");
    }
}
