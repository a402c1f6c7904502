//! The queue (QUEUE).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::iter;
use std::ops::Deref;
use std::rc::Rc;

use tevent_core::{ChildRef, ContextRef, HomeLink, Immediate, ReqRef, drop_each};

use crate::entry::{Bound, QueueEntry, QueueEntryRef, Trigger};

/// Requests that take turns, first come, first served. Owns: dropping it stops it and removes all entries; no trigger
/// runs, and the requests live on.
///
/// All its methods are those of [`QueueRef`], to which it derefs; `queue.clone()` gives such a Ref.
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
pub struct QueueRef(Rc<Inner>);

struct Inner {
    name: String,
    home: HomeLink,
    /// In the order in which they came; the first is the head.
    entries: RefCell<BTreeMap<u64, QueueEntryRef>>,
    numbers: Cell<u64>,
    running: Cell<bool>,
    freed: Cell<bool>,
    /// Calls the head's trigger; scheduled only while the queue runs and its head is not triggered.
    immediate: RefCell<Option<Immediate>>,
}

/// Why a request cannot join a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueueError {
    /// The queue of this name has been freed: the request's turn would never come.
    Freed(String),
}

impl fmt::Display for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QueueError::Freed(name) => write!(f, "the queue `{name}` has been freed"),
        }
    }
}

impl Error for QueueError {}

impl Queue {
    /// Makes a queue that runs. The name is for people.
    ///
    /// C equivalent: `tevent_queue_create`. Spec: QUEUE-1.
    #[doc(alias = "tevent_queue_create")]
    pub fn create(name: impl Into<String>) -> Self {
        let queue = QueueRef(Rc::new(Inner {
            name: name.into(),
            home: HomeLink::new(),
            entries: RefCell::new(BTreeMap::new()),
            numbers: Cell::new(0),
            running: Cell::new(true),
            freed: Cell::new(false),
            immediate: RefCell::new(None),
        }));
        let head = Rc::downgrade(&queue.0);
        *queue.0.immediate.borrow_mut() = Some(
            Immediate::new(move |_ev, _im| {
                if let Some(queue) = head.upgrade() {
                    QueueRef(queue).trigger_head();
                }
            })
            .untraced(),
        );
        Queue(queue)
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
        let immediate = inner.immediate.take();
        drop(immediate);
        let first = || inner.entries.borrow_mut().pop_first();
        drop_each(iter::from_fn(|| first().map(|(_number, entry)| entry.end())));
    }
}

impl QueueRef {
    /// Appends an entry for the request. When its turn has come `trigger` is called with the request, in a turn of the
    /// loop `ev`, never inside this call.
    ///
    /// The entry belongs to the request: it leaves the queue when the request is freed, and the next one's turn comes.
    /// It stays when the result is taken by a Ref ([`ReqRef::received`]).
    ///
    /// C equivalent: `tevent_queue_add`. Spec: QUEUE-2, QUEUE-3, REQ-16.
    ///
    /// ```
    /// use tevent_core::{Context, Req};
    /// use tevent_queue::Queue;
    ///
    /// let (ctx, queue) = (Context::new()?, Queue::create("socket"));
    /// let req = Req::create(());
    /// queue.add(&ctx, &req, |req| {
    ///     req.done();
    /// })?;
    /// assert!(req.is_in_progress()); // its turn comes in a turn of the loop
    /// req.poll(&ctx)?;
    /// assert_eq!(queue.len(), 1); // it holds the queue until it is freed
    /// drop(req);
    /// assert!(queue.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the queue has been freed.
    ///
    /// # Complexity
    /// O(log n) in the length of the queue, also to leave it.
    #[doc(alias = "tevent_queue_add")]
    #[doc(alias = "tevent_queue_trigger_fn_t")]
    #[track_caller]
    pub fn add<S>(
        &self,
        ev: &ContextRef,
        req: &ReqRef<S>,
        trigger: impl Fn(&ReqRef<S>) + 'static,
    ) -> Result<(), QueueError> {
        self.add_entry(ev, req, trigger).map(|_entry| ())
    }

    /// As [`add`](Self::add), and hands the entry out, with which the request can leave the queue without being freed:
    /// `drop(req.take(&entry))`.
    ///
    /// C equivalent: `tevent_queue_add_entry`. Spec: QUEUE-5.
    ///
    /// ```
    /// use tevent_core::{Context, Req};
    /// use tevent_queue::Queue;
    ///
    /// let (ctx, queue) = (Context::new()?, Queue::create("socket"));
    /// let req = Req::create(());
    /// let entry = queue.add_entry(&ctx, &req, |_req| unreachable!("it leaves before its turn"))?;
    /// drop(req.take(&entry));
    /// assert!(queue.is_empty() && req.is_in_progress());
    /// ctx.loop_wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the queue has been freed.
    #[doc(alias = "tevent_queue_add_entry")]
    #[track_caller]
    pub fn add_entry<S>(
        &self,
        ev: &ContextRef,
        req: &ReqRef<S>,
        trigger: impl Fn(&ReqRef<S>) + 'static,
    ) -> Result<QueueEntryRef, QueueError> {
        self.append(req, QueueEntry::new(self, ev, req.joins_queue(ev), Some(bind(req, trigger))))
    }

    /// As [`add_entry`](Self::add_entry), but calls the trigger at once, inside this call, if the queue was empty and
    /// runs, and the request has no callback yet.
    ///
    /// Meant for `_send` functions that can do their work at once; the request should have
    /// [`defer_callback`](ReqRef::defer_callback) set.
    ///
    /// C equivalent: `tevent_queue_add_optimize_empty`. Spec: QUEUE-4.
    ///
    /// ```
    /// use tevent_core::{Context, Req};
    /// use tevent_queue::Queue;
    ///
    /// let (ctx, queue) = (Context::new()?, Queue::create("socket"));
    /// let (first, second) = (Req::create(()), Req::create(()));
    /// for req in [&first, &second] {
    ///     req.defer_callback(&ctx);
    ///     queue.add_optimize_empty(&ctx, req, |req| {
    ///         req.done();
    ///     })?;
    /// }
    /// assert!(!first.is_in_progress()); // the queue was empty: done inside the call
    /// assert!(second.is_in_progress()); // it has to wait for its turn
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the queue has been freed.
    #[doc(alias = "tevent_queue_add_optimize_empty")]
    #[track_caller]
    pub fn add_optimize_empty<S>(
        &self,
        ev: &ContextRef,
        req: &ReqRef<S>,
        trigger: impl Fn(&ReqRef<S>) + 'static,
    ) -> Result<QueueEntryRef, QueueError> {
        let at_once = self.is_empty() && self.is_running() && !req.has_callback();
        let entry = QueueEntry::new(self, ev, req.joins_queue(ev), Some(bind(req, trigger)));
        if !at_once {
            return self.append(req, entry);
        }
        let entry = self.enlist(req, entry)?;
        entry.trigger();
        Ok(entry)
    }

    /// Appends a blocker: when its turn has come nothing is called, and it holds its place until it leaves.
    ///
    /// C equivalent: `tevent_queue_add` without a trigger. Spec: QUEUE-6.
    ///
    /// ```
    /// use tevent_core::{Context, Req};
    /// use tevent_queue::Queue;
    ///
    /// let (ctx, queue) = (Context::new()?, Queue::create("socket"));
    /// let (holder, req) = (Req::create(()), Req::create(()));
    /// let blocker = queue.add_blocker(&ctx, &holder)?;
    /// queue.add(&ctx, &req, |req| {
    ///     req.done();
    /// })?;
    /// ctx.loop_wait()?;
    /// assert!(blocker.is_triggered() && req.is_in_progress());
    /// drop(holder.take(&blocker));
    /// req.poll(&ctx)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the queue has been freed.
    #[doc(alias = "tevent_queue_add")]
    #[track_caller]
    pub fn add_blocker<S>(&self, ev: &ContextRef, req: &ReqRef<S>) -> Result<QueueEntryRef, QueueError> {
        self.append(req, QueueEntry::new(self, ev, req.joins_queue(ev), None))
    }

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

    #[track_caller]
    fn append<S>(&self, req: &ReqRef<S>, entry: QueueEntry) -> Result<QueueEntryRef, QueueError> {
        let entry = self.enlist(req, entry)?;
        self.schedule_head();
        Ok(entry)
    }

    fn enlist<S>(&self, req: &ReqRef<S>, entry: QueueEntry) -> Result<QueueEntryRef, QueueError> {
        if self.0.freed.get() {
            return Err(QueueError::Freed(self.0.name.clone()));
        }
        let number = self.0.numbers.get();
        self.0.numbers.set(number + 1);
        self.0.entries.borrow_mut().insert(number, entry.clone());
        entry.enter(number);
        // A request that has been freed drops its entry at once, which leaves the queue again.
        Ok(req.keep(entry))
    }

    pub(crate) fn remove(&self, number: u64) {
        let removed = self.0.entries.borrow_mut().remove(&number);
        if removed.is_some() {
            self.schedule_head();
        }
    }

    pub(crate) fn is_head(&self, number: u64) -> bool {
        self.0.entries.borrow().first_key_value().is_some_and(|(first, _)| *first == number)
    }

    /// The whole advance rule (QUEUE-2, QUEUE-3): a queue that runs has its immediate scheduled while its head is not
    /// triggered.
    fn schedule_head(&self) {
        let Some(head) = self.untriggered_head() else { return };
        if let Some(immediate) = &*self.0.immediate.borrow() {
            immediate.schedule(head.ev());
        }
    }

    fn trigger_head(&self) {
        if let Some(head) = self.untriggered_head() {
            head.trigger_in_turn();
        }
    }

    fn untriggered_head(&self) -> Option<QueueEntryRef> {
        let entries = self.0.entries.borrow();
        let (_number, head) = entries.first_key_value().filter(|_| self.is_running())?;
        (!head.is_triggered()).then(|| head.clone())
    }
}

fn bind<S: 'static>(req: &ReqRef<S>, trigger: impl Fn(&ReqRef<S>) + 'static) -> Trigger {
    Rc::new(Bound { req: req.clone(), trigger })
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
