//! Looking into a cell that has no count of borrows, which is a word less.

use std::cell::Cell;

/// What `look` says of the value. It must not come back to the cell, which is empty meanwhile.
pub(crate) fn look<T, R>(cell: &Cell<Option<T>>, look: impl FnOnce(&T) -> R) -> Option<R> {
    let value = cell.take();
    let seen = value.as_ref().map(look);
    cell.set(value);
    seen
}
