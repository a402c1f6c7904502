//! Fd numbers that make trouble: closed while a duplicate lives on, opened again under a live event, shared by
//! thousands of events (FD-3, FD-4, FD-6, FD-7, FD-9).

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/fds.rs"]
mod fds;
mod support;

use std::cell::RefCell;
use std::rc::Rc;

use fds::{Duplicated, ERROR, NONE, Number, READ, WRITE};
use fds::{assert_quiet, is_watched, noted_in, noting, send, turn_without_waiting};
use support::{Kind, Log, on_every_backend, pair, run_ready, turns};
use tevent::{FdEvent, FdFlags};

/// Watches a file, closes it and opens another under its number, changes the event's flags, and looks which file's
/// readiness is told; for a file that is closed for good, and for one that lives on in a duplicate.
#[track_caller]
fn assert_new_file_is_watched(backend: Kind, before: FdFlags, changes: &[FdFlags]) {
    for duplicated in [false, true] {
        let (ctx, log) = (backend.context(), Log::new());
        let Duplicated { number, file, duplicate, far: old_far } = Duplicated::readable();
        let duplicate = duplicated.then_some(duplicate);
        let fde = noting(&ctx, &file, before, "it", &log);
        assert_eq!(noted_in(&ctx, 1, &log).len(), 1);
        drop(file);
        let (near, far) = pair();
        let _file = number.open(near);
        for flags in changes {
            fde.set_flags(*flags);
        }
        assert_eq!(fde.flags(), READ);
        if duplicate.is_some() {
            send(&old_far);
        }
        // Not in one go: it must not spin where the test fails.
        turn_without_waiting(&ctx);
        turn_without_waiting(&ctx);
        assert_eq!(log.take(), [""; 0], "{changes:?}, duplicated {duplicated}: told of the old file");
        assert_quiet(&ctx, &log);
        send(&far);
        assert_eq!(noted_in(&ctx, 2, &log), ["it READ"; 2], "{changes:?}, duplicated {duplicated}");
    }
}

on_every_backend! {
    fn fd_3_numbers_that_no_process_has_are_disarmed_as_any_other(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let events = [1 << 20, 2_000_000_000, i32::MAX, i32::MAX].map(|number| {
            ctx.add_fd(number, READ, |_ev, _fde, _flags| unreachable!()).unwrap()
        });
        for fde in &events {
            assert_eq!(fde.flags(), NONE);
            fde.set_flags(WRITE);
            assert_eq!(fde.flags(), NONE, "{} is not open yet", fde.fd());
        }
        assert_quiet(&ctx, &log);
        ctx.loop_wait().unwrap();
    }

    fn fd_9_the_kernel_reports_a_closed_number_and_the_loop_does_not_spin(backend) {
        for run_before in [0, 1, 3] {
            let (ctx, log) = (backend.context(), Log::new());
            let Duplicated { file, duplicate: _duplicate, far, .. } = Duplicated::readable();
            let fde = noting(&ctx, &file, READ, "old", &log);
            turns(&ctx, run_before);
            drop(file);
            drop(fde);
            assert_quiet(&ctx, &log);
            send(&far);
            assert_quiet(&ctx, &log);
            ctx.loop_wait().unwrap();
        }
    }

    fn fd_9_others_are_served_while_the_kernel_reports_a_closed_number(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let (near, far) = pair();
        send(&far);
        let _reader = noting(&ctx, &near, READ, "reader", &log);
        let silent = pair();
        let _late = noting(&ctx, &silent.0, READ, "late", &log);
        for _ in 0..5 {
            let Duplicated { file, duplicate: _duplicate, .. } = Duplicated::readable();
            let fde = noting(&ctx, &file, READ, "old", &log);
            turns(&ctx, 1);
            drop(file);
            drop(fde);
            let told = noted_in(&ctx, 6, &log);
            assert!(told.iter().all(|told| told == "reader READ"), "{told:?}");
            assert!(told.len() >= 3, "more turns in vain than with a handler");
        }
        send(&silent.1);
        let told = noted_in(&ctx, 6, &log);
        assert!(told.iter().any(|told| told == "late READ"), "still watched: {told:?}");
    }

    fn fd_9_a_new_event_on_a_reused_number_gets_only_its_own_readiness(backend) {
        // The old event goes before its file is closed, after it, or when the number is in use again.
        for freed in ["before", "after", "late"] {
            let (ctx, log) = (backend.context(), Log::new());
            let Duplicated { number, file, duplicate: _duplicate, far: old_far } = Duplicated::readable();
            let mut old = Some(noting(&ctx, &file, READ, "old", &log));
            assert_eq!(noted_in(&ctx, 1, &log), ["old READ"]);
            let mut free_old = |now: &str| drop(old.take_if(|_| freed == now));
            free_old("before");
            drop(file);
            free_old("after");
            let (near, far) = pair();
            let file = number.open(near);
            free_old("late");
            let new = noting(&ctx, &file, READ, "new", &log);
            assert_quiet(&ctx, &log);
            send(&old_far);
            assert_quiet(&ctx, &log);
            send(&far);
            assert_eq!(noted_in(&ctx, 3, &log), ["new READ"; 3], "old event freed {freed}");
            new.set_flags(READ | WRITE);
            assert_eq!(noted_in(&ctx, 3, &log), ["new READ|WRITE"; 3]);
            new.set_flags(NONE);
            assert_quiet(&ctx, &log);
        }
    }

    fn fd_9_not_even_when_the_old_event_is_still_there(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let Duplicated { number, file, duplicate: _duplicate, far: old_far } = Duplicated::readable();
        let old = noting(&ctx, &file, READ, "old", &log);
        assert_eq!(noted_in(&ctx, 1, &log), ["old READ"]);
        drop(file);
        let (near, far) = pair();
        let file = number.open(near);
        let _new = noting(&ctx, &file, READ, "new", &log);
        assert_quiet(&ctx, &log);
        drop(old);
        send(&old_far);
        assert_quiet(&ctx, &log);
        send(&far);
        assert_eq!(noted_in(&ctx, 2, &log), ["new READ"; 2]);
    }

    /// With a batch the old file's readiness has been fetched together with that of the one whose handler does it.
    fn fd_9_a_number_reused_by_another_handler_gets_nothing_that_was_fetched_before(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let Duplicated { number, file, duplicate: _duplicate, .. } = Duplicated::readable();
        let ((near, far), new_pair) = (pair(), pair());
        send(&far);
        let (noted, old, place) = (log.clone(), Rc::new(RefCell::new(None)), Rc::new(RefCell::new(None)));
        let (its_old, its_place, its_new) = (Rc::clone(&old), Rc::clone(&place), new_pair.0.try_clone().unwrap());
        let number = Rc::new(number);
        let its_number = Rc::clone(&number);
        let _swapper = ctx.add_fd(&near, READ, move |ev, fde, _flags| {
            fde.set_flags(NONE);
            drop(its_old.take());
            let file = its_number.open(its_new.try_clone().unwrap());
            its_place.replace(Some(noting(ev, file, READ, "new", &noted)));
        }).unwrap();
        old.replace(Some((noting(&ctx, &file, READ, "old", &log), file)));
        run_ready(&ctx);
        let told = log.take();
        assert!(told.iter().all(|told| told == "old READ"), "{told:?}");
        send(&new_pair.1);
        assert_eq!(noted_in(&ctx, 2, &log), ["new READ"; 2]);
        drop(place.take());
        assert_quiet(&ctx, &log);
    }

    /// As above, but the old event is only disarmed, and stays.
    fn fd_9_nor_where_the_old_event_was_disarmed_and_stays(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let Duplicated { number, file, duplicate: _duplicate, .. } = Duplicated::readable();
        let ((near, far), new_pair) = (pair(), pair());
        send(&far);
        let (noted, old, place) = (log.clone(), Rc::new(RefCell::new(None)), Rc::new(RefCell::new(None)));
        let (its_old, its_place, its_new) = (Rc::clone(&old), Rc::clone(&place), new_pair.0.try_clone().unwrap());
        let _swapper = ctx.add_fd(&near, READ, move |ev, fde, _flags| {
            fde.set_flags(NONE);
            let (old, file): (FdEvent, _) = its_old.take().unwrap();
            old.set_flags(NONE);
            drop(file);
            let file = number.open(its_new.try_clone().unwrap());
            let new = noting(ev, &file, READ, "new", &noted);
            its_place.replace(Some((old, file, new)));
        }).unwrap();
        old.replace(Some((noting(&ctx, &file, READ, "old", &log), file)));
        run_ready(&ctx);
        let told = log.take();
        assert!(told.iter().all(|told| told == "old READ"), "{told:?}");
        send(&new_pair.1);
        assert_eq!(noted_in(&ctx, 2, &log), ["new READ"; 2]);
    }

    fn fd_9_the_same_file_back_under_its_number_is_watched_as_if_nothing_had_been(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let Duplicated { number, file, duplicate, .. } = Duplicated::readable();
        let old = noting(&ctx, &file, READ | WRITE, "old", &log);
        drop(file);
        drop(old);
        let file = number.open(duplicate.try_clone().unwrap());
        let new = noting(&ctx, &file, READ, "new", &log);
        assert_eq!(noted_in(&ctx, 3, &log), ["new READ"; 3]);
        drop(new);
        assert_quiet(&ctx, &log);
    }

    fn fd_7_after_close_and_open_under_a_live_event_a_change_watches_the_new_file(backend) {
        assert_new_file_is_watched(backend, READ, &[READ | WRITE, READ]);
        assert_new_file_is_watched(backend, READ | WRITE, &[READ]);
        assert_new_file_is_watched(backend, WRITE | ERROR, &[READ]);
    }

    fn fd_7_after_close_and_open_an_event_disarmed_and_armed_again_watches_the_new_file(backend) {
        assert_new_file_is_watched(backend, READ, &[NONE, READ]);
        assert_new_file_is_watched(backend, READ | WRITE, &[NONE, ERROR, READ]);
    }

    fn fd_9_freeing_an_event_after_close_and_open_leaves_the_new_file_to_others(backend) {
        let (ctx, log, number) = (backend.context(), Log::new(), Number::reserve());
        let file = number.open(pair().0);
        let old = noting(&ctx, &file, READ, "old", &log);
        drop(file);
        let (near, far) = pair();
        let file = number.open(near);
        let new = noting(&ctx, &file, READ, "new", &log);
        drop(old);
        send(&far);
        assert_eq!(noted_in(&ctx, 2, &log), ["new READ"; 2]);
        drop(new);
        assert_quiet(&ctx, &log);
        assert!(!is_watched(number.raw()));
    }

    fn fd_3_a_number_closed_under_live_events_does_no_harm(backend) {
        let (ctx, log, number) = (backend.context(), Log::new(), Number::reserve());
        let (near, far) = pair();
        send(&far);
        let file = number.open(near);
        let events = ["a", "b"].map(|name| noting(&ctx, &file, READ, name, &log));
        turns(&ctx, 1);
        drop(file);
        assert_quiet(&ctx, &log);
        let (near, far) = pair();
        send(&far);
        let _other = noting(&ctx, &near, READ, "other", &log);
        assert_eq!(noted_in(&ctx, 2, &log), ["other READ"; 2]);
        drop(events);
        assert_eq!(noted_in(&ctx, 2, &log), ["other READ"; 2]);
    }

    fn fd_4_thousands_of_events_on_one_number_each_have_their_turn(backend) {
        const MANY: u64 = 3000;
        let (ctx, (near, far)) = (backend.context(), pair());
        send(&far);
        let order = Rc::new(RefCell::new(Vec::new()));
        let mut events: Vec<FdEvent> = (0..MANY).map(|n| {
            let order = Rc::clone(&order);
            ctx.add_fd(&near, READ, move |_ev, _fde, _flags| order.borrow_mut().push(n)).unwrap()
        }).collect();
        turns(&ctx, 2 * usize::try_from(MANY).unwrap());
        assert!(order.take().into_iter().eq((0..MANY).chain(0..MANY)));
        // Every other one goes; the rest keep their order.
        let mut n = 0;
        events.retain(|_| { n += 1; n % 2 == 0 });
        turns(&ctx, events.len());
        assert!(order.take().into_iter().eq((0..MANY).skip(1).step_by(2)));
        drop(events);
        ctx.loop_wait().unwrap();
    }

    fn fd_6_thousands_of_writers_on_one_number_are_silenced_together(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        let writers: Vec<_> = (0..3000).map(|_| noting(&ctx, &near, WRITE, "writer", &log)).collect();
        drop(far);
        assert_quiet(&ctx, &log);
        assert!(writers.iter().all(|fde| fde.flags().is_empty()));
        ctx.loop_wait().unwrap();
    }

    /// Quadratic, this would take minutes.
    fn fd_3_a_hundred_thousand_events_on_a_number_that_is_not_open_are_disarmed(backend) {
        let (ctx, number) = (backend.context(), Number::reserve());
        let events: Vec<_> =
            (0..100_000).map(|_| ctx.add_fd(number.raw(), READ, |_, _, _| {}).unwrap()).collect();
        assert!(events.iter().all(|fde| fde.flags() == NONE));
        drop(events);
    }
}
