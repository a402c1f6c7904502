//! Noticing that the process is the child of a fork, without a system call (LOOP-9).

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

static FORKS: AtomicU32 = AtomicU32::new(0);
static WATCHED: Once = Once::new();

/// How many forks lie between this process and the one that called [`watch`] first.
pub(crate) fn generation() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Has forks counted from now on. To be called before anything is made that a child must not touch.
pub(crate) fn watch() {
    WATCHED.call_once(|| {
        // SAFETY: the handler does nothing but add to an atomic number, which is allowed in a forked child.
        let refused = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        assert!(refused == 0, "no memory for a fork handler");
    });
}

extern "C" fn in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}
