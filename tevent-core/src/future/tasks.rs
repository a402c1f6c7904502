//! The tasks of a context: which are woken, and how many polls they have had since the loop last looked at its fds.

use std::cell::{Cell, RefCell};
use std::io;
use std::sync::Arc;

use super::waking::{Queue, Woken};
use crate::context::ContextRef;
use crate::immediate::ImmediateRef;
use crate::list::{Key, List};
use crate::sys::own_thread::OwnThread;
use crate::threaded::WeakThreads;

/// How many polls tasks have before the loop looks at its timers and fds again. A poll is an immediate, and immediates come
/// first (LOOP-1): without a bound a task that wakes itself at once would starve all fds.
const BUDGET: u32 = 32;

/// A context's tasks.
pub(crate) struct Tasks {
    /// What polls each.
    polls: RefCell<List<ImmediateRef>>,
    woken: Arc<Woken>,
    /// Polls since the loop last looked at its fds.
    spent: Cell<u32>,
    /// Turns since then that tasks had to wait in, because something else was always ready.
    waited: Cell<u32>,
}

impl Default for Tasks {
    fn default() -> Self {
        Tasks {
            polls: RefCell::new(List::new()),
            woken: Arc::new(OwnThread::new(Queue::default())),
            spent: Cell::new(0),
            waited: Cell::new(0),
        }
    }
}

impl Tasks {
    pub(super) fn add(&self, ev: &ContextRef, poll: ImmediateRef) -> Key {
        ev.stir();
        self.polls.borrow_mut().push_back(poll)
    }

    pub(super) fn remove(&self, task: Key) {
        let poll = self.polls.borrow_mut().remove(task);
        if let Some(poll) = poll {
            poll.reset();
        }
    }

    pub(super) fn woken(&self) -> &Arc<Woken> {
        &self.woken
    }

    /// The loop has looked at its fds: tasks have a new budget.
    pub(crate) fn looked_at_fds(&self) {
        self.spent.set(0);
        self.waited.set(0);
    }

    /// Whether there is no task.
    pub(crate) fn is_empty(&self) -> bool {
        self.polls.borrow().is_empty()
    }

    /// Whether a task was woken that has not joined the immediates.
    #[inline]
    pub(crate) fn are_woken(&self) -> bool {
        !self.is_empty() && self.is_one_woken()
    }

    fn is_one_woken(&self) -> bool {
        let Some(woken) = self.woken.get() else { return false };
        let (mut woken, polls) = (woken.tasks.borrow_mut(), self.polls.borrow());
        // Those that have ended meanwhile are forgotten.
        while woken.front().is_some_and(|task| polls.get(*task).is_none()) {
            woken.pop_front();
        }
        !woken.is_empty()
    }

    /// The polls of woken tasks join the immediates, at their tail, as far as there is budget; what is beyond it waits for the next
    /// look at the fds.
    pub(crate) fn move_to_immediates(&self, ev: &ContextRef) {
        if !self.are_woken() {
            return;
        }
        if self.spent.get() >= BUDGET {
            // What never lets the loop look at its fds, such as a timer that is always due, does not shut out tasks for ever.
            self.waited.set(self.waited.get() + 1);
            if self.waited.get() > BUDGET {
                self.waited.set(0);
                self.spent.set(BUDGET - 1);
            }
        }
        while self.spent.get() < BUDGET {
            let next = self.woken.get().and_then(|woken| woken.tasks.borrow_mut().pop_front());
            let Some(task) = next else { break };
            let poll = self.polls.borrow().get(task).cloned();
            if let Some(poll) = poll {
                self.spent.set(self.spent.get() + 1);
                poll.schedule(ev);
            }
        }
    }

    /// Whether a foreign loop may sleep.
    pub(crate) fn host_sleeps(&self, sleeps: bool) {
        if let Some(woken) = self.woken.get() {
            woken.host_sleeps.set(sleeps);
        }
    }

    /// The first poll of a new task counts as any other, and waits for its turn behind those that wait already.
    pub(super) fn begin(&self, ev: &ContextRef, task: Key, poll: &ImmediateRef) {
        if self.spent.get() < BUDGET && !self.are_woken() {
            self.spent.set(self.spent.get() + 1);
            poll.schedule(ev);
        } else {
            self.woken_afar(task);
            ev.is_due_earlier();
        }
    }

    /// Before a foreign loop may sleep: what wakes it then, which a fork has made useless. Without tasks there is nothing to wake it for.
    pub(crate) fn wake_host(&self, ev: &ContextRef) -> io::Result<()> {
        let Some(woken) = self.woken.get() else { return Ok(()) };
        let dead = woken.host.borrow().as_ref().is_none_or(WeakThreads::is_dead);
        if dead && !self.polls.borrow().is_empty() {
            let threads = ev.threaded()?.downgrade();
            woken.host.replace(Some(threads));
        }
        Ok(())
    }

    /// The polls of woken tasks that have not joined the immediates.
    pub(crate) fn waiting(&self) -> Vec<ImmediateRef> {
        let Some(woken) = self.woken.get() else { return Vec::new() };
        let (woken, polls) = (woken.tasks.borrow(), self.polls.borrow());
        woken.iter().filter_map(|task| polls.get(*task).cloned()).collect()
    }

    /// One that another thread has woken, or that is new.
    pub(crate) fn woken_afar(&self, task: Key) {
        if let Some(woken) = self.woken.get() {
            woken.tasks.borrow_mut().push_back(task);
        }
    }

    /// The context goes, or begins anew: no task is polled again.
    pub(crate) fn forget_all(&self) {
        while let Some(poll) = self.polls.borrow_mut().pop_front() {
            drop(poll);
        }
    }
}
