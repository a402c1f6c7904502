//! Sending signals to this process, one test at a time: what a signal does is the whole process's.

#![allow(unsafe_code, reason = "no safe crate offers sigqueue or a look at the action of a signal")]
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whoever sends signals or looks at what they do holds it.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// To this thread; delivered before it returns.
pub fn raise(signal: i32) {
    signal_hook::low_level::raise(signal).unwrap();
}

/// To this thread, with a number; delivered before it returns, unless it is held back.
pub fn raise_with(signal: i32, value: i32) {
    let value = libc::sigval { sival_ptr: usize::try_from(value).unwrap() as *mut _ };
    // SAFETY: takes no pointer.
    let thread = unsafe { libc::pthread_self() };
    // SAFETY: the thread runs; no pointer is followed.
    let refused = unsafe { libc::pthread_sigqueue(thread, signal, value) };
    assert_eq!(refused, 0);
}

/// To this process, with a number.
pub fn queue(signal: i32, value: i32) -> std::io::Result<()> {
    let value = libc::sigval { sival_ptr: usize::try_from(value).unwrap() as *mut _ };
    // SAFETY: takes no pointer that it follows.
    let refused = unsafe { libc::sigqueue(this_process(), signal, value) };
    if refused == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

fn this_process() -> i32 {
    i32::try_from(std::process::id()).unwrap()
}

/// To this process, whichever thread the kernel picks.
pub fn send(signal: i32) {
    // SAFETY: takes no pointer.
    let refused = unsafe { libc::kill(this_process(), signal) };
    assert_eq!(refused, 0);
}

/// The address of the function that the system calls for a signal, and with which flags.
pub fn action(signal: i32) -> (usize, i32) {
    // SAFETY: all bytes zero are a valid sigaction.
    let mut old: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: only the old action is asked for, and there is room for it.
    let refused = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut old) };
    assert_eq!(refused, 0);
    (old.sa_sigaction, old.sa_flags)
}

/// Whether this thread blocks a signal.
pub fn is_blocked(signal: i32) -> bool {
    // SAFETY: all bytes zero are a valid set.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: only the old mask is asked for, and there is room for it.
    let refused = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut set) };
    assert_eq!(refused, 0);
    // SAFETY: the set has been filled in.
    unsafe { libc::sigismember(&raw const set, signal) == 1 }
}
