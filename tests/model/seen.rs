//! What can be seen of a loop from outside, said alike by the loop and by the model.

/// `None` is the zero time, else milliseconds from the start of the case.
pub(crate) type Due = Option<u64>;

/// One thing that happened. The logs of the loop and of the model must be the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Fd {
        fd: usize,
        flags: u16,
    },
    Closed {
        fd: usize,
    },
    Timer {
        timer: usize,
        now: Due,
    },
    Im {
        im: usize,
        once: bool,
    },
    Callback {
        req: usize,
        outcome: Outcome,
    },
    Subreq {
        parent: usize,
        child: usize,
        outcome: Outcome,
    },
    Cleanup {
        req: usize,
        state: u8,
    },
    Cancel {
        req: usize,
    },
    Trigger {
        req: usize,
        entry: usize,
    },
    /// What a call returned.
    Said(&'static str, bool),
    Turned(Turned),
    /// After an operation.
    Looks(Box<Looks>),
    /// Only the model says this: the loop did what the clauses do not allow.
    Illegal(String),
}

impl Entry {
    /// What has to happen often enough for the test to mean something.
    pub(crate) const KINDS: [&str; 12] = [
        "fd",
        "close function",
        "timer",
        "zero timer",
        "immediate",
        "callback",
        "subreq",
        "cleanup",
        "cancel",
        "trigger",
        "would block",
        "deadlock",
    ];

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Entry::Fd { .. } => "fd",
            Entry::Closed { .. } => "close function",
            Entry::Timer { now: Some(_), .. } => "timer",
            Entry::Timer { now: None, .. } => "zero timer",
            Entry::Im { .. } => "immediate",
            Entry::Callback { .. } => "callback",
            Entry::Subreq { .. } => "subreq",
            Entry::Cleanup { .. } => "cleanup",
            Entry::Cancel { .. } => "cancel",
            Entry::Trigger { .. } => "trigger",
            Entry::Said(..) => "answer",
            Entry::Turned(Turned::Ok) => "turn",
            Entry::Turned(Turned::WouldBlock) => "would block",
            Entry::Turned(Turned::Deadlock) => "deadlock",
            Entry::Looks(_) => "look",
            Entry::Illegal(_) => "illegal",
        }
    }
}

/// State and code of a request; the numbers of the states are C's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) state: u8,
    pub(crate) code: u64,
}

pub(crate) const IN_PROGRESS: Outcome = Outcome { state: 1, code: 0 };
pub(crate) const DONE: Outcome = Outcome { state: 2, code: 0 };
pub(crate) const USER_ERROR: u8 = 3;
pub(crate) const TIMED_OUT: Outcome = Outcome { state: 4, code: 0 };
pub(crate) const NO_MEMORY: Outcome = Outcome { state: 5, code: 0 };
pub(crate) const RECEIVED: Outcome = Outcome { state: 6, code: 0 };

/// How a call that runs the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turned {
    Ok,
    WouldBlock,
    /// It would have waited for ever.
    Deadlock,
}

/// All that can be read back, each with the number of its object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Looks {
    pub(crate) now: u64,
    pub(crate) fds: Vec<(usize, u16)>,
    /// When it is due, if it is pending.
    pub(crate) timers: Vec<(usize, Option<Due>)>,
    /// Whether it is scheduled.
    pub(crate) immediates: Vec<(usize, bool)>,
    /// With whether it has a callback that would run.
    pub(crate) reqs: Vec<(usize, Outcome, bool)>,
    /// Length, and whether it runs.
    pub(crate) queues: Vec<(usize, usize, bool)>,
    /// Whether it is queued, and whether it was triggered.
    pub(crate) entries: Vec<(usize, bool, bool)>,
    /// How many handlers of fds, timers, immediates and single schedules, and how many states have not been dropped.
    /// Only where no handler runs.
    pub(crate) alive: Option<[usize; 5]>,
}

/// What one turn of the loop chose, which the model verifies and follows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Choice {
    /// The file that was served, be it that a handler ran, be it that writers were silenced.
    pub(crate) served: Option<usize>,
    /// It succeeded without anything to be seen.
    pub(crate) quiet: bool,
}
