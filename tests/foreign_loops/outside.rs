//! What is added or scheduled outside of the turns of the context, while the foreign loop sleeps: as by another task of tokio.

use std::cell::Cell;
use std::fs::File;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use tevent::{ContextRef, FdFlags, Immediate, Req, When, future_recv};

use super::hosts::{BareEpoll, run_inside_tokio};
use super::support::{Kind, drain, pair};

const HOUR: Duration = Duration::from_secs(3600);

/// On each backend with an fd, with a host that has just been told how long it may sleep: an hour.
fn on_each_sleeping_host(run: impl Fn(&ContextRef, &mut BareEpoll)) {
    for kind in Kind::ALL.into_iter().filter(|kind| !kind.is_simulated()) {
        println!("{kind:?}");
        let ctx = kind.context();
        ctx.keep(ctx.add_timer(HOUR, |_ev, _te, _now| {}));
        let mut host = BareEpoll::around(&ctx);
        assert!(ctx.next_timeout() > Some(HOUR / 2));
        assert!(!host.is_readable());
        run(&ctx, &mut host);
        while ctx.dispatch().unwrap() {}
        assert!(ctx.next_timeout() > Some(HOUR / 2));
        assert!(!host.is_readable(), "all is done");
    }
}

#[test]
fn an_immediate_wakes_the_foreign_loop() {
    on_each_sleeping_host(|ctx, host| {
        let (ran, first) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(true)));
        let count = Rc::clone(&ran);
        let im = ctx.keep(Immediate::new(move |ev, im| {
            count.set(count.get() + 1);
            if first.replace(false) {
                im.schedule(ev); // inside a turn: `dispatch` and `next_timeout` tell of it
            }
        }));
        im.schedule(ctx);
        assert!(host.is_readable());
        host.run_until(|| ran.get() == 2);
    });
}

#[test]
fn only_a_timer_that_is_earlier_than_all_wakes_the_foreign_loop() {
    on_each_sleeping_host(|ctx, host| {
        let later = ctx.add_timer(2 * HOUR, |_ev, _te, _now| {});
        assert!(!host.is_readable(), "it is no sooner than what the loop was told");
        let ran = Rc::new(Cell::new(false));
        let run = Rc::clone(&ran);
        let earlier = ctx.add_timer(Duration::from_millis(1), move |_ev, _te, _now| run.set(true));
        assert!(host.is_readable());
        host.run_until(|| ran.get());
        later.update(When::Zero);
        assert!(host.is_readable());
        assert!(host.turn());
        assert!(!later.is_pending() && !earlier.is_pending());
    });
}

#[test]
fn a_future_and_its_wake_on_this_thread_wake_the_foreign_loop() {
    on_each_sleeping_host(|ctx, host| {
        let (request, waits_for) = (Req::create(()), Rc::new(Cell::new(None)));
        waits_for.set(Some(request.clone()));
        let task = Req::from_future(ctx, async move { request.await.recv(|()| 7) });
        assert!(host.is_readable(), "its first poll");
        while ctx.dispatch().unwrap() {}
        assert!(ctx.next_timeout() > Some(HOUR / 2));
        assert!(!host.is_readable());
        waits_for.take().unwrap().done();
        assert!(host.is_readable(), "it was woken");
        host.run_until(|| !task.is_in_progress());
        assert_eq!(future_recv(task), Ok(7));
    });
}

#[test]
fn a_closure_scheduled_by_the_same_thread_wakes_the_foreign_loop() {
    on_each_sleeping_host(|ctx, host| {
        let handle = ctx.threaded().unwrap();
        assert!(!host.is_readable());
        handle.schedule(|ev| drop(ev.add_timer(HOUR, |_, _, _| {}))).unwrap();
        assert!(host.is_readable());
        assert!(host.turn());
    });
}

#[test]
fn a_posted_request_wakes_the_foreign_loop() {
    on_each_sleeping_host(|ctx, host| {
        let called = Rc::new(Cell::new(false));
        let call = Rc::clone(&called);
        let req = Req::create(());
        req.done();
        let req = req.post(ctx);
        req.set_callback(move |_req| call.set(true));
        assert!(host.is_readable());
        host.run_until(|| called.get());
    });
}

#[test]
fn a_file_that_is_always_ready_wakes_the_foreign_loop() {
    on_each_sleeping_host(|ctx, host| {
        let file = File::open("Cargo.toml").unwrap();
        let fde = ctx.add_fd(&file, FdFlags::READ, |_ev, fde, _flags| fde.set_flags(FdFlags::NONE)).unwrap();
        assert!(host.is_readable());
        assert!(host.turn());
        assert_eq!(fde.flags(), FdFlags::NONE);
        while ctx.dispatch().unwrap() {}
        assert!(ctx.next_timeout() > Some(HOUR / 2));
        assert!(!host.is_readable());
        fde.set_flags(FdFlags::READ);
        assert!(host.is_readable());
        assert!(host.turn());
    });
}

/// tokio's own task schedules into the loop, while the task that dispatches it sleeps.
#[test]
fn another_task_of_tokio_schedules_into_the_loop() {
    for kind in Kind::ALL.into_iter().filter(|kind| !kind.is_simulated()) {
        let ctx = kind.context();
        let ran = Rc::new(Cell::new(0));
        let (count, done) = (Rc::clone(&ran), Rc::clone(&ran));
        let im = ctx.keep(Immediate::new(move |_ev, _im| count.set(count.get() + 1)));
        let ev = ctx.clone();
        run_inside_tokio(
            &ctx,
            async move {
                for n in 1..=100 {
                    im.schedule(&ev);
                    while done.get() < n {
                        tokio::task::yield_now().await;
                    }
                }
            },
            || ran.get() == 100,
        );
    }
}

/// Another task turns the loop itself, as by `poll` or `block_on`; what its handlers leave behind is not slept over.
#[test]
fn what_is_left_behind_by_turns_that_somebody_else_ran_wakes_the_foreign_loop() {
    on_each_sleeping_host(|ctx, host| {
        let (near, mut far) = pair();
        let near = Rc::new(near);
        let (read, ran) = (Rc::clone(&near), Rc::new(Cell::new(0)));
        let count = Rc::clone(&ran);
        let im = ctx.keep(Immediate::new(move |_ev, _im| count.set(count.get() + 1)));
        let (count, first) = (Rc::clone(&ran), Cell::new(true));
        let fde = ctx.add_fd(&near, FdFlags::READ, move |ev, _fde, _flags| {
            drain(&read);
            let count = Rc::clone(&count);
            if first.replace(false) {
                im.schedule(ev);
            } else {
                let run = move |_: &_, _: &_, _| count.set(count.get() + 1);
                ev.keep(ev.add_timer(Duration::from_millis(1), run));
            }
        });
        let _fde = fde.unwrap();
        for (n, turn) in [
            |ev: &ContextRef| ev.loop_once().unwrap(),
            |ev: &ContextRef| {
                let asked = Cell::new(false);
                ev.loop_until(|| asked.replace(true)).unwrap();
            },
        ]
        .into_iter()
        .enumerate()
        {
            assert!(ctx.next_timeout() > Some(HOUR / 2) && !host.is_readable());
            far.write_all(b"x").unwrap();
            turn(ctx);
            assert!(host.is_readable(), "it would sleep for an hour");
            host.run_until(|| ran.get() == n + 1);
            while ctx.dispatch().unwrap() {}
        }
    });
}
