//! Work for a thread of its own, as a request.

use std::future;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use crate::context::ContextRef;
use crate::req::{Req, ReqError};
use crate::thread_proxy::ThreadProxy;

use super::FutureState;

/// What the thread and the loop share.
struct Work<T> {
    outcome: Option<Result<T, ReqError>>,
    /// The thread has ended, with an outcome or in a panic.
    over: bool,
    waker: Option<Waker>,
}

type Shared<T> = Arc<Mutex<Work<T>>>;

fn look<T, R>(shared: &Shared<T>, look: impl FnOnce(&mut Work<T>) -> R) -> R {
    look(&mut shared.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The thread's end of it. Its drop tells the loop, also when the work panics.
struct Worker<T> {
    shared: Shared<T>,
    /// Until this goes, which is after the wake, `loop_wait` goes on.
    _proxy: ThreadProxy,
}

impl<T> Drop for Worker<T> {
    fn drop(&mut self) {
        let waker = look(&self.shared, |work| {
            work.over = true;
            work.waker.take()
        });
        waker.into_iter().for_each(Waker::wake);
    }
}

impl<T: Send + 'static> Req<FutureState<T>> {
    /// Makes a request of work that would block the loop: a thread of its own does it, which starts at this call, and the request
    /// finishes with what it gave. [`future_recv`](super::future_recv) takes the result.
    ///
    /// [`loop_wait`](ContextRef::loop_wait) and a virtual clock wait for the thread. A thread cannot be stopped: when the request is
    /// dropped, cancelled or out of time it works on, and what it gives is dropped in the thread, or with the request's last Ref. So
    /// [`cancel`](crate::ReqRef::cancel) says true, and the request finishes with `ECANCELED`, though the work goes on. In a forked child there
    /// is no such thread, and the request never finishes.
    ///
    /// C equivalent: Samba's `pthreadpool_tevent_job_send`, without the pool.
    ///
    /// ```
    /// use std::{fs, io};
    /// use tevent_core::{Context, Req, future_recv};
    ///
    /// let ctx = Context::new()?;
    /// let req = Req::from_thread(&ctx, || Ok::<_, io::Error>(fs::read("Cargo.toml")?.len()));
    /// ctx.add_subreq(req, |_ev, req| assert!(future_recv(req).is_ok_and(|length| length > 0)));
    /// ctx.loop_wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// None from this call. The request fails with what the work failed with; with `EIO` when it panicked; or with what the system said
    /// when it had no thread, or no file, to give.
    #[doc(alias = "pthreadpool_tevent_job_send")]
    #[track_caller]
    pub fn from_thread<E: Into<ReqError>>(
        ev: &ContextRef,
        work: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Self {
        let shared = Arc::new(Mutex::new(Work { outcome: None, over: false, waker: None }));
        let threads = Arc::clone(&shared);
        let started = ev.thread_proxy().and_then(|proxy| {
            let worker = Worker { shared: threads, _proxy: proxy };
            thread::Builder::new().spawn(move || {
                let outcome = work().map_err(Into::into);
                look(&worker.shared, |work| work.outcome = Some(outcome));
            })
        });
        Req::from_future(ev, async move {
            started?;
            future::poll_fn(|cx| look(&shared, |work| work.poll(cx))).await
        })
    }
}

impl<T> Work<T> {
    fn poll(&mut self, cx: &Context<'_>) -> Poll<Result<T, ReqError>> {
        if let Some(outcome) = self.outcome.take() {
            return Poll::Ready(outcome);
        }
        if self.over {
            let panicked = "the thread that did the work has panicked";
            return Poll::Ready(Err(ReqError::with_cause(u64::from(libc::EIO.unsigned_abs()), panicked)));
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
