//! Awaiting requests.

use std::cell::Cell;
use std::future::IntoFuture;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use tevent::{Queue, Req, ReqError, ReqState, future_recv, io, wakeup_recv, wakeup_send};

use super::support::{CountDrop, on_every_backend, pair, turns};

on_every_backend! {
    fn ported_requests_are_awaited_one_after_the_other(backend) {
        let ctx = backend.context();
        let ev = ctx.clone();
        let (near, far) = pair();
        let (stream, queue) = (io::Stream::new(near), Queue::create("near"));
        let total = ctx.block_on(async move {
            let mut total = 0;
            for frame in ["one ", "two ", "three"] {
                let req = io::writev_send(&ev, Some(&queue), &stream, false, vec![frame]);
                total += io::writev_recv(req.await)?;
                assert!(wakeup_recv(wakeup_send(&ev, Duration::from_millis(1)).await));
            }
            Ok::<_, ReqError>(total)
        });
        assert_eq!(total, Ok(13));
        let mut text = [0; 13];
        assert_eq!(std::io::Read::read(&mut &far, &mut text).unwrap(), 13);
        assert_eq!(&text, b"one two three");
    }

    fn an_error_passes_through(backend) {
        let ctx = backend.context();
        let failed = ctx.block_on(async {
            let req = Req::create(());
            req.error(5);
            req.await.recv(|()| ())
        });
        assert_eq!(failed, Err(ReqError::new(5)));
    }

    fn a_request_that_has_finished_is_ready_at_once_also_one_that_is_posted(backend) {
        let ctx = backend.context();
        for posted in [false, true] {
            let req = Req::create(7);
            req.done();
            let req = if posted { req.post(&ctx) } else { req };
            let mut future = pin!(req.into_future());
            let Poll::Ready(req) = future.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())) else {
                panic!("it is finished")
            };
            assert!(!req.has_callback());
            turns(&ctx, usize::from(posted)); // the posted callback finds nobody
            assert_eq!(req.recv(|n| *n), Ok(7));
        }
    }

    fn dropping_the_future_frees_the_request(backend) {
        let ctx = backend.context();
        let (probe, dropped) = CountDrop::new();
        let req = Req::create(probe);
        req.set_endtime(&ctx, Duration::from_secs(3600));
        let child = req.clone();
        let ev = ctx.clone();
        let task = Req::from_future(&ctx, async move {
            let _ = &ev;
            drop(req.await);
            Ok::<(), ReqError>(())
        });
        turns(&ctx, 1);
        assert_eq!((child.state(), dropped.get()), (ReqState::InProgress, 0));
        drop(task);
        assert_eq!((child.state(), dropped.get()), (ReqState::Received, 1));
        assert_eq!(ctx.dump().events, [], "the end time too");
    }

    fn the_newest_waker_is_woken(backend) {
        use std::sync::{Arc, atomic::{AtomicUsize, Ordering}};
        struct Count(AtomicUsize);
        impl std::task::Wake for Count {
            fn wake(self: Arc<Self>) { self.0.fetch_add(1, Ordering::Relaxed); }
        }
        let _ctx = backend.context();
        let req = Req::create(());
        let finish = req.clone();
        let mut future = pin!(req.into_future());
        let counts = [0, 1].map(|_| Arc::new(Count(AtomicUsize::new(0))));
        for count in &counts {
            let waker = Waker::from(Arc::clone(count));
            assert!(future.as_mut().poll(&mut TaskContext::from_waker(&waker)).is_pending());
        }
        finish.notify_callback(); // a wake without an end
        finish.done();
        assert_eq!(counts.map(|count| count.0.load(Ordering::Relaxed)), [0, 1], "once, until it is polled again");
    }

    fn a_hundred_thousand_awaits_in_a_row(backend) {
        let ctx = backend.context();
        let ev = ctx.clone();
        let sum = ctx.block_on(async move {
            let mut sum = 0_u64;
            for n in 0..100_000_u64 {
                let req = Req::create(n);
                req.defer_callback(&ev);
                let finish = req.clone();
                let im = ev.keep(tevent::Immediate::empty());
                im.schedule_with(&ev, move |ev, im| {
                    drop(ev.take(im));
                    finish.done();
                });
                sum += req.await.recv(|n| *n)?;
            }
            Ok::<_, ReqError>(sum)
        });
        assert_eq!(sum, Ok(4_999_950_000));
    }

    fn a_future_is_a_sub_request_like_any_other(backend) {
        let ctx = backend.context();
        let parent = Req::create(0);
        let ev = ctx.clone();
        let child = Req::from_future(&ctx, async move {
            drop(wakeup_send(&ev, Duration::from_millis(1)).await);
            Ok::<_, ReqError>(5)
        });
        parent.add_subreq(child, |parent, child| {
            parent.advance(move |sum| Poll::Ready(future_recv(child).map(|n| *sum += n)));
        });
        parent.poll(&ctx).unwrap();
        assert_eq!(parent.recv(|sum| *sum), Ok(5));
    }

    fn an_async_block_drives_a_ported_parent(backend) {
        let ctx = backend.context();
        let ev = ctx.clone();
        let seen = Rc::new(Cell::new(false));
        let see = Rc::clone(&seen);
        ctx.add_subreq(Req::from_future(&ctx, async move {
            let parent = Req::create(());
            parent.add_subreq(wakeup_send(&ev, Duration::from_millis(1)), |parent, child| {
                assert!(wakeup_recv(child));
                parent.done();
            });
            parent.await.recv(|()| ())
        }), move |_ev, req| see.set(future_recv(req).is_ok()));
        ctx.loop_wait().unwrap();
        assert!(seen.get());
    }
}
