//! All events on one fd number: their ring, and what they want together (FD-4 to FD-7).

use std::any::Any;
use std::os::fd::RawFd;
use std::rc::Weak;

use crate::fd::FdRef;
use crate::fd_flags::FdFlags;
use crate::list::{Key, List};
use crate::reactor::Report;

/// Where an event stands in the table.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) slot: usize,
    pub(crate) ring: Key,
}

/// All events on one fd number.
pub(crate) struct FdSlot {
    pub(crate) number: RawFd,
    pub(crate) generation: u32,
    pub(crate) ring: List<FdRef>,
    /// How many events of the ring want each flag, in the order of [`FdFlags::EACH`].
    pub(crate) wanted: [usize; 3],
    /// How many events of the ring keep the file open.
    pub(crate) keepers: usize,
    /// What the kernel was asked for.
    pub(crate) registered: FdFlags,
    /// The kernel refuses to watch this file: it is always ready (FD-10).
    pub(crate) refused: bool,
    /// The place among those whose turn comes without the kernel.
    pub(crate) always: Option<Key>,
    /// The latest round of the rotation in which the kernel reported it, while there are any of those.
    pub(crate) served_in: u64,
    /// The kernel is to be told when the loop waits next. While this file is there the number stands for it.
    pub(crate) pending: Option<Weak<dyn Any>>,
}

impl FdSlot {
    pub(crate) fn new(number: RawFd, generation: u32) -> Self {
        FdSlot {
            number,
            generation,
            ring: List::new(),
            wanted: [0; 3],
            keepers: 0,
            registered: FdFlags::NONE,
            refused: false,
            always: None,
            served_in: 0,
            pending: None,
        }
    }

    pub(crate) fn wants(&self) -> FdFlags {
        let mut flags = FdFlags::NONE;
        for (flag, count) in FdFlags::EACH.into_iter().zip(self.wanted) {
            flags |= flag.when(count > 0);
        }
        flags
    }

    pub(crate) fn count(&mut self, flags: FdFlags, change: fn(&mut usize)) {
        for (flag, count) in FdFlags::EACH.into_iter().zip(&mut self.wanted) {
            if flags.contains(flag) {
                change(count);
            }
        }
    }

    /// Whether the number is known to stand for the file that was registered.
    pub(crate) fn is_same_file(&self) -> bool {
        self.keepers > 0 || self.pending.as_ref().is_some_and(|file| file.strong_count() > 0)
    }

    /// What was put off has lost its file: the kernel has forgotten it, and the number may be another's by now.
    pub(crate) fn is_closed_behind_our_back(&self) -> bool {
        self.pending.is_some() && !self.is_same_file()
    }

    /// The first in the ring that wants any of what is ready (FD-4), and exactly what it wants of it (FD-5). It goes to
    /// the back. One that asks WRITE alone is not told of a failed file (FD-6).
    pub(crate) fn select(&mut self, report: &Report) -> Option<(FdRef, FdFlags)> {
        let told_of_failure = FdFlags::READ | FdFlags::ERROR;
        let (key, fde, flags) = self.ring.iter().find_map(|(key, fde)| {
            let flags = fde.watched();
            let hears = !report.failed || flags.intersects(told_of_failure);
            let flags = flags & report.ready;
            (hears && !flags.is_empty()).then(|| (key, fde.clone(), flags))
        })?;
        self.ring.move_to_back(key);
        if report.failed {
            fde.note_error();
        }
        Some((fde, flags))
    }

    /// The key under which the kernel knows it.
    pub(crate) fn key(&self, index: usize) -> Key {
        Key::new(index, self.generation)
    }
}
