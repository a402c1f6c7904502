//! Futures and requests: each as the other, on one loop and one thread.
//!
//! A [task](Tasks) is a future that is polled by an immediate of its own. What wakes it (`waking.rs`) only notes that; its poll joins
//! the immediates at the beginning of a turn.

mod awaiting;
mod from_thread;
mod tasks;
mod waking;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{self, Poll, Waker};

use crate::context::ContextRef;
use crate::list::Key;
use crate::req::{Req, ReqError, ReqRef};
use crate::stack::bounded_drop;

pub use awaiting::ReqFuture;
pub(crate) use tasks::Tasks;
use waking::TaskWaker;

type BoxedFuture<T> = Pin<Box<dyn Future<Output = Result<T, ReqError>>>>;

/// The state of [`Req::from_future`]'s request: the future, then what it gave.
pub struct FutureState<T: 'static> {
    task: Option<Rc<Task<T>>>,
    output: Option<T>,
}

/// A future, and what polls it.
struct Task<T> {
    /// `None` while it is polled, and once it has ended. Whoever polls it has it alone: no borrow is held.
    future: RefCell<Option<BoxedFuture<T>>>,
    /// Another one in a forked child.
    wakes: RefCell<Wakes>,
    /// It was to be polled by a nested turn while it was polled already.
    again: Cell<bool>,
    place: Place,
}

/// What wakes a task.
#[derive(Clone)]
struct Wakes {
    task: Arc<TaskWaker>,
    waker: Waker,
}

impl Wakes {
    fn new(task: TaskWaker) -> Self {
        let task = Arc::new(task);
        Wakes { waker: Waker::from(Arc::clone(&task)), task }
    }
}

/// Its place among the tasks of the context.
struct Place {
    ev: ContextRef,
    key: Key,
}

impl Place {
    fn leave(&self) {
        self.ev.tasks().remove(self.key);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}

impl<T: 'static> Req<FutureState<T>> {
    /// Makes a request of a future: it finishes with what the future gives.
    ///
    /// The future is polled by the loop, as an immediate, the first time in a later turn; never inside this call, nor inside a wake.
    /// Wakes may come from any thread. Several wakes before a poll are one. In one look at the immediates tasks have 32 polls;
    /// whoever is woken or made beyond that goes on when the loop has looked at its timers and fds, so that a busy task starves nobody.
    /// Where something else never lets it look, such as a timer that is always due, one task goes on after every 32 turns.
    ///
    /// The future is dropped when the request ends, however that comes: it has finished, its [end time](ReqRef::set_endtime) has
    /// come, it was [cancelled](ReqRef::cancel) (`ECANCELED`), or dropped; inside its own poll, when that returns. With its context it
    /// is polled no more, also after [`re_initialise`](ContextRef::re_initialise). If it panics the request fails with `EIO`, its callback is posted, and the panic goes on out of the
    /// turn; the loop can be turned again.
    ///
    /// A task that waits counts for [`loop_wait`](ContextRef::loop_wait) only by the events it waits for, and once it is woken. Where
    /// another thread will wake it, let that thread hold a [`ThreadProxy`](crate::ThreadProxy), and on a simulated context
    /// [hold the clock](ContextRef::hold_clock).
    ///
    /// C has no equivalent.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tevent_core::{Context, Req, future_recv, wakeup_send};
    ///
    /// let ctx = Context::new()?;
    /// let ev = ctx.clone();
    /// let req = Req::from_future(&ctx, async move {
    ///     for _ in 0..3 {
    ///         drop(wakeup_send(&ev, Duration::from_millis(1)).await); // a ported request, awaited
    ///     }
    ///     Ok("three naps")
    /// });
    /// ctx.add_subreq(req, |_ev, req| assert_eq!(future_recv(req), Ok("three naps"))); // a future, with a callback
    /// ctx.loop_wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn from_future(ev: &ContextRef, future: impl Future<Output = Result<T, ReqError>> + 'static) -> Self {
        let req = Req::create(FutureState { task: None, output: None });
        let afar = match ev.threaded() {
            Ok(threads) => threads.downgrade(),
            Err(error) => {
                req.error(error);
                return req.post(ev);
            }
        };
        let poll = req.add_immediate(poll);
        let key = ev.tasks().add(ev, poll.clone());
        let wakes = Wakes::new(TaskWaker::new(key, Arc::clone(ev.tasks().woken()), afar));
        let task = Rc::new(Task {
            future: RefCell::new(Some(Box::pin(future))),
            wakes: RefCell::new(wakes),
            again: Cell::new(false),
            place: Place { ev: ev.clone(), key },
        });
        let ended = Rc::clone(&task);
        req.set_cleanup_fn(move |_req, _state| ended.end());
        req.set_cancel_fn(|req| {
            let canceled = libc::ECANCELED;
            req.error(canceled)
        });
        req.with_state(|s| s.task = Some(task));
        req.know(ev);
        ev.tasks().begin(ev, key, &poll);
        req
    }
}

/// What the future gave. Frees the request.
///
/// # Errors
/// The future's own error (`EINVAL` for code 0, which is none), or why the request ended before it: timed out, cancelled, panicked.
/// `EINVAL` when somebody else called the request done.
pub fn future_recv<T>(req: Req<FutureState<T>>) -> Result<T, ReqError> {
    let output = req.recv(|s| s.output.take())?;
    output.ok_or_else(|| ReqError::from(libc::EINVAL))
}

impl ContextRef {
    /// Turns the loop until the future has ended.
    ///
    /// ```
    /// use tevent_core::Context;
    ///
    /// let ctx = Context::new()?;
    /// assert_eq!(ctx.block_on(async { Ok(7) })?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The future's own, and those of a turn of the loop.
    ///
    /// # Panics
    /// As [`loop_once`](Self::loop_once), inside a handler without leave.
    #[track_caller]
    pub fn block_on<T: 'static>(
        &self,
        future: impl Future<Output = Result<T, ReqError>> + 'static,
    ) -> Result<T, ReqError> {
        let req = Req::from_future(self, future);
        req.poll(self)?;
        future_recv(req)
    }
}

impl<T: 'static> Task<T> {
    /// Its poll begins. In a forked child it gets a waker that threads of the child can use.
    fn wakes_for_poll(&self) -> Wakes {
        let wakes = self.wakes.borrow().clone();
        let wakes = if wakes.task.is_dead_afar() { self.renew(wakes) } else { wakes };
        wakes.task.begin_poll();
        wakes
    }

    fn renew(&self, old: Wakes) -> Wakes {
        let Ok(threads) = self.place.ev.threaded() else { return old };
        old.task.begin_poll();
        let here = Arc::clone(self.place.ev.tasks().woken());
        let new = Wakes::new(TaskWaker::new(self.place.key, here, threads.downgrade()));
        self.wakes.replace(new.clone());
        new
    }

    /// The request has ended: wakes mean nothing any more, and the future is dropped, unless it is being polled.
    fn end(&self) {
        self.place.leave();
        bounded_drop(self.future.take());
    }
}

/// The handler of the task's immediate.
fn poll<T: 'static>(req: &ReqRef<FutureState<T>>) {
    let Some(Some(task)) = req.with_state(|s| s.task.clone()) else { return };
    let wakes = task.wakes_for_poll();
    let Some(future) = task.future.take() else {
        // A nested turn: the poll that is under way sees to it.
        task.again.set(true);
        return;
    };
    let guard = FailOnPanic(req, &task);
    let mut polled = Polled(Some(future));
    let result = polled.poll(&mut task::Context::from_waker(&wakes.waker));
    match result {
        Poll::Pending if req.is_in_progress() => {
            mem::forget(guard);
            task.future.replace(polled.0.take());
            if task.again.take() {
                wakes.waker.wake_by_ref();
            }
        }
        Poll::Pending => {
            mem::forget(guard);
            drop(polled);
        }
        Poll::Ready(result) => {
            // A panic in there ends the request too.
            drop(polled);
            mem::forget(guard);
            match result {
                Ok(output) => {
                    let unused = if req.is_in_progress() {
                        req.with_state(|s| s.output.replace(output)).flatten()
                    } else {
                        Some(output)
                    };
                    bounded_drop(unused);
                    req.done();
                }
                Err(error) => {
                    // Code 0 is none, and must not leave it in progress for ever.
                    let _ = req.error(error) || req.error(libc::EINVAL);
                }
            }
        }
    }
}

/// A future out of its place. It may panic as it is dropped, also where its poll has panicked.
struct Polled<T: 'static>(Option<BoxedFuture<T>>);

impl<T: 'static> Polled<T> {
    fn poll(&mut self, context: &mut task::Context<'_>) -> Poll<Result<T, ReqError>> {
        self.0.as_mut().map_or(Poll::Pending, |future| future.as_mut().poll(context))
    }
}

impl<T: 'static> Drop for Polled<T> {
    fn drop(&mut self) {
        bounded_drop(self.0.take());
    }
}

/// A poll that panics ends its request, in a later turn as far as callbacks go.
struct FailOnPanic<'a, T: 'static>(&'a ReqRef<FutureState<T>>, &'a Task<T>);

impl<T: 'static> Drop for FailOnPanic<'_, T> {
    fn drop(&mut self) {
        self.0.defer_callback(&self.1.place.ev);
        self.0.error(ReqError::with_cause(libc::EIO, "the future panicked"));
    }
}

impl<T> fmt::Debug for FutureState<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FutureState").field("ended", &self.output.is_some()).finish_non_exhaustive()
    }
}
