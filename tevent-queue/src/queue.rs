//! The queue (QUEUE).

use std::cell::{Cell, RefCell};
use std::fmt;
use std::iter;
use std::ops::Deref;
use std::rc::Rc;

use tevent_core::{ChildRef, HomeLink, Immediate, ImmediateRef, drop_each};

use crate::entry::QueueEntryRef;
use crate::line::Line;

/// Requests that take turns, first come, first served. Owns: dropping it stops it and removes all entries; no trigger
/// runs, and the requests live on.
///
/// All its methods are those of [`QueueRef`], to which it derefs; `queue.clone()` gives such a Ref. It keeps the room for as many entries
/// as ever stood in it at a time.
///
/// C equivalent: `struct tevent_queue`. Spec: QUEUE-1 to QUEUE-10.
///
/// ```
/// use tevent_core::Context;
/// use tevent_queue::{Queue, wait_send};
///
/// let (ctx, queue) = (Context::new()?, Queue::create("socket"));
/// let waiting = wait_send(&ctx, &queue);
/// drop(queue);
/// ctx.loop_wait()?;
/// assert!(waiting.is_in_progress()); // its turn never comes
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "tevent_queue")]
#[must_use = "dropping a Queue removes all its entries"]
pub struct Queue(QueueRef);

/// A handle on a [`Queue`]: a cheap clone that frees nothing and turns inert when the owner goes.
#[derive(Clone)]
pub struct QueueRef(pub(crate) Rc<Inner>);

pub(crate) struct Inner {
    name: String,
    home: HomeLink,
    /// In the order in which they came.
    pub(crate) entries: RefCell<Line<QueueEntryRef>>,
    running: Cell<bool>,
    freed: Cell<bool>,
    /// Calls the head's trigger; scheduled only while the queue runs and its head is not triggered.
    immediate: ImmediateRef,
    owner: Cell<Option<Immediate>>,
}

impl Queue {
    /// Makes a queue that runs. The name is for people.
    ///
    /// C equivalent: `tevent_queue_create`. Spec: QUEUE-1.
    #[doc(alias = "tevent_queue_create")]
    pub fn create(name: impl Into<String>) -> Self {
        let name = name.into();
        Queue(QueueRef(Rc::new_cyclic(|queue| {
            let queue = queue.clone();
            let call = Immediate::new(move |_ev, _im| {
                if let Some(queue) = queue.upgrade() {
                    QueueRef(queue).trigger_head();
                }
            });
            let owner = call.untraced();
            Inner {
                name,
                home: HomeLink::new(),
                entries: RefCell::new(Line::new()),
                running: Cell::new(true),
                freed: Cell::new(false),
                immediate: owner.clone(),
                owner: Cell::new(Some(owner)),
            }
        })))
    }
}

impl Deref for Queue {
    type Target = QueueRef;

    fn deref(&self) -> &QueueRef {
        &self.0
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let inner = &self.0.0;
        inner.freed.set(true);
        inner.running.set(false);
        drop(inner.owner.take());
        let first = || inner.entries.borrow_mut().pop_front();
        drop_each(iter::from_fn(|| first().map(QueueEntryRef::end)));
    }
}

impl QueueRef {
    /// Triggers no more, until [`start`](Self::start). An entry that is triggered goes on. Entries can join and leave.
    ///
    /// C equivalent: `tevent_queue_stop`. Spec: QUEUE-7.
    ///
    /// ```
    /// use tevent_core::{Context, Req};
    /// use tevent_queue::Queue;
    ///
    /// let (ctx, queue) = (Context::new()?, Queue::create("socket"));
    /// let req = Req::create(());
    /// queue.stop();
    /// queue.add(&ctx, &req, |req| {
    ///     req.done();
    /// })?;
    /// ctx.loop_wait()?;
    /// assert!(req.is_in_progress() && !queue.is_running());
    /// queue.start();
    /// req.poll(&ctx)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "tevent_queue_stop")]
    pub fn stop(&self) {
        self.0.running.set(false);
    }

    /// Goes on: the head's turn comes in a turn of its loop, never inside this call, if it has not come before. Nothing
    /// happens when the queue runs already or has been freed. See [`stop`](Self::stop) for an example.
    ///
    /// C equivalent: `tevent_queue_start`. Spec: QUEUE-7.
    #[doc(alias = "tevent_queue_start")]
    pub fn start(&self) {
        if !self.0.freed.get() && !self.0.running.replace(true) {
            self.schedule_head();
        }
    }

    /// Whether the queue runs.
    ///
    /// C equivalent: `tevent_queue_running`. Spec: QUEUE-1, QUEUE-7.
    #[doc(alias = "tevent_queue_running")]
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.0.running.get()
    }

    /// How many entries there are, the running head too.
    ///
    /// C equivalent: `tevent_queue_length`. Spec: QUEUE-1.
    ///
    /// ```
    /// use tevent_core::Context;
    /// use tevent_queue::{Queue, wait_send};
    ///
    /// let (ctx, queue) = (Context::new()?, Queue::create("socket"));
    /// let (head, _next) = (wait_send(&ctx, &queue), wait_send(&ctx, &queue));
    /// head.poll(&ctx)?;
    /// assert_eq!(queue.len(), 2); // the head is done, and still counts
    /// drop(head);
    /// assert_eq!(queue.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "tevent_queue_length")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.entries.borrow().len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.entries.borrow().is_empty()
    }

    /// The name it was made with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether the owner is gone.
    #[must_use]
    pub fn is_freed(&self) -> bool {
        self.0.freed.get()
    }

    pub(crate) fn remove(&self, number: u64) {
        let removed = self.0.entries.borrow_mut().remove(number);
        if removed.is_some() {
            self.schedule_head();
        }
    }

    pub(crate) fn is_head(&self, number: u64) -> bool {
        self.0.entries.borrow().is_head(number)
    }

    /// The whole advance rule (QUEUE-2, QUEUE-3): a queue that runs has its immediate scheduled while its head is not
    /// triggered.
    pub(crate) fn schedule_head(&self) {
        // Nothing is borrowed around the call: if the immediate leaves another loop, it may hold the last Ref of that.
        if let Some(ev) = self.with_untriggered_head(|head| head.ev().clone()) {
            self.0.immediate.schedule(&ev);
        }
    }

    fn trigger_head(&self) {
        if let Some(head) = self.with_untriggered_head(QueueEntryRef::clone) {
            head.trigger_in_turn();
        }
    }

    fn with_untriggered_head<R>(&self, look: impl FnOnce(&QueueEntryRef) -> R) -> Option<R> {
        if !self.is_running() {
            return None;
        }
        let entries = self.0.entries.borrow();
        entries.head().filter(|head| !head.is_triggered()).map(look)
    }
}

impl ChildRef for QueueRef {
    type Owner = Queue;

    fn home(&self) -> &HomeLink {
        &self.0.home
    }
}

impl PartialEq for QueueRef {
    /// Whether both stand for the same queue.
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for QueueRef {}

impl fmt::Debug for QueueRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("name", &self.name())
            .field("length", &self.len())
            .field("running", &self.is_running())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
