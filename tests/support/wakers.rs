//! Wakers that count, and futures made of closures.

#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Counts its wakes.
#[derive(Debug, Default)]
pub struct CountWakes(AtomicUsize);

impl CountWakes {
    pub fn new() -> (Arc<Self>, Waker) {
        let count = Arc::<CountWakes>::default();
        (Arc::clone(&count), Waker::from(count))
    }

    pub fn wakes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for CountWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls once, as a task of another kind would.
pub fn poll_once<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// Ready at the second poll; between them everybody else has a turn.
pub fn yield_now() -> impl Future<Output = ()> {
    let mut yielded = false;
    poll_fn(move |cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

/// Never ready, and woken by nobody.
pub fn pending() -> impl Future<Output = ()> {
    std::future::pending()
}
