//! The only unsafe code: system calls that no dependency offers in a safe form, a value for one thread, a place in one word, a pointer of
//! one word to an event with its handler and the room for it, one word for that or a box, a closure and an owner that need no box, an `Rc` made in its place.

#![allow(unsafe_code, reason = "the one place for it; every block says why it is sound")]

pub(crate) mod epoll;
pub(crate) mod event_or_box;
pub(crate) mod event_rc;
pub(crate) mod eventfd;
pub(crate) mod fork;
pub(crate) mod in_place;
pub(crate) mod kept;
pub(crate) mod own_thread;
pub(crate) mod parcel;
pub(crate) mod place;
pub(crate) mod poll;
mod room;
pub(crate) mod sigaction;

use std::time::Duration;

/// A time-out as epoll and poll take it: milliseconds, rounded up so that no timer fires early, at most what fits
/// (24.8 days, LOOP-2), and -1 for ever.
fn milliseconds(timeout: Option<Duration>) -> libc::c_int {
    let Some(timeout) = timeout else { return -1 };
    if timeout.is_zero() {
        return 0;
    }
    // Not `as_nanos`, whose 128 bits take long to divide, before each wait.
    let rounded = u64::from(timeout.subsec_nanos()).div_ceil(1_000_000);
    libc::c_int::try_from(timeout.as_secs().saturating_mul(1000).saturating_add(rounded))
        .unwrap_or(libc::c_int::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loop_2_a_wait_is_rounded_up_and_clamped() {
        assert_eq!(milliseconds(None), -1);
        assert_eq!(milliseconds(Some(Duration::ZERO)), 0);
        assert_eq!(milliseconds(Some(Duration::from_nanos(1))), 1);
        assert_eq!(milliseconds(Some(Duration::from_millis(7))), 7);
        assert_eq!(milliseconds(Some(Duration::new(1, 999_000_001))), 2000);
        assert_eq!(milliseconds(Some(Duration::MAX)), libc::c_int::MAX);
    }
}
