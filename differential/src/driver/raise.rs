//! Sending signals to this thread.

#![allow(unsafe_code, reason = "no safe crate offers pthread_sigqueue")]

/// How many signals scenarios know.
pub(super) const NUMBERS: usize = 4;

/// Two standard signals and two real-time ones.
pub(super) fn number(line: usize) -> i32 {
    [libc::SIGUSR1, libc::SIGUSR2, libc::SIGRTMIN() + 1, libc::SIGRTMIN() + 2][line % NUMBERS]
}

/// Delivered before it returns, unless it is held back.
pub(super) fn raise(line: usize, value: u32) {
    let value = libc::sigval { sival_ptr: std::ptr::without_provenance_mut(value as usize) };
    // SAFETY: takes no pointer.
    let thread = unsafe { libc::pthread_self() };
    // SAFETY: the thread runs; the value is a number, and nobody follows it.
    let refused = unsafe { libc::pthread_sigqueue(thread, number(line), value) };
    assert_eq!(refused, 0, "pthread_sigqueue");
}
