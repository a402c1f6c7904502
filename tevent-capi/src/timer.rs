//! Timers.

use std::cell::Cell;
use std::ffi::{CStr, c_int};

use libc::timeval;

use crate::busy::{self, Busy, Handled};
use crate::call::{Given, c_fn};
use crate::chunk::{Chunk, Out, Parent, Private, Text};
use crate::context::Context;
use crate::export::{called_by_c, export};
use crate::list::{Linked, Links};
use crate::talloc;
use crate::timers::{self, Place};
use crate::trace::{self, Point};
use crate::wrapper;

const NAME: &CStr = c"struct tevent_timer";

c_fn! {
    TimerHandler(ev: Option<Chunk<Context>>, te: Chunk<Timer>, now: timeval, private: Private);
}

/// `struct tevent_timer`.
pub struct Timer {
    /// The context that it was added to, a wrapper perhaps. `None` once that has gone.
    pub ev: Cell<Option<Chunk<Context>>>,
    /// The context that has it on its list, until its handler has returned.
    main: Cell<Option<Chunk<Context>>>,
    links: Links<Timer>,
    place: Cell<Place>,
    due: Cell<timeval>,
    tag: Cell<u64>,
    handler: Given<TimerHandler>,
    busy: Busy,
}

impl Linked for Timer {
    fn links(&self) -> &Links<Timer> {
        &self.links
    }
}

impl Timer {
    /// Where it stands in its context.
    pub fn place(&self) -> &Cell<Place> {
        &self.place
    }

    pub fn due(&self) -> timeval {
        self.due.get()
    }

    /// Whether it will fire.
    fn is_pending(&self) -> bool {
        matches!(self.place.get(), Place::Zero | Place::Later(_))
    }
}

impl Handled for Timer {
    fn busy(&self) -> &Busy {
        &self.busy
    }
}

fn add(
    ev: Chunk<Context>,
    parent: Parent,
    due: timeval,
    handler: Given<TimerHandler>,
) -> Option<Chunk<Timer>> {
    let main = ev.main()?;
    let parent = if parent.is_null() { ev.parent() } else { parent };
    let te = talloc::create(
        parent,
        NAME,
        Timer {
            ev: Cell::new(Some(ev)),
            main: Cell::new(Some(main)),
            links: Links::new(),
            place: Cell::new(Place::Nowhere),
            due: Cell::new(due),
            tag: Cell::new(0),
            handler,
            busy: Busy::default(),
        },
    )?;
    timers::insert(main, te, due);
    trace::tell_timer(main, te, Point::Attach);
    talloc::set_destructor(te, destroy);
    Some(te)
}

/// It is inert from now on.
pub fn detach(te: Chunk<Timer>) {
    te.ev.set(None);
    if let Some(main) = te.main.take() {
        trace::tell_timer(main, te, Point::Detach);
        timers::remove(main, te);
    }
}

called_by_c! {
    fn destroy(te: Chunk<Timer>) -> c_int {
        if !te.busy.is_destroyed() {
            detach(te);
        }
        busy::end(te, "tevent_timer double free")
    }
}

/// Calls the handler; the event is freed after it, if not before.
pub fn run(te: Chunk<Timer>, now: timeval) -> bool {
    let Some(ev) = te.ev.get() else { return false };
    busy::enter(te);
    if let Some(main) = te.main.get() {
        trace::tell_timer(main, te, Point::BeforeHandler);
    }
    let handler = te.handler;
    if let Some(function) = handler.function {
        let due = te.due.get();
        wrapper::around(
            ev,
            |glue| glue.before_timer(ev, te, due, now, handler.name, handler.location),
            || function.call(Some(ev), te, now, handler.private),
            |glue| glue.after_timer(ev, te, due, now, handler.name, handler.location),
        );
    }
    if !busy::leave(te) && !te.busy.is_busy() && !te.is_pending() {
        talloc::free(te);
    }
    true
}

export! {
    fn _tevent_add_timer(
        ev: Chunk<Context>, parent: Parent, due: timeval, handler: Option<TimerHandler>, private: Private,
        handler_name: Text, location: Text,
    ) -> Option<Chunk<Timer>> {
        let add = ev.main()?.ops.add_timer?;
        add.call(ev, parent, due, handler, private, handler_name, location)
    }

    fn tevent_common_add_timer(
        ev: Chunk<Context>, parent: Parent, due: timeval, handler: Option<TimerHandler>, private: Private,
        handler_name: Text, location: Text,
    ) -> Option<Chunk<Timer>> {
        add(ev, parent, due, Given { function: handler, private, name: handler_name, location })
    }

    fn tevent_common_add_timer_v2(
        ev: Chunk<Context>, parent: Parent, due: timeval, handler: Option<TimerHandler>, private: Private,
        handler_name: Text, location: Text,
    ) -> Option<Chunk<Timer>> {
        add(ev, parent, due, Given { function: handler, private, name: handler_name, location })
    }

    fn tevent_update_timer(te: Chunk<Timer>, due: timeval) {
        let Some(main) = te.main.get() else { return };
        trace::tell_timer(main, te, Point::Detach);
        te.due.set(due);
        timers::insert(main, te, due);
        trace::tell_timer(main, te, Point::Attach);
    }

    fn tevent_timer_set_tag(te: Option<Chunk<Timer>>, tag: u64) {
        if let Some(te) = te {
            te.tag.set(tag);
        }
    }

    fn tevent_timer_get_tag(te: Option<Chunk<Timer>>) -> u64 {
        te.map_or(0, |te| te.tag.get())
    }

    fn tevent_common_invoke_timer_handler(te: Chunk<Timer>, now: timeval, removed: Out<bool>) -> c_int {
        // It fires now, whenever it was due.
        if let Some(main) = te.main.get() {
            timers::start(main, te);
        }
        removed.put(false);
        removed.put(run(te, now));
        0
    }
}
