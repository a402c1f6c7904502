//! `errno`.
#![allow(unsafe_code, reason = "errno is what C asks for the reason")]

use std::io;

pub fn set(error: &io::Error) {
    set_code(error.raw_os_error().unwrap_or(libc::EINVAL));
}

pub fn get() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

pub fn set_code(code: i32) {
    // SAFETY: the address of this thread's errno is always valid.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    unsafe { *errno = code };
}
