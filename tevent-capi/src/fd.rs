//! Fd events.

use std::cell::Cell;
use std::ffi::{CStr, c_int};

use tevent_core::{FdEvent, FdFlags};

use crate::busy::{self, Busy, Handled};
use crate::call::{Given, c_fn};
use crate::chunk::{Chunk, Out, Parent, Private, Text};
use crate::context::Context;
use crate::export::{called_by_c, export};
use crate::list::{Linked, Links};
use crate::sys;
use crate::talloc;
use crate::trace::{self, Point};
use crate::wrapper;

const NAME: &CStr = c"struct tevent_fd";

c_fn! {
    FdHandler(ev: Option<Chunk<Context>>, fde: Chunk<Fd>, flags: u16, private: Private);
    CloseFn(ev: Option<Chunk<Context>>, fde: Chunk<Fd>, fd: c_int, private: Private);
}

/// `struct tevent_fd`.
pub struct Fd {
    /// The context that it was added to, a wrapper perhaps. `None` once that has gone.
    pub ev: Cell<Option<Chunk<Context>>>,
    /// The context that has it on its list.
    main: Cell<Option<Chunk<Context>>>,
    links: Links<Fd>,
    /// The core's owner. `None` where a backend of the user's watches.
    watch: Cell<Option<FdEvent>>,
    /// What it was last asked to watch for.
    flags: Cell<u16>,
    number: Cell<c_int>,
    tag: Cell<u64>,
    handler: Given<FdHandler>,
    close_fn: Cell<Option<CloseFn>>,
    busy: Busy,
}

impl Linked for Fd {
    fn links(&self) -> &Links<Fd> {
        &self.links
    }
}

impl Handled for Fd {
    fn busy(&self) -> &Busy {
        &self.busy
    }
}

called_by_c! {
    /// As a backend does that lets the core watch.
    pub fn add_watched(
        ev: Chunk<Context>,
        parent: Parent,
        fd: c_int,
        flags: u16,
        handler: Option<FdHandler>,
        private: Private,
        handler_name: Text,
        location: Text,
    ) -> Option<Chunk<Fd>> {
        let fde = add(ev, parent, fd, flags, Given { function: handler, private, name: handler_name, location })?;
        let main = fde.main.get()?;
        let watch = main.core().add_fd(fd, FdFlags::from_bits_truncate(flags), move |_ev, _fde, ready| {
            run(fde, ready.bits());
        });
        let Ok(watch) = watch else {
            talloc::free(fde);
            return None;
        };
        fde.watch.set(Some(watch));
        Some(fde)
    }
}

fn add(
    ev: Chunk<Context>,
    parent: Parent,
    fd: c_int,
    flags: u16,
    handler: Given<FdHandler>,
) -> Option<Chunk<Fd>> {
    let main = ev.main()?;
    if fd < 0 {
        return None;
    }
    let parent = if parent.is_null() { ev.parent() } else { parent };
    let fde = talloc::create(
        parent,
        NAME,
        Fd {
            ev: Cell::new(Some(ev)),
            main: Cell::new(Some(main)),
            links: Links::new(),
            watch: Cell::new(None),
            flags: Cell::new(flags),
            number: Cell::new(fd),
            tag: Cell::new(0),
            handler,
            close_fn: Cell::new(None),
            busy: Busy::default(),
        },
    )?;
    trace::tell_fd(main, fde, Point::Attach);
    main.fds.push_back(fde);
    talloc::set_destructor(fde, tevent_common_fd_destructor);
    Some(fde)
}

/// It is inert from now on.
pub fn detach(fde: Chunk<Fd>) {
    drop(fde.watch.take());
    fde.flags.set(0);
    fde.ev.set(None);
    if let Some(main) = fde.main.take() {
        trace::tell_fd(main, fde, Point::Detach);
        main.fds.remove(fde);
    }
}

/// Calls the handler. Says whether the event is gone after it.
fn run(fde: Chunk<Fd>, flags: u16) -> bool {
    let handler = fde.handler;
    let (Some(ev), Some(function)) = (fde.ev.get(), handler.function) else { return false };
    busy::during(fde, || {
        if let Some(main) = fde.main.get() {
            trace::tell_fd(main, fde, Point::BeforeHandler);
        }
        wrapper::around(
            ev,
            |glue| glue.before_fd(ev, fde, flags, handler.name, handler.location),
            || function.call(Some(ev), fde, flags, handler.private),
            |glue| glue.after_fd(ev, fde, flags, handler.name, handler.location),
        );
    })
}

/// Whether a backend of the user's watches it.
pub fn is_armed(fde: Chunk<Fd>) -> bool {
    let watch = fde.watch.take();
    let wakes = fde.main.get().is_some_and(|main| main.wake.is(fde));
    let armed = watch.is_none() && fde.flags.get() != 0 && !wakes;
    fde.watch.set(watch);
    armed
}

/// Looks at the core's event without taking it.
fn with_watch<R>(fde: Chunk<Fd>, look: impl FnOnce(&FdEvent) -> R) -> Option<R> {
    let watch = fde.watch.take()?;
    let seen = look(&watch);
    fde.watch.set(Some(watch));
    Some(seen)
}

called_by_c! {
    pub fn watched_flags(fde: Chunk<Fd>) -> u16 {
        let watched = with_watch(fde, |watch| watch.flags()).unwrap_or(FdFlags::NONE);
        // What was asked for, with bits that mean nothing; unless the core has disarmed it since.
        if watched == FdFlags::from_bits_truncate(fde.flags.get()) { fde.flags.get() } else { watched.bits() }
    }

    pub fn set_watched_flags(fde: Chunk<Fd>, flags: u16) {
        if with_watch(fde, |watch| watch.set_flags(FdFlags::from_bits_truncate(flags))).is_some() {
            fde.flags.set(flags);
        }
    }

    fn close_it(_ev: Option<Chunk<Context>>, _fde: Chunk<Fd>, fd: c_int, _private: Private) {
        sys::close(fd);
    }
}

export! {
    fn _tevent_add_fd(
        ev: Chunk<Context>, parent: Parent, fd: c_int, flags: u16, handler: Option<FdHandler>, private: Private,
        handler_name: Text, location: Text,
    ) -> Option<Chunk<Fd>> {
        let add = ev.main()?.ops.add_fd?;
        add.call(ev, parent, fd, flags, handler, private, handler_name, location)
    }

    fn tevent_common_add_fd(
        ev: Chunk<Context>, parent: Parent, fd: c_int, flags: u16, handler: Option<FdHandler>, private: Private,
        handler_name: Text, location: Text,
    ) -> Option<Chunk<Fd>> {
        add(ev, parent, fd, flags, Given { function: handler, private, name: handler_name, location })
    }

    fn tevent_common_fd_destructor(fde: Chunk<Fd>) -> c_int {
        if !fde.busy.is_destroyed() {
            let ev = fde.ev.get();
            detach(fde);
            if let Some(close_fn) = fde.close_fn.take() {
                close_fn.call(ev, fde, fde.number.get(), fde.handler.private);
            }
            fde.number.set(-1);
        }
        busy::end(fde, "tevent_fd double free")
    }

    fn tevent_common_fd_get_flags(fde: Chunk<Fd>) -> u16 {
        fde.flags.get()
    }

    fn tevent_common_fd_set_flags(fde: Chunk<Fd>, flags: u16) {
        if fde.ev.get().is_some() {
            fde.flags.set(flags);
        }
    }

    fn tevent_common_fd_set_close_fn(fde: Chunk<Fd>, close_fn: Option<CloseFn>) {
        fde.close_fn.set(close_fn);
    }

    fn tevent_fd_get_flags(fde: Option<Chunk<Fd>>) -> u16 {
        let ops = fde.and_then(|fde| fde.main.get()).map(|main| main.ops);
        match (fde, ops.and_then(|ops| ops.get_fd_flags)) {
            (Some(fde), Some(get)) => get.call(fde),
            _ => 0,
        }
    }

    fn tevent_fd_set_flags(fde: Option<Chunk<Fd>>, flags: u16) {
        let ops = fde.and_then(|fde| fde.main.get()).map(|main| main.ops);
        if let (Some(fde), Some(set)) = (fde, ops.and_then(|ops| ops.set_fd_flags)) {
            set.call(fde, flags);
        }
    }

    fn tevent_fd_set_close_fn(fde: Option<Chunk<Fd>>, close_fn: Option<CloseFn>) {
        let ops = fde.and_then(|fde| fde.main.get()).map(|main| main.ops);
        if let (Some(fde), Some(set)) = (fde, ops.and_then(|ops| ops.set_fd_close_fn)) {
            set.call(fde, close_fn);
        }
    }

    fn tevent_fd_set_auto_close(fde: Option<Chunk<Fd>>) {
        tevent_fd_set_close_fn(fde, Some(CloseFn(close_it)));
    }

    fn tevent_fd_set_tag(fde: Option<Chunk<Fd>>, tag: u64) {
        if let Some(fde) = fde {
            fde.tag.set(tag);
        }
    }

    fn tevent_fd_get_tag(fde: Option<Chunk<Fd>>) -> u64 {
        fde.map_or(0, |fde| fde.tag.get())
    }

    fn tevent_common_invoke_fd_handler(fde: Chunk<Fd>, flags: u16, removed: Out<bool>) -> c_int {
        removed.put(false);
        removed.put(run(fde, flags));
        0
    }
}
