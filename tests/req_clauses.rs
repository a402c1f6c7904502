//! The REQ clauses, first part: a request's life: created, cancelled, looked at, received, freed.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

use rustix::io::Errno;
use support::{CountDrop, Log, on_every_backend, run_ready, turns};
use tevent::{Queue, Req, ReqError, ReqRef, ReqState, When};

/// A callback or cleanup-like closure that logs how the request stands.
fn logs_state<S>(log: &Log, what: &'static str) -> impl Fn(&ReqRef<S>) + 'static {
    let log = log.clone();
    move |req| log.add(format!("{what} {:?}", req.state()))
}

fn set_logging_cleanup<S>(req: &ReqRef<S>, log: &Log) {
    let log = log.clone();
    req.set_cleanup_fn(move |_, state| log.add(format!("cleanup {state:?}")));
}

/// A finished request of each kind, with the state it must read.
fn finished() -> Vec<(Req<()>, ReqState)> {
    let finished = |finish: fn(&ReqRef<()>) -> bool, state| {
        let req = Req::create(());
        assert!(finish(&req));
        (req, state)
    };
    vec![
        finished(|req| req.done(), ReqState::Done),
        finished(|req| req.error(5), ReqState::UserError),
        finished(|req| req.oom(), ReqState::NoMemory),
        finished(|req| req.error(ReqError::TIMED_OUT), ReqState::TimedOut),
    ]
}

#[test]
fn req_the_states_have_the_numbers_of_c() {
    use ReqState::{Done, InProgress, Init, NoMemory, Received, TimedOut, UserError};
    let states = [Init, InProgress, Done, UserError, TimedOut, NoMemory, Received];
    assert_eq!(states.map(|state| state as u32), [0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn req_1_create_gives_a_request_in_progress_with_its_own_state() {
    let (one, two) = (Req::create(vec![1]), Req::create(Vec::<u8>::default()));
    one.with_state(|s| s.push(2)).unwrap();
    assert_eq!(
        (one.with_state(|s| s.clone()), two.with_state(|s| s.clone())),
        (Some(vec![1, 2]), Some(vec![]))
    );
    assert!(one.is_in_progress() && one.state() == ReqState::InProgress);
    assert!(!one.has_callback() && one.finish_location().is_none());
    assert_ne!(*one, Req::create(vec![1, 2]).clone());
    assert_eq!(*one, one.clone());
}

#[test]
fn req_1_a_request_may_be_kept_by_a_parent_and_taken_back() {
    let (parent, other) = (Req::create("parent"), Req::create("other"));
    let child = parent.keep(Req::create("child"));
    assert!(other.take(&child).is_none(), "only its parent has it");
    let own = parent.take(&child).unwrap();
    drop(parent);
    assert!(own.is_in_progress(), "what was taken back lives on");
}

#[test]
fn req_7_cancel_without_a_cancel_function_says_false() {
    let req = Req::create(());
    assert!(!req.cancel());
    assert!(req.is_in_progress());
}

#[test]
fn req_7_cancel_asks_the_cancel_function() {
    for answer in [true, false] {
        let (req, log) = (Req::create(()), Log::new());
        let inner = log.clone();
        req.set_cancel_fn(move |req| {
            inner.add(format!("asked {:?}", req.state()));
            answer
        });
        assert_eq!(req.cancel(), answer);
        assert!(req.is_in_progress(), "the answer alone finishes nothing");
        assert_eq!(log.take(), ["asked InProgress"]);
    }
}

#[test]
fn req_7_a_later_cancel_function_replaces_an_earlier_one() {
    let (probe, drops) = CountDrop::new();
    let req = Req::create(());
    req.set_cancel_fn(move |_| unreachable!("{probe:?}"));
    req.set_cancel_fn(|_| true);
    assert_eq!((req.cancel(), drops.get()), (true, 1));
}

#[test]
fn req_9_is_error_is_false_when_done_and_true_otherwise() {
    for (req, state) in finished() {
        assert_eq!(req.is_error(), state != ReqState::Done);
        assert_eq!(
            req.result().map_err(|error| error.state()).err(),
            Some(state).filter(|s| *s != ReqState::Done)
        );
        let left = req.clone();
        assert_eq!(req.recv(|()| "taken").is_ok(), state == ReqState::Done);
        assert!(left.is_error());
        assert_eq!(left.result().unwrap_err().state(), ReqState::Received);
    }
}

#[test]
fn req_9_in_progress_reads_as_an_error() {
    let req = Req::create(());
    assert!(req.is_error());
    assert_eq!(req.result().unwrap_err().state(), ReqState::InProgress);
    let early = req.recv(|()| "taken").unwrap_err();
    assert_eq!((early.state(), early.code()), (ReqState::InProgress, 0));
}

#[test]
fn req_9_a_user_error_carries_all_64_bits_and_others_no_code() {
    for code in [1, 0x8000_0000_u64, 1 << 40, u64::MAX] {
        let req = Req::create(());
        assert!(req.error(code));
        let error = req.result().unwrap_err();
        assert_eq!((error.state(), error.code()), (ReqState::UserError, code));
        assert_eq!(req.recv(|()| ()), Err(error));
    }
    for error in [ReqError::TIMED_OUT, ReqError::NO_MEMORY] {
        assert_eq!(error.code(), 0);
    }
}

#[test]
fn req_11_print_gives_place_state_code_type_and_finish_place() {
    let req = Req::create(7_u16);
    let line = req.print();
    for part in [req.location().to_string().as_str(), "InProgress", "u16"] {
        assert!(line.contains(part), "{part} is missing in: {line}");
    }
    assert_eq!(req.type_name(), "u16");
    req.error(0x1234_5678_u64);
    let line = req.print();
    let (created, finished) = (req.location(), req.finish_location().unwrap());
    assert_ne!(created, finished);
    for part in [created.to_string().as_str(), "UserError", "0x12345678", &finished.to_string()] {
        assert!(line.contains(part), "{part} is missing in: {line}");
    }
    assert_eq!(format!("{req:?}"), line);
}

#[test]
fn req_11_a_print_function_replaces_it_until_received() {
    let (probe, drops) = CountDrop::new();
    let req = Req::create("state");
    req.set_print_fn(move |req| {
        let _owned = &probe;
        format!("mine: {}; {}", req.with_state(|s| *s).unwrap(), req.default_print())
    });
    assert_eq!(req.print(), format!("mine: state; {}", req.default_print()));
    req.received();
    assert_eq!((req.print(), drops.get()), (req.default_print(), 1));
    assert!(req.print().contains("Received"));
}

#[test]
fn req_16_notify_callback_calls_without_changing_the_state() {
    let (req, log) = (Req::create(()), Log::new());
    req.notify_callback();
    req.set_callback(logs_state(&log, "called"));
    req.notify_callback();
    req.notify_callback();
    req.error(5);
    req.notify_callback();
    assert_eq!(
        log.take(),
        ["called InProgress", "called InProgress", "called UserError", "called UserError"]
    );
}

#[test]
fn req_16_a_later_callback_replaces_an_earlier_one() {
    let (probe, drops) = CountDrop::new();
    let (req, log) = (Req::create(()), Log::new());
    req.set_callback(move |_| unreachable!("{probe:?}"));
    assert!(req.has_callback());
    req.set_callback(logs_state(&log, "called"));
    assert_eq!(drops.get(), 1);
    req.done();
    assert_eq!(log.take(), ["called Done"]);
}

on_every_backend! {
    fn req_7_a_cancelled_request_finishes_with_an_error_through_the_usual_callback(backend) {
        let (ctx, log, req) = (backend.context(), Log::new(), Req::create(()));
        let ev = ctx.clone();
        req.set_cancel_fn(move |req| {
            req.defer_callback(&ev);
            req.error(Errno::CANCELED.raw_os_error())
        });
        req.set_callback(logs_state(&log, "called"));
        assert!(req.cancel());
        assert_eq!((log.len(), req.state()), (0, ReqState::UserError));
        turns(&ctx, 1);
        assert_eq!(log.take(), ["called UserError"]);
        assert_eq!(req.recv(|()| ()).unwrap_err().errno(), Errno::CANCELED.raw_os_error());
    }

    fn req_8_received_sets_the_state_runs_cleanup_and_then_frees_the_state(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let (probe, drops) = CountDrop::new();
        let req = ctx.keep(Req::create(probe));
        let (inner, counted) = (log.clone(), drops.clone());
        req.set_cleanup_fn(move |req, state| {
            let there = req.with_state(|_| ()).is_some();
            inner.add(format!("{state:?} {:?} {there} {}", req.state(), counted.get()));
        });
        req.done();
        req.received();
        assert_eq!(log.take(), ["Done Done true 0", "Received Received true 0"]);
        assert_eq!((drops.get(), req.with_state(|_| ())), (1, None));
        req.received();
        drop(ctx.take(&req));
        assert_eq!((log.len(), drops.get()), (0, 1), "both are done once");
    }

    fn req_8_received_drops_functions_trigger_and_timer(backend) {
        let (ctx, log, req) = (backend.context(), Log::new(), Req::create(()));
        let (probe, drops) = CountDrop::new();
        req.set_cancel_fn(move |_| probe.0.get() == 0);
        req.set_endtime(&ctx, When::Zero);
        req.set_callback(logs_state(&log, "called"));
        let req = req.post(&ctx);
        assert!(req.cancel());
        req.received();
        assert!(!req.cancel());
        assert_eq!((req.state(), drops.get()), (ReqState::Received, 1));
        assert_eq!(run_ready(&ctx), 0, "no posted callback and no end time is left");
        assert_eq!(log.len(), 0);
    }

    fn req_8_after_received_the_callback_never_runs(backend) {
        let (ctx, log, req) = (backend.context(), Log::new(), Req::create(()));
        req.set_callback(logs_state(&log, "called"));
        req.received();
        assert!(!req.done() && !req.error(5) && !req.oom());
        req.notify_callback();
        req.set_callback(logs_state(&log, "called"));
        assert!(!req.has_callback());
        req.notify_callback();
        let req = req.post(&ctx);
        req.set_endtime(&ctx, When::Zero);
        run_ready(&ctx);
        assert_eq!((log.len(), req.state()), (0, ReqState::Received));
    }

    fn req_8_received_inside_the_callback_or_the_cleanup_is_fine(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let in_callback = ctx.keep(Req::create(()));
        set_logging_cleanup(&in_callback, &log);
        in_callback.set_callback(ReqRef::received);
        in_callback.done();
        assert_eq!(log.take(), ["cleanup Done", "cleanup Received"]);

        let in_cleanup = ctx.keep(Req::create(()));
        let inner = log.clone();
        in_cleanup.set_callback(logs_state(&log, "called"));
        in_cleanup.set_cleanup_fn(move |req, state| {
            inner.add(format!("cleanup {state:?}"));
            req.received();
        });
        in_cleanup.done();
        assert_eq!(log.take(), ["cleanup Done", "cleanup Received"], "and no callback");
    }

    fn req_8_freeing_does_the_same_first(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let (probe, drops) = CountDrop::new();
        let req = Req::create(probe);
        set_logging_cleanup(&req, &log);
        req.set_callback(logs_state(&log, "called"));
        req.set_endtime(&ctx, When::Zero);
        let req = req.post(&ctx);
        let left = req.clone();
        drop(req);
        assert_eq!(log.take(), ["cleanup Received"]);
        assert_eq!((left.state(), drops.get()), (ReqState::Received, 1));
        assert!(!left.done() && !left.cancel() && !left.has_callback());
        left.post(&ctx);
        left.notify_callback();
        assert_eq!((run_ready(&ctx), log.len()), (0, 0));
    }

    fn req_16_received_does_not_leave_a_queue_but_freeing_does(backend) {
        let (ctx, req, queue) = (backend.context(), Req::create(()), Queue::create("q"));
        let entry = queue.add_entry(&ctx, &req, |_| {}).unwrap();
        req.received();
        assert!(entry.is_queued());
        drop(req);
        assert!(!entry.is_queued() && queue.is_empty());
    }
}
