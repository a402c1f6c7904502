//! Immediate events.

use std::cell::{Cell, OnceCell};
use std::ffi::{CStr, c_int};

use crate::busy::{self, Busy, Handled};
use crate::call::{Given, c_fn};
use crate::chunk::{Chunk, Out, Parent, Private, Text};
use crate::context::Context;
use crate::export::{abort, called_by_c, export};
use crate::list::{Linked, Links};
use crate::spare::{self, Leased};
use crate::talloc;
use crate::threaded::Ticket;
use crate::trace::{self, Point};
use crate::wrapper;

const NAME: &CStr = c"struct tevent_immediate";

c_fn! {
    ImmediateHandler(ev: Option<Chunk<Context>>, im: Chunk<Immediate>, private: Private);
}

/// `struct tevent_immediate`.
pub struct Immediate {
    core: OnceCell<Leased>,
    /// The context that it is scheduled on, a wrapper perhaps. `None` while it is not scheduled.
    pub ev: Cell<Option<Chunk<Context>>>,
    /// The context that has it on its list, until its handler has returned.
    main: Cell<Option<Chunk<Context>>>,
    links: Links<Immediate>,
    /// On its way from another thread.
    pub ticket: Cell<Option<Ticket>>,
    /// What it was scheduled with.
    pub handler: Cell<Given<ImmediateHandler>>,
    tag: Cell<u64>,
    busy: Busy,
}

impl Linked for Immediate {
    fn links(&self) -> &Links<Immediate> {
        &self.links
    }
}

impl Handled for Immediate {
    fn busy(&self) -> &Busy {
        &self.busy
    }
}

/// An immediate that is not scheduled.
pub fn create(parent: Parent, location: Text) -> Option<Chunk<Immediate>> {
    let im = talloc::create(
        parent,
        NAME,
        Immediate {
            core: OnceCell::new(),
            ev: Cell::new(None),
            main: Cell::new(None),
            links: Links::new(),
            ticket: Cell::new(None),
            handler: Cell::new(Given { function: None, private: Private::NONE, name: Text::NONE, location }),
            tag: Cell::new(0),
            busy: Busy::default(),
        },
    )?;
    im.core.get_or_init(|| Leased::to(im));
    talloc::set_destructor(im, destroy);
    Some(im)
}

called_by_c! {
    fn destroy(im: Chunk<Immediate>) -> c_int {
        if !im.busy.is_destroyed() && (im.main.get().is_some() || im.ev.get().is_some()) {
            cancel(im);
        }
        busy::end(im, "tevent_immediate double free")
    }
}

/// It is not scheduled any more.
pub fn cancel(im: Chunk<Immediate>) {
    if let Some(ticket) = im.ticket.take() {
        ticket.cancel();
    }
    detach(im);
}

/// It is inert until it is scheduled again.
pub fn detach(im: Chunk<Immediate>) {
    reset(im);
    im.ev.set(None);
    leave(im);
}

/// It is going to another thread: what the core remembers of this thread's context stays here.
pub fn forget(im: Chunk<Immediate>) {
    reset(im);
}

fn reset(im: Chunk<Immediate>) {
    if let Some(core) = im.core.get() {
        core.reset();
    }
}

fn leave(im: Chunk<Immediate>) {
    if let Some(main) = im.main.take() {
        trace::tell_immediate(main, im, Point::Detach);
        main.immediates.remove(im);
    }
}

/// Takes its place among the events of the context.
fn attach(im: Chunk<Immediate>, main: Chunk<Context>) {
    im.main.set(Some(main));
    trace::tell_immediate(main, im, Point::Attach);
    main.immediates.push_back(im);
}

pub fn schedule(im: Chunk<Immediate>, ev: Chunk<Context>, handler: Given<ImmediateHandler>) {
    let main = handler.function.and(ev.main());
    let Some(main) = main else { return cancel(im) };
    let on = im.main.get();
    if on == Some(main) {
        // It only moves to the tail.
        trace::tell_immediate(main, im, Point::Detach);
        trace::tell_immediate(main, im, Point::Attach);
    } else {
        // One that has just been made has nothing to leave.
        if im.ev.get().is_some() || on.is_some() {
            cancel(im);
        }
        attach(im, main);
    }
    im.ev.set(Some(ev));
    im.handler.set(handler);
    if let Some(core) = im.core.get() {
        core.schedule(main.core());
    }
}

/// The turn of that tag's object has come.
pub fn fire(tag: u64) {
    if let Some(im) = spare::object(tag, NAME) {
        run(im);
    }
}

/// It was scheduled by another thread, and its turn has come.
pub fn fire_afar(im: Chunk<Immediate>) {
    im.ticket.set(None);
    if let Some(main) = im.ev.get().and_then(Chunk::main) {
        attach(im, main);
        run(im);
    }
}

/// Calls the handler. Says whether the immediate is gone after it.
fn run(im: Chunk<Immediate>) -> bool {
    let handler = im.handler.get();
    let (Some(ev), Some(function)) = (im.ev.take(), handler.function) else { return false };
    busy::enter(im);
    if let Some(main) = im.main.get() {
        trace::tell_immediate(main, im, Point::BeforeHandler);
    }
    wrapper::around(
        ev,
        |glue| glue.before_immediate(ev, im, handler.name, handler.location),
        || function.call(Some(ev), im, handler.private),
        |glue| glue.after_immediate(ev, im, handler.name, handler.location),
    );
    if !im.busy.is_destroyed() && im.ev.get().is_none() {
        leave(im);
    }
    busy::leave(im)
}

export! {
    fn _tevent_create_immediate(parent: Parent, location: Text) -> Option<Chunk<Immediate>> {
        create(parent, location)
    }

    fn _tevent_schedule_immediate(
        im: Chunk<Immediate>, ev: Chunk<Context>, handler: Option<ImmediateHandler>, private: Private,
        handler_name: Text, location: Text,
    ) {
        // What its children do as it goes, such as a queue whose head leaves, comes to nothing.
        let Some(main) = ev.main() else { return cancel(im) };
        match main.ops.schedule_immediate {
            Some(schedule) => schedule.call(im, ev, handler, private, handler_name, location),
            None => abort(Some(ev), "tevent_schedule_immediate() on a backend without immediates"),
        }
    }

    fn tevent_common_schedule_immediate(
        im: Chunk<Immediate>, ev: Chunk<Context>, handler: Option<ImmediateHandler>, private: Private,
        handler_name: Text, location: Text,
    ) {
        schedule(im, ev, Given { function: handler, private, name: handler_name, location });
    }

    fn tevent_reset_immediate(im: Chunk<Immediate>) {
        cancel(im);
    }

    fn tevent_common_immediate_cancel(im: Chunk<Immediate>) {
        cancel(im);
    }

    fn tevent_immediate_set_tag(im: Option<Chunk<Immediate>>, tag: u64) {
        if let Some(im) = im {
            im.tag.set(tag);
        }
    }

    fn tevent_immediate_get_tag(im: Option<Chunk<Immediate>>) -> u64 {
        im.map_or(0, |im| im.tag.get())
    }

    fn tevent_common_invoke_immediate_handler(im: Chunk<Immediate>, removed: Out<bool>) -> c_int {
        removed.put(false);
        reset(im);
        removed.put(run(im));
        0
    }
}
