//! Zero timers in their order: a line that is joined at its end, and left at its front or, in O(1), anywhere. A plain data
//! structure with no loop in it.

use std::collections::VecDeque;

use crate::timer_heap::Queued;

/// Who leaves from the middle leaves a gap, which goes when it comes to either end, or when the gaps are the most of it.
pub(crate) struct TimerLine<T> {
    values: VecDeque<Option<T>>,
    /// The number of the first; the others are numbered on from there.
    first: u32,
    gaps: usize,
}

/// So few gaps are left alone.
const FEW: usize = 16;

impl<T: Queued> TimerLine<T> {
    pub(crate) const fn new() -> Self {
        TimerLine { values: VecDeque::new(), first: 0, gaps: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len() - self.gaps
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// # Panics
    /// When there are more than 2³² at a time.
    pub(crate) fn push(&mut self, value: T) {
        let behind = u32::try_from(self.values.len()).expect("more zero timers at a time than numbers");
        value.place().line_up(self.first.wrapping_add(behind));
        self.values.push_back(Some(value));
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        let first = self.values.pop_front()??;
        self.first = self.first.wrapping_add(1);
        first.place().leave();
        self.trim();
        Some(first)
    }

    /// Takes out one of those in the line.
    pub(crate) fn remove(&mut self, value: &T) -> Option<T> {
        let gone = self.values.get_mut(self.index(value))?.take()?;
        gone.place().leave();
        self.gaps += 1;
        self.trim();
        if self.gaps > FEW.max(self.values.len() / 2) {
            self.close_gaps();
        }
        Some(gone)
    }

    pub(crate) fn is_first(&self, value: &T) -> bool {
        self.index(value) == 0
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.values.iter().flatten()
    }

    #[cfg(test)]
    pub(crate) fn room_taken(&self) -> usize {
        self.values.len()
    }

    fn index(&self, value: &T) -> usize {
        value.place().number().wrapping_sub(self.first) as usize
    }

    /// No gap is at an end.
    fn trim(&mut self) {
        while let Some(None) = self.values.front() {
            self.values.pop_front();
            self.first = self.first.wrapping_add(1);
            self.gaps -= 1;
        }
        while let Some(None) = self.values.back() {
            self.values.pop_back();
            self.gaps -= 1;
        }
    }

    fn close_gaps(&mut self) {
        self.values.retain(Option::is_some);
        self.gaps = 0;
        let mut number = self.first;
        for value in self.values.iter().flatten() {
            value.place().line_up(number);
            number = number.wrapping_add(1);
        }
    }
}
