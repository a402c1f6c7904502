//! Closures of other threads among the immediates: as many as were taken together stand there as one.
//!
//! To a trace each of them is an immediate of its own. One is made only for somebody who listens.

use std::collections::VecDeque;
use std::mem;

use crate::context::ContextRef;
use crate::immediate::Immediate;
use crate::location::Location;
use crate::panics::Panics;
use crate::scheduled::Scheduled;
use crate::stack::bounded_drop;
use crate::sys::parcel::Parcel;
use crate::trace::EventKind;

/// A closure of another thread.
pub(crate) struct Job {
    pub(crate) closure: Parcel<ContextRef>,
    pub(crate) location: Location,
}

/// Jobs that stand one behind the other among the immediates; at least one.
#[derive(Default)]
pub(crate) struct Batch(VecDeque<Job>);

/// Room for so many is kept: each page that is given back and had anew is a page fault.
pub(crate) const ROOM: usize = 1024;

/// After a burst the room for it is given back.
pub(crate) fn keep_some_room(emptied: &mut VecDeque<Job>) {
    emptied.shrink_to(ROOM);
}

impl Batch {
    /// Takes all of the jobs, behind those that are here.
    pub(crate) fn append(&mut self, jobs: &mut VecDeque<Job>) {
        if self.0.is_empty() {
            mem::swap(&mut self.0, jobs);
        } else {
            self.0.append(jobs);
            keep_some_room(jobs);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Where each was scheduled.
    pub(crate) fn locations(&self) -> impl Iterator<Item = Location> {
        self.0.iter().map(|job| job.location)
    }

    /// Runs the first. The rest stays where it was, before it is run: it may run the loop, or free it.
    #[inline(never)]
    pub(crate) fn run_first(mut self: Box<Self>, ev: &ContextRef) {
        let Some(first) = self.0.pop_front() else { return };
        if self.0.is_empty() {
            keep_some_room(&mut self.0);
            ev.threads().give_back(self);
        } else {
            ev.immediates().borrow_mut().push_front(Scheduled::Afar(self));
        }
        first.run(ev);
    }

    /// Its context has gone.
    pub(crate) fn abandon(self, ev: &ContextRef) {
        let mut panics = Panics::default();
        for job in self.0 {
            panics.catch(|| tell_that_it_leaves(ev, job.location));
            panics.catch(|| bounded_drop(job));
        }
        panics.resume();
    }
}

impl Job {
    /// Joins the immediates as one of its own, of which somebody is told. It belongs to its own handler: both go when it has
    /// run, or cannot run any more.
    pub(crate) fn enlist(self, ev: &ContextRef) {
        let owner = Immediate::empty_at(self.location);
        let im = owner.clone();
        im.schedule_with(ev, move |ev, _im| {
            let _until_it_has_run = owner;
            self.closure.open(ev);
        });
    }

    fn run(self, ev: &ContextRef) {
        if ev.trace().is_on() {
            return self.run_listened_to(ev);
        }
        ev.counters().count_handler(EventKind::Immediate);
        let _at_last = Leave(ev, self.location);
        self.closure.open(ev);
    }

    /// Somebody listens since it has joined the immediates.
    #[cold]
    fn run_listened_to(self, ev: &ContextRef) {
        let owner = Immediate::scheduled_untold(ev, self.location);
        let im = owner.clone();
        im.run_with(ev, move |ev, _im| {
            let _until_it_has_run = owner;
            self.closure.open(ev);
        });
    }
}

/// After a closure, also one that panicked.
struct Leave<'a>(&'a ContextRef, Location);

impl Drop for Leave<'_> {
    #[inline]
    fn drop(&mut self) {
        tell_that_it_leaves(self.0, self.1);
    }
}

/// If somebody listens by now.
#[inline]
fn tell_that_it_leaves(ev: &ContextRef, location: Location) {
    if ev.trace().is_on() {
        drop(Immediate::scheduled_untold(ev, location));
    }
}
