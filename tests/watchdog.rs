//! The watchdog, and what the loop counts, on every backend.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

#[path = "support/signals.rs"]
mod signals;

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use support::{Kind, on_every_backend, pair, run_ready, turns};
use tevent::{Alarm, Context, ContextRef, EventKind, FdFlags, Immediate, Queue, Req, SignalFlags, When};

const LIMIT: Duration = Duration::from_millis(5);

/// Work that takes that long, on the context's own clock.
fn work(backend: Kind, ev: &ContextRef, long: Duration) {
    if backend.is_simulated() {
        ev.advance_clock(long);
    } else {
        let begun = Instant::now();
        while begun.elapsed() < long {
            thread::yield_now();
        }
    }
}

fn alarms(ctx: &Context) -> Rc<RefCell<Vec<Alarm>>> {
    let alarms = Rc::<RefCell<Vec<Alarm>>>::default();
    let note = Rc::clone(&alarms);
    ctx.set_watchdog(LIMIT, move |_ev, alarm| note.borrow_mut().push(alarm));
    alarms
}

on_every_backend! {
    fn a_report_that_runs_the_loop_is_not_told_of_the_same_starving_again(backend) {
        let ctx = backend.context();
        ctx.allow_nesting();
        let (told, deepest) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (count, depth) = (Rc::clone(&told), Rc::clone(&deepest));
        ctx.set_watchdog(LIMIT, move |ev, alarm| {
            if let Alarm::FdsStarve { .. } = alarm {
                count.set(count.get() + 1);
                depth.set(depth.get().max(ev.dump().level));
                ev.loop_once().unwrap();
            }
        });
        for _ in 0..20 {
            let im = ctx.keep(Immediate::new(move |ev, _im| work(backend, ev, LIMIT / 2)));
            im.schedule(&ctx);
        }
        turns(&ctx, 19);
        assert_eq!((told.get(), deepest.get()), (1, 1));
    }

    fn fds_that_are_served_do_not_starve(backend) {
        let ctx = backend.context();
        let alarms = alarms(&ctx);
        let pairs: Vec<_> = (0..20).map(|_| pair()).collect();
        for (near, far) in &pairs {
            (&*far).write_all(b"x").unwrap();
            ctx.keep(ctx.add_fd(near, FdFlags::READ, move |ev, fde, _flags| {
                fde.set_flags(FdFlags::NONE);
                let im = ev.keep(Immediate::new(move |ev, _im| work(backend, ev, LIMIT / 2)));
                im.schedule(ev);
            }).unwrap());
        }
        turns(&ctx, 40);
        assert_eq!(ctx.stats().handled.fds, 20);
        let starve = alarms.take().into_iter().filter(|alarm| matches!(alarm, Alarm::FdsStarve { .. }));
        assert_eq!(starve.count(), 0, "one of them ran in every other turn");
    }

    fn a_slow_handler_is_reported_with_its_event(backend) {
        let ctx = backend.context();
        let alarms = alarms(&ctx);
        let te = ctx.keep(ctx.add_timer(When::Zero, move |ev, _te, _now| work(backend, ev, 2 * LIMIT)));
        te.set_tag(9);
        let place = te.location();
        turns(&ctx, 1);
        let alarms = alarms.take();
        let [Alarm::SlowHandler { kind, location, tag, ran, .. }] = alarms[..] else { panic!("{alarms:?}") };
        assert_eq!((kind, location, tag), (EventKind::Timer, place, 9));
        assert!(ran >= 2 * LIMIT);
    }

    fn immediates_that_starve_fds_are_reported_once_until_the_loop_looks_again(backend) {
        let ctx = backend.context();
        let alarms = alarms(&ctx);
        let (near, mut far) = pair();
        far.write_all(b"x").unwrap();
        let served = Rc::new(Cell::new(0));
        let serve = Rc::clone(&served);
        ctx.keep(ctx.add_fd(&near, FdFlags::READ, move |_ev, fde, _flags| {
            serve.set(serve.get() + 1);
            fde.set_flags(FdFlags::NONE);
        }).unwrap());
        let left = Cell::new(10);
        let im = ctx.keep(Immediate::new(move |ev, im| {
            work(backend, ev, LIMIT / 2);
            left.set(left.get() - 1);
            if left.get() > 0 {
                im.schedule(ev);
            }
        }));
        im.schedule(&ctx);
        turns(&ctx, 10);
        assert_eq!(served.get(), 0, "they starve");
        let starved = |alarm: &Alarm| matches!(alarm, Alarm::FdsStarve { kind: EventKind::Immediate, .. });
        assert_eq!(alarms.take().iter().filter(|alarm| starved(alarm)).count(), 1);
        turns(&ctx, 1);
        assert_eq!(served.get(), 1);
        im.schedule_with(&ctx, |_ev, _im| {});
        turns(&ctx, 1);
        assert_eq!(alarms.take().iter().filter(|alarm| starved(alarm)).count(), 0, "the loop has looked");
    }

    fn nobody_is_told_without_a_watchdog(backend) {
        let ctx = backend.context();
        let alarms = alarms(&ctx);
        ctx.clear_watchdog();
        ctx.keep(ctx.add_timer(When::Zero, move |ev, _te, _now| work(backend, ev, 2 * LIMIT)));
        turns(&ctx, 1);
        assert_eq!(alarms.take(), []);
        assert!(format!("{:?}", ctx.trace()).contains("listeners: 0"));
    }

    fn a_report_may_replace_the_watchdog_and_free_the_context(backend) {
        let owner = Rc::new(RefCell::new(Some(backend.context())));
        let ev: ContextRef = owner.borrow().as_deref().unwrap().clone();
        let free = Rc::clone(&owner);
        ev.set_watchdog(LIMIT, move |ev, _alarm| {
            ev.clear_watchdog();
            drop(free.take());
        });
        ev.keep(ev.add_timer(When::Zero, move |ev, _te, _now| work(backend, ev, 2 * LIMIT)));
        turns(&ev, 1);
        assert!(ev.is_freed());
    }

    fn stats_count_handlers_by_kind_and_wakeups(backend) {
        let _alone = signals::alone();
        let ctx = backend.context();
        let (near, mut far) = pair();
        far.write_all(b"x").unwrap();
        ctx.keep(ctx.add_fd(&near, FdFlags::READ, |_ev, fde, _flags| fde.set_flags(FdFlags::NONE)).unwrap());
        for _ in 0..2 {
            ctx.keep(ctx.add_timer(When::Zero, |_ev, _te, _now| {}));
        }
        ctx.keep(ctx.add_signal(libc::SIGUSR1, SignalFlags::NONE, |_ev, _se, _got| {}).unwrap());
        signals::raise(libc::SIGUSR1);
        let handle = ctx.threaded().unwrap();
        thread::spawn(move || (0..3).all(|_| handle.schedule(|_ev| {}).is_ok())).join().unwrap();
        let (queue, req) = (Queue::create("q"), Req::create(()));
        queue.add(&ctx, &req, |_req| {}).unwrap();
        run_ready(&ctx);
        let stats = ctx.stats();
        let handled = stats.handled;
        assert_eq!((handled.fds, handled.timers, handled.immediates), (1, 2, 3));
        assert_eq!((handled.signals, handled.queue_entries), (1, 1));
        assert_eq!(stats.wakeups, 2, "a thread's and a signal's");
        assert!(stats.turns > 8 && stats.waits > 0 && stats.changes > 0);
    }
}
