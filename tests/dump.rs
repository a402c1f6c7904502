//! `Context::dump`: everything that lives on a loop, on every backend.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

#[path = "support/signals.rs"]
mod signals;

use std::cell::Cell;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::Duration;

use support::{on_every_backend, pair, run_ready, turns};
use tevent::{DumpedOwner, EventKind, FdFlags, Immediate, Req, SignalFlags, When};

const HOUR: Duration = Duration::from_secs(3600);

on_every_backend! {
    fn a_future_that_was_woken_keeps_the_loop_going_and_is_shown(backend) {
        let ctx = backend.context();
        let waker = Rc::new(Cell::new(None));
        let place = Rc::clone(&waker);
        let task = Req::from_future(&ctx, std::future::poll_fn(move |cx| {
            place.set(Some(cx.waker().clone()));
            std::task::Poll::<Result<(), tevent::ReqError>>::Pending
        }));
        run_ready(&ctx);
        assert!(ctx.dump().to_string().contains("nothing keeps it going"));
        waker.take().unwrap().wake();
        let dump = ctx.dump();
        assert!(dump.to_string().contains("1 thing keeps it going"), "{dump}");
        assert_eq!((dump.events.len(), dump.events[0].owner), (1, DumpedOwner::Request(0)));
        ctx.loop_wait().unwrap();
        assert_eq!(ctx.dump().events, []);
        drop(task);
    }

    fn tens_of_thousands_of_end_times_and_posts_are_no_matter(backend) {
        const MANY: usize = 50_000;
        let ctx = backend.context();
        let reqs: Vec<_> = (0..MANY).map(|n| {
            let req = Req::create(n);
            if n % 2 == 0 {
                req.set_endtime(&ctx, HOUR);
                req
            } else {
                req.done();
                req.post(&ctx)
            }
        }).collect();
        let begun = std::time::Instant::now();
        let dump = ctx.dump();
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        let owners = |owner: fn(&DumpedOwner) -> bool| dump.events.iter().filter(|event| owner(&event.owner)).count();
        assert_eq!(owners(|owner| matches!(owner, DumpedOwner::EndTimeOf(_))), MANY / 2);
        assert_eq!(owners(|owner| matches!(owner, DumpedOwner::CallbackOf(_))), MANY / 2);
        drop(reqs);
    }

    fn every_live_event_is_shown_with_its_place_and_its_owner(backend) {
        let _alone = signals::alone();
        let ctx = backend.context();
        let (near, _far) = pair();
        let req = Req::create("a login");
        let fde = req.add_fd(&ctx, &near, FdFlags::READ, |_req, _flags| {}).unwrap();
        fde.set_tag(0xa);
        req.set_endtime(&ctx, HOUR);
        let te = ctx.keep(ctx.add_timer(When::Zero, |_ev, _te, _now| {}));
        let idle = ctx.add_fd(&near, FdFlags::NONE, |_ev, _fde, _flags| {}).unwrap();
        let im = Immediate::new(|_ev, _im| {});
        im.schedule(&ctx);
        let se = ctx.add_signal(libc::SIGUSR1, SignalFlags::NONE, |_ev, _se, _got| {}).unwrap();
        let posted = Req::create(7_u8);
        posted.set_callback(|_req| {});
        posted.done();
        let posted = posted.post(&ctx);
        let _handle = ctx.threaded().unwrap(); // its wake-up is the library's own

        let dump = ctx.dump();
        let shown: Vec<_> = dump.events.iter().map(|event| (event.kind, event.owner, event.counts)).collect();
        let (program, context) = (DumpedOwner::Program, DumpedOwner::Context);
        assert_eq!(shown[..5], [
            (EventKind::Signal, program, true),
            (EventKind::Immediate, program, true),
            (EventKind::Immediate, DumpedOwner::CallbackOf(1), true),
            (EventKind::Timer, context, true),
            (EventKind::Timer, DumpedOwner::EndTimeOf(0), true),
        ]);
        assert!(shown[5..].contains(&(EventKind::Fd, DumpedOwner::Request(0), true)));
        assert!(shown[5..].contains(&(EventKind::Fd, program, false)));
        assert_eq!(shown.len(), 7, "{dump}");
        assert_eq!(dump.events[0].location, se.location());
        assert_eq!(dump.events[1].location, im.location());
        assert_eq!(dump.events[3].location, te.location());
        let text = dump.to_string();
        for line in [
            format!("fd {} READ, tag 0xa, created at {}, of Req<&str> created at {}", near.as_raw_fd(), fde.location(), req.location()),
            format!("fd {} NONE, created at {} (does not count)", near.as_raw_fd(), idle.location()),
            format!("timer due at once, created at {}, kept by the context", te.location()),
            format!("the end time of Req<&str> created at {}", req.location()),
            format!("the callback of Req<u8> created at {}", posted.location()),
            "6 things keep it going".to_owned(),
            "2 requests are known to it".to_owned(),
        ] {
            assert!(text.contains(&line), "no `{line}` in:\n{text}");
        }
        drop((im, se, idle));
    }

    fn requests_are_shown_as_a_tree_and_leave_when_they_are_freed(backend) {
        let ctx = backend.context();
        let parent = Req::create("parent");
        let _te = parent.add_timer(&ctx, HOUR, |_req, _te, _now| {});
        let child = parent.add_subreq(Req::create(1_u8), |_req, _subreq| {});
        let kept = ctx.add_subreq(Req::create(2_u16), |_ev, _req| {});
        let dump = ctx.dump();
        let shown: Vec<_> = dump.requests.iter().map(|req| (req.type_name, req.location, req.owner)).collect();
        assert_eq!(shown, [
            ("&str", parent.location(), DumpedOwner::Program),
            ("u8", child.location(), DumpedOwner::Request(0)),
            ("u16", kept.location(), DumpedOwner::Context),
        ]);
        kept.done();
        drop(parent);
        assert_eq!(ctx.dump().requests, []);
        assert_eq!(ctx.dump().events, []);
    }

    fn fd_3_a_number_that_is_not_open_is_shown_so(backend) {
        let ctx = backend.context();
        let (near, _far) = pair();
        let _open = ctx.add_fd(&near, FdFlags::READ, |_ev, _fde, _flags| {}).unwrap();
        let _closed = ctx.add_fd(1_000_000, FdFlags::READ, |_ev, _fde, _flags| {}).unwrap();
        let mut shown: Vec<_> = ctx.dump().events.iter().map(|event| event.what.clone()).collect();
        shown.sort_unstable();
        let mut expected = [format!("fd {} READ", near.as_raw_fd()), "fd 1000000 NONE, which is not open".to_owned()];
        expected.sort_unstable();
        assert_eq!(shown, expected);
    }

    fn it_can_be_taken_anywhere(backend) {
        let ctx = backend.context();
        ctx.keep(ctx.add_timer(When::Zero, |ev, _te, _now| assert_eq!(ev.dump().level, 1)));
        let req = Req::create(());
        let ev = ctx.clone();
        req.set_endtime(&ctx, HOUR);
        req.set_cleanup_fn(move |_req, _state| assert_eq!(ev.dump().requests.len(), 1));
        let ev = ctx.clone();
        req.set_callback(move |_req| assert_eq!(ev.dump().events.len(), 1, "the end time is gone"));
        turns(&ctx, 1);
        let again = ctx.add_timer(HOUR, |_ev, _te, _now| {});
        req.done();
        drop(again);
        drop(req);
        let ev = ctx.clone();
        drop(ctx);
        assert_eq!(ev.dump().events, []);
    }

    fn why_the_loop_goes_on_is_what_loop_wait_goes_by(backend) {
        let ctx = backend.context();
        let proxy = ctx.thread_proxy().unwrap();
        assert!(ctx.dump().to_string().contains("1 thing keeps it going"));
        assert_eq!(ctx.dump().thread_proxies, 1);
        drop(proxy);
        run_ready(&ctx);
        assert!(ctx.dump().to_string().contains("nothing keeps it going"));
        ctx.loop_wait().unwrap();
    }
}
