//! Who in this process listens to which signal, as the operating system's handler sees it (SIG-7).
//!
//! The handler may interrupt anything in any thread, so it takes no lock and frees nothing: it walks listeners that are
//! never freed, only put to new use, and touches atomics. What can go away, the bell, waits until no handler is on its way.

use std::io;
use std::os::fd::RawFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::thread;

use super::ring::{Ring, Words};
use crate::sys::sigaction::{self, Interrupted, Turnstile};

/// Real-time signals end at 64 on Linux.
const SIGNALS: usize = 65;

/// How many deliveries wait in a listener before the signal is held back (SIG-2).
const QUEUE: usize = 256;

/// How many more a listener takes in its own thread, if one comes through although it is held back.
const SPARE: usize = QUEUE / 2;

/// And room for handlers that were under way in other threads by then.
const ROOM: usize = 2 * QUEUE;

/// All that arrives on one signal.
struct Line {
    /// The head of a chain that only grows.
    first: OnceLock<&'static Listener>,
    /// How many listeners are at work; the first of them catches the signal and the last gives it back.
    listening: AtomicU32,
    /// Handlers under way.
    under_way: AtomicU32,
}

static LINES: [Line; SIGNALS] =
    [const { Line { first: OnceLock::new(), listening: AtomicU32::new(0), under_way: AtomicU32::new(0) } };
        SIGNALS];

/// Grows with each delivery of any signal.
static ARRIVED: AtomicU64 = AtomicU64::new(0);

/// Held by whoever starts or stops listening, never by the handler; and while the process forks, so that it is free in
/// the child.
static CHANGING: Turnstile = Turnstile::new();

/// One context's share in one signal.
struct Listener {
    next: OnceLock<&'static Listener>,
    /// Belongs to a subscription. Changed under the turnstile.
    taken: AtomicBool,
    /// Wants to be told.
    active: AtomicBool,
    count: AtomicU32,
    /// For events that are told what the kernel says; made with the first of them.
    ring: OnceLock<Ring>,
    keeps_info: AtomicBool,
    /// The signal is blocked in the loop's thread until there is room again.
    held_back: AtomicBool,
    /// The fd that wakes the loop, or −1, and whether it was rung since it was last silent.
    bell: AtomicI32,
    rung: AtomicBool,
    /// Where the loop is.
    process: AtomicI32,
    thread: AtomicI32,
}

impl Listener {
    const fn new() -> Self {
        Listener {
            next: OnceLock::new(),
            taken: AtomicBool::new(false),
            active: AtomicBool::new(false),
            count: AtomicU32::new(0),
            ring: OnceLock::new(),
            keeps_info: AtomicBool::new(false),
            held_back: AtomicBool::new(false),
            bell: AtomicI32::new(-1),
            rung: AtomicBool::new(false),
            process: AtomicI32::new(0),
            thread: AtomicI32::new(0),
        }
    }

    /// Where deliveries are kept, if it keeps them.
    fn kept(&self) -> Option<&Ring> {
        self.ring.get().filter(|_| self.keeps_info.load(SeqCst))
    }

    fn is_full(&self) -> bool {
        self.keeps_at_least(QUEUE)
    }

    fn keeps_at_least(&self, many: usize) -> bool {
        self.kept().is_some_and(|ring| ring.len() >= many)
    }

    /// The loop's thread. In a forked child that the loop has not noticed yet it is the one that has forked, and runs this.
    fn thread_in(&self, process: i32) -> i32 {
        if self.process.load(SeqCst) == process { self.thread.load(SeqCst) } else { sigaction::thread() }
    }

    fn note(&self, words: Words) {
        if let Some(ring) = self.kept() {
            ring.push(words);
        }
        self.count.fetch_add(1, SeqCst);
    }

    /// A loop of the parent process is not woken by what its child is sent (LOOP-9).
    fn ring_bell(&self, process: i32) {
        let bell = self.bell.load(SeqCst);
        if bell >= 0 && self.process.load(SeqCst) == process && !self.rung.swap(true, SeqCst) {
            sigaction::ring(bell);
        }
    }
}

fn line(signal: i32) -> Option<&'static Line> {
    LINES.get(usize::try_from(signal).ok()?)
}

/// The chain of listeners from there on.
fn chain(first: &'static OnceLock<&'static Listener>) -> impl Iterator<Item = &'static Listener> {
    let mut next = first;
    std::iter::from_fn(move || {
        let listener = *next.get()?;
        next = &listener.next;
        Some(listener)
    })
}

/// A signal is delivered: for the operating system's handler alone.
pub(crate) fn deliver(signal: i32, words: Words, interrupted: &mut Interrupted<'_>) {
    let Some(line) = line(signal) else { return };
    line.under_way.fetch_add(1, SeqCst);
    let active = || chain(&line.first).filter(|listener| listener.active.load(SeqCst));
    let (process, here) = (sigaction::process(), sigaction::thread());
    // One that has no room has the kernel keep it for the thread of its loop, and nobody is told yet. In that thread itself
    // it is taken nevertheless, as long as that is possible: what the kernel has kept is in order, and this is its first.
    let left_to_kernel = active().find(|listener| listener.is_full()).is_some_and(|full| {
        let thread = full.thread_in(process);
        if thread == here {
            if !full.keeps_at_least(QUEUE + SPARE) {
                return false;
            }
            full.held_back.store(true, SeqCst);
            interrupted.block(signal);
        }
        interrupted.send_on(signal, thread)
    });
    if !left_to_kernel {
        for listener in active() {
            listener.note(words);
            if listener.is_full() && listener.thread_in(process) == here {
                listener.held_back.store(true, SeqCst);
                interrupted.block(signal);
            }
        }
        ARRIVED.fetch_add(1, SeqCst);
        for listener in active() {
            listener.ring_bell(process);
        }
    }
    line.under_way.fetch_sub(1, SeqCst);
}

/// In the child of a fork, where no other thread is.
pub(crate) fn forget_other_threads() {
    for line in &LINES {
        line.under_way.store(0, SeqCst);
        chain(&line.first).filter_map(|listener| listener.ring.get()).for_each(Ring::give_up_unfinished);
    }
}

/// Held while the process forks.
pub(crate) fn turnstile() -> &'static Turnstile {
    &CHANGING
}

/// How many deliveries there have been so far, on any signal.
pub(crate) fn arrived() -> u64 {
    ARRIVED.load(SeqCst)
}

/// A context listens to a signal as long as this lives.
pub(crate) struct Subscription {
    signal: i32,
    listener: &'static Listener,
}

impl Subscription {
    /// # Errors
    /// `EINVAL` for a number that is no signal, or one that cannot be caught.
    pub(crate) fn start(signal: i32, flags: i32) -> io::Result<Self> {
        let invalid = || io::Error::from_raw_os_error(libc::EINVAL);
        let line = line(signal).filter(|_| signal > 0).ok_or_else(invalid)?;
        let _changing = CHANGING.enter();
        let first = line.listening.load(SeqCst) == 0;
        let subscription = Subscription { signal, listener: take_listener(line) };
        subscription.settle();
        subscription.listener.active.store(true, SeqCst);
        if first && let Err(refused) = sigaction::catch(signal, flags) {
            subscription.listener.active.store(false, SeqCst);
            subscription.listener.taken.store(false, SeqCst);
            std::mem::forget(subscription);
            return Err(refused);
        }
        line.listening.fetch_add(1, SeqCst);
        Ok(subscription)
    }

    /// From now on what the kernel says is kept.
    pub(crate) fn keep_info(&self) {
        self.listener.ring.get_or_init(|| Ring::with_capacity(ROOM));
        self.listener.keeps_info.store(true, SeqCst);
    }

    /// Rings that fd when something arrives; −1 for none.
    pub(crate) fn set_bell(&self, bell: RawFd) {
        self.listener.bell.store(bell, SeqCst);
        self.listener.rung.store(false, SeqCst);
        if bell < 0 {
            self.wait_for_handlers();
        } else if self.listener.count.load(SeqCst) > 0 {
            self.listener.ring_bell(sigaction::process());
        }
    }

    /// The loop is in this process and thread, after a fork.
    pub(crate) fn settle(&self) {
        self.listener.process.store(sigaction::process(), SeqCst);
        self.listener.thread.store(sigaction::thread(), SeqCst);
    }

    /// The bell is silent: it may be rung again.
    pub(crate) fn may_ring(&self) {
        self.listener.rung.store(false, SeqCst);
    }

    /// What has arrived since the last take: how often, and what is known of each.
    pub(crate) fn take(&self) -> (u32, Vec<Words>) {
        let listener = self.listener;
        let count = listener.count.swap(0, SeqCst);
        let infos = listener.ring.get().map(|ring| std::iter::from_fn(|| ring.pop()).take(ROOM).collect());
        self.let_through();
        (count, infos.unwrap_or_default())
    }

    /// Now that there is room; what the kernel has kept is delivered before this returns.
    fn let_through(&self) {
        let Some(line) = line(self.signal) else { return };
        if !self.listener.held_back.swap(false, SeqCst) {
            return;
        }
        let (process, here) = (sigaction::process(), sigaction::thread());
        let is_other = |other: &&Listener| !std::ptr::eq(*other, self.listener) && other.active.load(SeqCst);
        let mut others = chain(&line.first).filter(is_other);
        // Another context in this thread may have no room yet: then the signal is held back for that one.
        match others.find(|other| other.is_full() && other.thread_in(process) == here) {
            Some(other) => other.held_back.store(true, SeqCst),
            None => sigaction::unblock(self.signal),
        }
    }

    /// From now on deliveries are only counted, and so never held back.
    pub(crate) fn forget_info(&self) {
        self.listener.keeps_info.store(false, SeqCst);
        self.wait_for_handlers();
        self.drop_infos();
        self.let_through();
    }

    /// What the kernel says of those that have not been taken.
    fn drop_infos(&self) {
        if let Some(ring) = self.listener.ring.get() {
            while ring.pop().is_some() {}
        }
    }

    /// No handler knows what was set before this returns.
    fn wait_for_handlers(&self) {
        let Some(line) = line(self.signal) else { return };
        while line.under_way.load(SeqCst) > 0 {
            thread::yield_now();
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let Some(line) = line(self.signal) else { return };
        let _changing = CHANGING.enter();
        self.listener.active.store(false, SeqCst);
        self.set_bell(-1);
        self.listener.keeps_info.store(false, SeqCst);
        // Pending deliveries are dropped, so that they do not go to whoever listens next (SIG-5). What the kernel has held
        // back comes while it is still caught: the action from before may be to end the process.
        self.take();
        if line.listening.fetch_sub(1, SeqCst) == 1 {
            sigaction::give_back(self.signal);
        }
        self.listener.taken.store(false, SeqCst);
    }
}

/// One that is free, or a new one at the end of the chain. Under the turnstile.
fn take_listener(line: &'static Line) -> &'static Listener {
    let free = chain(&line.first).find(|listener| !listener.taken.load(SeqCst));
    let listener = free.unwrap_or_else(|| {
        let new: &'static Listener = Box::leak(Box::new(Listener::new()));
        let end = chain(&line.first).last().map_or(&line.first, |last| &last.next);
        // Nobody else is here.
        let _ = end.set(new);
        new
    });
    listener.taken.store(true, SeqCst);
    listener
}
