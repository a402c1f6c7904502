//! Noticing that the process is the child of a fork, without a system call (LOOP-9).

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::signal::arrivals;

static FORKS: AtomicU32 = AtomicU32::new(0);
static WATCHED: Once = Once::new();

/// How many forks lie between this process and the one in which [`watch`] was called first.
#[inline]
pub(crate) fn generation() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Counts forks from now on.
pub(crate) fn watch() {
    WATCHED.call_once(|| {
        // SAFETY: the handlers touch nothing but atomics, which is allowed in a forked child too.
        let refused = unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
        assert!(refused == 0, "no memory for a fork handler");
    });
}

/// Nobody is in the middle of a change of what signals do, which would never end in the child.
extern "C" fn before() {
    arrivals::turnstile().close();
}

extern "C" fn in_parent() {
    arrivals::turnstile().open();
}

extern "C" fn in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    arrivals::forget_other_threads();
    arrivals::turnstile().open();
}
