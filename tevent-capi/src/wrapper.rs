//! Wrapper contexts (WRAP-1).

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};

use libc::timeval;

use crate::busy;
use crate::call::c_fn;
use crate::chunk::{Chunk, Out, Parent, Private, Text};
use crate::context::{self, Context};
use crate::export::{abort, called_by_c, export};
use crate::fd::{self, Fd};
use crate::immediate::{self, Immediate};
use crate::list::{Linked, Links, List};
use crate::signal::{self, Signal};
use crate::talloc;
use crate::timer::{self, Timer};

c_fn! {
    BeforeUse(ev: Chunk<Context>, state: Private, main: Option<Chunk<Context>>, location: Text) -> bool;
    AfterUse(ev: Chunk<Context>, state: Private, main: Option<Chunk<Context>>, location: Text);
    AroundFd(
        ev: Chunk<Context>, state: Private, main: Option<Chunk<Context>>, fde: Chunk<Fd>, flags: u16, name: Text, location: Text,
    );
    AroundTimer(
        ev: Chunk<Context>, state: Private, main: Option<Chunk<Context>>, te: Chunk<Timer>, due: timeval, now: timeval,
        name: Text, location: Text,
    );
    AroundImmediate(
        ev: Chunk<Context>, state: Private, main: Option<Chunk<Context>>, im: Chunk<Immediate>, name: Text, location: Text,
    );
    AroundSignal(
        ev: Chunk<Context>, state: Private, main: Option<Chunk<Context>>, se: Chunk<Signal>, signum: c_int, count: c_int,
        siginfo: *mut c_void, name: Text, location: Text,
    );
}

/// `struct tevent_wrapper_ops`.
#[repr(C)]
pub struct WrapperOps {
    name: Text,
    before_use: Option<BeforeUse>,
    after_use: Option<AfterUse>,
    before_fd: Option<AroundFd>,
    after_fd: Option<AroundFd>,
    before_timer: Option<AroundTimer>,
    after_timer: Option<AroundTimer>,
    before_immediate: Option<AroundImmediate>,
    after_immediate: Option<AroundImmediate>,
    before_signal: Option<AroundSignal>,
    after_signal: Option<AroundSignal>,
}

/// What a context has to do with wrapping.
pub struct Wrapping {
    /// Of a main context: those that wrap it.
    wrappers: List<Context>,
    links: Links<Context>,
    /// Of a wrapper.
    glue: Option<Glue>,
}

/// What makes a context a wrapper.
pub struct Glue {
    /// `None` once that has gone.
    main: Cell<Option<Chunk<Context>>>,
    ops: &'static WrapperOps,
    state: Cell<Private>,
    /// It stands on the stack of those in use.
    in_use: Cell<bool>,
}

impl Linked for Context {
    fn links(&self) -> &Links<Context> {
        &self.wrapping.links
    }
}

impl Wrapping {
    pub const fn main() -> Self {
        Wrapping { wrappers: List::new(), links: Links::new(), glue: None }
    }

    #[inline]
    pub fn glue(&self) -> Option<&Glue> {
        self.glue.as_ref()
    }

    /// The place of the context that it wraps, if it is a wrapper.
    pub fn of(&self) -> Option<&Cell<Option<Chunk<Context>>>> {
        self.glue.as_ref().map(|glue| &glue.main)
    }

    pub fn first_wrapper(&self) -> Option<Chunk<Context>> {
        self.wrappers.first()
    }
}

/// Defines how one of the functions around handlers is called.
macro_rules! around {
    ($($name:ident($($arg:ident: $ty:ty),*);)*) => {
        impl Glue {$(
            #[allow(clippy::too_many_arguments, reason = "as many as in C")]
            pub fn $name(&self, ev: Chunk<Context>, $($arg: $ty),*) {
                if let Some(function) = self.ops.$name {
                    function.call(ev, self.state.get(), self.main.get(), $($arg),*);
                }
            }
        )*}
    };
}

around! {
    before_fd(fde: Chunk<Fd>, flags: u16, name: Text, location: Text);
    after_fd(fde: Chunk<Fd>, flags: u16, name: Text, location: Text);
    before_timer(te: Chunk<Timer>, due: timeval, now: timeval, name: Text, location: Text);
    after_timer(te: Chunk<Timer>, due: timeval, now: timeval, name: Text, location: Text);
    before_immediate(im: Chunk<Immediate>, name: Text, location: Text);
    after_immediate(im: Chunk<Immediate>, name: Text, location: Text);
    before_signal(se: Chunk<Signal>, signum: c_int, count: c_int, siginfo: *mut c_void, name: Text, location: Text);
    after_signal(se: Chunk<Signal>, signum: c_int, count: c_int, siginfo: *mut c_void, name: Text, location: Text);
}

/// How many contexts may be in use on top of each other.
const DEPTH: usize = 32;

thread_local! {
    /// The contexts in use, the latest last.
    static IN_USE: RefCell<Vec<Chunk<Context>>> = const { RefCell::new(Vec::new()) };
}

fn push(ev: Chunk<Context>) {
    if ev.wrapping.glue().is_some_and(|glue| glue.in_use.replace(true)) {
        abort(Some(ev), "wrapper already busy!");
    }
    let depth = IN_USE.with_borrow_mut(|in_use| {
        in_use.push(ev);
        in_use.len()
    });
    if depth > DEPTH {
        abort(Some(ev), "TEVENT_WRAPPER_STACK_SIZE overflow");
    }
}

fn pop(ev: Chunk<Context>) {
    match IN_USE.with_borrow_mut(Vec::pop) {
        None => abort(Some(ev), "tevent_wrapper stack already empty"),
        Some(latest) if latest != ev => abort(Some(ev), "tevent_wrapper_pop_use mismatch ev!"),
        Some(_latest) => {}
    }
    if let Some(glue) = ev.wrapping.glue() {
        glue.in_use.set(false);
    }
}

/// Calls a handler of an event. If that was added through a wrapper, what is to be called around it is, and the wrapper is not
/// freed before all of it is done.
#[inline]
pub fn around(
    ev: Chunk<Context>,
    before: impl FnOnce(&Glue),
    handler: impl FnOnce(),
    after: impl FnOnce(&Glue),
) {
    let Some(glue) = ev.wrapping.glue() else { return handler() };
    push(ev);
    busy::enter(ev);
    before(glue);
    handler();
    after(glue);
    pop(ev);
    busy::leave(ev);
}

impl Chunk<Context> {
    /// One of both goes: nothing that was added through the wrapper is called any more.
    pub fn leave(self, main: Chunk<Context>) {
        main.wrapping.wrappers.remove(self);
        if let Some(glue) = self.wrapping.glue() {
            glue.main.set(None);
        }
        while let Some(fde) = main.fds.find(|fde| fde.ev.get() == Some(self)) {
            fd::detach(fde);
        }
        while let Some(te) = main.timers.find(|te| te.ev.get() == Some(self)) {
            timer::detach(te);
        }
        while let Some(im) = main.immediates.find(|im| im.ev.get() == Some(self)) {
            immediate::cancel(im);
        }
        while let Some(se) = main.signals.find(|se| se.ev.get() == Some(self)) {
            signal::detach(se);
        }
    }
}

called_by_c! {
    fn destroy(wrapper: Chunk<Context>) -> c_int {
        if let Some(main) = wrapper.main() {
            wrapper.leave(main);
        }
        busy::end(wrapper, "tevent_context (wrapper) double free")
    }
}

export! {
    fn _tevent_context_wrapper_create(
        main: Chunk<Context>, parent: Parent, ops: &'static WrapperOps, state: Out<*mut c_void>, size: usize, name: Text,
        location: Text,
    ) -> Option<Chunk<Context>> {
        let _ = location;
        if main.wrapping.glue().is_some() {
            return None;
        }
        let glue = Glue {
            main: Cell::new(Some(main)),
            ops,
            state: Cell::new(Private::NONE),
            in_use: Cell::new(false),
        };
        let wrapping = Wrapping { glue: Some(glue), ..Wrapping::main() };
        let wrapper = talloc::create(parent, context::NAME, Context::new(None, main.ops, wrapping))?;
        talloc::set_destructor(wrapper, destroy);
        let memory = talloc::zeroed(wrapper.parent(), size, name);
        if memory.is_null() {
            talloc::free(wrapper);
            return None;
        }
        if let Some(glue) = wrapper.wrapping.glue() {
            glue.state.set(Private::of(memory));
        }
        state.put(memory);
        main.wrapping.wrappers.push_back(wrapper);
        Some(wrapper)
    }

    fn tevent_context_is_wrapper(ev: Chunk<Context>) -> bool {
        ev.wrapping.glue().is_some()
    }

    fn _tevent_context_push_use(ev: Chunk<Context>, location: Text) -> bool {
        push(ev);
        let Some(glue) = ev.wrapping.glue() else { return true };
        let Some(before) = glue.ops.before_use else { return true };
        let used = before.call(ev, glue.state.get(), glue.main.get(), location);
        if !used {
            pop(ev);
        }
        used
    }

    fn _tevent_context_pop_use(ev: Chunk<Context>, location: Text) {
        pop(ev);
        if let Some(glue) = ev.wrapping.glue()
            && let Some(after) = glue.ops.after_use
        {
            after.call(ev, glue.state.get(), glue.main.get(), location);
        }
    }

    fn tevent_context_same_loop(one: Chunk<Context>, other: Chunk<Context>) -> bool {
        matches!((one.main(), other.main()), (Some(one), Some(other)) if one == other)
    }
}
