//! A bound on how deep callbacks and drops of user code may stand on top of each other.
//!
//! A request that finishes calls back at once, and the callback may finish the next one; an owner that is
//! dropped drops its state, which may own the next. A chain of 100,000 of them would overflow the stack. So
//! what stands deeper than [`LIMIT`] is put off until what the level at the limit called has returned, and then done in
//! the order in which it would have been done on the stack.
//!
//! The count is the thread's: requests belong to no context, and what is bounded is the thread's stack.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem::ManuallyDrop;

use crate::panics::Panics;

/// How many callbacks and drops run on top of each other before the next has to wait.
pub(crate) const LIMIT: u32 = 64;

type Job = Box<dyn FnOnce()>;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// Without a destructor, because owners may be dropped by those of other thread-locals: it is empty, and has no room of
    /// its own, whenever nothing is put off.
    static LATER: RefCell<ManuallyDrop<Later>> = const { RefCell::new(ManuallyDrop::new(Later::new())) };
}

struct Later {
    jobs: VecDeque<Job>,
    /// Put off by the job that runs now: they come before what was put off earlier.
    fresh: VecDeque<Job>,
}

impl Later {
    const fn new() -> Self {
        Later { jobs: VecDeque::new(), fresh: VecDeque::new() }
    }

    fn next(&mut self) -> Option<Job> {
        while let Some(job) = self.fresh.pop_back() {
            self.jobs.push_front(job);
        }
        let next = self.jobs.pop_front();
        if next.is_none() {
            *self = Later::new();
        }
        next
    }
}

/// Runs the job now, or, when [`LIMIT`] of them stand on top of each other, once the last has returned.
pub(crate) fn bounded(job: impl FnOnce() + 'static) {
    match room() {
        Some(_level) => job(),
        None => put_off(job),
    }
}

/// Room on the stack for one more callback or drop, as long as it lives; `None` when [`LIMIT`] of them stand there.
#[inline]
pub(crate) fn room() -> Option<Level> {
    let depth = DEPTH.get();
    (depth < LIMIT).then(|| {
        DEPTH.set(depth + 1);
        Level
    })
}

/// For what there is no [room] for: it is done once the last has returned.
#[cold]
pub(crate) fn put_off(job: impl FnOnce() + 'static) {
    LATER.with_borrow_mut(|later| later.fresh.push_back(Box::new(job)));
}

/// Drops values of the user's, whose `Drop` is user code: each of them though another panics, and in bounded stack, as
/// one may own the next, and so on. The first panic goes on its way when all are dropped.
///
/// For crates that bring owners of their own; see [`ChildRef`](crate::ChildRef). No borrow may be held around the call.
///
/// ```
/// let mut closures: Vec<Box<dyn Fn()>> = vec![Box::new(|| ()), Box::new(|| ())];
/// tevent_core::drop_each(std::iter::from_fn(|| closures.pop()));
/// ```
pub fn drop_each<T: 'static>(values: impl IntoIterator<Item = T>) {
    let mut panics = Panics::default();
    for value in values {
        panics.catch(|| bounded(move || drop(value)));
    }
    panics.resume();
}

/// Drops a value of the user's, whose `Drop` may drop the next owner, and so on. If that panics while the thread is
/// unwinding the panic ends here, as a second one would abort the process.
#[inline]
pub(crate) fn bounded_drop<T: 'static>(value: T) {
    if !std::mem::needs_drop::<T>() {
        return;
    }
    let drop = move || drop(value);
    if std::thread::panicking() {
        Panics::default().catch(|| bounded(drop));
    } else {
        bounded(drop);
    }
}

/// While it lives depth is counted from zero again: a nested loop must see the callbacks it waits for.
pub(crate) struct Scope {
    outer: u32,
}

impl Scope {
    #[inline]
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

pub(crate) struct Level;

impl Drop for Level {
    #[inline]
    fn drop(&mut self) {
        if DEPTH.get() == LIMIT {
            leave_limit();
        } else {
            DEPTH.set(DEPTH.get() - 1);
        }
    }
}

#[cold]
fn leave_limit() {
    let mut panics = Panics::default();
    // Still at the limit: what these jobs call joins the queue instead of the stack.
    panics.catch(work_off);
    DEPTH.set(DEPTH.get() - 1);
    panics.resume();
}

#[cold]
fn work_off() {
    let mut panics = Panics::default();
    while let Some(job) = LATER.with_borrow_mut(|later| later.next()) {
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

    /// Notes its number, then makes each of its sub-jobs.
    fn tree(number: u32, depth: u32, order: &Rc<RefCell<Vec<u32>>>) {
        order.borrow_mut().push(number);
        for child in 0..if depth == 0 { 0 } else { 2 } {
            let order = Rc::clone(order);
            bounded(move || tree(number * 10 + child, depth - 1, &order));
        }
    }

    #[test]
    fn what_was_put_off_runs_in_the_order_of_the_stack() {
        let (shallow, deep) = (Rc::<RefCell<Vec<u32>>>::default(), Rc::<RefCell<Vec<u32>>>::default());
        tree(1, 4, &shallow);
        DEPTH.set(LIMIT - 2);
        let order = Rc::clone(&deep);
        bounded(move || tree(1, 4, &order));
        DEPTH.set(0);
        // The two levels that still stand on the stack make their own sub-jobs before the deeper ones.
        assert_eq!(deep.borrow().len(), shallow.borrow().len());
        let below = |order: &RefCell<Vec<u32>>| -> Vec<u32> {
            order.borrow().iter().copied().filter(|n| n.to_string().starts_with("100")).collect()
        };
        assert_eq!(below(&deep), below(&shallow));
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
