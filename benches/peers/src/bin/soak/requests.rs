//! Requests with sub-requests, writers that take turns, and tasks of futures.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tevent::{ContextRef, FdFlags, Queue, Req, ReqRef, future_recv, io, queue, wakeup_recv, wakeup_send};
use tevent_peers::make_pair;

use crate::world::{Done, Shared, Stage, Work};

/// A request that is done when its sub-requests are; some have an end time before that, some are dropped half-way.
pub(crate) fn trees(stage: &Rc<Stage>) -> Work {
    let (stage, done) = (Rc::clone(stage), Done::default());
    let running: RefCell<VecDeque<ReqRef<u32>>> = RefCell::default();
    let ended = done.clone();
    let pulse = move || {
        for _ in 0..4 {
            let req = tree(&stage);
            match stage.below(8) {
                0 => req.set_endtime(&stage.ev, stage.delay(10)),
                1 => running.borrow_mut().push_back(req.clone()),
                _ => {}
            }
            let ended = ended.clone();
            stage.ev.add_subreq(req, move |_ev, req| {
                _ = req.recv(|left| assert_eq!(*left, 0, "done before its sub-requests"));
                ended.up();
            });
        }
        if running.borrow().len() > 5 {
            let dropped = running.borrow_mut().pop_front();
            dropped.and_then(|req| stage.ev.take(&req)); // unless it has ended
        }
    };
    Work { name: "requests", pulse: Box::new(pulse), done }
}

/// The state is how many sub-requests are under way: one waits for a while, one for an immediate, one is a task.
fn tree(stage: &Stage) -> Req<u32> {
    let ev = &stage.ev;
    let req = Req::create(3);
    req.add_subreq(wakeup_send(ev, stage.delay(20)), |req, nap| {
        assert!(wakeup_recv(nap));
        one_less(req);
    });
    let soon = Req::create(());
    soon.add_immediate(|soon| soon.advance(|()| Poll::Ready(Ok(())))).schedule(ev);
    req.add_subreq(soon, |req, soon| {
        soon.recv(|()| ()).expect("it is done");
        one_less(req);
    });
    let (loops, nap) = (ev.clone(), stage.delay(5));
    let task = Req::from_future(ev, async move {
        let nap = wakeup_send(&loops, nap).await;
        Ok(wakeup_recv(nap))
    });
    req.add_subreq(task, |req, task| {
        assert_eq!(future_recv(task), Ok(true));
        one_less(req);
    });
    req
}

fn one_less(req: &ReqRef<u32>) {
    req.advance(|left| {
        *left -= 1;
        if *left == 0 { Poll::Ready(Ok(())) } else { Poll::Pending }
    });
}

/// Writers of four kilobytes each on one socket, and others that only want their turn.
pub(crate) fn frames(stage: &Rc<Stage>) -> Work {
    let (stage, done) = (Rc::clone(stage), Done::default());
    let (near, far) = make_pair();
    far.set_nonblocking(true).expect("a socket need not block");
    let (near, far) = (io::Stream::new(near), io::Stream::new(far));
    let reader = far.clone();
    let read = move |_ev: &ContextRef, _fde: &tevent::FdRef, _flags| {
        _ = reader.try_read(&mut [0; 16 << 10]); // a child may have been quicker
    };
    stage.ev.keep(stage.ev.add_fd(&far, FdFlags::READ, read).expect("a socket can be watched"));
    let (turns, frame, written) = (Queue::create("frames"), Rc::<[u8]>::from([7; 4096]), done.clone());
    let pulse = move || {
        for _ in 0..2 {
            let writer = io::writev_send(&stage.ev, Some(&turns), &near, false, vec![Rc::clone(&frame)]);
            let written = written.clone();
            stage.ev.add_subreq(writer, move |_ev, writer| {
                assert_eq!(io::writev_recv(writer), Ok(4096));
                written.up();
            });
        }
        stage.ev.add_subreq(queue::wait_send(&stage.ev, &turns), |_ev, turn| {
            queue::wait_recv(turn).expect("its turn comes");
        });
    };
    Work { name: "queue", pulse: Box::new(pulse), done }
}

/// Tasks that sleep, yield, and are woken from another thread.
pub(crate) fn tasks(stage: &Rc<Stage>) -> Work {
    let (stage, done) = (Rc::clone(stage), Done::default());
    let (begun, ended) = (Cell::new(0), done.clone());
    let pulse = move || {
        if begun.get() - ended.get() > 32 {
            return; // the thread that wakes them is not allowed to run
        }
        begun.set(begun.get() + 1);
        let (ev, shared) = (stage.ev.clone(), Arc::clone(&stage.shared));
        let task = Req::from_future(&stage.ev, async move {
            assert!(wakeup_recv(wakeup_send(&ev, Duration::from_micros(500)).await));
            woken_by_another_thread(&shared).await;
            Ok(())
        });
        let ended = ended.clone();
        stage.ev.add_subreq(task, move |_ev, task| {
            future_recv(task).expect("it gives nothing else");
            ended.up();
        });
    };
    Work { name: "tasks", pulse: Box::new(pulse), done }
}

/// Or by itself, where the list is taken: in a child its owner may not be there any more.
async fn woken_by_another_thread(shared: &Shared) {
    let mut asked = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut asked, true) {
            return Poll::Ready(());
        }
        match shared.sleepers.try_lock() {
            Ok(mut sleepers) => sleepers.push(cx.waker().clone()),
            Err(_) => cx.waker().wake_by_ref(),
        }
        Poll::Pending
    })
    .await;
}
