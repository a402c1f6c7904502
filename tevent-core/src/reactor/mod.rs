//! The kernel's side of the loop, behind one small trait.
//!
//! What a backend owes:
//!
//! - **Level-triggered.** As long as a condition of a watched number holds, it is reported by later waits.
//! - **In rotation.** No number is reported twice while another that is ready has not been reported (FD-12).
//! - **Its own key.** A report carries the key of the latest `watch` or `change` of its number.
//! - **Failures as the kernel gives them.** `EPERM` for a file that cannot be watched, `EBADF` for a number
//!   that is not open, `EEXIST` and `ENOENT` where the kernel knows more or less than the table thought.
//! - **Nothing after `forget`** of a number that is still open.
//! - **`wait`** appends at most the batch the backend was made with, never waits longer than asked (but
//!   rounds up to its clock's step), and gives `Interrupted` when a signal ended it.
//! - **`reset`** leaves a backend that watches nothing and reports nothing of before.
//! - **`object`** is readable whenever a wait would report something, after `arm`.

mod epoll;
mod rearm;
mod sim;

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use crate::fd_flags::FdFlags;

pub(crate) use epoll::Epoll;
pub(crate) use rearm::Rearm;
pub(crate) use sim::{Sim, SimClock};

pub(crate) trait Reactor {
    fn watch(&mut self, key: SlotKey, flags: FdFlags) -> io::Result<()>;
    fn change(&mut self, key: SlotKey, flags: FdFlags) -> io::Result<()>;
    fn forget(&mut self, key: SlotKey) -> io::Result<()>;
    fn reset(&mut self) -> io::Result<()>;
    fn wait(&mut self, timeout: Option<Duration>, reports: &mut Vec<Report>) -> io::Result<()>;

    /// The kernel object, if there is one.
    fn object(&self) -> Option<RawFd>;

    /// What was reported and not armed since is armed now, and not only by the next wait.
    fn arm(&mut self) {}
}

/// One number that is ready.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    pub(crate) key: SlotKey,
    /// What events on the number may be told. Hang-up, error and half-close stand in it as READ and ERROR.
    pub(crate) ready: FdFlags,
    /// Hang-up or error: events that ask WRITE alone are not told (FD-6).
    pub(crate) failed: bool,
    /// The number is not open (FD-3).
    pub(crate) not_open: bool,
}

impl Report {
    /// `plain` is what can be read and written; a half-close, hang-up or error stands in the report as READ and ERROR.
    fn new(key: SlotKey, plain: FdFlags, half_closed: bool, failed: bool) -> Self {
        let ended = (FdFlags::READ | FdFlags::ERROR).when(half_closed || failed);
        Report { key, ready: plain | ended, failed, not_open: false }
    }
}

/// Names what is known of one fd number. The generation makes a key of a number that has become another file a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotKey {
    pub(crate) number: RawFd,
    pub(crate) generation: u32,
}

/// How many bits of a token are the number, the lower ones. On machines with small words that is what the kernel allows by
/// default.
const NUMBER_BITS: u32 = if usize::BITS == 64 { 32 } else { 20 };

/// Whether there can be a key for that number.
pub(crate) fn fits_into_token(number: RawFd) -> bool {
    u32::try_from(number).is_ok_and(|number| number.checked_shr(NUMBER_BITS).unwrap_or(0) == 0)
}

/// A key as the number that the kernel hands back.
fn token_of(key: SlotKey) -> usize {
    debug_assert!(fits_into_token(key.number), "the table lets no other in");
    key.number.cast_unsigned() as usize | (key.generation as usize) << NUMBER_BITS
}

fn key_of(token: usize) -> SlotKey {
    #[allow(clippy::cast_possible_truncation, reason = "each part was no larger in `token_of`")]
    let (number, generation) = ((token & ((1 << NUMBER_BITS) - 1)) as u32, (token >> NUMBER_BITS) as u32);
    SlotKey { number: number.cast_signed(), generation }
}

/// The generation after this one, among as many as a token has room for.
pub(crate) fn next_generation(generation: u32) -> u32 {
    generation.wrapping_add(1) & (u32::MAX >> (32 - (usize::BITS - NUMBER_BITS)))
}
