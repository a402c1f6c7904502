//! Signal events.

use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};

use tevent_core::{SignalEvent, SignalFlags};

use crate::busy::{self, Busy, Handled};
use crate::call::{Given, c_fn};
use crate::chunk::{Chunk, Out, Parent, Private, Text};
use crate::context::Context;
use crate::export::{called_by_c, export};
use crate::list::{Linked, Links};
use crate::siginfo;
use crate::sys;
use crate::talloc;
use crate::trace::{self, Point};
use crate::wake;
use crate::wrapper;

const NAME: &CStr = c"struct tevent_signal";

/// As many as the C library supports, and as many deliveries with a `siginfo_t` as wait for the loop (SIG-2).
const SIGNALS: usize = 68;
const DELIVERIES: usize = 256;

c_fn! {
    SignalHandler(
        ev: Option<Chunk<Context>>, se: Chunk<Signal>, signum: c_int, count: c_int, siginfo: *mut c_void, private: Private,
    );
}

/// `struct tevent_signal`.
pub struct Signal {
    pub ev: Cell<Option<Chunk<Context>>>,
    main: Cell<Option<Chunk<Context>>>,
    links: Links<Signal>,
    core: Cell<Option<SignalEvent>>,
    sa_flags: c_int,
    tag: Cell<u64>,
    handler: Given<SignalHandler>,
    busy: Busy,
}

impl Linked for Signal {
    fn links(&self) -> &Links<Signal> {
        &self.links
    }
}

impl Handled for Signal {
    fn busy(&self) -> &Busy {
        &self.busy
    }
}

fn add(
    ev: Chunk<Context>,
    parent: Parent,
    signum: c_int,
    sa_flags: c_int,
    handler: Given<SignalHandler>,
) -> Option<Chunk<Signal>> {
    let main = ev.main()?;
    let parent = if parent.is_null() { ev.parent() } else { parent };
    let se = talloc::create(
        parent,
        NAME,
        Signal {
            ev: Cell::new(Some(ev)),
            main: Cell::new(Some(main)),
            links: Links::new(),
            core: Cell::new(None),
            sa_flags,
            tag: Cell::new(0),
            handler,
            busy: Busy::default(),
        },
    )?;
    let core = main.core().add_signal(signum, SignalFlags::from_bits(sa_flags), move |_ev, _se, delivery| {
        let count = c_int::try_from(delivery.count).unwrap_or(c_int::MAX);
        match delivery.info {
            Some(info) => {
                let mut info = siginfo::of(info);
                run(se, signum, count, (&raw mut info).cast());
            }
            None => _ = run(se, signum, count, std::ptr::null_mut()),
        }
    });
    match core {
        Ok(core) => se.core.set(Some(core)),
        Err(error) => {
            se.main.set(None);
            talloc::end(se);
            talloc::free(se);
            sys::set_errno(&error.into());
            return None;
        }
    }
    wake::be_heard(main);
    trace::tell_signal(main, se, Point::Attach);
    main.signals.push_back(se);
    talloc::set_destructor(se, destroy);
    Some(se)
}

/// It is inert from now on.
pub fn detach(se: Chunk<Signal>) {
    drop(se.core.take());
    se.ev.set(None);
    if let Some(main) = se.main.take() {
        trace::tell_signal(main, se, Point::Detach);
        main.signals.remove(se);
    }
}

called_by_c! {
    fn destroy(se: Chunk<Signal>) -> c_int {
        if !se.busy.is_destroyed() {
            detach(se);
        }
        busy::end(se, "tevent_signal double free")
    }
}

/// Calls the handler. Says whether the event is gone after it.
fn run(se: Chunk<Signal>, signum: c_int, count: c_int, siginfo: *mut c_void) -> bool {
    let handler = se.handler;
    let (Some(ev), Some(function)) = (se.ev.get(), handler.function) else { return false };
    busy::enter(se);
    if let Some(main) = se.main.get() {
        trace::tell_signal(main, se, Point::BeforeHandler);
    }
    wrapper::around(
        ev,
        |glue| glue.before_signal(ev, se, signum, count, siginfo, handler.name, handler.location),
        || function.call(Some(ev), se, signum, count, siginfo, handler.private),
        |glue| glue.after_signal(ev, se, signum, count, siginfo, handler.name, handler.location),
    );
    let one_shot = se.sa_flags & libc::SA_RESETHAND != 0;
    if busy::leave(se) {
        return true;
    }
    if one_shot && !se.busy.is_busy() {
        talloc::free(se);
    }
    one_shot
}

export! {
    fn _tevent_add_signal(
        ev: Chunk<Context>, parent: Parent, signum: c_int, sa_flags: c_int, handler: Option<SignalHandler>,
        private: Private, handler_name: Text, location: Text,
    ) -> Option<Chunk<Signal>> {
        let add = ev.main()?.ops.add_signal?;
        add.call(ev, parent, signum, sa_flags, handler, private, handler_name, location)
    }

    fn tevent_common_add_signal(
        ev: Chunk<Context>, parent: Parent, signum: c_int, sa_flags: c_int, handler: Option<SignalHandler>,
        private: Private, handler_name: Text, location: Text,
    ) -> Option<Chunk<Signal>> {
        add(ev, parent, signum, sa_flags, Given { function: handler, private, name: handler_name, location })
    }

    fn tevent_cleanup_pending_signal_handlers(se: Chunk<Signal>) {
        detach(se);
    }

    fn tevent_signal_set_tag(se: Option<Chunk<Signal>>, tag: u64) {
        if let Some(se) = se {
            se.tag.set(tag);
        }
    }

    fn tevent_signal_get_tag(se: Option<Chunk<Signal>>) -> u64 {
        se.map_or(0, |se| se.tag.get())
    }

    fn tevent_num_signals() -> usize {
        SIGNALS
    }

    fn tevent_sa_info_queue_count() -> usize {
        DELIVERIES
    }

    fn tevent_common_invoke_signal_handler(
        se: Chunk<Signal>, signum: c_int, count: c_int, siginfo: *mut c_void, removed: Out<bool>,
    ) -> c_int {
        removed.put(false);
        removed.put(run(se, signum, count, siginfo));
        0
    }
}
