//! Fd events and what they are told (FD-1 to FD-5, FD-7). Closing, freeing, nesting and rotation are in `fd_life.rs`,
//! hang-ups and errors in `fd_hangups.rs`, numbers that are closed and used again in `fd_numbers.rs`.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/fds.rs"]
mod fds;
mod support;

use std::cell::RefCell;
use std::io::{Read, Write};
use std::rc::Rc;
use std::time::Duration;

use fds::{ERROR, NONE, Number, READ, Shared, WRITE};
use fds::{assert_quiet, noted_in, noting, others, send};
use support::{Log, drain, fill, on_every_backend, pair, run_ready, turns};
use tevent::{FdFlags, Immediate};

on_every_backend! {
    fn fd_1_any_subset_of_the_flags_can_be_asked(backend) {
        let (ctx, (near, far)) = (backend.context(), pair());
        send(&far);
        let log = Log::new();
        for bits in 0..8 {
            let asked = FdFlags::from_bits_truncate(bits);
            let fde = noting(&ctx, &near, asked, "near", &log);
            assert_eq!(fde.flags(), asked);
            assert_eq!(fde.flags().bits(), bits);
            let _ = ctx.set_wait_timeout(Duration::ZERO);
            let told = asked & (READ | WRITE);
            assert_eq!(ctx.loop_once().is_ok(), !told.is_empty(), "{asked:?}");
            let expected: Vec<String> =
                (!told.is_empty()).then(|| format!("near {told:?}")).into_iter().collect();
            assert_eq!(log.take(), expected);
        }
    }

    fn fd_1_with_no_flags_nothing_is_watched_not_even_a_hang_up(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        let fde = noting(&ctx, &near, NONE, "near", &log);
        send(&far);
        drop(far);
        assert_eq!(run_ready(&ctx), 0);
        fde.set_flags(READ);
        assert_eq!(noted_in(&ctx, 1, &log), ["near READ"]);
        fde.set_flags(NONE);
        assert_quiet(&ctx, &log);
    }

    fn fd_2_the_handler_is_called_as_long_as_the_condition_holds(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        send(&far);
        let _fde = noting(&ctx, &near, READ, "near", &log);
        assert_eq!(noted_in(&ctx, 5, &log), ["near READ"; 5]);
        drain(&near);
        assert_quiet(&ctx, &log);
        send(&far);
        assert_eq!(noted_in(&ctx, 5, &log), ["near READ"; 5]);
    }

    fn fd_2_write_is_told_until_the_buffer_is_full_and_again_when_it_has_room(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        let _fde = noting(&ctx, &near, WRITE, "near", &log);
        assert_eq!(noted_in(&ctx, 3, &log), ["near WRITE"; 3]);
        fill(&near);
        assert_quiet(&ctx, &log);
        drain(&far);
        assert_eq!(noted_in(&ctx, 3, &log), ["near WRITE"; 3]);
    }

    fn fd_2_a_condition_that_lasts_is_not_lost_to_other_sources(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        send(&far);
        let _fde = noting(&ctx, &near, READ, "near", &log);
        let noted = log.clone();
        let im = Immediate::new(move |_ev, _im| noted.add("immediate"));
        turns(&ctx, 1);
        im.schedule(&ctx);
        assert_eq!(noted_in(&ctx, 3, &log), ["immediate", "near READ", "near READ"]);
    }

    /// The scenario "Partial read": nothing is lost, and no turn goes by in vain.
    fn fd_2_ten_bytes_read_one_at_a_time_take_ten_turns_and_then_the_loop_waits(backend) {
        let (ctx, (near, far)) = (backend.context(), pair());
        (&far).write_all(b"0123456789").unwrap();
        let (near, got) = (Rc::new(near), Rc::new(RefCell::new(Vec::new())));
        let (socket, bytes) = (Rc::clone(&near), Rc::clone(&got));
        let _fde = ctx.add_fd(near, READ, move |_ev, _fde, _flags| {
            let mut byte = [0];
            (&*socket).read_exact(&mut byte).unwrap();
            bytes.borrow_mut().push(byte[0]);
        }).unwrap();
        let started = ctx.now();
        for n in 1..=10 {
            turns(&ctx, 1);
            assert_eq!(got.borrow().len(), n, "each turn reads a byte");
        }
        if backend.is_simulated() {
            assert_eq!(ctx.now(), started, "a turn with something to do has waited");
        }
        ctx.set_wait_timeout(Duration::from_millis(1));
        turns(&ctx, 1);
        assert!(ctx.now() - started >= Duration::from_millis(1), "the eleventh turn waits");
        if backend.is_simulated() {
            assert_eq!(ctx.now() - started, Duration::from_millis(1), "and does so once");
        }
        assert_eq!(*got.borrow(), b"0123456789");
    }

    fn fd_3_a_negative_number_is_refused(backend) {
        let ctx = backend.context();
        for number in [-1, -2, i32::MIN] {
            let refused = ctx.add_fd(number, READ, |_ev, _fde, _flags| unreachable!()).unwrap_err();
            assert_eq!(refused.fd(), number);
        }
        ctx.loop_wait().unwrap();
    }

    fn fd_3_a_number_that_is_not_open_disarms_the_event(backend) {
        let (ctx, log, number) = (backend.context(), Log::new(), Number::reserve());
        let fde = noting(&ctx, number.raw(), READ | WRITE, "closed", &log);
        assert_eq!(fde.flags(), NONE);
        ctx.loop_wait().unwrap();
        fde.set_flags(READ);
        assert_eq!(fde.flags(), NONE);
        ctx.loop_wait().unwrap();
        let (near, far) = pair();
        let _file = number.open(near);
        send(&far);
        fde.set_flags(READ);
        assert_eq!(fde.flags(), READ);
        assert_eq!(noted_in(&ctx, 1, &log), ["closed READ"]);
    }

    fn fd_3_closing_the_number_disarms_all_its_events_at_the_next_change(backend) {
        let (ctx, (near, _far), log, number) = (backend.context(), pair(), Log::new(), Number::reserve());
        let file = number.open(near);
        let changed = noting(&ctx, &file, READ, "changed", &log);
        let sibling = noting(&ctx, &file, READ | ERROR, "sibling", &log);
        drop(file);
        changed.set_flags(READ | WRITE);
        assert_eq!((changed.flags(), sibling.flags()), (NONE, NONE));
        ctx.loop_wait().unwrap();
        assert_quiet(&ctx, &log);
    }

    fn fd_4_siblings_take_turns_in_the_order_they_were_added(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        send(&far);
        let _siblings = ["a", "b", "c"].map(|name| noting(&ctx, &near, READ, name, &log));
        let once = ["a READ", "b READ", "c READ"];
        assert_eq!(noted_in(&ctx, 9, &log), [once, once, once].concat());
    }

    fn fd_4_the_first_that_wants_any_of_it_runs_and_goes_to_the_back(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        let _siblings = [("r", READ), ("w", WRITE), ("none", NONE), ("e", ERROR), ("rw", READ | WRITE)]
            .map(|(name, flags)| noting(&ctx, &near, flags, name, &log));
        // Writable only.
        assert_eq!(noted_in(&ctx, 4, &log), ["w WRITE", "rw WRITE", "w WRITE", "rw WRITE"]);
        send(&far);
        assert_eq!(noted_in(&ctx, 4, &log), ["r READ", "w WRITE", "rw READ|WRITE", "r READ"]);
        fill(&near);
        assert_eq!(noted_in(&ctx, 3, &log), ["rw READ", "r READ", "rw READ"]);
    }

    fn fd_4_those_that_come_and_go_do_not_disturb_the_order(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        send(&far);
        let [_a, b, _c] = ["a", "b", "c"].map(|name| noting(&ctx, &near, READ, name, &log));
        assert_eq!(noted_in(&ctx, 1, &log), ["a READ"]);
        drop(b);
        let _d = noting(&ctx, &near, READ, "d", &log);
        assert_eq!(noted_in(&ctx, 4, &log), ["c READ", "a READ", "d READ", "c READ"]);
    }

    fn fd_5_the_handler_is_told_only_what_it_asked_for(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        send(&far);
        let fde = noting(&ctx, &near, NONE, "near", &log);
        for (asked, told) in [
            (READ, "near READ"),
            (WRITE, "near WRITE"),
            (READ | WRITE, "near READ|WRITE"),
            (READ | ERROR, "near READ"),
            (WRITE | ERROR, "near WRITE"),
            (READ | WRITE | ERROR, "near READ|WRITE"),
        ] {
            fde.set_flags(asked);
            assert_eq!(noted_in(&ctx, 2, &log), [told; 2], "asked for {asked:?}");
        }
        fde.set_flags(ERROR);
        assert_quiet(&ctx, &log);
    }

    fn fd_5_what_siblings_ask_for_is_not_told(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        let _siblings = [("r", READ), ("w", WRITE), ("e", ERROR)]
            .map(|(name, flags)| noting(&ctx, &near, flags, name, &log));
        send(&far);
        assert_eq!(noted_in(&ctx, 2, &log), ["r READ", "w WRITE"]);
        drain(&near);
        assert_eq!(noted_in(&ctx, 2, &log), ["w WRITE"; 2]);
    }

    fn fd_7_flags_read_back_and_take_effect_at_once(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        send(&far);
        let fde = noting(&ctx, &near, READ, "near", &log);
        for bits in (0..8).chain((0..8).rev()) {
            let flags = FdFlags::from_bits_truncate(bits);
            fde.set_flags(flags);
            assert_eq!(fde.flags(), flags);
            let told = flags & (READ | WRITE);
            if told.is_empty() {
                assert_quiet(&ctx, &log);
            } else {
                assert_eq!(noted_in(&ctx, 1, &log), [format!("near {told:?}")]);
            }
        }
    }

    fn fd_7_a_change_in_the_handler_holds_for_the_next_turn(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        send(&far);
        let noted = log.clone();
        let fde = ctx.add_fd(&near, READ | WRITE, move |_ev, fde, flags| {
            noted.add(format!("{flags:?}"));
            fde.set_flags(fde.flags() - READ);
        }).unwrap();
        assert_eq!(noted_in(&ctx, 3, &log), ["READ|WRITE", "WRITE", "WRITE"]);
        assert_eq!(fde.flags(), WRITE);
    }

    fn fd_7_a_change_leaves_the_siblings_their_own(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        send(&far);
        let [a, b] = ["a", "b"].map(|name| noting(&ctx, &near, READ, name, &log));
        a.set_flags(NONE);
        assert_eq!((a.flags(), b.flags()), (NONE, READ));
        assert_eq!(noted_in(&ctx, 2, &log), ["b READ"; 2]);
        a.set_flags(WRITE);
        b.set_flags(NONE);
        assert_eq!(noted_in(&ctx, 2, &log), ["a WRITE"; 2]);
        b.set_flags(WRITE);
        a.set_flags(NONE);
        assert_eq!(noted_in(&ctx, 2, &log), ["b WRITE"; 2]);
        b.set_flags(NONE);
        assert_quiet(&ctx, &log);
    }

    fn fd_7_a_readiness_already_fetched_is_not_told_after_a_change(backend) {
        for (change, told_to_the_others) in [(NONE, ""), (ERROR, ""), (WRITE, "WRITE")] {
            let (ctx, log, all) = (backend.context(), Log::new(), Shared::default());
            let pairs = [pair(), pair(), pair()];
            let _events = pairs.each_ref().map(|(near, far)| {
                send(far);
                let (noted, all_of_them) = (log.clone(), Rc::clone(&all));
                let fde = ctx.add_fd(near, READ, move |_ev, fde, flags| {
                    let others = others(&all_of_them, fde);
                    if others.iter().all(|other| other.flags() == READ) {
                        for other in others {
                            other.set_flags(change);
                        }
                        fde.set_tag(1);
                    }
                    noted.add(format!("{} {flags:?}", fde.tag()));
                }).unwrap();
                all.borrow_mut().push(fde.clone());
                fde
            });
            let told = noted_in(&ctx, 7, &log);
            assert_eq!(told[0], "1 READ");
            let others = told.iter().filter_map(|told| told.strip_prefix("0 "));
            assert!(others.clone().all(|flags| flags == told_to_the_others), "{told:?}");
            assert_eq!(others.count() == 0, told_to_the_others.is_empty(), "{told:?}");
        }
    }
}
