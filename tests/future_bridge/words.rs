//! Small futures.

#![allow(unreachable_pub, reason = "it is for the other files of this test")]

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::{Poll, Waker};

use tevent::ReqError;

/// Lets others run, so many times: each wakes its task at once.
pub async fn yields(times: usize) {
    let mut left = times;
    poll_fn(move |task| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        task.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Pending until it is opened; hands its waker out, and counts its polls.
#[derive(Clone, Default)]
pub struct Gate(Rc<Inner>);

#[derive(Default)]
struct Inner {
    open: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    polls: Cell<usize>,
}

impl Gate {
    pub fn passed(&self) -> impl Future<Output = Result<(), ReqError>> + 'static {
        let gate = Rc::clone(&self.0);
        poll_fn(move |task| {
            gate.polls.set(gate.polls.get() + 1);
            *gate.waker.borrow_mut() = Some(task.waker().clone());
            if gate.open.get() { Poll::Ready(Ok(())) } else { Poll::Pending }
        })
    }

    pub fn open(&self) {
        self.0.open.set(true);
        self.wake();
    }

    pub fn wake(&self) {
        self.waker().wake();
    }

    pub fn waker(&self) -> Waker {
        self.0.waker.borrow().clone().unwrap()
    }

    pub fn polls(&self) -> usize {
        self.0.polls.get()
    }
}
