//! Joining a queue (QUEUE-2, QUEUE-4, QUEUE-6).

use tevent_core::{ContextRef, ReqRef};

use crate::entry::{QueueEntry, QueueEntryRef};
use crate::error::QueueError;
use crate::queue::QueueRef;
use crate::turn::Blocker;

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
    /// O(1), also to leave it, from wherever it stands.
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
        self.append(req, QueueEntry::new(self, ev, req, trigger))
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
        let entry = QueueEntry::new(self, ev, req, trigger);
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
        self.append(req, QueueEntry::new(self, ev, req, Blocker))
    }

    #[track_caller]
    fn append<S>(&self, req: &ReqRef<S>, entry: QueueEntry) -> Result<QueueEntryRef, QueueError> {
        let entry = self.enlist(req, entry)?;
        self.schedule_head();
        Ok(entry)
    }

    fn enlist<S>(&self, req: &ReqRef<S>, entry: QueueEntry) -> Result<QueueEntryRef, QueueError> {
        if self.is_freed() {
            return Err(QueueError::Freed(self.name().to_owned()));
        }
        self.0.entries.borrow_mut().push_back(entry.clone());
        entry.enter();
        // A request that has been freed drops its entry at once, which leaves the queue again.
        Ok(req.keep(entry))
    }
}
