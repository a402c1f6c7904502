//! Doing all of several things though one of them panics.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

/// Collects panics of user code that must not keep the rest from being done, such as the later steps of
/// freeing an owner. The first goes on its way in [`Panics::resume`].
#[derive(Default)]
pub(crate) struct Panics(Option<Box<dyn Any + Send>>);

impl Panics {
    pub(crate) fn catch(&mut self, job: impl FnOnce()) {
        // What the job leaves half done is user data; ours is changed only outside of user code.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(job)) {
            self.0.get_or_insert(panic);
        }
    }

    /// Lets the first panic go on. While the thread is already unwinding it ends here, because a second
    /// one would abort the process; the panic hook has reported it.
    pub(crate) fn resume(self) {
        if let Some(panic) = self.0
            && !thread::panicking()
        {
            resume_unwind(panic);
        }
    }
}
