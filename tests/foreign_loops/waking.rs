//! What wakes a foreign loop, and that nothing else does; on every backend.

use std::cell::Cell;
use std::io::Write;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use tevent::{FdFlags, Immediate, LoopError, SignalFlags, When};

use super::hosts::BareEpoll;
use super::signals;
use super::support::{drain, on_every_backend, pair};

on_every_backend! {
    fn a_simulated_context_has_no_fd_but_can_be_dispatched(backend) {
        let ctx = backend.context();
        match ctx.loop_fd() {
            Ok(_fd) => assert!(!backend.is_simulated()),
            Err(error) => {
                assert!(backend.is_simulated());
                assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
            }
        }
        let ran = Rc::new(Cell::new(0));
        let run = Rc::clone(&ran);
        let im = ctx.keep(Immediate::new(move |_ev, _im| run.set(run.get() + 1)));
        im.schedule(&ctx);
        assert_eq!(ctx.next_timeout(), Some(Duration::ZERO));
        assert!(ctx.dispatch().unwrap());
        assert_eq!((ran.get(), ctx.next_timeout()), (1, None));
        assert!(!ctx.dispatch().unwrap(), "it does not wait, and to find nothing is no failure");
    }

    fn dispatch_never_sleeps_whatever_the_wait_timeout_says(backend) {
        let ctx = backend.context();
        let begun = Instant::now();
        for timeout in [Some(Duration::from_secs(30)), None, Some(Duration::ZERO)] {
            ctx.set_wait_timeout(timeout);
            assert!(!ctx.dispatch().unwrap());
        }
        assert!(begun.elapsed() < Duration::from_secs(20));
    }

    fn one_wake_for_one_event_and_none_when_all_is_done(backend) {
        if backend.is_simulated() {
            assert!(backend.context().loop_fd().is_err());
            return;
        }
        let ctx = backend.context();
        let mut host = BareEpoll::around(&ctx);
        let (near, mut far) = pair();
        let near = Rc::new(near);
        let read = Rc::clone(&near);
        let _fde = ctx.add_fd(&near, FdFlags::READ, move |_ev, _fde, _flags| {
            drain(&read);
        }).unwrap();
        assert!(!host.is_readable());
        for wakes in 1..=100 {
            far.write_all(b"x").unwrap();
            assert!(host.turn());
            assert!(!host.is_readable(), "all is done");
            assert_eq!((host.wakes, ctx.next_timeout()), (wakes, None));
        }
    }

    fn level_triggered_it_stays_readable_until_the_handler_has_read(backend) {
        if backend.is_simulated() {
            assert!(backend.context().loop_fd().is_err());
            return;
        }
        let ctx = backend.context();
        let mut host = BareEpoll::around(&ctx);
        let (near, mut far) = pair();
        let _fde = ctx.add_fd(&near, FdFlags::READ, |_ev, _fde, _flags| {}).unwrap();
        far.write_all(b"x").unwrap();
        for _ in 0..3 {
            assert!(host.turn());
            assert!(host.is_readable() || ctx.next_timeout() == Some(Duration::ZERO));
        }
        assert_eq!(ctx.stats().handled.fds, 3);
    }

    fn many_ready_fds_are_all_served(backend) {
        let ctx = backend.context();
        let pairs: Vec<_> = (0..200).map(|_| pair()).collect();
        let served = Rc::new(Cell::new(0));
        for (near, far) in &pairs {
            let serve = Rc::clone(&served);
            ctx.keep(ctx.add_fd(near, FdFlags::READ, move |_ev, fde, _flags| {
                serve.set(serve.get() + 1);
                fde.set_flags(FdFlags::NONE);
            }).unwrap());
            (&*far).write_all(b"x").unwrap();
        }
        if backend.is_simulated() {
            while ctx.dispatch().unwrap() {}
        } else {
            let count = Rc::clone(&served);
            BareEpoll::around(&ctx).run_until(move || count.get() == 200);
        }
        assert_eq!(served.get(), 200);
    }

    fn a_change_outside_of_dispatch_is_told_at_once(backend) {
        if backend.is_simulated() {
            assert!(backend.context().loop_fd().is_err());
            return;
        }
        let ctx = backend.context();
        let (near, mut far) = pair();
        let near = Rc::new(near);
        let before = ctx.add_fd(&near, FdFlags::READ, |_ev, _fde, _flags| {}).unwrap();
        before.set_flags(FdFlags::NONE); // may wait until the loop waits
        let host = BareEpoll::around(&ctx);
        far.write_all(b"x").unwrap();
        assert!(!host.is_readable(), "what had been put off was told when the fd was handed out");
        let fde = ctx.add_fd(&near, FdFlags::READ, |_ev, _fde, _flags| {}).unwrap();
        assert!(host.is_readable());
        drop(fde);
        assert!(!host.is_readable(), "nothing waits any more");
        before.set_flags(FdFlags::READ);
        assert!(host.is_readable());
        before.set_flags(FdFlags::WRITE | FdFlags::READ);
        before.set_flags(FdFlags::NONE);
        assert!(!host.is_readable());
    }

    fn a_thread_wakes_the_foreign_loop(backend) {
        if backend.is_simulated() {
            assert!(backend.context().loop_fd().is_err());
            return;
        }
        let ctx = backend.context();
        let mut host = BareEpoll::around(&ctx);
        let (handle, ran) = (ctx.threaded().unwrap(), Rc::new(Cell::new(0)));
        let arrived = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let into = std::sync::Arc::clone(&arrived);
        let worker = thread::spawn(move || {
            for _ in 0..1000 {
                let into = std::sync::Arc::clone(&into);
                let scheduled = handle.schedule(move |_ev| {
                    into.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                });
                assert!(scheduled.is_ok());
            }
        });
        host.run_until(|| arrived.load(std::sync::atomic::Ordering::Relaxed) == 1000);
        worker.join().unwrap();
        ran.set(1);
        while ctx.dispatch().unwrap() {}
        assert!(!host.is_readable());
    }

    fn a_signal_wakes_the_foreign_loop(backend) {
        if backend.is_simulated() {
            assert!(backend.context().loop_fd().is_err());
            return;
        }
        let _alone = signals::alone();
        let ctx = backend.context();
        let mut host = BareEpoll::around(&ctx);
        let _se = ctx.add_signal(libc::SIGUSR1, SignalFlags::NONE, |_ev, _se, _got| {}).unwrap();
        for n in 1..=10 {
            signals::raise(libc::SIGUSR1);
            assert!(host.is_readable());
            assert_eq!(ctx.next_timeout(), Some(Duration::ZERO));
            host.turn();
            assert_eq!(ctx.stats().handled.signals, n);
            while ctx.dispatch().unwrap() {}
            assert!(!host.is_readable());
        }
    }

    fn timers_are_told_by_next_timeout(backend) {
        let ctx = backend.context();
        assert_eq!(ctx.next_timeout(), None);
        let te = ctx.add_timer(Duration::from_secs(3600), |_ev, _te, _now| {});
        let timeout = ctx.next_timeout().unwrap();
        assert!(timeout <= Duration::from_secs(3600) && timeout > Duration::from_secs(3000));
        te.update(When::Zero);
        assert_eq!(ctx.next_timeout(), Some(Duration::ZERO));
        assert!(ctx.dispatch().unwrap());
        assert_eq!(ctx.next_timeout(), None);
        if backend.is_simulated() {
            return;
        }
        let ran = Rc::new(Cell::new(false));
        let run = Rc::clone(&ran);
        ctx.keep(ctx.add_timer(Duration::from_millis(3), move |_ev, _te, _now| run.set(true)));
        let mut host = BareEpoll::around(&ctx);
        host.run_until(|| ran.get());
        assert_eq!(host.wakes, 0, "by time alone");
    }

    fn a_file_that_is_always_ready_lets_the_foreign_loop_never_sleep(backend) {
        let ctx = backend.context();
        let file = std::fs::File::open("/dev/null").or_else(|_| std::fs::File::open(file!())).unwrap();
        let file = if backend.is_simulated() { file } else { std::fs::File::open(file!()).unwrap() };
        let fde = ctx.add_fd(&file, FdFlags::READ, |_ev, _fde, _flags| {}).unwrap();
        if !backend.is_simulated() {
            assert_eq!(ctx.next_timeout(), Some(Duration::ZERO));
        }
        assert!(ctx.dispatch().unwrap());
        drop(fde);
        assert_eq!(ctx.next_timeout(), None);
    }

    fn dispatch_inside_a_handler_has_to_be_allowed(backend) {
        let ctx = backend.context();
        ctx.keep(ctx.add_timer(When::Zero, |ev, _te, _now| {
            ev.allow_nesting();
            assert!(!ev.dispatch().unwrap());
        }));
        ctx.dispatch().unwrap();
        let ev = ctx.clone();
        drop(ctx);
        assert!(matches!(ev.dispatch(), Err(LoopError::Freed)));
        assert_eq!(ev.next_timeout(), None);
        assert!(ev.loop_fd().is_err());
    }
}
