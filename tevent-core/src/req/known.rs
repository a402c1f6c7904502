//! The requests that a context knows, for its [dump](crate::ContextRef::dump).

use std::rc::{Rc, Weak};

use super::{Inner, ReqRef, ReqState};
use crate::children::HomeLink;
use crate::context::ContextRef;
use crate::immediate::ImmediateRef;
use crate::list::Key;
use crate::location::Location;
use crate::timer::TimerRef;

/// A request of any type.
pub(crate) trait Known {
    fn type_name(&self) -> &'static str;
    fn location(&self) -> Location;
    fn state(&self) -> ReqState;
    fn home(&self) -> &HomeLink;
    /// The addresses of what it keeps its children in.
    fn homes(&self) -> [Option<usize>; 2];
    /// Its end time.
    fn end_time(&self) -> Option<TimerRef>;
    /// What calls its callback in a later turn.
    fn posted(&self) -> Option<ImmediateRef>;
}

impl<S: 'static> Known for Inner<S> {
    fn type_name(&self) -> &'static str {
        std::any::type_name::<S>()
    }

    fn location(&self) -> Location {
        self.created
    }

    fn state(&self) -> ReqState {
        if self.received.get() { ReqState::Received } else { self.outcome.borrow().state() }
    }

    fn home(&self) -> &HomeLink {
        &self.home
    }

    fn homes(&self) -> [Option<usize>; 2] {
        [&self.of_state, &self.of_request].map(|home| home.get().map(|home| Rc::as_ptr(home).addr()))
    }

    fn end_time(&self) -> Option<TimerRef> {
        self.end_time.borrow().as_deref().cloned()
    }

    fn posted(&self) -> Option<ImmediateRef> {
        self.trigger.borrow().as_deref().cloned()
    }
}

/// A request's place among those that its context knows.
pub(super) struct Acquaintance {
    pub(super) ev: ContextRef,
    key: Key,
}

impl Drop for Acquaintance {
    fn drop(&mut self) {
        let known = self.ev.requests().borrow_mut().remove(self.key);
        drop(known);
    }
}

impl<S: 'static> ReqRef<S> {
    /// Remembers the context, and is remembered by it.
    pub(crate) fn know(&self, ev: &ContextRef) {
        let known = self.0.ev.borrow().as_ref().is_some_and(|known| known.ev == *ev);
        if !known && !self.is_freed() {
            let itself: Weak<dyn Known> = Rc::downgrade(&self.0) as _;
            let key = ev.requests().borrow_mut().push_back(itself);
            let old = self.0.ev.replace(Some(Acquaintance { ev: ev.clone(), key }));
            drop(old);
        }
    }

    /// The context that it was last told of.
    pub(super) fn known_context(&self) -> Option<ContextRef> {
        self.0.ev.borrow().as_ref().map(|known| known.ev.clone())
    }
}
