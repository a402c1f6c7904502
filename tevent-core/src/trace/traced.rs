//! An event as traces see it.

use std::any::Any;
use std::fmt;

use crate::fd::FdRef;
use crate::immediate::ImmediateRef;
use crate::location::Location;
use crate::signal::SignalRef;
use crate::timer::TimerRef;

/// The kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum EventKind {
    /// A file, watched.
    Fd,
    /// A signal, caught.
    Signal,
    /// A timer.
    Timer,
    /// An immediate, scheduled here or by another thread.
    Immediate,
    /// A request's place in a queue.
    QueueEntry,
}

impl EventKind {
    pub(crate) const COUNT: usize = 5;
}

/// A queue's entry, as a [trace callback](crate::Trace::queue_entries) sees it.
///
/// C equivalent: `struct tevent_queue_entry` in `tevent_trace_queue_callback_t`. Spec: TRACE-2, TRACE-3.
pub trait TracedQueueEntry: 'static {
    /// The name of its queue.
    fn queue_name(&self) -> &str;
    /// The user's own number.
    fn tag(&self) -> u64;
    /// Sets the user's own number.
    fn set_tag(&self, tag: u64);
    /// Where it was added.
    fn location(&self) -> Location;
    /// The Ref itself, to be told apart from others: `entry.as_any().downcast_ref::<QueueEntryRef>()`.
    fn as_any(&self) -> &dyn Any;
}

/// An event of any kind.
#[derive(Clone, Copy)]
pub(crate) enum Traced<'a> {
    Fd(&'a FdRef),
    Signal(&'a SignalRef),
    Timer(&'a TimerRef),
    Immediate(&'a ImmediateRef),
    QueueEntry(&'a dyn TracedQueueEntry),
}

impl<'a> Traced<'a> {
    pub(crate) fn what(self) -> What<'a> {
        What(self)
    }

    pub(crate) fn kind(self) -> EventKind {
        match self {
            Traced::Fd(_) => EventKind::Fd,
            Traced::Signal(_) => EventKind::Signal,
            Traced::Timer(_) => EventKind::Timer,
            Traced::Immediate(_) => EventKind::Immediate,
            Traced::QueueEntry(_) => EventKind::QueueEntry,
        }
    }

    pub(crate) fn location(self) -> Location {
        match self {
            Traced::Fd(fde) => fde.location(),
            Traced::Signal(se) => se.location(),
            Traced::Timer(te) => te.location(),
            Traced::Immediate(im) => im.location(),
            Traced::QueueEntry(entry) => entry.location(),
        }
    }

    pub(crate) fn tag(self) -> u64 {
        match self {
            Traced::Fd(fde) => fde.tag(),
            Traced::Signal(se) => se.tag(),
            Traced::Timer(te) => te.tag(),
            Traced::Immediate(im) => im.tag(),
            Traced::QueueEntry(entry) => entry.tag(),
        }
    }
}

/// What an event is.
pub(crate) struct What<'a>(Traced<'a>);

impl fmt::Display for What<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Traced::Fd(fde) => write!(f, "fd {} {:?}", fde.fd(), fde.flags()),
            Traced::Signal(se) => write!(f, "signal {} {:?}", se.signal(), se.flags()),
            Traced::Timer(_) => f.write_str("timer"),
            Traced::Immediate(_) => f.write_str("immediate"),
            Traced::QueueEntry(entry) => write!(f, "entry of queue `{}`", entry.queue_name()),
        }
    }
}

/// What it is and where it was created, in one line.
impl fmt::Display for Traced<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what())?;
        if self.tag() != 0 {
            write!(f, ", tag {:#x}", self.tag())?;
        }
        write!(f, ", created at {}", self.location())
    }
}
