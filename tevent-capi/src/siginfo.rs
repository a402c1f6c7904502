//! What a signal's handler is told, in C's form.

use tevent_core::SignalInfo;

/// A `siginfo_t` on Linux, as far as the core keeps it: 128 bytes, of which the kernel's union begins at the 16th.
#[repr(C, align(8))]
pub struct SigInfo {
    signal: i32,
    errno: i32,
    code: i32,
    _pad: i32,
    /// The sender; for a signal of the kernel's the first half of an address.
    pid: u32,
    uid: u32,
    /// The number sent along; of SIGCHLD the status.
    value: u64,
    _rest: [u64; 12],
}

const _: () = assert!(size_of::<SigInfo>() == size_of::<libc::siginfo_t>());

pub fn of(info: SignalInfo) -> SigInfo {
    let (code, pid, uid, value) = info.parts();
    SigInfo { signal: info.signal(), errno: 0, code, _pad: 0, pid, uid, value, _rest: [0; 12] }
}
