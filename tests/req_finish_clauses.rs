//! The REQ clauses, second part: finishing, cleaning up and calling back; the end time; polling.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use support::{CountDrop, Log, on_every_backend, run_ready, turns};
use tevent::{Immediate, LoopError, Req, ReqError, ReqRef, ReqState, When};

const MS: Duration = Duration::from_millis(1);
const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

/// A request that logs its cleanup and its callback, with the state that it reads in them.
fn logged(log: &Log) -> Req<()> {
    let req = Req::create(());
    let cleanup = log.clone();
    req.set_cleanup_fn(move |req, state| {
        assert_eq!(req.state(), state);
        cleanup.add(format!("cleanup {state:?}"));
    });
    set_logging_callback(&req, log);
    req
}

fn set_logging_callback(req: &ReqRef<()>, log: &Log) {
    let log = log.clone();
    req.set_callback(move |req| log.add(format!("callback {:?}", req.state())));
}

type Finish = fn(&ReqRef<()>) -> bool;

/// Each way to finish by hand, and the state it leads to.
const FINISHES: [(Finish, ReqState); 6] = [
    (|req| req.done(), ReqState::Done),
    (|req| req.error(5), ReqState::UserError),
    (|req| req.error(ReqError::NO_MEMORY), ReqState::NoMemory),
    (|req| req.error(ReqError::TIMED_OUT), ReqState::TimedOut),
    (|req| req.oom(), ReqState::NoMemory),
    (|req| req.nomem(None::<&u8>), ReqState::NoMemory),
];

#[test]
fn req_2_a_finish_sets_the_state_then_cleans_up_then_calls_back() {
    for (finish, state) in FINISHES {
        let log = Log::new();
        let req = logged(&log);
        assert!(finish(&req));
        assert_eq!(req.state(), state);
        assert_eq!(log.take(), [format!("cleanup {state:?}"), format!("callback {state:?}")]);
    }
}

#[test]
fn req_2_error_0_does_nothing_and_says_so() {
    let log = Log::new();
    let req = logged(&log);
    assert!(!req.error(0_u64) && !req.error(0));
    assert!(req.is_in_progress() && req.finish_location().is_none());
    assert_eq!(log.len(), 0);
    assert!(req.done(), "it can still finish");
}

#[test]
fn req_2_nomem_is_oom_if_there_is_nothing_and_says_which() {
    let log = Log::new();
    let req = logged(&log);
    assert!(!req.nomem(Some(&1)));
    assert!(req.is_in_progress());
    assert!(req.nomem(None::<&str>));
    assert_eq!(log.take(), ["cleanup NoMemory", "callback NoMemory"]);
}

#[test]
fn req_2_a_callback_set_after_the_finish_is_not_called_by_itself() {
    let (req, log) = (Req::create(()), Log::new());
    req.done();
    set_logging_callback(&req, &log);
    assert_eq!(log.len(), 0);
}

#[test]
fn req_2_the_callback_may_free_the_request() {
    let (home, log) = (Req::create(()), Log::new());
    let (probe, drops) = CountDrop::new();
    let req = home.keep(logged(&log));
    let (parent, inner) = (home.clone(), log.clone());
    req.set_callback(move |req| {
        drop(parent.take(req));
        assert_eq!(probe.0.get(), 0, "what the callback owns lives until it returns");
        inner.add(format!("freed {:?}", req.state()));
    });
    assert!(req.done());
    assert_eq!(log.take(), ["cleanup Done", "cleanup Received", "freed Received"]);
    assert_eq!(drops.get(), 1);
}

#[test]
fn req_3_cleanup_runs_once_per_state_in_rising_order() {
    for (finish, state) in FINISHES {
        let log = Log::new();
        let req = logged(&log);
        finish(&req);
        finish(&req);
        req.notify_callback();
        log.take();
        req.received();
        req.received();
        drop(req);
        assert_eq!(log.take(), ["cleanup Received"], "after {state:?}");
    }
}

#[test]
fn req_3_cleanup_runs_when_the_request_is_freed_without_being_received() {
    let log = Log::new();
    drop(logged(&log));
    assert_eq!(log.take(), ["cleanup Received"]);
    let req = logged(&log);
    req.done();
    drop(req);
    assert_eq!(log.take(), ["cleanup Done", "callback Done", "cleanup Received"]);
    let req = logged(&log);
    req.done();
    assert_eq!(req.recv(|()| 7), Ok(7));
    assert_eq!(log.take(), ["cleanup Done", "callback Done", "cleanup Received"]);
}

#[test]
fn req_3_a_cleanup_that_frees_the_request_keeps_the_callback_from_running() {
    let (home, log) = (Req::create(()), Log::new());
    let req = home.keep(logged(&log));
    let (parent, inner) = (home.clone(), log.clone());
    req.set_cleanup_fn(move |req, state| {
        inner.add(format!("cleanup {state:?}"));
        drop(parent.take(req));
    });
    req.done();
    assert_eq!(log.take(), ["cleanup Done", "cleanup Received"]);
}

#[test]
fn req_15_the_first_finish_wins() {
    for (first, state) in FINISHES {
        for (second, _) in FINISHES {
            let log = Log::new();
            let req = logged(&log);
            assert!(first(&req));
            let place = req.finish_location();
            // `nomem` says what it was given, not whether it finished.
            let _ = second(&req);
            assert_eq!((req.state(), req.finish_location()), (state, place));
            assert_eq!(log.take().len(), 2, "one cleanup and one callback");
        }
        let req = Req::create(());
        assert!(first(&req) && !req.done() && !req.error(7) && !req.oom());
    }
}

#[test]
fn req_15_a_finish_in_the_cleanup_or_the_callback_is_too_late() {
    let log = Log::new();
    let req = logged(&log);
    let (cleanup, callback) = (log.clone(), log.clone());
    req.set_cleanup_fn(move |req, _| cleanup.add(format!("cleanup {}", req.error(5))));
    req.set_callback(move |req| callback.add(format!("callback {}", req.error(5))));
    assert!(req.done());
    assert_eq!(log.take(), ["cleanup false", "callback false"]);
    assert_eq!(req.state(), ReqState::Done);
}

on_every_backend! {
    fn req_2_a_finish_drops_the_end_time(backend) {
        for (finish, state) in FINISHES {
            let (ctx, log) = (backend.context(), Log::new());
            let req = logged(&log);
            req.set_endtime(&ctx, When::Zero);
            finish(&req);
            assert_eq!(run_ready(&ctx), 0, "no timer is left");
            assert_eq!((req.state(), log.len()), (state, 2));
        }
    }

    fn req_2_a_callback_that_panicked_leaves_a_finished_request_and_a_usable_loop(backend) {
        let (ctx, log, req) = (backend.context(), Log::new(), Req::create(()));
        req.set_callback(|_| panic!("in a callback"));
        req.set_endtime(&ctx, When::Zero);
        assert!(catch_unwind(AssertUnwindSafe(|| ctx.loop_once())).is_err());
        assert_eq!(req.state(), ReqState::TimedOut);
        set_logging_callback(&req, &log);
        let _req = req.post(&ctx);
        ctx.loop_wait().unwrap();
        assert_eq!(log.take(), ["callback TimedOut"]);
    }

    fn req_4_post_reaches_a_callback_that_is_set_only_after_send_returned(backend) {
        for (finish, state) in FINISHES {
            let (ctx, log) = (backend.context(), Log::new());
            let inner = log.clone();
            let send = || {
                let req = Req::create(());
                req.set_cleanup_fn(move |_, state| inner.add(format!("cleanup {state:?}")));
                finish(&req);
                req.post(&ctx)
            };
            let req = send();
            assert_eq!(log.take(), [format!("cleanup {state:?}")], "the finish has cleaned up already");
            set_logging_callback(&req, &log);
            assert_eq!(log.len(), 0);
            assert_eq!(run_ready(&ctx), 1);
            assert_eq!(log.take(), [format!("callback {state:?}")]);
        }
    }

    fn req_4_a_posted_callback_comes_in_line_with_other_immediates(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let [before, after] = ["before", "after"].map(|name| {
            let log = log.clone();
            ctx.keep(Immediate::new(move |_, _| log.add(name)))
        });
        let req = Req::create(());
        set_logging_callback(&req, &log);
        before.schedule(&ctx);
        let req = req.post(&ctx);
        after.schedule(&ctx);
        turns(&ctx, 3);
        assert_eq!(log.take(), ["before", "callback InProgress", "after"]);
        assert!(req.is_in_progress());
    }

    fn req_4_posting_a_request_in_progress_calls_back_while_it_is(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let req = logged(&log).post(&ctx);
        turns(&ctx, 1);
        assert_eq!(log.take(), ["callback InProgress"]);
        req.done();
        assert_eq!(log.take(), ["cleanup Done", "callback Done"]);
    }

    fn req_4_a_posted_callback_does_not_run_once_the_request_is_freed(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let req = Req::create(());
        req.done();
        let req = req.post(&ctx);
        set_logging_callback(&req, &log);
        drop(req);
        assert_eq!((run_ready(&ctx), log.len()), (0, 0));
    }

    fn req_5_defer_callback_makes_the_next_finish_a_post(backend) {
        for (finish, state) in FINISHES {
            let (ctx, log) = (backend.context(), Log::new());
            let req = logged(&log);
            req.defer_callback(&ctx);
            finish(&req);
            assert_eq!(log.take(), [format!("cleanup {state:?}")]);
            assert_eq!(run_ready(&ctx), 1);
            assert_eq!(log.take(), [format!("callback {state:?}")]);
        }
    }

    fn req_5_is_for_one_time(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let req = logged(&log);
        req.defer_callback(&ctx);
        req.done();
        turns(&ctx, 1);
        log.take();
        req.notify_callback();
        assert_eq!(log.take(), ["callback Done"], "called at once");
        assert_eq!(run_ready(&ctx), 0);
    }

    fn req_5_the_callback_runs_in_the_loop_that_was_named_last(backend) {
        let (here, there, log) = (backend.context(), backend.context(), Log::new());
        let req = logged(&log);
        req.defer_callback(&here);
        req.defer_callback(&there);
        req.done();
        assert_eq!((run_ready(&here), run_ready(&there)), (0, 1));
        assert_eq!(log.take(), ["cleanup Done", "callback Done"]);
    }

    fn req_6_set_endtime_finishes_timed_out_at_that_time_and_not_before(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let req = logged(&log);
        let at = ctx.now() + 2 * MS;
        req.set_endtime(&ctx, at);
        assert_eq!(log.len(), 0);
        req.poll(&ctx).unwrap();
        assert!(ctx.now() >= at);
        assert!(!backend.is_simulated() || ctx.now() == at);
        assert_eq!(log.take(), ["cleanup TimedOut", "callback TimedOut"]);
        assert_eq!(req.recv(|()| ()), Err(ReqError::TIMED_OUT));
    }

    fn req_6_a_second_call_replaces_the_first(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let req = logged(&log);
        req.set_endtime(&ctx, When::Zero);
        req.set_endtime(&ctx, NEVER);
        assert_eq!(run_ready(&ctx), 0);
        assert!(req.is_in_progress());
        req.set_endtime(&ctx, When::Zero);
        assert_eq!(run_ready(&ctx), 1);
        assert_eq!(req.state(), ReqState::TimedOut);
        ctx.loop_wait().unwrap();
        assert_eq!(log.take().len(), 2, "nothing is left of the others");
    }

    fn req_6_reset_endtime_drops_it(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let req = logged(&log);
        req.reset_endtime();
        req.set_endtime(&ctx, When::Zero);
        req.reset_endtime();
        ctx.loop_wait().unwrap();
        assert!(req.is_in_progress());
        assert_eq!(log.len(), 0);
    }

    fn req_6_a_finished_request_has_no_end_time(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let req = logged(&log);
        req.done();
        req.set_endtime(&ctx, When::Zero);
        assert_eq!(run_ready(&ctx), 0);
        assert_eq!((req.state(), log.len()), (ReqState::Done, 2));
    }

    fn req_6_the_callback_of_an_end_time_may_free_the_request(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let req = ctx.keep(logged(&log));
        let ev = ctx.clone();
        req.set_callback(move |req| drop(ev.take(req)));
        req.set_endtime(&ctx, When::Zero);
        ctx.loop_wait().unwrap();
        assert_eq!(log.take(), ["cleanup TimedOut", "cleanup Received"]);
    }

    fn req_10_poll_turns_the_loop_until_the_request_is_not_in_progress(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let req = logged(&log);
        let [first, second] = [req.clone(), req.clone()];
        req.add_timer(&ctx, When::Zero, move |_, te, _| {
            te.set_tag(te.tag() + 1);
            assert!(te.tag() == 3 || te.update(When::Zero));
            assert!(te.tag() < 3 || first.done());
        });
        req.poll(&ctx).unwrap();
        assert_eq!(second.state(), ReqState::Done);
        assert_eq!(log.take(), ["cleanup Done", "callback Done"]);
        req.poll(&ctx).unwrap();
    }

    fn req_10_after_poll_a_deferred_callback_may_still_be_to_come(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let req = logged(&log);
        req.defer_callback(&ctx);
        req.set_endtime(&ctx, When::Zero);
        req.poll(&ctx).unwrap();
        assert_eq!(log.take(), ["cleanup TimedOut"]);
        turns(&ctx, 1);
        assert_eq!(log.take(), ["callback TimedOut"]);
    }

    fn req_10_a_failing_turn_ends_poll_with_that_failure(backend) {
        let (ctx, req) = (backend.context(), Req::create(()));
        ctx.set_wait_timeout(Duration::ZERO);
        assert!(matches!(req.poll(&ctx), Err(LoopError::WouldBlock)));
        let gone = ctx.clone();
        drop(ctx);
        assert!(matches!(req.poll(&gone), Err(LoopError::Freed)));
        assert!(req.is_in_progress());
    }

    fn req_10_poll_ends_when_a_handler_frees_the_request(backend) {
        let ctx = backend.context();
        let req = ctx.keep(Req::create(()));
        let doomed = req.clone();
        ctx.keep(ctx.add_timer(When::Zero, move |ev, _, _| drop(ev.take(&doomed))));
        req.poll(&ctx).unwrap();
        assert_eq!(req.state(), ReqState::Received);
    }
}

on_every_backend! {
    fn req_5_a_deferral_holds_for_notify_and_for_what_was_posted_too(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let req = Req::create(());
        let noted = log.clone();
        req.set_callback(move |_req| noted.add("called"));
        req.defer_callback(&ctx);
        req.notify_callback();
        assert_eq!(log.len(), 0);
        turns(&ctx, 1);
        assert_eq!(log.take().len(), 1);
        req.clone().post(&ctx);
        req.defer_callback(&ctx);
        turns(&ctx, 1);
        assert_eq!(log.len(), 0, "posted once more");
        turns(&ctx, 1);
        assert_eq!(log.take().len(), 1);
        assert!(req.is_in_progress());
    }

    fn req_4_a_posted_callback_drops_the_end_time(backend) {
        let ctx = backend.context();
        let req = Req::create(());
        req.set_endtime(&ctx, Duration::ZERO);
        req.clone().post(&ctx);
        ctx.loop_wait().unwrap();
        assert!(req.is_in_progress());
    }
}

#[test]
fn req_2_a_callback_that_was_taken_off_does_not_run() {
    let req = Req::create(());
    req.set_callback(|_req| unreachable!("it was taken off"));
    assert!(req.has_callback());
    req.clear_callback();
    assert!(!req.has_callback());
    req.done();
}
