//! Where something was created or finished is the caller's line, through every door that leads there.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

use std::task::Poll;
use std::time::Duration;

use support::{on_every_backend, pair, run_ready, turns};
use tevent::queue::wait_send;
use tevent::{FdFlags, Immediate, Location, Queue, Req, ReqError, ReqRef, When, wakeup_send};

#[test]
fn req_11_the_creation_place_is_the_callers() {
    let (req, here) = (Req::create(()), Location::caller());
    assert_eq!(req.location(), here);
    assert_eq!((here.file(), here.line() > 0), (file!(), true));
    assert!(req.print().contains(&format!("{}:{}", here.file(), here.line())));
}

#[test]
fn req_11_the_finish_place_is_the_callers() {
    let (one, two, three, four, five) =
        (Req::create(()), Req::create(()), Req::create(()), Req::create(()), Req::create(()));
    assert_eq!(one.finish_location(), None);
    let (_, done) = (one.done(), Location::caller());
    let (_, error) = (two.error(5), Location::caller());
    let (_, oom) = (three.oom(), Location::caller());
    let (_, nomem) = (four.nomem(None::<&u8>), Location::caller());
    let ((), advance) = (five.advance(|()| Poll::Ready(Ok(()))), Location::caller());
    let got = [one, two, three, four, five].map(|req| req.finish_location().unwrap());
    assert_eq!(got, [done, error, oom, nomem, advance]);
}

#[test]
fn req_11_the_finish_place_is_the_callers_also_when_the_finish_had_to_wait() {
    let (one, two) = (Req::create(()), Req::create(()));
    let done = one.with_state(|()| (one.done(), Location::caller()).1).unwrap();
    let advance = two.with_state(|()| (two.advance(fail), Location::caller()).1).unwrap();
    assert_eq!([one, two].map(|req| req.finish_location().unwrap()), [done, advance]);
}

fn fail(_state: &mut ()) -> Poll<Result<(), ReqError>> {
    Poll::Ready(Err(ReqError::NO_MEMORY))
}

#[test]
fn req_11_the_finish_place_outlives_the_result() {
    let req = Req::create(());
    let (_, here) = (req.error(5), Location::caller());
    req.received();
    assert_eq!(req.finish_location(), Some(here));
    let never = Req::create(());
    never.received();
    assert_eq!(never.finish_location(), None);
}

#[test]
fn im_1_the_creation_place_is_the_callers() {
    let (new, here) = (Immediate::new(|_, _| {}), Location::caller());
    assert_eq!(new.location(), here);
    let (empty, here) = (Immediate::empty(), Location::caller());
    assert_eq!(empty.location(), here);
    let req = Req::create(());
    let (of_request, here) = (req.add_immediate(|_| {}), Location::caller());
    assert_eq!(of_request.location(), here);
}

on_every_backend! {
    fn timer_1_the_creation_place_is_the_callers_and_stays_over_updates(backend) {
        let (ctx, req) = (backend.context(), Req::create(()));
        let (te, here) = (ctx.add_timer(Duration::MAX, |_, _, _| {}), Location::caller());
        te.update(When::Zero);
        assert_eq!(te.location(), here);
        let (te, here) = (req.add_timer(&ctx, When::Zero, |_, _, _| {}), Location::caller());
        assert_eq!(te.location(), here);
        assert!(format!("{te:?}").contains(&here.to_string()));
    }

    fn fd_1_the_creation_place_is_the_callers(backend) {
        let (ctx, req, (a, _b)) = (backend.context(), Req::create(()), pair());
        let (fde, here) = (ctx.add_fd(&a, FdFlags::READ, |_, _, _| {}).unwrap(), Location::caller());
        assert_eq!(fde.location(), here);
        let (fde, here) = (req.add_fd(&ctx, &a, FdFlags::READ, |_, _| {}).unwrap(), Location::caller());
        assert_eq!(fde.location(), here);
        assert!(format!("{fde:?}").contains(&here.to_string()));
    }

    fn req_6_the_place_of_a_time_out_is_where_the_end_time_was_set(backend) {
        let (ctx, req) = (backend.context(), Req::create(()));
        req.set_endtime(&ctx, Duration::MAX);
        let ((), here) = (req.set_endtime(&ctx, When::Zero), Location::caller());
        turns(&ctx, 1);
        assert_eq!(req.finish_location(), Some(here));
    }

    fn req_4_a_post_leaves_the_places_as_they_are(backend) {
        let ctx = backend.context();
        let (req, created) = (Req::create(()), Location::caller());
        let (_, finished) = (req.done(), Location::caller());
        let req = req.post(&ctx);
        run_ready(&ctx);
        assert_eq!((req.location(), req.finish_location()), (created, Some(finished)));
    }

    fn queue_2_the_creation_place_is_the_callers(backend) {
        let (ctx, queue, req) = (backend.context(), Queue::create("q"), Req::create(()));
        let idle: fn(&ReqRef<()>) = |_| {};
        let (first, here) = (queue.add_optimize_empty(&ctx, &req, idle).unwrap(), Location::caller());
        assert_eq!(first.location(), here);
        let (later, here) = (queue.add_optimize_empty(&ctx, &req, idle).unwrap(), Location::caller());
        assert_eq!(later.location(), here);
        let (entry, here) = (queue.add_entry(&ctx, &req, idle).unwrap(), Location::caller());
        assert_eq!(entry.location(), here);
        let (blocker, here) = (queue.add_blocker(&ctx, &req).unwrap(), Location::caller());
        assert_eq!(blocker.location(), here);
        assert!(format!("{blocker:?}").contains(&here.to_string()));
    }

    fn wake_1_queue_10_a_stock_request_is_created_where_its_send_is_called(backend) {
        let (ctx, queue) = (backend.context(), Queue::create("q"));
        let (wakeup, here) = (wakeup_send(&ctx, When::Zero), Location::caller());
        turns(&ctx, 1);
        assert_eq!((wakeup.location(), wakeup.finish_location()), (here, Some(here)));
        let (wait, here) = (wait_send(&ctx, &queue), Location::caller());
        assert_eq!(wait.location(), here);
    }
}
