//! Free anything, anywhere: every kind of owner × whoever keeps it × every place it can be freed in.
//!
//! A `Victim` is made, watched and freed alike, whatever it is. Each of its closures and states holds a `Probe`, and
//! the rules are looked at after every free and every call: what is idle has been dropped exactly once, what runs or is
//! borrowed is still there, and nothing is called any more. Every probe calls into the loop as it is dropped.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;
#[path = "freeing_matrix/victim.rs"]
mod victim;

use std::cell::{Cell, RefCell};
use std::os::fd::OwnedFd;
use std::panic::panic_any;
use std::rc::Rc;

use support::{Kind, on_every_backend};
use tevent::{FdFlags, Immediate, Req, When};
use victim::{Env, Expected, Home, Lend, OnDrop, Victim, What, make};

/// One place, for each victim in each home. The place prepares; the victim is made after that, so that what the place
/// schedules comes first.
#[track_caller]
fn matrix(backend: Kind, place: fn(&Victim)) {
    panicking_matrix(backend, 0, place);
}

#[track_caller]
fn panicking_matrix(backend: Kind, panics: usize, place: fn(&Victim)) {
    for what in What::ALL {
        for home in [Home::Test, Home::Context, Home::Request] {
            let case = format!("{what:?} kept by {home:?} on {backend:?}");
            let env = Env::new(backend);
            let victim = Victim::new(&env);
            place(&victim);
            make(&victim, what, home);
            assert_eq!(env.settle(), panics, "{case}: turns that panicked");
            victim.verdict(&case);
            if !env.ev.is_freed() {
                env.assert_goes_on(&case);
                assert!(env.queue_went_on.get(), "{case}: the queue does not go on");
            }
            // What it keeps holds the victim.
            env.free_context();
        }
    }
}

/// Does the work in the first turn.
fn at_first(victim: &Victim, work: impl FnOnce() + 'static) {
    let env = &victim.0.env;
    env.ev.keep(Immediate::empty()).schedule_with(&env.ev, move |_ev, _im| work());
}

/// Frees it in the first turn, while a state is borrowed.
fn lend_at_first(victim: &Victim, how: Lend) {
    let lent = victim.clone();
    at_first(victim, move || lent.lend(how, lent.freer()));
}

/// Frees it in a nested turn.
fn nest(victim: &Victim) {
    let free = victim.freer();
    at_first(victim, move || free());
    victim.turn_until_freed();
}

on_every_backend! {
    fn fd_9_timer_5_im_3_req_12_freed_in_its_own_handler(backend) {
        matrix(backend, |victim| victim.on_run(Victim::free));
    }

    fn fd_9_freed_by_an_fd_that_was_fetched_before_it(backend) {
        matrix(backend, |victim| {
            let (env, free) = (&victim.0.env, victim.freer());
            let own = env.near.try_clone().unwrap();
            env.ev.keep(env.ev.add_fd(OwnedFd::from(own), FdFlags::READ, move |_ev, fde, _flags| {
                free();
                fde.set_flags(FdFlags::NONE);
            }).unwrap());
        });
    }

    fn fd_9_freed_by_a_sibling_on_the_same_number(backend) {
        matrix(backend, |victim| {
            let (env, free) = (&victim.0.env, victim.freer());
            env.ev.keep(env.ev.add_fd(&env.near, FdFlags::READ, move |_ev, fde, _flags| {
                free();
                fde.set_flags(FdFlags::NONE);
            }).unwrap());
        });
    }

    fn timer_5_freed_by_an_immediate_or_a_timer_before_it_ever_ran(backend) {
        matrix(backend, |victim| {
            let free = victim.freer();
            at_first(victim, move || free());
        });
        matrix(backend, |victim| {
            let (env, free) = (&victim.0.env, victim.freer());
            env.ev.keep(env.ev.add_timer(When::Zero, move |_ev, _te, _now| free()));
        });
    }

    fn loop_7_freed_in_its_own_handler_right_before_or_after_the_context(backend) {
        matrix(backend, |victim| victim.on_run(|victim| {
            victim.free();
            victim.0.env.free_context();
        }));
        matrix(backend, |victim| victim.on_run(|victim| {
            victim.0.env.free_context();
            victim.free();
        }));
    }

    fn loop_7_freed_in_a_siblings_handler_right_before_or_after_the_context(backend) {
        matrix(backend, |victim| {
            let victim_ = victim.clone();
            at_first(victim, move || {
                victim_.0.env.free_context();
                victim_.free();
            });
        });
        matrix(backend, |victim| {
            let victim_ = victim.clone();
            at_first(victim, move || {
                victim_.free();
                victim_.0.env.free_context();
            });
        });
    }

    fn req_12_freed_in_the_drop_of_a_state(backend) {
        matrix(backend, |victim| {
            let req = Req::create(OnDrop(victim.freer()));
            at_first(victim, move || drop(req));
        });
        matrix(backend, |victim| {
            let req = Req::create(OnDrop(victim.freer()));
            victim.on_run(move |_victim| req.received());
        });
    }

    fn timer_1_freed_in_the_drop_of_what_a_handler_captured(backend) {
        matrix(backend, |victim| {
            let (ev, free) = (&victim.0.env.ev, OnDrop(victim.freer()));
            ev.keep(ev.add_timer(When::Zero, move |_ev, _te, _now| assert!(Rc::strong_count(&free.0) > 0)));
        });
        matrix(backend, |victim| {
            let (ev, free) = (victim.0.env.ev.clone(), OnDrop(victim.freer()));
            let im = Immediate::new(move |_ev, _im| assert!(Rc::strong_count(&free.0) > 0));
            im.schedule(&ev);
            let im = RefCell::new(Some(im));
            victim.on_run(move |_victim| drop(im.take()));
        });
    }

    fn req_12_freed_while_a_state_is_borrowed(backend) {
        matrix(backend, |victim| lend_at_first(victim, Lend::WithState));
        matrix(backend, |victim| lend_at_first(victim, Lend::AdvancePending));
        matrix(backend, |victim| lend_at_first(victim, Lend::AdvanceReady));
    }

    fn req_12_freed_in_its_own_handler_while_its_state_is_borrowed(backend) {
        matrix(backend, |victim| victim.on_run(|victim| victim.lend(Lend::WithState, victim.freer())));
        matrix(backend, |victim| victim.on_run(|victim| victim.lend(Lend::AdvanceReady, victim.freer())));
    }

    fn fd_11_freed_in_a_nested_turn_while_its_handler_runs(backend) {
        matrix(backend, |victim| {
            victim.0.env.ev.allow_nesting();
            victim.on_run(nest);
        });
    }

    fn fd_11_freed_in_a_nested_turn_while_its_handler_runs_and_a_state_is_borrowed(backend) {
        matrix(backend, |victim| {
            victim.0.env.ev.allow_nesting();
            victim.on_run(|victim| {
                let victim_ = victim.clone();
                victim.lend(Lend::WithState, Rc::new(move || nest(&victim_)));
            });
        });
    }

    fn fd_9_fd_11_freed_in_the_inner_of_two_calls_of_one_handler(backend) {
        matrix(backend, |victim| {
            victim.0.env.ev.allow_nesting();
            let depth = Cell::new(0);
            victim.on_run(move |victim| {
                depth.set(depth.get() + 1);
                if depth.get() == 2 || !victim.enter_again() {
                    victim.free();
                }
            });
        });
    }

    fn loop_a_handler_that_frees_itself_and_panics_leaves_the_loop_usable(backend) {
        panicking_matrix(backend, 1, |victim| victim.on_run(|victim| {
            victim.free();
            panic_any(Expected);
        }));
    }

    fn loop_a_handler_that_panics_can_be_freed_afterwards(backend) {
        panicking_matrix(backend, 1, |victim| {
            let (env, free) = (&victim.0.env, victim.freer());
            let later = env.ev.keep(Immediate::new(move |_ev, _im| free()));
            let ev = env.ev.clone();
            victim.on_run(move |_victim| {
                later.schedule(&ev);
                panic_any(Expected);
            });
        });
    }

    fn loop_a_borrow_that_ends_by_a_panic_still_drops_the_freed_state(backend) {
        panicking_matrix(backend, 1, |victim| victim.on_run(|victim| {
            let victim_ = victim.clone();
            victim.lend(Lend::WithState, Rc::new(move || {
                victim_.free();
                panic_any(Expected);
            }));
        }));
    }

    fn loop_the_inner_of_two_calls_frees_and_panics_through_the_outer(backend) {
        panicking_matrix(backend, 1, |victim| {
            victim.0.env.ev.allow_nesting();
            let depth = Cell::new(0);
            victim.on_run(move |victim| {
                depth.set(depth.get() + 1);
                if depth.get() == 2 || !victim.enter_again() {
                    victim.free();
                    panic_any(Expected);
                }
            });
        });
    }
}
