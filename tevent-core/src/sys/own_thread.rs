//! A value that only the thread that made it can look at, inside of something that every thread can hold.

use std::thread::{self, ThreadId};

/// Without a lock, so that a forked child finds it as it was.
pub(crate) struct OwnThread<T> {
    thread: ThreadId,
    value: T,
}

// SAFETY: a shared reference to the value is handed out on one thread alone, so no two threads look at it at a time. It may
// be dropped by another thread, with the last share of whatever holds it, which T: Send allows.
unsafe impl<T: Send> Sync for OwnThread<T> {}

impl<T> OwnThread<T> {
    pub(crate) fn new(value: T) -> Self {
        OwnThread { thread: thread::current().id(), value }
    }

    /// The value, on its own thread.
    pub(crate) fn get(&self) -> Option<&T> {
        (thread::current().id() == self.thread).then_some(&self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn other_threads_do_not_see_it() {
        let value = OwnThread::new(Cell::new(7));
        thread::scope(|scope| {
            scope.spawn(|| assert!(value.get().is_none()));
        });
        assert_eq!(value.get().map(Cell::get), Some(7));
    }
}
