//! An event in memory: its head, what it has beside its value, and its handler, of any type.

use std::cell::{Cell, UnsafeCell};
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use super::{EMPTY, Event, EventRc, Handler, State};
use crate::stack::bounded_drop;
use crate::sys::room;

#[repr(C)]
pub(super) struct Head<E: Event> {
    pub(super) kind: &'static Kind<E>,
    pub(super) shares: Cell<u32>,
    pub(super) state: Cell<State>,
    pub(super) value: E,
}

/// Begins with its head, so that a pointer to it is a pointer to that.
#[repr(C)]
pub(super) struct Whole<E: Event, B: MaybeBeside<E::Beside>, H: Handler<E>> {
    head: Head<E>,
    beside: B,
    /// Holds a handler for as long as the state is not `EMPTY`.
    handler: UnsafeCell<MaybeUninit<H>>,
}

/// What is done with a `Whole` of one type of handler, by a pointer to its head, which lives.
pub(super) struct Kind<E: Event> {
    /// Only while the state is not `EMPTY`, and stays so.
    pub(super) call: unsafe fn(NonNull<Head<E>>, E::Args<'_>),
    /// Once, after the state has become `EMPTY` and while no call runs.
    pub(super) drop_handler: unsafe fn(NonNull<Head<E>>),
    pub(super) beside: unsafe fn(NonNull<Head<E>>) -> Option<Beside<E>>,
    /// When nobody uses it any more.
    pub(super) drop: unsafe fn(NonNull<Head<E>>),
}

pub(super) type Beside<E> = NonNull<<E as Event>::Beside>;

/// Of an event that has nothing beside it.
pub(super) struct Nothing;

pub(super) struct Something<T>(pub(super) T);

pub(super) trait MaybeBeside<T>: 'static {
    fn get(&self) -> Option<&T>;
}

impl<T> MaybeBeside<T> for Nothing {
    fn get(&self) -> Option<&T> {
        None
    }
}

impl<T: 'static> MaybeBeside<T> for Something<T> {
    fn get(&self) -> Option<&T> {
        Some(&self.0)
    }
}

impl<E: Event, B: MaybeBeside<E::Beside>, H: Handler<E>> Whole<E, B, H> {
    const KIND: &'static Kind<E> = &Kind {
        call: Self::call,
        drop_handler: Self::drop_handler,
        beside: Self::beside,
        drop: Self::drop_whole,
    };

    /// There is room before the value is made, so that it is not made elsewhere and then copied.
    #[inline]
    pub(super) fn build(
        make: impl FnOnce() -> E,
        state: State,
        beside: B,
        handler: MaybeUninit<H>,
    ) -> EventRc<E> {
        let room = NotMade(room::take::<Self>());
        let whole = room.0;
        let head = Head { kind: Self::KIND, shares: Cell::new(1), state: Cell::new(state), value: make() };
        // SAFETY: it is room for one, which nobody else has.
        unsafe { whole.write(Whole { head, beside, handler: UnsafeCell::new(handler) }) };
        std::mem::forget(room);
        EventRc(whole.cast())
    }

    /// # Safety
    /// As [`Kind::call`] says.
    unsafe fn call(head: NonNull<Head<E>>, args: E::Args<'_>) {
        // SAFETY: it is the head of such a `Whole`, which lives, and of which nobody makes a `&mut`.
        let whole = unsafe { head.cast::<Self>().as_ref() };
        // SAFETY: nobody makes a `&mut` of the handler, and it is not taken out while this call runs.
        let handler = unsafe { &*whole.handler.get() };
        // SAFETY: it is not empty.
        unsafe { handler.assume_init_ref() }.handle(args);
    }

    /// # Safety
    /// As [`Kind::drop_handler`] says.
    unsafe fn drop_handler(head: NonNull<Head<E>>) {
        // SAFETY: it is the head of such a `Whole`, which lives, and of which nobody makes a `&mut`.
        let whole = unsafe { head.cast::<Self>().as_ref() };
        // SAFETY: no call runs, so nobody has a reference to it, and no call begins, as it counts as empty.
        let handler = unsafe { &*whole.handler.get() };
        // SAFETY: it was not empty until just now, and is read this once.
        let handler = unsafe { handler.assume_init_read() };
        // Last, because what the handler owns may call back into the loop as it is dropped.
        bounded_drop(handler);
    }

    /// # Safety
    /// As [`Kind::beside`] says.
    unsafe fn beside(head: NonNull<Head<E>>) -> Option<Beside<E>> {
        // SAFETY: it is the head of such a `Whole`, which lives, and of which nobody makes a `&mut`.
        let whole = unsafe { head.cast::<Self>().as_ref() };
        whole.beside.get().map(NonNull::from)
    }

    /// # Safety
    /// As [`Kind::drop`] says.
    unsafe fn drop_whole(head: NonNull<Head<E>>) {
        let whole = head.cast::<Self>();
        // Also when something of the user's panics as it is dropped.
        let _room = NotMade(whole);
        // SAFETY: it is the head of such a `Whole`, which nobody uses any more.
        unsafe { whole.drop_in_place() };
    }
}

impl<E: Event, B: MaybeBeside<E::Beside>, H: Handler<E>> Drop for Whole<E, B, H> {
    #[inline]
    fn drop(&mut self) {
        // There is no share any more, so no call runs.
        if self.head.state.get() & EMPTY == 0 {
            // SAFETY: it is not empty, and not used after this.
            bounded_drop(unsafe { self.handler.get_mut().assume_init_read() });
        }
    }
}

/// Room with nothing in it, to be given back.
struct NotMade<T>(NonNull<T>);

impl<T> Drop for NotMade<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: it was taken for a `T`, by `build`, and nobody uses it any more.
        unsafe { room::give_back(self.0) };
    }
}
