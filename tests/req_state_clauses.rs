//! The REQ clauses, fourth part: working on the state, and what comes up meanwhile.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use support::{CountDrop, Log, on_every_backend, run_ready};
use tevent::{Req, ReqError, ReqRef, ReqState, When};

/// A request that logs its cleanup and its callback.
fn logged(log: &Log) -> Req<()> {
    let req = Req::create(());
    let (cleanup, callback) = (log.clone(), log.clone());
    req.set_cleanup_fn(move |_, state| cleanup.add(format!("cleanup {state:?}")));
    req.set_callback(move |req| callback.add(format!("callback {:?}", req.state())));
    req
}

#[test]
fn req_2_advance_finishes_after_the_work_has_returned() {
    let results = [
        (Ok(()), ReqState::Done),
        (Err(ReqError::new(5)), ReqState::UserError),
        (Err(ReqError::TIMED_OUT), ReqState::TimedOut),
        (Err(ReqError::NO_MEMORY), ReqState::NoMemory),
    ];
    for (result, state) in results {
        let log = Log::new();
        let req = logged(&log);
        req.advance(|()| Poll::Pending);
        assert!(req.is_in_progress());
        let (inner, own) = (log.clone(), req.clone());
        req.advance(move |()| {
            inner.add(format!("work {:?}", own.state()));
            Poll::Ready(result)
        });
        assert_eq!(req.state(), state);
        let after = [format!("cleanup {state:?}"), format!("callback {state:?}")];
        assert_eq!(log.take(), [&["work InProgress".to_owned()][..], &after].concat());
    }
}

#[test]
fn req_2_advance_with_error_0_is_no_finish() {
    let req = Req::create(());
    req.advance(|()| Poll::Ready(Err(0.into())));
    assert!(req.is_in_progress(), "error(0) does nothing: {req:?}");
}

#[test]
fn req_15_advance_does_nothing_on_a_finished_received_or_freed_request() {
    for end in ["finished", "received", "freed"] {
        let req = Req::create(1);
        let left = req.clone();
        let _owner = match end {
            "finished" => Some(req).inspect(|req| assert!(req.done())),
            "received" => Some(req).inspect(|req| req.received()),
            _ => {
                drop(req);
                None
            }
        };
        let state = left.state();
        left.advance(|_| unreachable!("it is too late"));
        assert_eq!(left.state(), state);
    }
}

#[test]
fn req_2_a_finish_while_the_state_is_worked_on_waits_for_its_end() {
    let log = Log::new();
    let req = logged(&log);
    req.with_state(|()| {
        assert!(req.error(5), "this call did it");
        assert!(!req.done(), "the first finish wins (REQ-15)");
        assert_eq!(log.len(), 0);
    });
    assert_eq!(log.take(), ["cleanup UserError", "callback UserError"]);
}

#[test]
fn req_15_a_finish_inside_the_work_wins_over_what_the_work_returns() {
    let log = Log::new();
    let req = logged(&log);
    let own = req.clone();
    req.advance(move |()| {
        own.oom();
        Poll::Ready(Ok(()))
    });
    assert_eq!(log.take(), ["cleanup NoMemory", "callback NoMemory"]);
}

#[test]
fn req_1_work_that_comes_up_inside_other_work_waits_and_keeps_its_order() {
    let (req, log) = (Req::create(()), Log::new());
    let step = |req: &ReqRef<()>, name: &'static str| {
        let log = log.clone();
        req.advance(move |()| {
            log.add(name);
            Poll::Pending
        });
    };
    req.with_state(|()| {
        step(&req, "2nd");
        step(&req, "3rd");
        log.add("1st");
    });
    assert_eq!(log.take(), ["1st", "2nd", "3rd"]);
}

#[test]
fn req_1_work_that_waits_does_not_run_once_a_finish_before_it_counts() {
    let log = Log::new();
    let req = logged(&log);
    req.with_state(|()| {
        req.done();
        req.advance(|()| unreachable!("it came after the finish"));
    });
    assert_eq!(log.take(), ["cleanup Done", "callback Done"]);
}

#[test]
fn req_2_a_finish_that_waits_is_done_though_the_work_panicked() {
    let log = Log::new();
    let req = logged(&log);
    let work = || {
        req.with_state(|()| {
            req.done();
            panic!("in the work");
        })
    };
    assert!(catch_unwind(AssertUnwindSafe(work)).is_err());
    assert_eq!(log.take(), ["cleanup Done", "callback Done"]);
    assert_eq!(req.with_state(|()| "usable"), Some("usable"));
}

#[test]
fn req_12_a_state_that_is_worked_on_is_dropped_when_the_work_has_returned() {
    let home = Req::create(());
    let (probe, drops) = CountDrop::new();
    let (req, log) = (home.keep(Req::create(probe)), Log::new());
    let inner = log.clone();
    req.set_cleanup_fn(move |_, state| inner.add(format!("cleanup {state:?}")));
    req.set_callback(|_| unreachable!("no callback runs"));
    req.with_state(|probe| {
        req.done();
        drop(home.take(&req));
        assert_eq!((req.state(), probe.0.get(), log.len()), (ReqState::Received, 0, 0));
    });
    assert_eq!((log.take(), drops.get()), (vec!["cleanup Received".to_owned()], 1));
    assert!(req.with_state(|_| ()).is_none());
}

#[test]
fn req_8_received_while_the_state_is_worked_on_waits_for_its_end() {
    let (probe, drops) = CountDrop::new();
    let req = Req::create(probe);
    req.with_state(|probe| {
        req.received();
        assert_eq!(probe.0.get(), 0);
        assert!(!req.done(), "nothing can be accepted any more");
    });
    assert_eq!((req.state(), drops.get()), (ReqState::Received, 1));
}

#[test]
fn req_8_after_received_the_callback_never_runs_also_while_the_state_is_worked_on() {
    let log = Log::new();
    let req = logged(&log);
    req.with_state(|()| {
        req.received();
        req.notify_callback();
        assert_eq!(log.len(), 0);
    });
    assert_eq!(log.take(), ["cleanup Received"]);
}

#[test]
fn req_8_received_silences_a_finish_that_waits_as_freeing_does() {
    let log = Log::new();
    let req = logged(&log);
    req.with_state(|()| {
        req.done();
        req.received();
    });
    let callbacks = log.take().into_iter().filter(|entry| entry.starts_with("callback")).count();
    assert_eq!((callbacks, req.state()), (0, ReqState::Received));
}

on_every_backend! {
    fn req_6_an_end_time_that_comes_in_a_nested_turn_waits_for_the_end_of_the_work(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let req = logged(&log);
        req.set_endtime(&ctx, When::Zero);
        req.with_state(|()| {
            assert_eq!(run_ready(&ctx), 1);
            assert!(req.is_in_progress() && log.len() == 0);
        });
        assert_eq!(log.take(), ["cleanup TimedOut", "callback TimedOut"]);
    }

    fn req_5_a_deferred_finish_that_waits_is_posted_when_the_work_has_returned(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let req = logged(&log);
        req.defer_callback(&ctx);
        req.with_state(|()| req.done());
        assert_eq!(log.take(), ["cleanup Done"]);
        assert_eq!(run_ready(&ctx), 1);
        assert_eq!(log.take(), ["callback Done"]);
    }

    fn req_8_nothing_is_posted_by_a_request_received_in_the_work_that_finished_it(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let req = logged(&log);
        req.defer_callback(&ctx);
        req.with_state(|()| {
            req.done();
            req.received();
        });
        assert_eq!(req.state(), ReqState::Received);
        log.take();
        assert_eq!(run_ready(&ctx), 0, "received drops the trigger");
        assert_eq!(log.len(), 0);
    }
}
