//! Handles of other threads, which are dead in a forked child (LOOP-9, THR).

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::support::{Kind, run_ready, turns};
use super::{Case, in_child, runs_all, scene};
use tevent::{FdFlags, Immediate};

pub(super) const CASES: [Case; 8] = [
    ("new_handles_in_the_child", a_child_that_asks_for_a_handle_before_its_first_turn_gets_a_living_one),
    ("proxies", proxies_of_the_parent_are_dead_in_the_child_which_does_not_wait_for_them),
    ("virtual_clock", a_dead_handle_holds_no_virtual_clock_in_the_child),
    ("parents_closures", what_the_parent_has_scheduled_is_dropped_where_user_code_may_run),
    ("bells_apart", a_child_that_is_rung_for_does_not_wake_the_parent),
    ("forking_thread", a_handle_is_dead_in_a_child_that_another_thread_has_forked),
    ("hand_over_under_way", forked_while_threads_schedule_the_child_never_waits_for_their_lock),
    ("said_in_the_child", what_a_debug_sink_schedules_in_the_child_is_not_slept_over),
];

fn a_child_that_asks_for_a_handle_before_its_first_turn_gets_a_living_one(kind: Kind) {
    let scene = scene(kind);
    let old = scene.ctx.threaded().unwrap();
    let ran = Arc::<AtomicUsize>::default();
    let count = |ran: &Arc<AtomicUsize>| {
        let ran = Arc::clone(ran);
        move |_ev: &_| _ = ran.fetch_add(1, Ordering::Relaxed)
    };
    assert!(in_child(|| {
        let new = scene.ctx.threaded().unwrap();
        assert!(old.schedule(|_ev| ()).is_err());
        let closure = count(&ran);
        // From a thread of the child's own, which wakes it.
        thread::spawn(move || new.schedule(closure).unwrap());
        scene.ctx.loop_until(|| ran.load(Ordering::Relaxed) == 1).unwrap();
        run_ready(&scene.ctx);
        assert_eq!(scene.log.take().len(), 3, "timer, immediate and fd go on");
        let from_future = scene.ctx.block_on(async { Ok(7) });
        assert_eq!(from_future, Ok(7));
    }));
    // The child has read the byte.
    std::io::Write::write_all(&mut &scene.far, b"x").unwrap();
    thread::spawn(move || old.schedule(count(&ran)).unwrap()).join().unwrap();
    run_ready(&scene.ctx);
    assert_eq!(scene.log.take().len(), 3);
    assert_eq!(scene.ctx.stats().handled.immediates, 2, "the parent's handle goes on too");
}

fn proxies_of_the_parent_are_dead_in_the_child_which_does_not_wait_for_them(kind: Kind) {
    let ctx = kind.context();
    let proxy = ctx.thread_proxy().unwrap();
    let data = String::from("mine");
    assert!(in_child(|| {
        let refused = proxy.schedule(move |_ev| drop(data)).unwrap_err();
        drop(refused.into_inner());
        ctx.loop_wait().unwrap();
        assert_eq!(ctx.stats().turns, 0);
        let new = ctx.thread_proxy().unwrap();
        thread::spawn(move || new.schedule(|_ev| ()).unwrap());
        ctx.loop_wait().unwrap();
        assert_eq!(ctx.stats().handled.immediates, 1);
    }));
    assert_eq!(ctx.dump().thread_proxies, 1, "the parent's lives");
    thread::spawn(move || proxy.schedule(|_ev| ()).unwrap());
    ctx.loop_wait().unwrap();
    assert_eq!(ctx.stats().handled.immediates, 1);
}

fn a_dead_handle_holds_no_virtual_clock_in_the_child(kind: Kind) {
    let ctx = kind.context();
    let _handle = ctx.threaded().unwrap();
    if kind.is_simulated() {
        let te = ctx.add_timer(Duration::from_secs(3600), |_, _, _| ());
        assert!(in_child(|| {
            ctx.loop_wait().unwrap();
            assert!(!te.is_pending());
        }));
    }
}

fn what_the_parent_has_scheduled_is_dropped_where_user_code_may_run(kind: Kind) {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in a drop");
        }
    }
    let scene = scene(kind);
    let handle = RefCell::new(Some(scene.ctx.threaded().unwrap()));
    let bomb = Bomb;
    handle.borrow().as_ref().unwrap().schedule(move |_ev| std::mem::forget(bomb)).unwrap();
    assert!(in_child(|| {
        // The last handle: what was scheduled goes with it, as soon as the loop lets go too.
        drop(handle.take());
        assert_eq!(scene.ctx.stats().turns, 0, "a look at the counts throws nothing");
        assert!(catch_unwind(AssertUnwindSafe(|| scene.ctx.loop_once())).is_err(), "a turn does");
        runs_all(&scene);
    }));
    std::io::Write::write_all(&mut &scene.far, b"x").unwrap();
    run_ready(&scene.ctx);
    assert_eq!(scene.log.take(), ["immediate", "timer", "fd"]);
    assert_eq!(scene.ctx.stats().handled.immediates, 2, "in the parent it has run");
}

fn a_child_that_is_rung_for_does_not_wake_the_parent(kind: Kind) {
    let ctx = kind.context();
    let _handle = ctx.threaded().unwrap();
    assert!(in_child(|| {
        // Before its first turn, and after it.
        for n in 1..=10 {
            let own = ctx.threaded().unwrap();
            thread::spawn(move || own.schedule(|_ev| ()).unwrap()).join().unwrap();
            run_ready(&ctx);
            assert_eq!((ctx.stats().handled.immediates, ctx.stats().wakeups), (n, n));
        }
    }));
    assert_eq!(run_ready(&ctx), 0);
    assert_eq!(ctx.stats().wakeups, 0);
}

fn a_handle_is_dead_in_a_child_that_another_thread_has_forked(kind: Kind) {
    let ctx = kind.context();
    let handle = ctx.threaded().unwrap();
    let thread = thread::spawn(move || {
        assert!(in_child(|| {
            assert!(handle.schedule(|_ev| ()).is_err());
            drop(handle.clone());
        }));
        handle.schedule(|_ev| ()).unwrap();
    });
    thread.join().unwrap();
    run_ready(&ctx);
    assert_eq!(ctx.stats().handled.immediates, 1);
}

fn forked_while_threads_schedule_the_child_never_waits_for_their_lock(kind: Kind) {
    let scene = scene(kind);
    let (end, sent) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let handle = scene.ctx.threaded().unwrap();
    let threads = [0, 1].map(|_| {
        let (handle, end, sent) = (handle.clone(), Arc::clone(&end), Arc::clone(&sent));
        thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                handle.schedule(|_ev| ()).unwrap();
                sent.fetch_add(1, Ordering::Relaxed);
                thread::yield_now();
            }
        })
    });
    for n in 0..20 {
        assert!(in_child(|| {
            assert!(handle.schedule(|_ev| ()).is_err());
            if n % 2 == 0 {
                scene.ctx.re_initialise().unwrap();
            }
            let own = scene.ctx.threaded().unwrap();
            own.schedule(|_ev| ()).unwrap();
            assert!(run_ready(&scene.ctx) > 0);
        }));
    }
    end.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
    run_ready(&scene.ctx);
    // And the immediate of the scene.
    assert_eq!(scene.ctx.stats().handled.immediates, 1 + sent.load(Ordering::Relaxed) as u64);
}

fn what_a_debug_sink_schedules_in_the_child_is_not_slept_over(kind: Kind) {
    let ctx = kind.context();
    let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
    let number = std::os::fd::AsRawFd::as_raw_fd(&near);
    let _fde = ctx.add_fd(number, FdFlags::READ, |_, _, _| ()).unwrap();
    assert!(in_child(|| {
        let im = ctx.keep(Immediate::new(|_, im| im.set_tag(1)));
        let (ev, later) = (ctx.clone(), im.clone());
        ctx.set_debug(move |_level, _message| later.schedule(&ev));
        // Closed behind the loop's back: the new kernel object does not take it.
        drop(near);
        let before = ctx.now();
        turns(&ctx, 2);
        assert_eq!(im.tag(), 1);
        assert!(ctx.now() - before < Duration::from_secs(20), "it has slept for the wait timeout");
    }));
}
