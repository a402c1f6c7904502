//! `sigaction`, what its handler may do, and signal masks.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::io;
use std::mem::MaybeUninit;
use std::ops::RangeInclusive;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::signal::{SignalInfo, arrivals};

/// One thread at a time, without a lock that a forked child could find held.
pub(crate) struct Turnstile(AtomicBool);

impl Turnstile {
    pub(crate) const fn new() -> Self {
        Turnstile(AtomicBool::new(false))
    }

    pub(crate) fn enter(&self) -> Passing<'_> {
        self.close();
        Passing(self)
    }

    pub(crate) fn close(&self) {
        while self.0.swap(true, Ordering::Acquire) {
            thread::yield_now();
        }
    }

    pub(crate) fn open(&self) {
        self.0.store(false, Ordering::Release);
    }
}

pub(crate) struct Passing<'a>(&'a Turnstile);

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        self.0.open();
    }
}

/// The action that each signal had before it was caught. Touched under the turnstile alone.
struct Previous(UnsafeCell<[MaybeUninit<libc::sigaction>; 65]>);

// SAFETY: `catch` and `give_back`, which alone touch it, are called under the turnstile, which lets one thread in.
unsafe impl Sync for Previous {}

static PREVIOUS: Previous = Previous(UnsafeCell::new([const { MaybeUninit::uninit() }; 65]));

impl Previous {
    fn place(&self, signal: i32) -> Option<*mut libc::sigaction> {
        let index = usize::try_from(signal).ok().filter(|index| *index < 65)?;
        // Within the array.
        Some(self.0.get().cast::<libc::sigaction>().wrapping_add(index))
    }
}

/// Catches a signal, and keeps the action that it had. Under the turnstile.
pub(crate) fn catch(signal: i32, flags: i32) -> io::Result<()> {
    let Some(previous) = PREVIOUS.place(signal) else {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    };
    // SAFETY: all bytes zero are a valid sigaction: the default action, no flags, no mask.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    let handler: extern "C" fn(i32, *const libc::siginfo_t, *mut c_void) = on_signal;
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = flags | libc::SA_SIGINFO;
    // SAFETY: `action` is valid, its handler is async-signal-safe, and `previous` points to room for one sigaction that
    // nobody else touches under the turnstile.
    let refused = unsafe { libc::sigaction(signal, &raw const action, previous) };
    if refused == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Puts back the action from before [`catch`]. Under the turnstile.
pub(crate) fn give_back(signal: i32) {
    if let Some(previous) = PREVIOUS.place(signal) {
        // SAFETY: `catch` has filled the place for this signal, and nobody else touches it under the turnstile.
        unsafe { libc::sigaction(signal, previous, ptr::null_mut()) };
    }
}

/// The thread that a handler has interrupted, and what it was interrupted with.
pub(crate) struct Interrupted<'a> {
    info: &'a libc::siginfo_t,
    /// Its mask when it goes on.
    mask: &'a mut libc::sigset_t,
}

impl Interrupted<'_> {
    /// Keeps the signal from that thread when the handler has returned.
    pub(crate) fn block(&mut self, signal: i32) {
        // SAFETY: the set is a valid one; sigaddset only sets a bit of it.
        unsafe { libc::sigaddset(self.mask, signal) };
    }

    /// Has the kernel deliver it to that thread of this process, with all that it says. In this thread it is blocked until
    /// the handler has returned, lest it comes at once, on top of it. Says whether the kernel takes it.
    pub(crate) fn send_on(&self, signal: i32, thread: i32) -> bool {
        change_mask(libc::SIG_BLOCK, signal);
        let mut info = *self.info;
        info.si_code = disguised(info.si_code);
        let info: *const libc::siginfo_t = &raw const info;
        // SAFETY: the call reads `info`, which is valid, and keeps no pointer; it is a system call and nothing else.
        unsafe { libc::syscall(libc::SYS_rt_tgsigqueueinfo, process(), thread, signal, info) == 0 }
    }
}

/// No thread may send another one a signal that says it comes from the kernel or from `kill`; so one that is sent on says so
/// in other words. Senders use codes near zero.
const DISGUISE: i32 = -0x4000_0000;
const DISGUISED: RangeInclusive<i32> = libc::SI_TKILL..=0xffff;

fn disguised(code: i32) -> i32 {
    let is_refused = DISGUISED.contains(&code) && (code >= 0 || code == libc::SI_TKILL);
    if is_refused { code + DISGUISE } else { code }
}

fn undisguised(code: i32) -> i32 {
    Some(code.wrapping_sub(DISGUISE)).filter(|original| DISGUISED.contains(original)).unwrap_or(code)
}

extern "C" fn on_signal(signal: i32, info: *const libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the address of this thread's errno is always valid.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above; nobody else reads or writes it while the handler runs.
    let before = unsafe { *errno };
    // SAFETY: the kernel passes both to a handler with SA_SIGINFO, and they live until it returns.
    let info = unsafe { &*info };
    // SAFETY: as above; the kernel reads the context back only when the handler has returned.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let words = words_of(info);
    arrivals::deliver(signal, words, &mut Interrupted { info, mask: &mut context.uc_sigmask });
    // SAFETY: as above.
    unsafe { *errno = before };
}

fn words_of(info: &libc::siginfo_t) -> [u64; 3] {
    // SAFETY: siginfo_t is plain memory that the kernel has zeroed where it has nothing to say, so that each of its parts
    // is a valid number; which of them mean something is told by the code.
    let pid = unsafe { info.si_pid() };
    // SAFETY: as above.
    let uid = unsafe { info.si_uid() };
    // SAFETY: as above.
    let status = unsafe { info.si_status() };
    // SAFETY: as above.
    let value = unsafe { info.si_value() }.sival_ptr.addr() as u64;
    SignalInfo::into_words(undisguised(info.si_code), pid.cast_unsigned(), uid, status, value)
}

/// Lets a signal through again in this thread; what the kernel has kept is delivered before this returns.
pub(crate) fn unblock(signal: i32) {
    change_mask(libc::SIG_UNBLOCK, signal);
}

fn change_mask(how: i32, signal: i32) {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: it has just been initialised.
    let mut set = unsafe { set.assume_init() };
    // SAFETY: the set is valid; a number that is no signal is refused.
    unsafe { libc::sigaddset(&raw mut set, signal) };
    // SAFETY: the set is valid, and the old mask is not asked for.
    unsafe { libc::pthread_sigmask(how, &raw const set, ptr::null_mut()) };
}

/// Wakes whoever waits on that eventfd. It cannot be full in earnest: a write that is refused finds it readable.
pub(crate) fn ring(bell: RawFd) {
    let one = 1_u64;
    // SAFETY: reads the eight bytes of `one`; write is async-signal-safe.
    unsafe { libc::write(bell, (&raw const one).cast(), 8) };
}

/// This process.
pub(crate) fn process() -> i32 {
    // SAFETY: takes no pointer, and always succeeds.
    unsafe { libc::getpid() }
}

/// This thread, as the kernel numbers it.
pub(crate) fn thread() -> i32 {
    // SAFETY: takes no pointer, and always succeeds.
    unsafe { libc::gettid() }
}
