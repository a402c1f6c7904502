//! Signals to a thread that sleeps: sent when the kernel says that it does, never after a guessed time.

#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Far more than any of this takes, so that a test that fails does not hang.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A thread of this process, by the number that the kernel gave it.
#[derive(Clone, Copy, Debug)]
pub struct Task(pub Pid);

impl Task {
    pub fn current() -> Self {
        let link = fs::read_link("/proc/thread-self").unwrap();
        let number = link.file_name().unwrap().to_str().unwrap().parse().unwrap();
        Task(Pid::from_raw(number).unwrap())
    }

    pub fn is_asleep(self) -> bool {
        let stat = fs::read_to_string(format!("/proc/self/task/{}/stat", self.0)).unwrap();
        // The state stands behind the name, which may hold anything.
        stat.rsplit(')').next().unwrap().trim_start().starts_with('S')
    }

    /// Waits until it sleeps; says whether it did so in time.
    pub fn comes_to_sleep(self) -> bool {
        in_time(|| self.is_asleep())
    }

    /// Sends it a signal when it sleeps, and says whether that was delivered. The kernel gives a signal that is sent
    /// to a thread's number to that thread, if it can take it.
    pub fn interrupt_sleep(self, delivered: &AtomicBool) -> bool {
        let asleep = self.comes_to_sleep();
        delivered.store(false, Ordering::SeqCst);
        kill_process(self.0, Signal::USR1).unwrap();
        asleep && in_time(|| delivered.load(Ordering::SeqCst))
    }
}

/// Looks again and again until it is so.
pub fn in_time(is_so: impl Fn() -> bool) -> bool {
    let started = Instant::now();
    while !is_so() {
        if started.elapsed() > PATIENCE {
            return false;
        }
        thread::yield_now();
    }
    true
}

/// Signals are the process's: the tests that use them run one after the other.
#[derive(Debug)]
pub struct Signals {
    pub delivered: Arc<AtomicBool>,
    _alone: MutexGuard<'static, ()>,
}

impl Signals {
    pub fn caught() -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        static DELIVERED: OnceLock<Arc<AtomicBool>> = OnceLock::new();
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let delivered = DELIVERED.get_or_init(|| {
            let flag = Arc::new(AtomicBool::new(false));
            signal_hook::flag::register(signal_hook::consts::SIGUSR1, Arc::clone(&flag)).unwrap();
            flag
        });
        Signals { delivered: Arc::clone(delivered), _alone: alone }
    }
}
