//! Signal events that come and go while signals arrive: freed in handlers, by panics and with their contexts, in nested turns, and
//! under a storm from other threads (SIG-5, SIG-7, LOOP-7, LOOP-8).

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

#[path = "support/signals.rs"]
mod signals;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use signals::{Other, turn_until};
use support::{CountDrop, Kind, Log, on_every_backend, run_ready, turns};
use tevent::{Context, ContextRef, SignalEvent, SignalFlags};

const HUP: i32 = libc::SIGHUP;
const USR1: i32 = libc::SIGUSR1;
const USR2: i32 = libc::SIGUSR2;

fn rt() -> i32 {
    libc::SIGRTMIN() + 4
}

fn noting(ev: &ContextRef, signal: i32, flags: SignalFlags, name: &str, log: &Log) -> SignalEvent {
    let (log, name) = (log.clone(), name.to_owned());
    ev.add_signal(signal, flags, move |_, _, got| log.add(format!("{name}:{}", got.count))).unwrap()
}

#[derive(Clone, Copy, Debug)]
enum Frees {
    One(usize),
    All,
    Context,
    ContextBeginsAnew,
}

/// Four events in the order in which they run: three of one signal, told by count or by delivery, and one of another.
struct Row {
    ctx: RefCell<Option<Context>>,
    events: RefCell<Vec<Option<SignalEvent>>>,
    ran: RefCell<Vec<usize>>,
}

/// Runs them all while the handler at `who` frees `what`; gives who ran.
fn run_row(kind: Kind, flags: SignalFlags, who: usize, what: Frees) -> Vec<usize> {
    let ctx = kind.context();
    let ev = ctx.clone();
    let row = Rc::new(Row {
        ctx: RefCell::new(Some(ctx)),
        events: RefCell::new((0..4).map(|_| None).collect()),
        ran: RefCell::default(),
    });
    let (probes, drops): (Vec<_>, Vec<_>) = (0..4).map(|_| CountDrop::new()).unzip();
    // The newest runs first.
    for (n, probe) in probes.into_iter().enumerate().rev() {
        let own = Rc::clone(&row);
        let handler = move |ev: &ContextRef, _: &tevent::SignalRef, _| {
            let _probe = &probe;
            own.ran.borrow_mut().push(n);
            if n == who {
                match what {
                    Frees::One(victim) => drop(own.events.borrow_mut()[victim].take()),
                    Frees::All => own.events.borrow_mut().iter_mut().for_each(|se| drop(se.take())),
                    Frees::Context => drop(own.ctx.take()),
                    Frees::ContextBeginsAnew => ev.re_initialise().unwrap(),
                }
            }
        };
        let se = ev.add_signal(if n == 3 { USR2 } else { USR1 }, flags, handler).unwrap();
        row.events.borrow_mut()[n] = Some(se);
    }
    [USR2, USR1].into_iter().for_each(signals::raise);
    turns(&ev, 1);
    row.events.borrow_mut().clear();
    drop(row.ctx.take());
    assert!(drops.iter().all(|drops| drops.get() == 1), "each handler is dropped once");
    assert_eq!([USR1, USR2].map(|signal| signals::action(signal).0), [libc::SIG_DFL; 2]);
    row.ran.take()
}

/// Sends signals to its own thread again and again, and counts how often.
struct Storm {
    other: Other,
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU32>,
}

impl Storm {
    /// It waits for the loop as long as `may_go` says no to how many it has sent.
    fn begin(signals: Vec<i32>, may_go: impl Fn(u32) -> bool + Send + 'static) -> Self {
        let storm = Storm { other: Other::new(), stop: Arc::default(), sent: Arc::default() };
        let (stop, sent) = (Arc::clone(&storm.stop), Arc::clone(&storm.sent));
        storm.other.begin(move || {
            while !stop.load(Ordering::Relaxed) {
                if may_go(sent.load(Ordering::Relaxed)) {
                    signals.iter().copied().for_each(signals::raise);
                    sent.fetch_add(1, Ordering::Relaxed);
                } else {
                    std::thread::yield_now();
                }
            }
        });
        storm
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

on_every_backend! {
    fn sig_5_any_event_may_be_freed_in_any_handler(backend) {
        let _alone = signals::alone();
        for flags in [SignalFlags::NONE, SignalFlags::SIGINFO] {
            for who in 0..4 {
                for victim in 0..4 {
                    let ran = run_row(backend, flags, who, Frees::One(victim));
                    let expected: Vec<_> = (0..4).filter(|n| *n != victim || *n <= who).collect();
                    assert_eq!(ran, expected, "{who} frees {victim}");
                }
                for what in [Frees::All, Frees::Context, Frees::ContextBeginsAnew] {
                    let ran = run_row(backend, flags, who, what);
                    assert_eq!(ran, (0..=who).collect::<Vec<_>>(), "{who} frees {what:?}");
                }
            }
        }
    }

    fn sig_5_an_event_that_frees_itself_is_not_called_for_its_other_deliveries(backend) {
        let _alone = signals::alone();
        let (ctx, log) = (backend.context(), Log::new());
        let (mine, note) = (Rc::<Cell<Option<SignalEvent>>>::default(), log.clone());
        let own = Rc::clone(&mine);
        let se = ctx.add_signal(USR1, SignalFlags::SIGINFO, move |_, _, _| {
            note.add("once");
            drop(own.take());
        });
        mine.set(Some(se.unwrap()));
        (0..300).for_each(|_| signals::raise(USR1));
        turns(&ctx, 1);
        assert_eq!(log.take(), ["once"]);
        assert!(!signals::is_blocked(USR1));
        ctx.loop_wait().unwrap();
    }

    fn sig_5_what_is_pending_when_the_last_event_goes_is_dropped(backend) {
        let _alone = signals::alone();
        let (ctx, log) = (backend.context(), Log::new());
        for flags in [SignalFlags::NONE, SignalFlags::SIGINFO] {
            for deliveries in [1, 300, 1000] {
                let old = noting(&ctx, rt(), flags, "old", &log);
                (0..deliveries).for_each(|_| signals::raise(rt()));
                // What the kernel has kept would end the process if it came later.
                drop(old);
                assert!(!signals::is_blocked(rt()));
                let _new = noting(&ctx, rt(), flags, "new", &log);
                let _typed = noting(&ctx, rt(), SignalFlags::SIGINFO, "typed", &log);
                run_ready(&ctx);
                assert_eq!(log.len(), 0);
                signals::raise(rt());
                turns(&ctx, 1);
                assert_eq!(log.take(), ["typed:1", "new:1"]);
            }
        }
    }

    fn sig_5_what_is_pending_in_another_context_stays(backend) {
        let _alone = signals::alone();
        let (ctx, elsewhere, log) = (backend.context(), backend.context(), Log::new());
        let se = noting(&ctx, USR1, SignalFlags::SIGINFO, "here", &log);
        let _there = noting(&elsewhere, USR1, SignalFlags::SIGINFO, "there", &log);
        [USR1, USR1].into_iter().for_each(signals::raise);
        drop(se);
        let _again = noting(&ctx, USR1, SignalFlags::NONE, "again", &log);
        turns(&elsewhere, 1);
        run_ready(&ctx);
        assert_eq!(log.take(), ["there:1", "there:1"]);
    }

    fn loop_7_events_that_outlive_their_context_are_inert(backend) {
        let _alone = signals::alone();
        let (ctx, log) = (backend.context(), Log::new());
        let (one, two) = (noting(&ctx, USR1, SignalFlags::NONE, "one", &log), backend.context());
        let _two = noting(&two, USR1, SignalFlags::NONE, "two", &log);
        signals::raise(USR1);
        let ev = ctx.clone();
        drop(ctx);
        assert!(!one.is_active() && ev.loop_once().is_err());
        assert_eq!((one.signal(), one.flags()), (USR1, SignalFlags::NONE));
        turns(&two, 1);
        drop(one);
        signals::raise(USR1);
        turns(&two, 1);
        assert_eq!(log.take(), ["two:1", "two:1"]);
    }

    fn sig_2_a_panicking_handler_loses_no_delivery_behind_it(backend) {
        let _alone = signals::alone();
        let (ctx, log) = (backend.context(), Log::new());
        let _usr2 = noting(&ctx, USR2, SignalFlags::NONE, "usr2", &log);
        let _old = noting(&ctx, HUP, SignalFlags::NONE, "old", &log);
        let (note, panics) = (log.clone(), Cell::new(true));
        let _new = ctx.add_signal(HUP, SignalFlags::SIGINFO, move |_, _, _| {
            note.add("new");
            if panics.replace(false) { resume_unwind(Box::new("a panic")) }
        });
        for signal in [HUP, HUP, USR2] {
            signals::raise(signal);
        }
        assert!(catch_unwind(AssertUnwindSafe(|| ctx.loop_once())).is_err());
        assert_eq!(log.take(), ["new"]);
        turns(&ctx, 1);
        assert_eq!(log.take(), ["new", "old:2", "usr2:1"]);
        assert_eq!(run_ready(&ctx), 1, "the bell");
        signals::raise(HUP);
        turns(&ctx, 1);
        assert_eq!(log.take(), ["new", "old:1"], "the loop goes on");
    }

    fn loop_5_a_nested_turn_runs_the_other_signals_that_are_pending(backend) {
        let _alone = signals::alone();
        let (ctx, log) = (backend.context(), Log::new());
        ctx.allow_nesting();
        let note = log.clone();
        let _hup = ctx.add_signal(HUP, SignalFlags::NONE, move |ev, _, _| {
            note.add("begin");
            let outer = ev.set_wait_timeout(std::time::Duration::ZERO);
            ev.loop_once().unwrap();
            ev.set_wait_timeout(outer);
            note.add("end");
        });
        let _usr1 = noting(&ctx, USR1, SignalFlags::NONE, "usr1", &log);
        let _usr2 = noting(&ctx, USR2, SignalFlags::SIGINFO, "usr2", &log);
        for signal in [USR2, USR1, HUP, USR2] {
            signals::raise(signal);
        }
        turns(&ctx, 1);
        assert_eq!(log.take(), ["begin", "usr1:1", "usr2:1", "usr2:1", "end"]);
        assert_eq!(run_ready(&ctx), 1, "the bell");
    }

    fn loop_5_a_nested_turn_goes_on_with_what_is_due(backend) {
        let _alone = signals::alone();
        let (ctx, log) = (backend.context(), Log::new());
        ctx.allow_nesting();
        let (note, level) = (log.clone(), Cell::new(0));
        let _old = noting(&ctx, USR1, SignalFlags::NONE, "old", &log);
        let _se = ctx.add_signal(USR1, SignalFlags::SIGINFO, move |ev, _, got| {
            level.set(level.get() + 1);
            note.add(format!("{}:{:?}", level.get(), got.info.and_then(|info| info.value()).unwrap()));
            if level.get() == 1 {
                signals::raise_with(USR1, 7);
                ev.loop_once().unwrap();
                note.add("back");
            }
        });
        (0..3).for_each(|n| signals::raise_with(USR1, n));
        turns(&ctx, 1);
        assert_eq!(log.take(), ["1:0", "2:1", "3:2", "old:3", "4:7", "old:1", "back"]);
    }

    fn sig_7_events_come_and_go_in_a_storm_and_one_that_stays_counts_all(backend) {
        let _alone = signals::alone();
        let (ctx, count) = (backend.context(), Rc::new(Cell::new(0)));
        let (counts, seen) = (Rc::clone(&count), Arc::<AtomicU32>::default());
        let see = Arc::clone(&seen);
        let _stays = ctx.add_signal(rt(), SignalFlags::NONE, move |_, _, got| {
            counts.set(counts.get() + got.count);
            see.store(counts.get(), Ordering::Relaxed);
        });
        // No more than the kernel keeps for a user, also on small machines.
        let storms = [(); 2].map(|()| {
            let seen = Arc::clone(&seen);
            Storm::begin(vec![rt()], move |sent| sent < seen.load(Ordering::Relaxed) + 1000)
        });
        let ran = Rc::new(Cell::new(0));
        for round in 0..2000 {
            let flags = if round % 3 == 0 { SignalFlags::NONE } else { SignalFlags::SIGINFO };
            let (elsewhere, runs) = (backend.context(), Rc::clone(&ran));
            let home = if round % 2 == 0 { &elsewhere } else { &ctx };
            let se = home.add_signal(rt(), flags, move |_, _, _| runs.set(runs.get() + 1));
            run_ready_once(home);
            if round % 5 == 0 { drop(elsewhere) }
            drop(se);
        }
        for storm in &storms {
            storm.stop.store(true, Ordering::Relaxed);
            storm.other.finish();
        }
        let sent: u32 = storms.iter().map(|storm| storm.sent.load(Ordering::Relaxed)).sum();
        turn_until(&ctx, || count.get() >= sent);
        run_ready(&ctx);
        assert_eq!(count.get(), sent);
        assert!(ran.get() > 0);
        assert!(signals::blocked().is_empty());
    }

    fn sig_7_the_last_event_comes_and_goes_in_a_storm(backend) {
        let _alone = signals::alone();
        let before = [USR1, USR2].map(|signal| signals::set_action(signal, libc::SIG_IGN, 0));
        let ignored = [USR1, USR2].map(signals::action);
        let ctx = backend.context();
        let storms = [(); 3].map(|()| Storm::begin(vec![USR1, USR2], |_sent| true));
        for round in 0..300 {
            let flags = if round % 2 == 0 { SignalFlags::NONE } else { SignalFlags::SIGINFO };
            let log = Log::new();
            let se = noting(&ctx, USR1, flags, "usr1", &log);
            let _te = noting(&ctx, USR2, SignalFlags::SIGINFO, "usr2", &log);
            if round % 10 == 0 {
                turn_until(&ctx, || log.len() > 0);
            }
            drop(se);
            if round % 7 == 0 {
                ctx.re_initialise().unwrap();
            }
        }
        for storm in storms {
            assert!(storm.sent.load(Ordering::Relaxed) > 0);
            storm.stop.store(true, Ordering::Relaxed);
            storm.other.finish();
        }
        assert_eq!([USR1, USR2].map(signals::action), ignored);
        for (signal, before) in [USR1, USR2].into_iter().zip(before) {
            signals::set_action(signal, before.0, before.1);
        }
    }
}

/// One turn that does not wait, if there is nothing to do.
fn run_ready_once(ev: &ContextRef) {
    let old = ev.set_wait_timeout(std::time::Duration::ZERO);
    let _nothing_to_do = ev.loop_once();
    ev.set_wait_timeout(old);
}
