//! A shared pointer of one word to an event: its value, and behind it its handler, of any type, in one allocation.

mod whole;

use std::mem::MaybeUninit;
use std::ops::Deref;
use std::ptr::NonNull;

use whole::{Head, Nothing, Something, Whole};

/// The value of one kind of event.
pub(crate) trait Event: Sized + 'static {
    /// What a handler is called with.
    type Args<'a>;
    /// What some events of this kind have beside it.
    type Beside: 'static;
}

/// What can be called when an event has its turn.
pub(crate) trait Handler<E: Event>: 'static {
    fn handle(&self, args: E::Args<'_>);
}

/// Shares an event, which lives as long as there is a share.
///
/// Its handler is called through a shared reference, so that a nested turn may enter it again, and can be dismissed at any
/// moment: it is dropped at once when it is idle, otherwise when its outermost call returns.
///
/// As an `Rc` of a struct with a `RefCell<Option<dyn Handler>>` behind the value, without weak ones; but one word instead of two, three
/// words smaller, and where the value lies does not depend on the type of the handler, so that it takes no while to find.
#[repr(transparent)]
pub(crate) struct EventRc<E: Event>(NonNull<Head<E>>);

/// How many calls of the handler stand on the stack, more than one by nesting, in units of `CALL`; below that the [marks](Mark); and
/// below these what is the matter with it.
type State = u32;

const DISMISSED: State = 1;
const EMPTY: State = 2;
const FIRST_MARK: State = 4;
const CALL: State = 256;

/// One of six facts that an event notes of itself: for these there is room.
#[derive(Clone, Copy)]
pub(crate) struct Mark(State);

impl Mark {
    pub(crate) const fn nth(n: u32) -> Self {
        assert!(n < 6);
        Mark(FIRST_MARK << n)
    }

    pub(crate) const fn or(self, other: Self) -> Self {
        Mark(self.0 | other.0)
    }
}

impl<E: Event> EventRc<E> {
    #[inline]
    pub(crate) fn new<H: Handler<E>>(make: impl FnOnce() -> E, handler: H) -> Self {
        Whole::build(make, 0, Nothing, MaybeUninit::new(handler))
    }

    pub(crate) fn with_beside<H: Handler<E>>(
        make: impl FnOnce() -> E,
        beside: E::Beside,
        handler: H,
    ) -> Self {
        Whole::build(make, 0, Something(beside), MaybeUninit::new(handler))
    }

    /// Without a handler: calling it does nothing.
    pub(crate) fn empty<H: Handler<E>>(make: impl FnOnce() -> E) -> Self {
        Whole::<E, Nothing, H>::build(make, EMPTY, Nothing, MaybeUninit::uninit())
    }

    /// Calls the handler, if it was not dismissed.
    ///
    /// # Panics
    /// When more than 2²⁴ calls stand on top of each other, for which no stack has room.
    #[inline]
    pub(crate) fn call(&self, args: E::Args<'_>) {
        let head = self.head();
        let state = head.state.get();
        if state & (DISMISSED | EMPTY) != 0 {
            return;
        }
        head.state.set(state.checked_add(CALL).expect("fewer calls than fill any stack"));
        let _after = Return(self);
        // SAFETY: it is of the kind that its head says, and lives. It is not empty, and stays so: only `drop_if_idle` makes it
        // so, which does nothing while a call is counted, as this one is until `_after` is dropped.
        unsafe { (head.kind.call)(self.0, args) };
    }

    /// How many calls of the handler stand on the stack.
    #[inline]
    pub(crate) fn calls(&self) -> u32 {
        self.head().state.get() / CALL
    }

    /// No call begins after this. The handler is dropped now, or when its running call returns.
    #[inline]
    pub(crate) fn dismiss(&self) {
        let state = &self.head().state;
        state.set(state.get() | DISMISSED);
        self.drop_if_idle();
    }

    /// The same, by an owner who drops this share next: where it is the last, the handler goes with it then.
    #[inline]
    pub(crate) fn dismiss_before_drop(&self) {
        if self.head().shares.get() > 1 {
            self.dismiss();
        }
    }

    #[inline]
    fn drop_if_idle(&self) {
        let head = self.head();
        let state = head.state.get();
        if state >= CALL || state & EMPTY != 0 {
            return;
        }
        head.state.set(state | EMPTY);
        // SAFETY: it is of the kind that its head says, and lives. It was not empty until the line above, and no call runs.
        unsafe { (head.kind.drop_handler)(self.0) };
    }

    /// It was dismissed meanwhile.
    #[cold]
    fn drop_after_call(&self) {
        self.drop_if_idle();
    }

    /// What it has beside the value, if it has.
    pub(crate) fn beside(&self) -> Option<&E::Beside> {
        // SAFETY: it is of the kind that its head says, and lives.
        let beside = unsafe { (self.head().kind.beside)(self.0) }?;
        // SAFETY: it lives as long as this share does, and nobody makes a `&mut` of it.
        Some(unsafe { beside.as_ref() })
    }

    /// Whether it has that mark, or one of those.
    #[inline]
    pub(crate) fn is(&self, mark: Mark) -> bool {
        self.head().state.get() & mark.0 != 0
    }

    #[inline]
    pub(crate) fn mark(&self, mark: Mark) {
        let state = &self.head().state;
        state.set(state.get() | mark.0);
    }

    #[inline]
    pub(crate) fn unmark(&self, mark: Mark) {
        let state = &self.head().state;
        state.set(state.get() & !mark.0);
    }

    /// Tells it from all others.
    #[inline]
    pub(crate) fn address(&self) -> usize {
        self.0.addr().get()
    }

    #[inline]
    fn head(&self) -> &Head<E> {
        // SAFETY: it lives as long as there is a share, and nobody makes a `&mut` of it.
        unsafe { self.0.as_ref() }
    }
}

impl<E: Event> Deref for EventRc<E> {
    type Target = E;

    #[inline]
    fn deref(&self) -> &E {
        &self.head().value
    }
}

impl<E: Event> Clone for EventRc<E> {
    /// # Panics
    /// When there are more than 2³² − 1 shares, which is possible where they are forgotten.
    #[inline]
    fn clone(&self) -> Self {
        let shares = &self.head().shares;
        shares.set(shares.get().checked_add(1).expect("fewer shares than can be counted"));
        EventRc(self.0)
    }
}

impl<E: Event> Drop for EventRc<E> {
    #[inline]
    fn drop(&mut self) {
        let head = self.head();
        let left = head.shares.get() - 1;
        head.shares.set(left);
        if left == 0 {
            let drop = head.kind.drop;
            // SAFETY: it is of the kind that its head says, and this was the last share.
            unsafe { drop(self.0) };
        }
    }
}

/// The end of a call, also of one that panics.
struct Return<'a, E: Event>(&'a EventRc<E>);

impl<E: Event> Drop for Return<'_, E> {
    #[inline]
    fn drop(&mut self) {
        let state = &self.0.head().state;
        state.set(state.get() - CALL);
        if state.get() & DISMISSED != 0 {
            self.0.drop_after_call();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;

    /// An event that is called with another share of itself, and with a depth.
    struct Noted {
        _value: Rc<()>,
        number: Cell<u64>,
    }

    impl Event for Noted {
        type Args<'a> = (&'a EventRc<Noted>, u32);
        type Beside = Cell<u8>;
    }

    impl<F: Fn(&EventRc<Noted>, u32) + 'static> Handler<Noted> for F {
        fn handle(&self, (event, depth): (&EventRc<Noted>, u32)) {
            self(event, depth);
        }
    }

    fn noted(value: &Rc<()>) -> impl FnOnce() -> Noted + use<> {
        let value = Rc::clone(value);
        || Noted { _value: value, number: Cell::new(1) }
    }

    #[test]
    fn all_of_it_lives_as_long_as_there_is_a_share() {
        #[repr(align(64))]
        struct Aligned(Rc<()>);
        let (value, held) = (Rc::new(()), Rc::new(()));
        let (plain, aligned) = (Rc::clone(&held), Aligned(Rc::clone(&held)));
        let events = [
            EventRc::new(noted(&value), move |event: &EventRc<Noted>, _: u32| {
                event.number.set(2 * Rc::strong_count(&plain) as u64);
            }),
            EventRc::with_beside(noted(&value), Cell::new(7), move |event: &EventRc<Noted>, _: u32| {
                let aligned = &aligned;
                assert_eq!(std::ptr::from_ref(aligned).addr() % 64, 0);
                event.number.set(2 * Rc::strong_count(&aligned.0) as u64);
            }),
            EventRc::empty::<fn(&EventRc<Noted>, u32)>(noted(&value)),
        ];
        for (event, (beside, expected)) in events.into_iter().zip([(None, 6), (Some(7), 4), (None, 1)]) {
            let share = event.clone();
            share.call((&event, 0));
            assert_eq!((event.number.get(), event.address()), (expected, share.address()));
            drop(event);
            assert_eq!(share.beside().map(Cell::get), beside);
        }
        assert_eq!((Rc::strong_count(&value), Rc::strong_count(&held)), (1, 1));
    }

    #[test]
    fn a_dismissed_handler_is_dropped_when_its_outermost_call_returns() {
        let (value, held) = (Rc::new(()), Rc::new(()));
        let watch = Rc::clone(&held);
        let event = EventRc::new(noted(&value), move |event: &EventRc<Noted>, depth: u32| {
            assert_eq!(event.calls(), depth);
            match depth {
                1 => event.call((event, 2)),
                2 => event.dismiss(),
                _ => unreachable!(),
            }
            assert_eq!(event.head().state.get(), (depth * CALL) | DISMISSED);
            assert_eq!(Rc::strong_count(&held), 2, "the outer call goes on");
            event.call((event, 3)); // it was dismissed
        });
        event.call((&event, 1));
        assert_eq!(Rc::strong_count(&watch), 1);
        event.dismiss();
        assert_eq!(event.head().state.get(), DISMISSED | EMPTY);
    }

    #[test]
    fn an_owner_leaves_the_handler_to_the_last_share() {
        let (value, held) = (Rc::new(()), Rc::new(()));
        let watch = Rc::clone(&held);
        let event = EventRc::new(noted(&value), move |_: &EventRc<Noted>, _: u32| drop(Rc::clone(&held)));
        let share = event.clone();
        event.dismiss_before_drop();
        assert_eq!(Rc::strong_count(&watch), 1, "somebody else may call it");
        drop((event, share));
        let held = Rc::clone(&watch);
        let event = EventRc::new(noted(&value), move |_: &EventRc<Noted>, _: u32| drop(Rc::clone(&held)));
        event.dismiss_before_drop();
        assert_eq!(Rc::strong_count(&watch), 2);
        drop(event);
        assert_eq!(Rc::strong_count(&watch), 1);
    }

    #[test]
    fn a_handler_goes_with_its_event_also_when_it_panicked() {
        let (value, held) = (Rc::new(()), Rc::new(()));
        let watch = Rc::clone(&held);
        let event = EventRc::new(noted(&value), move |_: &EventRc<Noted>, _: u32| {
            panic!("as asked, with {held:?}");
        });
        let call = || event.call((&event, 1));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err());
        assert_eq!(event.head().state.get(), 0);
        drop(event);
        assert_eq!((Rc::strong_count(&watch), Rc::strong_count(&value)), (1, 1));
    }

    #[test]
    fn marks_stand_beside_what_is_the_matter_with_the_handler() {
        let event = EventRc::empty::<fn(&EventRc<Noted>, u32)>(noted(&Rc::new(())));
        let marks: Vec<Mark> = (0..6).map(Mark::nth).collect();
        for mark in &marks {
            event.mark(*mark);
        }
        assert_eq!((event.head().state.get(), event.calls()), (CALL - 1 - DISMISSED, 0));
        event.unmark(marks[0].or(marks[5]));
        assert!(!event.is(marks[0]) && event.is(marks[1]) && event.is(marks[0].or(marks[1])));
    }

    #[test]
    fn it_is_one_word_and_two_beside_the_value_and_the_handler() {
        assert_eq!(size_of::<Option<EventRc<Noted>>>(), size_of::<usize>());
        let word = size_of::<usize>();
        let whole = size_of::<Whole<Noted, Nothing, fn(&EventRc<Noted>, u32)>>();
        assert_eq!(whole, size_of::<Noted>() + 8 + 2 * word);
    }
}
