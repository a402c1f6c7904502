//! The requests that a context knows, for its [dump](crate::ContextRef::dump).

use std::rc::{Rc, Weak};

use super::profile::{self, Recording};
use super::{Inner, ReqRef, ReqState};
use crate::call_flow;
use crate::children::{AnyReq, ChildRef, HomeLink};
use crate::context::ContextRef;
use crate::fifo::Ticket;
use crate::list::Key;
use crate::location::Location;
use crate::look::look;
use crate::timer::TimerRef;

/// A request of any type.
pub(crate) trait Known {
    fn type_name(&self) -> &'static str;
    fn location(&self) -> Location;
    fn state(&self) -> ReqState;
    fn home(&self) -> &HomeLink;
    /// The address of what it keeps its children in.
    fn children_at(&self) -> Option<usize>;
    /// Its end time.
    fn end_time(&self) -> Option<TimerRef>;
    /// Calls its callback, which was posted.
    fn call_posted(self: Rc<Self>);
    /// What was posted has another place among the immediates, or has left them.
    fn set_post(&self, place: Option<Ticket>);
    /// How it stands, or stood when it finished, and the error code.
    fn outcome(&self) -> (ReqState, u64);
    /// Where it finished.
    fn finished(&self) -> Option<Location>;
    /// The requests that it keeps, the oldest first.
    fn sub_requests(&self) -> Vec<Rc<dyn Known>>;
    /// Its profile, where one is recorded.
    fn recording(&self) -> Option<Rc<Recording>>;
    fn set_recording(&self, recording: Option<Rc<Recording>>);
    /// How many requests stood above it when it was created or adopted.
    fn depth_before(&self) -> u32;
    fn set_depth(&self, depth: u32);
    /// Tells it from others.
    fn address(&self) -> usize;
}

impl<S: 'static> Known for Inner<S> {
    fn type_name(&self) -> &'static str {
        std::any::type_name::<S>()
    }

    fn location(&self) -> Location {
        self.created
    }

    fn state(&self) -> ReqState {
        if self.received.get() { ReqState::Received } else { self.stands.get() }
    }

    fn home(&self) -> &HomeLink {
        &self.home
    }

    fn children_at(&self) -> Option<usize> {
        self.children.get().map(|children| Rc::as_ptr(children).addr())
    }

    fn end_time(&self) -> Option<TimerRef> {
        look(&self.had_rare()?.end_time, |timer| TimerRef::clone(timer))
    }

    fn call_posted(self: Rc<Self>) {
        ReqRef(self).call_posted();
    }

    fn set_post(&self, place: Option<Ticket>) {
        self.posted.set(place);
    }

    fn outcome(&self) -> (ReqState, u64) {
        (self.stands.get(), self.code.get())
    }

    fn finished(&self) -> Option<Location> {
        self.finished.get()
    }

    fn sub_requests(&self) -> Vec<Rc<dyn Known>> {
        self.children.get().map(|children| children.requests()).unwrap_or_default()
    }

    fn recording(&self) -> Option<Rc<Recording>> {
        self.had_rare()?.recording.borrow().clone()
    }

    fn set_recording(&self, recording: Option<Rc<Recording>>) {
        if recording.is_some() || self.had_rare().is_some() {
            let old = self.rare().recording.replace(recording);
            drop(old);
        }
    }

    fn depth_before(&self) -> u32 {
        self.had_rare().map_or(0, |rare| rare.depth.get())
    }

    fn set_depth(&self, depth: u32) {
        self.rare().depth.set(depth);
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

impl<S: 'static> Inner<S> {
    /// Its callback is not posted any more.
    pub(super) fn unpost(&self) {
        if let Some(key) = self.posted.take() {
            let remove = |known: &Acquaintance| known.ev.immediates().borrow_mut().remove(key);
            let posted = look(&self.ev, remove);
            drop(posted);
        }
    }
}

impl dyn Known + '_ {
    /// How many requests stand above it.
    pub(crate) fn depth(&self) -> u32 {
        let (mut above, mut parent) = (0, self.home().parent());
        // Not by recursion: a tree may be deep.
        while let Some(req) = parent {
            above += 1;
            parent = req.home().parent();
            if parent.is_none() {
                return above + req.depth_before();
            }
        }
        self.depth_before()
    }
}

/// The context that a request was told of.
pub(super) struct Acquaintance {
    pub(super) ev: ContextRef,
    /// The request's place among those that the context knows; `None` if it has only been posted there.
    key: Option<Key>,
}

impl Drop for Acquaintance {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let known = self.ev.requests().borrow_mut().remove(key);
            drop(known);
        }
    }
}

impl<S: 'static> ReqRef<S> {
    /// Remembers the context, and is remembered by it.
    pub(crate) fn know(&self, ev: &ContextRef) {
        let known = look(&self.0.ev, |known| (known.ev == *ev, known.key.is_some()));
        // Whoever it is posted on calls back; the others can wait.
        let waits = self.0.posted.get().is_some() && !known.is_some_and(|(same, _listed)| same);
        if known != Some((true, true)) && !waits && !self.is_freed() {
            let key = ev.requests().borrow_mut().push_back(self.weak());
            self.remember(ev, Some(key));
        }
    }

    /// Remembers the context that it is posted on, which finds it among its immediates.
    pub(super) fn remember_post(&self, ev: &ContextRef) {
        if look(&self.0.ev, |known| known.ev == *ev) != Some(true) {
            self.remember(ev, None);
        }
    }

    fn remember(&self, ev: &ContextRef, key: Option<Key>) {
        let old = self.0.ev.replace(Some(Acquaintance { ev: ev.clone(), key }));
        drop(old);
    }

    pub(crate) fn known(&self) -> &(dyn Known + 'static) {
        &*self.0
    }

    pub(crate) fn weak(&self) -> Weak<dyn Known> {
        Rc::downgrade(&self.0) as _
    }

    /// A request that it keeps from now on is below it, in the call flow and in profiles.
    pub(super) fn adopt(&self, child: &impl ChildRef) {
        let recording = self.known().recording();
        if recording.is_none() && !call_flow::is_on() {
            return;
        }
        let Some(AnyReq(child)) = child.as_request() else { return };
        if call_flow::is_on() {
            child.set_depth(self.known().depth() + 1);
        }
        if let Some(recording) = recording {
            profile::join(child, &recording);
        }
    }

    /// The context that it was last told of.
    pub(super) fn known_context(&self) -> Option<ContextRef> {
        look(&self.0.ev, |known| known.ev.clone())
    }
}
