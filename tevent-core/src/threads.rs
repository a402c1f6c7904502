//! Scheduling from other threads (THR): the loop's side.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::sync::Arc;

use crate::attention::Cause;
use crate::batch::{Batch, Job, ROOM, keep_some_room};
use crate::context::ContextRef;
use crate::fd::FdEvent;
use crate::fd_flags::FdFlags;
use crate::panics::Panics;
use crate::scheduled::Scheduled;
use crate::stack::drop_each;
use crate::sys::eventfd::Bell;
use crate::threaded::{Arrived, Shared, ThreadedContext};

/// Of one context.
#[derive(Default)]
pub(crate) struct Threads {
    /// Comes into being with the first handle, and goes with the context.
    listening: RefCell<Option<Listening>>,
    /// What is swapped for what was handed over: always empty.
    basket: RefCell<Arrived>,
    /// Taken from the hand-over, and about to join the immediates, one by one while somebody listens: whoever is told of one
    /// may panic, run a nested turn, or free the context.
    taken: RefCell<VecDeque<Job>>,
    /// For the next that are taken: empty.
    spare: Cell<Option<Box<Batch>>>,
    /// What this process, a forked child, has of its parents: what the users have in there may be dropped only where user
    /// code may run.
    parents: RefCell<Vec<Arc<Shared>>>,
}

struct Listening {
    shared: Arc<Shared>,
    watch: FdEvent,
}

/// What is left when a context goes or begins anew, for the caller to drop where user code may run.
pub(crate) struct Closed {
    listening: Option<Listening>,
    taken: VecDeque<Job>,
    arrived: Arrived,
    parents: Vec<Arc<Shared>>,
}

/// The loop's share, which the fd event watches.
struct Ear(Arc<Shared>);

impl AsFd for Ear {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.bell.as_fd()
    }
}

impl ContextRef {
    /// A handle with which other threads schedule closures into this loop.
    ///
    /// The first call makes a wake-up fd, which the loop watches from then on. On a [simulated](crate::Backend::Simulated)
    /// context the clock does not jump while a handle lives, because another thread may still use it.
    ///
    /// C equivalent: `tevent_threaded_context_create`. Spec: THR-1.
    ///
    /// # Errors
    /// When the context has been freed, or the process has too many open files.
    #[doc(alias = "tevent_threaded_context_create")]
    pub fn threaded(&self) -> io::Result<ThreadedContext> {
        // In a forked child what is here may be the parent's still.
        self.notice_fork();
        if let Some(listening) = &*self.threads().listening.borrow() {
            return Ok(ThreadedContext::new(&listening.shared));
        }
        let shared = Shared::new(Bell::new()?, self.sim_clock().is_some(), self.is_hosted());
        let ear = Rc::new(Ear(Arc::clone(&shared)));
        let heard = Rc::downgrade(&ear);
        let watch = self.add_internal_fd(ear, FdFlags::READ, move |ev, _fde, _flags| {
            if let Some(ear) = heard.upgrade() {
                ear.0.bell.silence();
                ear.0.handover.silenced();
                ev.counters().count_wakeup();
            }
        })?;
        if let Some(clock) = self.sim_clock() {
            let shared = Arc::downgrade(&shared);
            clock.hold_while(move || shared.upgrade().is_some_and(|shared| shared.has_handles()));
        }
        let handle = ThreadedContext::new(&shared);
        self.threads().listening.replace(Some(Listening { shared, watch }));
        self.attention().set(Cause::THREADS, true);
        Ok(handle)
    }
}

impl Threads {
    /// What other threads have scheduled joins the immediates, at their tail (LOOP-1).
    pub(crate) fn move_to_immediates(&self, ev: &ContextRef) {
        if !self.are_waiting() {
            return;
        }
        self.take_what_was_handed_over(ev);
        while ev.trace().is_on() {
            let next = self.taken.borrow_mut().pop_front();
            let Some(job) = next else { return };
            // Some may be left here.
            ev.stir();
            job.enlist(ev);
        }
        self.move_untold(ev);
    }

    fn take_what_was_handed_over(&self, ev: &ContextRef) {
        let mut basket = self.basket.borrow_mut();
        if let Some(listening) = &*self.listening.borrow() {
            listening.shared.handover.take(&mut basket);
        }
        for (task, _counts) in basket.wakes.drain(..) {
            ev.tasks().woken_afar(task);
        }
        basket.wakes.shrink_to(ROOM);
        let mut taken = self.taken.borrow_mut();
        if taken.is_empty() {
            mem::swap(&mut *taken, &mut basket.closures);
        } else {
            taken.append(&mut basket.closures);
            keep_some_room(&mut basket.closures);
        }
    }

    /// All at once, as nobody listens.
    fn move_untold(&self, ev: &ContextRef) {
        let mut taken = self.taken.borrow_mut();
        if taken.is_empty() {
            return;
        }
        let mut immediates = ev.immediates().borrow_mut();
        // A few go to the end of the last batch; many are not worth the copy.
        if let Some(Scheduled::Afar(batch)) = immediates.back_mut()
            && taken.len() <= ROOM
        {
            batch.append(&mut taken);
        } else {
            let mut batch = self.spare.take().unwrap_or_default();
            batch.append(&mut taken);
            immediates.push_back(|| Scheduled::Afar(batch));
        }
    }

    /// A batch of which all have run.
    pub(crate) fn give_back(&self, emptied: Box<Batch>) {
        self.spare.set(Some(emptied));
    }

    /// The loop has become a guest.
    pub(crate) fn note_hosted(&self) {
        if let Some(listening) = &*self.listening.borrow() {
            listening.shared.be_hosted();
        }
    }

    /// Whether something was scheduled that has not joined the immediates.
    pub(crate) fn are_waiting(&self) -> bool {
        self.are_taken() || self.have_handed_over()
    }

    /// Whether somebody who was told of one has kept the rest from joining the immediates.
    pub(crate) fn are_taken(&self) -> bool {
        !self.taken.borrow().is_empty()
    }

    /// Whether another thread has scheduled something since the last look.
    #[inline]
    pub(crate) fn have_handed_over(&self) -> bool {
        let listening = self.listening.borrow();
        listening.as_ref().is_some_and(|listening| listening.shared.handover.is_waiting())
    }

    /// From how many handles and closures something may still come that the loop waits for.
    pub(crate) fn awaited(&self) -> usize {
        self.listening.borrow().as_ref().map_or(0, |listening| listening.shared.awaited())
    }

    /// In a forked child, where the threads are not: their handles are dead, and the bell is the parent's too. Runs no user
    /// code: that is for [`bury`](Self::bury).
    pub(crate) fn abandon(&self) {
        let listening = self.listening.take();
        if let Some(Listening { shared, watch }) = listening {
            self.parents.borrow_mut().push(shared);
            drop(watch);
        }
    }

    /// Drops what was the parent's. What the parent's threads have scheduled goes with the last handle.
    pub(crate) fn bury(&self) {
        if self.parents.borrow().is_empty() {
            return;
        }
        let parents = self.parents.take();
        drop_each(parents);
    }

    /// The context goes, or begins anew: handles give back what they are given from now on, and hold no clock. Runs no user
    /// code.
    pub(crate) fn close(&self, ev: &ContextRef) -> Closed {
        let listening = self.listening.take();
        let arrived = listening.as_ref().map(|listening| listening.shared.handover.close());
        if let Some(clock) = ev.sim_clock() {
            clock.hold_while(|| false);
        }
        let (taken, arrived) = (self.taken.take(), arrived.unwrap_or_default());
        Closed { listening, taken, arrived, parents: self.parents.take() }
    }
}

impl Closed {
    /// Drops all of it though one panics.
    pub(crate) fn drop_each(self, panics: &mut Panics) {
        panics.catch(|| drop_each(self.taken));
        panics.catch(|| drop_each(self.arrived.closures));
        panics.catch(|| drop(self.arrived.wakes));
        panics.catch(|| drop_each(self.parents));
        panics.catch(|| drop(self.listening));
    }
}
