//! The state of a request, and what has to wait while it is borrowed.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;

use crate::panics::Panics;

type Job = Box<dyn FnOnce()>;

/// A state that is lent to one closure at a time. What arrives meanwhile waits in a queue, which is worked off in
/// order as soon as the borrow ends, also when it ends by a panic.
pub(super) struct StateCell<S> {
    state: RefCell<Option<S>>,
    /// Made with the first that waits.
    waiting: OnceCell<Box<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    jobs: RefCell<VecDeque<Job>>,
    working_off: Cell<bool>,
}

/// Somebody is working on the state.
#[derive(Debug)]
pub(super) struct Borrowed;

impl<S> StateCell<S> {
    pub(super) const fn new(state: S) -> Self {
        StateCell { state: RefCell::new(Some(state)), waiting: OnceCell::new() }
    }

    /// Lends the state; `None` when it is gone.
    pub(super) fn lend<R>(&self, work: impl FnOnce(&mut S) -> R) -> Result<Option<R>, Borrowed> {
        // Dropped in the reverse order: first the borrow, then what waited for its end.
        let _after = WorkOff(self);
        let mut state = self.state.try_borrow_mut().map_err(|_| Borrowed)?;
        Ok(state.as_mut().map(work))
    }

    /// For what has to wait until the borrow has ended.
    #[cold]
    pub(super) fn put_off(&self, job: impl FnOnce() + 'static) {
        self.waiting.get_or_init(Box::default).jobs.borrow_mut().push_back(Box::new(job));
    }

    /// Takes the state out, to be dropped by the caller. Nobody may be working on it.
    pub(super) fn take(&self) -> Option<S> {
        self.state.try_borrow_mut().ok()?.take()
    }

    pub(super) fn is_borrowed(&self) -> bool {
        self.state.try_borrow_mut().is_err()
    }
}

struct WorkOff<'a, S>(&'a StateCell<S>);

impl<S> Drop for WorkOff<'_, S> {
    fn drop(&mut self) {
        let cell = self.0;
        // Jobs that borrow the state again leave what comes up meanwhile to the outermost.
        let Some(waiting) = cell.waiting.get() else { return };
        if waiting.working_off.get() || cell.is_borrowed() {
            return;
        }
        waiting.working_off.set(true);
        let mut panics = Panics::default();
        let next = || waiting.jobs.borrow_mut().pop_front();
        while let Some(job) = next() {
            panics.catch(job);
        }
        waiting.working_off.set(false);
        panics.resume();
    }
}
