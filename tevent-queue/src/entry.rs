//! One request's place in a queue.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;

use tevent_core::{
    CallFlowEvent, ChildRef, ContextRef, EventTracePoint, HomeLink, Location, ReqRef, TracedQueueEntry,
    drop_each, is_call_flow_told,
};

use crate::line::Standing;
use crate::queue::QueueRef;
use crate::turn::{Act, OfReq, Turn};

/// A request's place in a queue. Owns: dropping it leaves the queue, which goes on if it was its head.
///
/// It belongs to the request from the start, and goes when the request is freed; to leave earlier, without freeing the
/// request, `drop(req.take(&entry))`.
///
/// C equivalent: `struct tevent_queue_entry`. Spec: QUEUE-3, QUEUE-5.
#[doc(alias = "tevent_queue_entry")]
#[must_use = "dropping a QueueEntry leaves the queue"]
pub struct QueueEntry(QueueEntryRef);

/// A handle on a [`QueueEntry`]: a cheap clone that frees nothing and turns inert when the owner goes.
#[derive(Clone)]
pub struct QueueEntryRef(Rc<Inner<dyn Turn>>);

struct Inner<T: ?Sized> {
    location: Location,
    tag: Cell<u64>,
    home: HomeLink,
    ev: ContextRef,
    queue: QueueRef,
    /// The number of its place in the queue, or [`NOWHERE`].
    place: Cell<u64>,
    triggered: Cell<bool>,
    /// It is not triggered any more.
    ended: Cell<bool>,
    turn: T,
}

const NOWHERE: u64 = u64::MAX;

impl QueueEntry {
    #[track_caller]
    pub(crate) fn new<S: 'static>(
        queue: &QueueRef,
        ev: &ContextRef,
        req: &ReqRef<S>,
        act: impl Act<S> + 'static,
    ) -> Self {
        req.joins_queue(ev);
        QueueEntry(QueueEntryRef(Rc::new(Inner {
            location: Location::caller(),
            tag: Cell::new(0),
            home: HomeLink::new(),
            ev: ev.clone(),
            queue: queue.clone(),
            place: Cell::new(NOWHERE),
            triggered: Cell::new(false),
            ended: Cell::new(false),
            turn: OfReq::new(req, act),
        })))
    }
}

impl Deref for QueueEntry {
    type Target = QueueEntryRef;

    fn deref(&self) -> &QueueEntryRef {
        &self.0
    }
}

impl Drop for QueueEntry {
    fn drop(&mut self) {
        if self.is_queued() {
            self.0.0.queue.remove(self.0.0.place.get());
        }
        drop_each([self.0.clone().end()]);
    }
}

impl QueueEntryRef {
    /// Whether it is still in its queue.
    #[must_use]
    pub fn is_queued(&self) -> bool {
        self.0.place.get() != NOWHERE
    }

    /// Whether its turn has come: its trigger has been called, or it is a blocker that has reached the head. False
    /// again after [`untrigger`](Self::untrigger).
    #[must_use]
    pub fn is_triggered(&self) -> bool {
        self.0.triggered.get()
    }

    /// Takes back that the entry was triggered, so that it can be triggered again once the queue is started.
    ///
    /// C equivalent: `tevent_queue_entry_untrigger`. Spec: QUEUE-8.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// use tevent_core::{Context, Req};
    /// use tevent_queue::Queue;
    ///
    /// let (ctx, queue) = (Context::new()?, Queue::create("socket"));
    /// let (req, tries) = (Req::create(()), Rc::new(Cell::new(0)));
    /// let count = Rc::clone(&tries);
    /// let entry = queue.add_entry(&ctx, &req, move |_req| count.set(count.get() + 1))?;
    /// ctx.loop_wait()?;
    /// queue.stop(); // the connection is lost
    /// entry.untrigger();
    /// queue.start(); // it is back: the same request tries again
    /// ctx.loop_wait()?;
    /// assert_eq!(tries.get(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// Unless the entry is the head of a stopped queue.
    #[doc(alias = "tevent_queue_entry_untrigger")]
    #[track_caller]
    pub fn untrigger(&self) {
        let queue = &self.0.queue;
        assert!(self.is_queued(), "only an entry that is in a queue can be untriggered");
        assert!(
            !queue.is_running(),
            "an entry of a running queue cannot be untriggered: stop `{}` first",
            queue.name()
        );
        assert!(
            queue.is_head(self.0.place.get()),
            "only the head of queue `{}` can be untriggered",
            queue.name()
        );
        self.0.triggered.set(false);
    }

    /// The user's tag: any 64 bits, 0 at first, never looked at by the library (TRACE-3).
    ///
    /// C equivalent: `tevent_queue_entry_get_tag`.
    #[doc(alias = "tevent_queue_entry_get_tag")]
    #[must_use]
    pub fn tag(&self) -> u64 {
        self.0.tag.get()
    }

    /// Sets the user's tag (TRACE-3).
    ///
    /// C equivalent: `tevent_queue_entry_set_tag`.
    #[doc(alias = "tevent_queue_entry_set_tag")]
    pub fn set_tag(&self, tag: u64) {
        self.0.tag.set(tag);
    }

    /// Where it was added to the queue.
    #[must_use]
    pub fn location(&self) -> Location {
        self.0.location
    }

    /// The rest is for the queue.
    pub(crate) fn ev(&self) -> &ContextRef {
        &self.0.ev
    }

    pub(crate) fn enter(&self) {
        self.tell(CallFlowEvent::QueueEnter);
        self.0.ev.trace_queue_entry(self, EventTracePoint::Attach);
    }

    fn tell(&self, event: CallFlowEvent) {
        if is_call_flow_told() {
            self.0.turn.tell(event, &self.0.ended);
        }
    }

    /// Its turn has come.
    pub(crate) fn trigger_in_turn(&self) {
        self.tell(CallFlowEvent::QueueTrigger);
        self.trigger();
    }

    /// Calls the trigger, if no trace callback has freed it.
    pub(crate) fn trigger(&self) {
        self.0.triggered.set(true);
        self.0.ev.run_trigger(self, || self.0.turn.call(&self.0.ended));
    }

    /// Out of the queue and never triggered again; it has left, or the queue has gone. What is returned drops the trigger, and
    /// is to be dropped outside of any borrow.
    pub(crate) fn end(self) -> Ended {
        let was_queued = self.0.place.replace(NOWHERE) != NOWHERE;
        if was_queued {
            self.tell(CallFlowEvent::QueueLeave);
        }
        self.0.ended.set(true);
        let ended = Ended(self);
        if was_queued {
            ended.0.0.ev.trace_queue_entry(&ended.0, EventTracePoint::Detach);
        }
        ended
    }
}

/// An entry with a trigger that is not called again.
pub(crate) struct Ended(QueueEntryRef);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.0.turn.drop_if_idle();
    }
}

impl Standing for QueueEntryRef {
    fn stands_at(&self, number: u64) {
        self.0.place.set(number);
    }
}

impl TracedQueueEntry for QueueEntryRef {
    fn queue_name(&self) -> &str {
        self.0.queue.name()
    }

    fn tag(&self) -> u64 {
        self.tag()
    }

    fn set_tag(&self, tag: u64) {
        self.set_tag(tag);
    }

    fn location(&self) -> Location {
        self.location()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl ChildRef for QueueEntryRef {
    type Owner = QueueEntry;

    fn home(&self) -> &HomeLink {
        &self.0.home
    }
}

impl PartialEq for QueueEntryRef {
    /// Whether both stand for the same entry.
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for QueueEntryRef {}

impl fmt::Debug for QueueEntryRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueEntry")
            .field("queued", &self.is_queued())
            .field("triggered", &self.is_triggered())
            .field("blocker", &self.0.turn.is_blocker())
            .field("tag", &self.tag())
            .field("location", &self.location())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for QueueEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
