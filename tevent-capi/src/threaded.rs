//! Immediates that other threads schedule.

use std::cell::RefCell;
use std::ffi::{CStr, c_int};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tevent_core::ThreadedContext;

use crate::call::Given;
use crate::chunk::{Chunk, Parent, Private, Text};
use crate::context::Context;
use crate::export::{abort, called_by_c, export};
use crate::immediate::{self, Immediate, ImmediateHandler};
use crate::talloc;
use crate::wake;

/// Moves a pointer into the closure that takes it to the loop's thread.
pub struct Carried<T>(pub T);

#[allow(unsafe_code, reason = "the C API hands objects from thread to thread")]
// SAFETY: the C API says that what is scheduled belongs to the loop's thread from then on.
unsafe impl<T> Send for Carried<T> {}

impl<T: Copy> Carried<T> {
    /// A method, so that a closure captures the whole and not the pointer in it.
    pub fn get(&self) -> T {
        self.0
    }
}

/// Of one context: whether what is on its way still finds it.
#[derive(Default)]
pub struct Threads(RefCell<Option<Arc<AtomicBool>>>);

impl Threads {
    /// The context goes, or begins anew: what is on its way does not arrive.
    pub fn close(&self) {
        if let Some(alive) = self.0.take() {
            alive.store(false, Ordering::Release);
        }
    }

    /// True as long as the context is the same.
    pub fn alive(&self) -> Arc<AtomicBool> {
        Arc::clone(self.0.borrow_mut().get_or_insert_with(|| Arc::new(AtomicBool::new(true))))
    }
}

/// `struct tevent_threaded_context`.
pub struct Threaded {
    handle: ThreadedContext,
    ev: Chunk<Context>,
    alive: Arc<AtomicBool>,
}

const NAME: &CStr = c"struct tevent_threaded_context";

called_by_c! {
    fn destroy(tctx: Chunk<Threaded>) -> c_int {
        talloc::end(tctx);
        0
    }
}

/// Of an immediate on its way: whether it was cancelled meanwhile.
#[derive(Clone)]
pub struct Ticket(Arc<AtomicBool>);

impl Ticket {
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

export! {
    fn tevent_threaded_context_create(parent: Parent, ev: Chunk<Context>) -> Option<Chunk<Threaded>> {
        let main = ev.main()?;
        let handle = main.core().threaded().ok()?;
        wake::be_heard(main);
        let tctx = talloc::create(parent, NAME, Threaded { handle, ev, alive: main.threads.alive() })?;
        talloc::set_destructor(tctx, destroy);
        Some(tctx)
    }

    fn _tevent_threaded_schedule_immediate(
        tctx: Chunk<Threaded>, im: Chunk<Immediate>, handler: Option<ImmediateHandler>, private: Private,
        handler_name: Text, location: Text,
    ) {
        if im.ev.get().is_some() || handler.is_none() {
            abort(None, "tevent_threaded_schedule_immediate: the immediate is scheduled already, or has no handler");
        }
        if !tctx.alive.load(Ordering::Acquire) {
            return;
        }
        immediate::forget(im);
        let ticket = Ticket(Arc::default());
        im.ev.set(Some(tctx.ev));
        im.handler.set(Given { function: handler, private, name: handler_name, location });
        im.ticket.set(Some(ticket.clone()));
        let (im, alive) = (Carried(im), Arc::clone(&tctx.alive));
        // Where the loop is gone nothing happens, as in C.
        let _gone = tctx.handle.schedule(move |_ev| {
            if !ticket.is_cancelled() && alive.load(Ordering::Acquire) {
                immediate::fire_afar(im.get());
            }
        });
    }
}
