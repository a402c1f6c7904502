//! The life of an fd event: closing, freeing, nesting, and its place among others (FD-8, FD-9, FD-11, FD-12).

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/fds.rs"]
mod fds;
mod support;

use std::cell::{Cell, RefCell};
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;

use fds::{ERROR, NONE, Number, READ, Shared, WRITE};
use fds::{assert_quiet, is_watched, noted_in, noting, others, peer_is_closed, send};
use support::{CountDrop, Kind, Log, on_every_backend, pair, run_ready, turns};
use tevent::{FdEvent, Immediate};

/// A place for an owner that a handler frees.
type Home<T> = Rc<RefCell<Option<T>>>;

fn home<T>() -> Home<T> {
    Rc::new(RefCell::new(None))
}

/// The simulated loop has no kernel object that watches.
fn has_kernel_object(backend: Kind) -> bool {
    !backend.is_simulated()
}

on_every_backend! {
    fn fd_8_the_close_function_runs_once_after_the_watch_has_ended(backend) {
        let (ctx, log, number) = (backend.context(), Log::new(), Number::reserve());
        let (near, far) = pair();
        let file = number.open(near);
        send(&far);
        let fde = noting(&ctx, &file, READ | WRITE, "near", &log);
        let noted = log.clone();
        fde.set_close_fn(move |fd| noted.add(format!("close {}, watched {}", fd, is_watched(fd))));
        assert_eq!(is_watched(number.raw()), has_kernel_object(backend));
        let reference = fde.clone();
        assert_eq!(noted_in(&ctx, 1, &log), ["near READ|WRITE"]);
        drop(fde);
        assert_eq!(log.take(), [format!("close {}, watched false", number.raw())]);
        drop(reference);
        assert_quiet(&ctx, &log);
        drop(ctx);
        assert_eq!(log.take(), [""; 0]);
    }

    fn fd_8_also_for_a_file_that_the_event_owns_or_shares(backend) {
        for owned in [true, false] {
            let (ctx, log, number) = (backend.context(), Log::new(), Number::reserve());
            let (near, far) = pair();
            let file = number.open(near);
            let others = Rc::new(RefCell::new(Vec::new()));
            let fde = if owned {
                noting(&ctx, file, READ, "near", &log)
            } else {
                let file = Rc::new(file);
                others.borrow_mut().push(Rc::clone(&file));
                noting(&ctx, file, READ, "near", &log)
            };
            assert_eq!(is_watched(number.raw()), has_kernel_object(backend));
            let (noted, watching) = (log.clone(), far.try_clone().unwrap());
            fde.set_close_fn(move |fd| {
                noted.add(format!("watched {}, closed {}", is_watched(fd), peer_is_closed(&watching)));
            });
            drop(fde);
            assert_eq!(log.take(), ["watched false, closed false"]);
            others.take();
            run_ready(&ctx);
            assert!(peer_is_closed(&far), "owned: {owned}");
        }
    }

    fn fd_8_a_close_function_that_is_replaced_is_dropped_without_a_call(backend) {
        let (ctx, (near, _far), log) = (backend.context(), pair(), Log::new());
        let fde = noting(&ctx, &near, READ, "near", &log);
        let (probe, drops) = CountDrop::new();
        fde.set_close_fn(move |_fd| unreachable!("{probe:?} was replaced"));
        let noted = log.clone();
        fde.set_close_fn(move |_fd| noted.add("second"));
        assert_eq!((drops.get(), log.len()), (1, 0));
        drop(fde);
        assert_eq!(log.take(), ["second"]);
    }

    fn fd_8_an_owned_file_is_closed_with_the_event_and_not_before(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        let fde = noting(&ctx, OwnedFd::from(near), READ, "near", &log);
        let reference = fde.clone();
        fde.set_flags(NONE);
        assert!(!peer_is_closed(&far));
        drop(fde);
        assert!(peer_is_closed(&far), "though a Ref is about");
        assert_eq!(reference.flags(), NONE);
    }

    /// A duplicate keeps the file open, so that the kernel would not forget it by itself.
    fn fd_8_an_owned_file_is_closed_only_after_it_is_unwatched(backend) {
        let (ctx, log, number) = (backend.context(), Log::new(), Number::reserve());
        let (near, far) = pair();
        let _duplicate = near.try_clone().unwrap();
        let fde = noting(&ctx, number.open(near), READ, "near", &log);
        assert_eq!(is_watched(number.raw()), has_kernel_object(backend));
        drop(fde);
        assert!(!is_watched(number.raw()));
        send(&far);
        assert_quiet(&ctx, &log);
    }

    fn fd_8_an_owned_file_is_closed_once(backend) {
        let (ctx, log, number) = (backend.context(), Log::new(), Number::reserve());
        let fde = noting(&ctx, number.open(pair().0), READ, "first", &log);
        let reference = fde.clone();
        drop(fde);
        // The number now belongs to somebody else.
        let (near, far) = pair();
        let _file = number.open(near);
        reference.set_flags(READ);
        run_ready(&ctx);
        drop((reference, ctx));
        assert!(!peer_is_closed(&far));
    }

    fn fd_8_closing_works_also_when_the_context_went_first(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let ((near, far), (borrowed, _other)) = (pair(), pair());
        let owned = noting(&ctx, OwnedFd::from(near), READ, "owned", &log);
        let with_function = noting(&ctx, &borrowed, READ, "borrowed", &log);
        let noted = log.clone();
        with_function.set_close_fn(move |fd| noted.add(format!("close {fd}")));
        drop(ctx);
        assert!(!peer_is_closed(&far), "the event outlives its context");
        assert_eq!(log.len(), 0);
        drop((owned, with_function));
        assert!(peer_is_closed(&far));
        assert_eq!(log.take(), [format!("close {}", borrowed.as_raw_fd())]);
    }

    fn fd_8_an_event_that_the_context_keeps_is_closed_with_it(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        let fde = ctx.keep(noting(&ctx, OwnedFd::from(near), READ, "near", &log));
        let (noted, watching) = (log.clone(), far.try_clone().unwrap());
        fde.set_close_fn(move |_fd| noted.add(format!("closed {}", peer_is_closed(&watching))));
        drop(ctx);
        assert_eq!(log.take(), ["closed false"]);
        assert!(peer_is_closed(&far));
    }

    fn fd_8_an_event_freed_in_its_own_handler_closes_there_and_then(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        send(&far);
        let own = home::<FdEvent>();
        let (noted, me, watching) = (log.clone(), Rc::clone(&own), far.try_clone().unwrap());
        let fde = ctx.add_fd(OwnedFd::from(near), READ, move |_ev, _fde, _flags| {
            drop(me.take());
            noted.add(format!("closed {}", peer_is_closed(&watching)));
        }).unwrap();
        own.replace(Some(fde));
        assert_eq!(noted_in(&ctx, 1, &log), ["closed true"]);
        assert_quiet(&ctx, &log);
    }

    fn fd_9_a_freed_event_is_never_called_again(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        send(&far);
        let fde = noting(&ctx, &near, READ | WRITE, "near", &log);
        turns(&ctx, 2);
        let reference = fde.clone();
        drop(fde);
        assert_eq!(reference.flags(), NONE);
        reference.set_flags(READ);
        assert_eq!(reference.flags(), NONE, "a Ref is inert");
        assert_quiet(&ctx, &log);
        ctx.loop_wait().unwrap();
    }

    fn fd_9_freeing_does_not_touch_the_siblings(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        send(&far);
        let [a, b, c] = ["a", "b", "c"].map(|name| noting(&ctx, &near, READ, name, &log));
        drop(a);
        assert_eq!(noted_in(&ctx, 2, &log), ["b READ", "c READ"]);
        drop(c);
        assert_eq!(noted_in(&ctx, 2, &log), ["b READ"; 2]);
        drop(b);
        assert_quiet(&ctx, &log);
    }

    /// On other files, and on the same one: with a batch the kernel has reported them all already.
    fn fd_9_an_event_freed_by_another_handler_is_not_called(backend) {
        for same_file in [false, true] {
            let (ctx, log) = (backend.context(), Log::new());
            let pairs = [pair(), pair(), pair()];
            let all: Shared<FdEvent> = Shared::default();
            for (near, far) in &pairs {
                send(far);
                let (noted, all_of_them) = (log.clone(), Rc::clone(&all));
                let file = if same_file { &pairs[0].0 } else { near };
                let fde = ctx.add_fd(file, READ, move |_ev, fde, _flags| {
                    noted.add("called");
                    let (mine, theirs): (Vec<_>, Vec<_>) =
                        all_of_them.take().into_iter().partition(|each| **each == *fde);
                    all_of_them.replace(mine);
                    drop(theirs);
                }).unwrap();
                all.borrow_mut().push(fde);
            }
            assert_eq!(noted_in(&ctx, 1, &log), ["called"]);
            assert_eq!(all.borrow().len(), 1);
            drop(all.take());
            assert_quiet(&ctx, &log);
        }
    }

    fn fd_9_an_event_may_be_freed_in_its_own_handler_and_its_state_goes_after_it(backend) {
        let (ctx, (near, far)) = (backend.context(), pair());
        send(&far);
        let (own, (probe, drops)) = (home::<FdEvent>(), CountDrop::new());
        let (me, counted) = (Rc::clone(&own), Rc::clone(&drops));
        let fde = ctx.add_fd(&near, READ, move |_ev, fde, _flags| {
            drop(me.take());
            assert_eq!(fde.flags(), NONE);
            assert_eq!(counted.get(), 0, "{probe:?} is still in use");
        }).unwrap();
        own.replace(Some(fde));
        turns(&ctx, 1);
        assert_eq!(drops.get(), 1);
        assert_quiet(&ctx, &Log::new());
    }

    fn fd_9_an_event_may_be_freed_in_its_own_handler_entered_a_second_time(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        ctx.allow_nesting();
        send(&far);
        let (own, depth, (probe, drops)) = (home::<FdEvent>(), Cell::new(0), CountDrop::new());
        let (me, noted, counted) = (Rc::clone(&own), log.clone(), Rc::clone(&drops));
        let fde = ctx.add_fd(&near, READ, move |ev, _fde, _flags| {
            depth.set(depth.get() + 1);
            if depth.get() == 1 {
                turns(ev, 1);
                noted.add(format!("outer, {} dropped", counted.get()));
            } else {
                drop(me.take());
                noted.add(format!("inner, {} dropped", counted.get()));
            }
            let _in_use = &probe;
        }).unwrap();
        own.replace(Some(fde));
        assert_eq!(noted_in(&ctx, 1, &log), ["inner, 0 dropped", "outer, 0 dropped"]);
        assert_eq!(drops.get(), 1);
        assert_quiet(&ctx, &log);
    }

    fn fd_11_a_handler_that_turns_the_loop_is_entered_again(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        ctx.allow_nesting();
        send(&far);
        let (noted, depth) = (log.clone(), Cell::new(0));
        let _fde = ctx.add_fd(&near, READ, move |ev, _fde, _flags| {
            depth.set(depth.get() + 1);
            noted.add(format!("enter {}", depth.get()));
            if depth.get() < 3 {
                turns(ev, 1);
            }
            noted.add(format!("leave {}", depth.get()));
            depth.set(depth.get() - 1);
        }).unwrap();
        let expected = ["enter 1", "enter 2", "enter 3", "leave 3", "leave 2", "leave 1"];
        assert_eq!(noted_in(&ctx, 1, &log), expected);
        assert_eq!(noted_in(&ctx, 1, &log), expected);
    }

    fn fd_11_a_nested_turn_serves_other_files_and_siblings_first(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        ctx.allow_nesting();
        send(&far);
        let noted = log.clone();
        let _nesting = ctx.add_fd(&near, READ, move |ev, _fde, _flags| {
            noted.add("enter");
            turns(ev, 1);
            noted.add("leave");
        }).unwrap();
        let _sibling = noting(&ctx, &near, READ, "sibling", &log);
        let (other, other_far) = pair();
        send(&other_far);
        let _other = noting(&ctx, &other, READ, "other", &log);
        let told = noted_in(&ctx, 4, &log);
        assert!(!told.windows(2).any(|two| two == ["enter", "enter"]), "{told:?}");
        for name in ["sibling READ", "other READ"] {
            assert!(told.iter().any(|told| told == name), "{name} in {told:?}");
        }
    }

    fn fd_12_ready_files_are_served_in_rotation(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let pairs: Vec<_> = (0..7).map(|_| pair()).collect();
        let _events: Vec<_> = pairs.iter().zip(["a", "b", "c", "d", "e", "f", "g"]).map(|((near, far), name)| {
            send(far);
            noting(&ctx, near, READ, name, &log)
        }).collect();
        let first_round = noted_in(&ctx, 7, &log);
        let mut sorted = first_round.clone();
        sorted.sort();
        assert_eq!(sorted, ["a READ", "b READ", "c READ", "d READ", "e READ", "f READ", "g READ"]);
        for _ in 0..3 {
            assert_eq!(noted_in(&ctx, 7, &log), first_round);
        }
    }

    fn fd_12_a_file_that_becomes_ready_later_is_not_starved(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let pairs = [pair(), pair(), pair()];
        let _writers = pairs.each_ref().map(|(near, _far)| noting(&ctx, near, WRITE, "writer", &log));
        turns(&ctx, 5);
        let (near, far) = pair();
        let _reader = noting(&ctx, &near, READ, "reader", &log);
        send(&far);
        let told = noted_in(&ctx, 12, &log);
        let served = |name: &str| told.iter().filter(|told| *told == name).count();
        assert!((2..=4).contains(&served("reader READ")), "{told:?}");
        assert_eq!(served("reader READ") + served("writer WRITE"), 12);
    }

    fn fd_12_a_file_with_many_events_has_one_place_in_the_rotation(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let ((near, _far), (other, other_far)) = (pair(), pair());
        send(&other_far);
        let _many: Vec<_> = (0..5).map(|_| noting(&ctx, &near, WRITE | ERROR, "many", &log)).collect();
        let _one = noting(&ctx, &other, READ, "one", &log);
        let told = noted_in(&ctx, 20, &log);
        assert_eq!(told.iter().filter(|told| *told == "one READ").count(), 10, "{told:?}");
    }

    fn fd_12_one_that_changes_its_flags_each_turn_starves_none(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let pairs = [pair(), pair(), pair()];
        let all = Shared::default();
        let _events = pairs.each_ref().map(|(near, far)| {
            send(far);
            let (noted, all_of_them) = (log.clone(), Rc::clone(&all));
            let fde = ctx.add_fd(near, READ, move |ev, fde, _flags| {
                fde.set_flags(if fde.flags() == READ { READ | WRITE } else { READ });
                assert_eq!(others(&all_of_them, fde).len(), 2);
                noted.add(fde.tag().to_string());
                // Something of higher priority in between.
                ev.keep(Immediate::empty()).schedule_with(ev, |_ev, _im| {});
            }).unwrap();
            fde.set_tag(all.borrow().len() as u64);
            all.borrow_mut().push(fde.clone());
            fde
        });
        let told = noted_in(&ctx, 60, &log);
        assert_eq!(told.len(), 30);
        for name in ["0", "1", "2"] {
            let served = told.iter().filter(|told| *told == name).count();
            assert!((8..=12).contains(&served), "{name}: {served} in {told:?}");
        }
    }
}
