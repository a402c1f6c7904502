//! What comes from other threads: closures, wakes of tasks, and signals.

use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use rustix::process::{Signal, getpid, kill_process};
use tevent::ThreadedContext;

use crate::world::{PULSE, Shared};

/// How many closures may be under way: whoever has to wait for the processor shall not find a heap of them, which would be seen in
/// memory for ever.
const MOST: u64 = 64;

/// Schedules into all loops, until they are to stop.
pub(crate) fn run(handles: &[ThreadedContext], shared: &Shared) {
    let (mut scheduled, ran) = (0_u64, Arc::new(AtomicU64::new(0)));
    for pulse in 0_u64.. {
        if shared.stop.load(Ordering::Relaxed) {
            break;
        }
        for handle in handles {
            for _ in (scheduled - ran.load(Ordering::Relaxed)..MOST).take(8) {
                let ran = Arc::clone(&ran);
                let up = move |_ev: &tevent::ContextRef| _ = ran.fetch_add(1, Ordering::Relaxed);
                scheduled += u64::from(handle.schedule(up).is_ok());
            }
        }
        let sleepers = shared.sleepers.lock().map(|mut sleepers| std::mem::take(&mut *sleepers));
        sleepers.unwrap_or_default().into_iter().for_each(std::task::Waker::wake);
        if pulse % 4 == 0 && kill_process(getpid(), Signal::USR1).is_err() {
            exit(1);
        }
        thread::sleep(PULSE);
    }
    assert!(scheduled > MOST, "closures do not run");
}
