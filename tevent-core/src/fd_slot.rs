//! All events on one fd number, mostly a single one: what they want together, and whose turn it is (FD-4 to FD-7).

use std::any::Any;
use std::rc::Weak;

use crate::fd::FdRef;
use crate::fd_flags::FdFlags;
use crate::fd_inner::Marks;
use crate::list::{Key, List};
use crate::reactor::Report;
use crate::sys::event_or_box::EventOrBox;

/// What is known of one number: nothing; one event, and nothing unusual, where what the kernel was told stands in its [`Place`]; or
/// whatever needs more room. Every number up to the highest that was ever watched has one, so it is a word and no more.
pub(crate) struct FdSlot(EventOrBox<Ring>);

const _: () = assert!(size_of::<FdSlot>() == size_of::<usize>());

/// Where an event stands in the table.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    Nowhere,
    /// Alone on its number. These are the fields of [`Told`], which would take more room as one.
    Alone {
        generation: u32,
        registered: FdFlags,
    },
    /// At that index of the ring of its number.
    InRing(u32),
}

const _: () = assert!(size_of::<Place>() == 8);

/// What the kernel was told of a number, and by which generation it knows it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Told {
    pub(crate) generation: u32,
    pub(crate) registered: FdFlags,
}

impl FdSlot {
    pub(crate) const VACANT: FdSlot = FdSlot(EventOrBox::NOTHING);

    /// Whether nothing is to be known of the number any more.
    pub(crate) fn is_idle(&self) -> bool {
        let nothing_is_left = |ring: &Ring| ring.events.is_empty() && ring.pending.is_none();
        self.is_vacant() || self.had_ring().is_some_and(nothing_is_left)
    }

    pub(crate) fn is_vacant(&self) -> bool {
        self.0.is_nothing()
    }

    /// Whether the kernel means this slot, and not what the number stood for earlier.
    #[inline]
    pub(crate) fn is_of(&self, generation: u32) -> bool {
        match self.0.event() {
            Some(fde) => fde.interest().told().generation == generation,
            None => self.had_ring().is_some_and(|ring| ring.told.generation == generation),
        }
    }

    pub(crate) fn wants(&self) -> FdFlags {
        match self.0.event() {
            Some(fde) => fde.interest().watched(),
            None => self.had_ring().map_or(FdFlags::NONE, Ring::wants),
        }
    }

    pub(crate) fn told(&self) -> Told {
        match self.0.event() {
            Some(fde) => fde.interest().told(),
            None => self.had_ring().map_or_else(Told::default, |ring| ring.told),
        }
    }

    pub(crate) fn set_told(&mut self, told: Told) {
        if let Some(fde) = self.0.event() {
            fde.interest().set_told(told);
        } else if let Some(ring) = self.0.boxed_mut() {
            ring.told = told;
        }
    }

    /// The unusual, if there is any.
    pub(crate) fn had_ring(&self) -> Option<&Ring> {
        self.0.boxed()
    }

    /// Room for the unusual. It stays until the slot is vacant.
    pub(crate) fn ring(&mut self) -> &mut Ring {
        if self.had_ring().is_none() {
            let mut ring = Box::<Ring>::default();
            if let Some(fde) = self.0.event() {
                ring.told = fde.interest().told();
                ring.push(fde.clone());
            }
            self.0 = EventOrBox::of_box(ring);
        }
        self.0.boxed_mut().expect("it was put there")
    }

    /// An event joins those on the number; the first brings that generation.
    pub(crate) fn push(&mut self, fde: &FdRef, generation: u32) {
        if self.is_vacant() {
            fde.interest().set_place(Place::Alone { generation, registered: FdFlags::NONE });
            self.0 = EventOrBox::of_event(fde.clone());
        } else {
            self.ring().push(fde.clone());
        }
    }

    /// An event leaves.
    pub(crate) fn remove(&mut self, fde: &FdRef) {
        match fde.interest().place() {
            Place::Nowhere => {}
            Place::Alone { .. } => *self = FdSlot::VACANT,
            Place::InRing(index) => self.ring().remove(fde, index),
        }
        fde.interest().set_place(Place::Nowhere);
    }

    /// What an event wants begins to count, or counts no more.
    pub(crate) fn count(&mut self, flags: FdFlags, change: fn(&mut u32)) {
        if let Some(ring) = self.0.boxed_mut() {
            ring.count(flags, change);
        }
    }

    /// From the first in the ring to the last.
    pub(crate) fn events(&self) -> impl Iterator<Item = &FdRef> {
        let in_ring = self.had_ring().into_iter().flat_map(|ring| ring.events.iter().map(|(_key, fde)| fde));
        self.0.event().into_iter().chain(in_ring)
    }

    /// The event that was added last among those that want anything.
    pub(crate) fn last_armed(&self) -> Option<&FdRef> {
        if self.wants().is_empty() {
            return None;
        }
        match self.had_ring() {
            None => self.0.event(),
            Some(ring) => ring.events.iter_back().find(|fde| !fde.interest().watched().is_empty()),
        }
    }

    /// The kernel refuses to watch this file: it is always ready (FD-10).
    pub(crate) fn is_refused(&self) -> bool {
        self.had_ring().is_some_and(|ring| ring.refused)
    }

    /// Whether the number is known to stand for the file that was registered.
    pub(crate) fn is_same_file(&self) -> bool {
        match self.0.event() {
            Some(fde) => fde.interest().is(Marks::HOLDS),
            None => self.had_ring().is_some_and(Ring::is_same_file),
        }
    }

    /// What was put off has lost its file: the kernel has forgotten it, and the number may be another's by now.
    pub(crate) fn is_closed_behind_our_back(&self) -> bool {
        self.had_ring().is_some_and(|ring| ring.pending.is_some() && !ring.is_same_file())
    }

    /// The first in the ring that wants any of what is ready (FD-4), and exactly what it wants of it (FD-5). It goes to
    /// the back.
    #[inline]
    pub(crate) fn select(&mut self, report: &Report) -> Option<(FdRef, FdFlags)> {
        let (fde, flags) = match self.0.event() {
            Some(fde) => match heard(fde, report) {
                FdFlags::NONE => return None,
                flags => (fde.clone(), flags),
            },
            None => self.0.boxed_mut()?.select(report)?,
        };
        if report.failed {
            fde.interest().mark(Marks::SAW_ERROR);
        }
        Some((fde, flags))
    }
}

/// What an event is told of a report. One that asks WRITE alone is not told of a failed file (FD-6).
fn heard(fde: &FdRef, report: &Report) -> FdFlags {
    let flags = fde.interest().watched();
    let hears = !report.failed || flags.intersects(FdFlags::READ | FdFlags::ERROR);
    (flags & report.ready).when(hears)
}

/// What few numbers have: several events, a file that is always ready, or changes that were put off.
#[derive(Default)]
pub(crate) struct Ring {
    told: Told,
    events: List<FdRef>,
    /// How many events want each flag, in the order of [`FdFlags::EACH`].
    wanted: [u32; 3],
    /// How many events keep the file open.
    keepers: u32,
    pub(crate) refused: bool,
    /// The place among those whose turn comes without the kernel.
    pub(crate) always: Option<Key>,
    /// The latest round of the rotation in which the kernel reported it, while there are any of those.
    pub(crate) served_in: u64,
    /// The kernel is to be told when the loop waits next. While this file is there the number stands for it.
    pub(crate) pending: Option<Weak<dyn Any>>,
}

impl Ring {
    fn push(&mut self, fde: FdRef) {
        self.keepers += u32::from(fde.interest().is(Marks::HOLDS));
        self.count(fde.interest().watched(), |count| *count += 1);
        let place = self.events.push_back(fde);
        if let Some(fde) = self.events.get(place) {
            fde.interest().set_place(Place::InRing(place.index()));
        }
    }

    fn remove(&mut self, fde: &FdRef, index: u32) {
        if let Some(key) = self.events.key_at(index) {
            self.events.remove(key);
            self.keepers -= u32::from(fde.interest().is(Marks::HOLDS));
            self.count(fde.interest().watched(), |count| *count -= 1);
        }
    }

    fn wants(&self) -> FdFlags {
        let mut flags = FdFlags::NONE;
        for (flag, count) in FdFlags::EACH.into_iter().zip(self.wanted) {
            flags |= flag.when(count > 0);
        }
        flags
    }

    fn count(&mut self, flags: FdFlags, change: fn(&mut u32)) {
        for (flag, count) in FdFlags::EACH.into_iter().zip(&mut self.wanted) {
            if flags.contains(flag) {
                change(count);
            }
        }
    }

    fn is_same_file(&self) -> bool {
        self.keepers > 0 || self.pending.as_ref().is_some_and(|file| file.strong_count() > 0)
    }

    #[inline(never)]
    fn select(&mut self, report: &Report) -> Option<(FdRef, FdFlags)> {
        let (key, fde, flags) = self.events.iter().find_map(|(key, fde)| {
            let flags = heard(fde, report);
            (!flags.is_empty()).then(|| (key, fde.clone(), flags))
        })?;
        self.events.move_to_back(key);
        Some((fde, flags))
    }
}
