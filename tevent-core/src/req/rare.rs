//! What most requests never have, in a box of its own, so that the others are small.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::error::Cause;
use super::named::ReqFn;
use super::profile::Recording;
use super::{Inner, ReqState};
use crate::context::ContextRef;
use crate::timer::Timer;

pub(super) struct Rare<S: 'static> {
    pub(super) cleanup: RefCell<Option<ReqFn<S, ReqState, ()>>>,
    pub(super) cancel: RefCell<Option<ReqFn<S, (), bool>>>,
    pub(super) print: RefCell<Option<ReqFn<S, (), String>>>,
    /// Set by `defer_callback`.
    pub(super) defer_to: Cell<Option<ContextRef>>,
    pub(super) end_time: Cell<Option<Timer>>,
    /// What a failure comes from.
    pub(super) cause: RefCell<Option<Cause>>,
    pub(super) recording: RefCell<Option<Rc<Recording>>>,
    /// How many requests stood above it when it was created or adopted (TRACE-4).
    pub(super) depth: Cell<u32>,
}

impl<S: 'static> Default for Rare<S> {
    fn default() -> Self {
        Rare {
            cleanup: RefCell::new(None),
            cancel: RefCell::new(None),
            print: RefCell::new(None),
            defer_to: Cell::new(None),
            end_time: Cell::new(None),
            cause: RefCell::new(None),
            recording: RefCell::new(None),
            depth: Cell::new(0),
        }
    }
}

impl<S: 'static> Inner<S> {
    /// To put something there.
    pub(super) fn rare(&self) -> &Rare<S> {
        self.rare.get_or_init(Box::default)
    }

    /// To see whether there is something.
    pub(super) fn had_rare(&self) -> Option<&Rare<S>> {
        self.rare.get().map(Box::as_ref)
    }
}
