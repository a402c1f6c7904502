//! A bound on how deep callbacks and drops of user code may stand on top of each other.
//!
//! A request that finishes calls back at once, and the callback may finish the next one; an owner that is
//! dropped drops its state, which may own the next. A chain of 100,000 of them would overflow the stack. So
//! what stands deeper than [`LIMIT`] is put into a queue, which the level at the limit works off as soon as
//! what it called has returned.
//!
//! The count is the thread's: requests belong to no context, and what is bounded is the thread's stack.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use crate::panics::Panics;

/// How many callbacks and drops run on top of each other before the next has to wait.
pub(crate) const LIMIT: u32 = 64;

type Job = Box<dyn FnOnce()>;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static LATER: RefCell<VecDeque<Job>> = const { RefCell::new(VecDeque::new()) };
}

/// Runs the job now, or, when [`LIMIT`] of them stand on top of each other, once the last has returned.
pub(crate) fn bounded(job: impl FnOnce() + 'static) {
    if DEPTH.get() < LIMIT {
        let _level = Level::enter();
        job();
        return;
    }
    let mut job: Option<Job> = Some(Box::new(job));
    // While the thread ends its queue may be gone; then the job runs here.
    let _ = LATER.try_with(|later| later.borrow_mut().extend(job.take()));
    if let Some(job) = job {
        job();
    }
}

/// Drops a value of the user's, whose `Drop` may drop the next owner, and so on.
pub(crate) fn bounded_drop<T: 'static>(value: T) {
    if std::mem::needs_drop::<T>() {
        bounded(move || drop(value));
    }
}

/// While it lives depth is counted from zero again: a nested loop must see the callbacks it waits for.
pub(crate) struct Scope {
    outer: u32,
}

impl Scope {
    pub(crate) fn enter() -> Self {
        let scope = Scope { outer: DEPTH.replace(0) };
        if scope.outer >= LIMIT {
            work_off();
        }
        scope
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        DEPTH.set(self.outer);
    }
}

struct Level;

impl Level {
    fn enter() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Level
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        let mut panics = Panics::default();
        if DEPTH.get() == LIMIT {
            // Still at the limit: what these jobs call joins the queue instead of the stack.
            panics.catch(work_off);
        }
        DEPTH.set(DEPTH.get() - 1);
        panics.resume();
    }
}

fn work_off() {
    let mut panics = Panics::default();
    let next = || LATER.try_with(|later| later.borrow_mut().pop_front());
    while let Ok(Some(job)) = next() {
        panics.catch(job);
    }
    panics.resume();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    fn chain(left: u32, done: Rc<Cell<u32>>) {
        done.set(done.get() + 1);
        if left > 0 {
            bounded(move || chain(left - 1, done));
        }
    }

    #[test]
    fn a_long_chain_runs_to_its_end_in_bounded_stack() {
        let done = Rc::new(Cell::new(0));
        let at_end = Rc::clone(&done);
        bounded(move || chain(200_000, at_end));
        assert_eq!(done.get(), 200_001);
        assert_eq!(DEPTH.get(), 0);
    }
}
