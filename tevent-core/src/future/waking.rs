//! Waking a task, from its own thread or another.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use crate::list::Key;
use crate::sys::fork;
use crate::sys::own_thread::OwnThread;
use crate::threaded::WeakThreads;

/// The tasks of a context that were woken by its own thread and have not joined the immediates. No lock and no system call: the
/// loop is awake, and looks here before it sleeps.
pub(super) type Woken = OwnThread<Queue>;

#[derive(Default)]
pub(super) struct Queue {
    pub(super) tasks: RefCell<VecDeque<Key>>,
    /// But for a foreign loop on this thread, which may sleep outside of the loop's turns.
    pub(super) host_sleeps: Cell<bool>,
    /// What wakes that one.
    pub(super) host: RefCell<Option<WeakThreads>>,
}

/// What the waker of one task holds.
pub(super) struct TaskWaker {
    task: Key,
    here: Arc<Woken>,
    afar: WeakThreads,
    /// The process that it was made in, as a count of forks.
    process: u32,
    /// Woken since its last poll began: here, and by another thread. Apart from each other, because a forked child loses what
    /// other threads had on the way.
    woken_here: AtomicBool,
    woken_afar: AtomicBool,
}

impl TaskWaker {
    pub(super) fn new(task: Key, here: Arc<Woken>, afar: WeakThreads) -> Self {
        let [woken_here, woken_afar] = [false, false].map(AtomicBool::new);
        TaskWaker { task, here, afar, process: fork::generation(), woken_here, woken_afar }
    }

    /// Whether it is a forked child's, where no other thread can wake it.
    pub(super) fn is_dead_afar(&self) -> bool {
        self.process != fork::generation()
    }

    /// Its poll begins: whatever wakes it from now on has it polled again.
    pub(super) fn begin_poll(&self) {
        self.woken_here.store(false, Ordering::Relaxed);
        // What was written before the wake is seen by the poll.
        self.woken_afar.swap(false, Ordering::AcqRel);
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        match self.here.get() {
            Some(woken) => {
                if !self.woken_here.swap(true, Ordering::Relaxed) {
                    woken.tasks.borrow_mut().push_back(self.task);
                    if woken.host_sleeps.get()
                        && let Some(host) = &*woken.host.borrow()
                    {
                        host.ring();
                    }
                }
            }
            None => {
                if !self.woken_afar.swap(true, Ordering::AcqRel) {
                    self.afar.wake(self.task);
                }
            }
        }
    }
}
