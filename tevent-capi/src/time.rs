//! `struct timeval` and the functions for it.

use std::ffi::c_int;

use libc::timeval;

use crate::chunk::Out;
use crate::export::export;
use crate::sys;

const MILLION: i64 = 1_000_000;

pub const ZERO: timeval = timeval { tv_sec: 0, tv_usec: 0 };

pub fn is_zero(tv: timeval) -> bool {
    tv.tv_sec == 0 && tv.tv_usec == 0
}

/// The later of two.
pub fn later(one: timeval, other: timeval) -> timeval {
    if (one.tv_sec, one.tv_usec) < (other.tv_sec, other.tv_usec) { other } else { one }
}

fn add(tv: timeval, secs: u32, usecs: u32) -> timeval {
    let usecs = tv.tv_usec + i64::from(usecs);
    timeval { tv_sec: tv.tv_sec + i64::from(secs) + usecs / MILLION, tv_usec: usecs % MILLION }
}

fn until(from: timeval, to: timeval) -> timeval {
    if (from.tv_sec, from.tv_usec) >= (to.tv_sec, to.tv_usec) {
        return ZERO;
    }
    let (secs, usecs) = (to.tv_sec - from.tv_sec, to.tv_usec - from.tv_usec);
    if usecs < 0 {
        return timeval { tv_sec: secs - 1, tv_usec: usecs + MILLION };
    }
    timeval { tv_sec: secs, tv_usec: usecs }
}

fn given(tv: Out<timeval>) -> timeval {
    tv.get().unwrap_or(ZERO)
}

export! {
    fn tevent_timeval_compare(tv1: Out<timeval>, tv2: Out<timeval>) -> c_int {
        let (one, other) = (given(tv1), given(tv2));
        (one.tv_sec, one.tv_usec).cmp(&(other.tv_sec, other.tv_usec)) as c_int
    }

    fn tevent_timeval_zero() -> timeval {
        ZERO
    }

    fn tevent_timeval_current() -> timeval {
        sys::wall()
    }

    fn tevent_timeval_set(secs: u32, usecs: u32) -> timeval {
        timeval { tv_sec: i64::from(secs), tv_usec: i64::from(usecs) }
    }

    fn tevent_timeval_until(tv1: Out<timeval>, tv2: Out<timeval>) -> timeval {
        until(given(tv1), given(tv2))
    }

    fn tevent_timeval_is_zero(tv: Out<timeval>) -> bool {
        is_zero(given(tv))
    }

    fn tevent_timeval_add(tv: Out<timeval>, secs: u32, usecs: u32) -> timeval {
        add(given(tv), secs, usecs)
    }

    fn tevent_timeval_current_ofs(secs: u32, usecs: u32) -> timeval {
        add(sys::wall(), secs, usecs)
    }
}
