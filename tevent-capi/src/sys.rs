//! The few calls of the system.
#![allow(unsafe_code, reason = "functions of the C library's are called here")]

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::ptr;
use std::time::Duration;

use libc::{pid_t, timeval};

/// Why the last call failed.
pub fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// For C, which asks it for the reason.
pub fn set_errno(error: &io::Error) {
    // SAFETY: the address of this thread's errno is always valid.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    unsafe { *errno = error.raw_os_error().unwrap_or(libc::EINVAL) };
}

/// Closes a number that the user asked to be closed: whose it is is the user's care, as in C.
pub fn close(number: RawFd) {
    // SAFETY: takes no pointer.
    unsafe { libc::close(number) };
}

/// Makes an eventfd, or a pipe, readable. Says whether it could.
pub fn ring(number: RawFd) -> bool {
    let one = 1_u64;
    // SAFETY: reads the eight bytes of `one`.
    unsafe { libc::write(number, (&raw const one).cast(), 8) == 8 }
}

/// Until it is readable, a signal comes, or the time is over. `None` is for ever.
pub fn sleep(number: RawFd, timeout: Option<Duration>) {
    let milliseconds = timeout.map_or(-1, |timeout| {
        let rounded_up = timeout.as_nanos().div_ceil(1_000_000);
        c_int::try_from(rounded_up).unwrap_or(c_int::MAX)
    });
    let mut watched = libc::pollfd { fd: number, events: libc::POLLIN, revents: 0 };
    // SAFETY: reads and writes the one pollfd.
    unsafe { libc::poll(&raw mut watched, 1, milliseconds) };
}

/// The wall clock, as C tells the time.
pub fn wall() -> timeval {
    let mut now = MaybeUninit::uninit();
    // SAFETY: fills in the place that it is given; it cannot fail with a valid one.
    unsafe { libc::gettimeofday(now.as_mut_ptr(), ptr::null_mut()) };
    // SAFETY: it has just been filled in.
    unsafe { now.assume_init() }
}

/// A clock, in nanoseconds.
pub fn clock(clock: libc::clockid_t) -> i64 {
    let mut now = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: fills in the place that it is given; it cannot fail with a valid one and a clock that there is.
    unsafe { libc::clock_gettime(clock, now.as_mut_ptr()) };
    // SAFETY: it has just been filled in.
    let now = unsafe { now.assume_init() };
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

pub fn process() -> pid_t {
    // SAFETY: takes no pointer, and always succeeds.
    unsafe { libc::getpid() }
}

/// That function is called in each child of a fork, from now on.
pub fn at_fork(in_child: extern "C" fn()) {
    unsafe extern "C" {
        fn pthread_atfork(
            prepare: Option<extern "C" fn()>,
            parent: Option<extern "C" fn()>,
            child: Option<extern "C" fn()>,
        ) -> c_int;
    }
    // SAFETY: the function stays as long as the library, which is never unloaded.
    unsafe { pthread_atfork(None, None, Some(in_child)) };
}
