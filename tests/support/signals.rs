//! Sending signals to this process, one test at a time: what a signal does is the whole process's.

#![allow(unsafe_code, reason = "no safe crate offers sigqueue or a look at the action of a signal")]
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

use std::os::unix::thread::JoinHandleExt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tevent::ContextRef;

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
    raise_in(this_thread(), signal, value);
}

/// As `raise_with`, unless the kernel keeps too many already.
pub fn try_raise_with(signal: i32, value: i32) -> bool {
    queue_in(this_thread(), signal, value) == 0
}

/// To a thread that runs, with a number.
pub fn raise_in(thread: libc::pthread_t, signal: i32, value: i32) {
    assert_eq!(queue_in(thread, signal, value), 0);
}

fn queue_in(thread: libc::pthread_t, signal: i32, value: i32) -> i32 {
    let value = libc::sigval { sival_ptr: usize::try_from(value).unwrap() as *mut _ };
    // SAFETY: the thread runs; no pointer is followed.
    unsafe { libc::pthread_sigqueue(thread, signal, value) }
}

/// To a thread that runs, as `raise` does it.
pub fn interrupt(thread: libc::pthread_t, signal: i32) {
    // SAFETY: the thread runs.
    let refused = unsafe { libc::pthread_kill(thread, signal) };
    assert_eq!(refused, 0);
}

pub fn this_thread() -> libc::pthread_t {
    // SAFETY: takes no pointer.
    unsafe { libc::pthread_self() }
}

/// A thread that does what it is told, one thing after the other.
pub struct Other {
    tasks: Option<Sender<Box<dyn FnOnce() + Send>>>,
    done: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Other {
    pub fn new() -> Self {
        let (tasks, todo) = channel::<Box<dyn FnOnce() + Send>>();
        let (did, done) = channel();
        let run = move || {
            for task in todo {
                task();
                did.send(()).unwrap();
            }
        };
        Other { tasks: Some(tasks), done, thread: Some(thread::spawn(run)) }
    }

    pub fn id(&self) -> libc::pthread_t {
        self.thread.as_ref().unwrap().as_pthread_t()
    }

    /// Begins it, while this thread goes on.
    pub fn begin(&self, task: impl FnOnce() + Send + 'static) {
        self.tasks.as_ref().unwrap().send(Box::new(task)).unwrap();
    }

    /// Waits for the first that was begun.
    #[track_caller]
    pub fn finish(&self) {
        self.done.recv_timeout(PATIENCE).unwrap();
    }

    #[track_caller]
    pub fn run(&self, task: impl FnOnce() + Send + 'static) {
        self.begin(task);
        self.finish();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.tasks = None;
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(ended.unwrap().is_ok() || thread::panicking());
    }
}

const PATIENCE: Duration = Duration::from_secs(60);

/// Turns the loop until that is so; no turn may fail.
#[track_caller]
pub fn turn_until(ev: &ContextRef, mut so: impl FnMut() -> bool) {
    let begin = Instant::now();
    let old = ev.set_wait_timeout(Duration::from_millis(20));
    let late = Duration::from_secs(60);
    ev.loop_until(|| so() || begin.elapsed() > late).unwrap();
    ev.set_wait_timeout(old);
    assert!(begin.elapsed() <= late, "it never came to that");
}

/// To this process, with a number.
pub fn queue(signal: i32, value: i32) -> std::io::Result<()> {
    let value = libc::sigval { sival_ptr: usize::try_from(value).unwrap() as *mut _ };
    // SAFETY: takes no pointer that it follows.
    let refused = unsafe { libc::sigqueue(this_process(), signal, value) };
    if refused == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

pub fn this_process() -> i32 {
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

/// Sets what the system does on a signal: `SIG_DFL`, `SIG_IGN` or the address of a function. Says what it was.
pub fn set_action(signal: i32, address: usize, flags: i32) -> (usize, i32) {
    let old = action(signal);
    // SAFETY: all bytes zero are a valid sigaction.
    let mut new: libc::sigaction = unsafe { std::mem::zeroed() };
    new.sa_sigaction = address;
    new.sa_flags = flags;
    // SAFETY: the new action is valid, and the tests name no function that is not async-signal-safe.
    let refused = unsafe { libc::sigaction(signal, &raw const new, std::ptr::null_mut()) };
    assert_eq!(refused, 0);
    old
}

/// A handler of somebody else, that does nothing.
pub fn somebody_elses() -> usize {
    extern "C" fn nothing(_signal: i32) {}
    nothing as extern "C" fn(i32) as usize
}

/// Whether this thread blocks a signal.
pub fn is_blocked(signal: i32) -> bool {
    blocked().contains(&signal)
}

/// The signals that this thread blocks.
pub fn blocked() -> Vec<i32> {
    let set = change_mask(libc::SIG_BLOCK, None);
    // SAFETY: the set has been filled in.
    (1..=64).filter(|signal| unsafe { libc::sigismember(&raw const set, *signal) == 1 }).collect()
}

pub fn block(signal: i32) {
    change_mask(libc::SIG_BLOCK, Some(signal));
}

pub fn unblock(signal: i32) {
    change_mask(libc::SIG_UNBLOCK, Some(signal));
}

/// Gives the mask from before.
fn change_mask(how: i32, signal: Option<i32>) -> libc::sigset_t {
    // SAFETY: all bytes zero are a valid set, the empty one.
    let (mut set, mut old): (libc::sigset_t, libc::sigset_t) = unsafe { std::mem::zeroed() };
    if let Some(signal) = signal {
        // SAFETY: the set is valid.
        unsafe { libc::sigaddset(&raw mut set, signal) };
    }
    // SAFETY: both sets are valid.
    let refused = unsafe { libc::pthread_sigmask(how, &raw const set, &raw mut old) };
    assert_eq!(refused, 0);
    old
}

/// This thread's errno, set to that number and read again after `case`.
pub fn errno_after(number: i32, case: impl FnOnce()) -> i32 {
    // SAFETY: the address of this thread's errno is always valid.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    unsafe { *errno = number };
    case();
    // SAFETY: as above.
    unsafe { *errno }
}
