//! Timers.

use std::cell::Cell;
use std::ffi::{CStr, c_int};

use libc::timeval;
use tevent_core::When;

use crate::busy::{self, Busy, Handled};
use crate::call::{Given, c_fn};
use crate::chunk::{Chunk, Out, Parent, Private, Text};
use crate::context::Context;
use crate::export::{called_by_c, export};
use crate::list::{Linked, Links};
use crate::spare;
use crate::sys;
use crate::talloc;
use crate::time::{self, is_zero};
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
    core: Cell<Option<tevent_core::Timer>>,
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
            core: Cell::new(None),
            due: Cell::new(due),
            tag: Cell::new(0),
            handler,
            busy: Busy::default(),
        },
    )?;
    te.core.set(Some(arm(main, te, main.clock.when(due))));
    trace::tell_timer(main, te, Point::Attach);
    main.timers.push_back(te);
    talloc::set_destructor(te, destroy);
    Some(te)
}

/// A timer of the core's for it, a spare one if there is one.
fn arm(main: Chunk<Context>, te: Chunk<Timer>, when: When) -> tevent_core::Timer {
    let spare = main.spare_timers.borrow_mut().pop().filter(|spare| spare.update(when));
    let core = spare.unwrap_or_else(|| main.core().add_timer(when, |_ev, te, _now| fire(te.tag())));
    core.set_tag(spare::tag_of(te));
    core
}

/// The core's timer is not needed any more: it is spare, if it has not fired.
fn disarm(main: Chunk<Context>, core: tevent_core::Timer) {
    core.set_tag(spare::NOBODY);
    let mut spare = main.spare_timers.borrow_mut();
    if spare.len() < spare::ROOM && main.core().disarm_timer(&core) {
        spare.push(core);
    }
}

/// It is inert from now on.
pub fn detach(te: Chunk<Timer>) {
    te.ev.set(None);
    let core = te.core.take();
    if let Some(main) = te.main.take() {
        if let Some(core) = core {
            disarm(main, core);
        }
        trace::tell_timer(main, te, Point::Detach);
        main.timers.remove(te);
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

/// The turn of that tag's object has come.
fn fire(tag: u64) {
    let Some(te) = spare::object::<Timer>(tag, NAME) else { return };
    let due = te.due.get();
    let now = if is_zero(due) { time::ZERO } else { time::later(sys::wall(), due) };
    run(te, now);
}

/// Calls the handler; the event is freed after it, if not before.
fn run(te: Chunk<Timer>, now: timeval) -> bool {
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
    if !busy::leave(te) {
        // Spent, unless the handler has armed it again.
        let pending = te.core.take();
        if pending.as_ref().is_none_or(|core| !core.is_pending()) {
            drop(pending);
            if !te.busy.is_busy() {
                talloc::free(te);
            }
        } else {
            te.core.set(pending);
        }
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
        let (Some(main), Some(core)) = (te.main.get(), te.core.take()) else { return };
        trace::tell_timer(main, te, Point::Detach);
        te.due.set(due);
        core.update(main.clock.when(due));
        te.core.set(Some(core));
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
        drop(te.core.take());
        removed.put(false);
        removed.put(run(te, now));
        0
    }
}
