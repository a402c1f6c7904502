//! Requests.
//!
//! Not on the core's `Req`: see the crate's documentation. What they need of the loop, an immediate and a timer, are events as C
//! code has them.

mod end;
mod finish;
mod print;
mod profile;

use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};

use crate::call::c_fn;
use crate::call_depth::{self, Flow};
use crate::chunk::{Chunk, Out, Parent, Private, Text};
use crate::context::Context;
use crate::export::export;
use crate::immediate::Immediate;
use crate::talloc;
use crate::timer::Timer;

pub use end::tevent_req_received as received;
pub use finish::{finish, post, tevent_req_set_endtime as set_endtime};
pub use profile::Profile;

const NAME: &CStr = c"struct tevent_req";

/// `enum tevent_req_state`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, PartialOrd)]
#[allow(dead_code, reason = "C passes them too")]
pub enum State {
    Init = 0,
    InProgress = 1,
    Done = 2,
    UserError = 3,
    TimedOut = 4,
    NoMemory = 5,
    Received = 6,
}

c_fn! {
    ReqFn(req: Chunk<Req>);
    PrintFn(req: Chunk<Req>, parent: Parent) -> *mut std::ffi::c_char;
    CancelFn(req: Chunk<Req>) -> bool;
    CleanupFn(req: Chunk<Req>, state: State);
}

/// `struct tevent_req`. Nothing in it has to be dropped: what it owns are its children.
pub struct Req {
    pub callback: Cell<Option<(ReqFn, Text)>>,
    pub private: Cell<Private>,
    /// The state's memory.
    data: Cell<*mut c_void>,
    print: Cell<Option<PrintFn>>,
    cancel: Cell<Option<(CancelFn, Text)>>,
    cleanup: Cell<Option<(CleanupFn, Text)>>,
    /// The latest state that the cleanup function was told of.
    cleaned_up: Cell<State>,
    type_name: Text,
    created_at: Text,
    finished_at: Cell<Text>,
    state: Cell<State>,
    error: Cell<u64>,
    /// Brings a posted callback. Made when it is first needed.
    trigger: Cell<Option<Chunk<Immediate>>>,
    /// The next finish is posted there.
    defer_to: Cell<Option<Chunk<Context>>>,
    timer: Cell<Option<Chunk<Timer>>>,
    profile: Cell<Option<Chunk<Profile>>>,
    pub depth: Cell<usize>,
}

fn create(
    parent: Parent,
    pstate: Out<*mut c_void>,
    size: usize,
    type_name: Text,
    function: Text,
    location: Text,
) -> Option<Chunk<Req>> {
    // With room for talloc's own head of the state.
    let req = talloc::create_with_room(
        parent,
        NAME,
        size.saturating_add(64),
        Req {
            callback: Cell::new(None),
            private: Cell::new(Private::NONE),
            data: Cell::new(std::ptr::null_mut()),
            print: Cell::new(None),
            cancel: Cell::new(None),
            cleanup: Cell::new(None),
            cleaned_up: Cell::new(State::InProgress),
            type_name,
            created_at: location,
            finished_at: Cell::new(Text::NONE),
            state: Cell::new(State::InProgress),
            error: Cell::new(0),
            trigger: Cell::new(None),
            defer_to: Cell::new(None),
            timer: Cell::new(None),
            profile: Cell::new(None),
            depth: Cell::new(0),
        },
    )?;
    let data = talloc::zeroed(req.parent(), size, type_name);
    if data.is_null() {
        talloc::free(req);
        return None;
    }
    req.data.set(data);
    talloc::set_destructor(req, end::destroy);
    if profile::in_use() || call_depth::in_use() {
        let above = talloc::named::<Req>(talloc::parent(parent), NAME);
        profile::inherit(req, above);
        call_depth::inherit(req, above);
        call_depth::tell(Some(req), Flow::Create, req.depth.get(), function);
    }
    pstate.put(data);
    Some(req)
}

/// A request of the library's own.
pub fn create_own(parent: Parent, type_name: &'static CStr, function: &'static CStr) -> Option<Chunk<Req>> {
    let (name, function) = (Text::of(type_name), Text::of(function));
    create(parent, Out::NOWHERE, size_of::<usize>(), name, function, function)
}

/// A request of the library's own whose state is an object.
pub fn create_with_state<T>(
    parent: Parent,
    name: &'static CStr,
    state: T,
    destructor: talloc::Destructor<T>,
) -> Option<Chunk<Req>> {
    let req = create_own(parent, name, name)?;
    talloc::free_raw(req.data.get());
    req.data.set(std::ptr::null_mut());
    let Some(state) = talloc::create(req.parent(), name, state) else {
        talloc::free(req);
        return None;
    };
    talloc::set_destructor(state, destructor);
    req.data.set(state.as_ptr());
    Some(req)
}

impl Chunk<Req> {
    /// Its state, if it is an object of that name of ours.
    pub fn state_named<T>(self, name: &'static CStr) -> Option<Chunk<T>> {
        talloc::named(Parent::of(self.data.get()), name)
    }

    /// The code of a user's error.
    pub fn set_error(self, code: u64) {
        self.error.set(code);
    }

    /// `None` when it is done; else how it stands, and the code.
    pub fn outcome(self) -> Option<(State, u64)> {
        let state = self.state.get();
        (state != State::Done).then(|| (state, self.error.get()))
    }
}

pub use _tevent_req_callback_data as callback_data;
pub use _tevent_req_cancel as cancel;
pub use tevent_req_set_callback as set_callback;
pub use tevent_req_set_cancel_fn as set_cancel_fn;

export! {
    fn _tevent_req_create(
        parent: Parent, pstate: Out<*mut c_void>, size: usize, type_name: Text, location: Text,
    ) -> Option<Chunk<Req>> {
        create(parent, pstate, size, type_name, Text::NONE, location)
    }

    fn __tevent_req_create(
        parent: Parent, pstate: Out<*mut c_void>, size: usize, type_name: Text, function: Text, location: Text,
    ) -> Option<Chunk<Req>> {
        create(parent, pstate, size, type_name, function, location)
    }

    fn tevent_req_set_callback(req: Chunk<Req>, callback: Option<ReqFn>, private: Private) {
        _tevent_req_set_callback(req, callback, Text::NONE, private);
    }

    fn _tevent_req_set_callback(req: Chunk<Req>, callback: Option<ReqFn>, name: Text, private: Private) {
        req.callback.set(callback.map(|callback| (callback, name)));
        req.private.set(private);
    }

    fn _tevent_req_callback_data(req: Chunk<Req>) -> Private {
        req.private.get()
    }

    fn _tevent_req_data(req: Chunk<Req>) -> *mut c_void {
        req.data.get()
    }

    fn tevent_req_is_in_progress(req: Chunk<Req>) -> bool {
        req.state.get() == State::InProgress
    }

    fn tevent_req_set_cancel_fn(req: Chunk<Req>, cancel: Option<CancelFn>) {
        _tevent_req_set_cancel_fn(req, cancel, Text::NONE);
    }

    fn _tevent_req_set_cancel_fn(req: Chunk<Req>, cancel: Option<CancelFn>, name: Text) {
        req.cancel.set(cancel.map(|cancel| (cancel, name)));
    }

    fn _tevent_req_cancel(req: Chunk<Req>, location: Text) -> bool {
        let _ = location;
        let cancel = req.cancel.get();
        let name = cancel.map_or(Text::NONE, |(_cancel, name)| name);
        call_depth::tell(Some(req), Flow::Cancel, req.depth.get(), name);
        cancel.is_some_and(|(cancel, _name)| cancel.call(req))
    }

    fn tevent_req_set_cleanup_fn(req: Chunk<Req>, cleanup: Option<CleanupFn>) {
        _tevent_req_set_cleanup_fn(req, cleanup, Text::NONE);
    }

    fn _tevent_req_set_cleanup_fn(req: Chunk<Req>, cleanup: Option<CleanupFn>, name: Text) {
        req.cleaned_up.set(req.state.get());
        req.cleanup.set(cleanup.map(|cleanup| (cleanup, name)));
    }

    fn tevent_req_is_error(req: Chunk<Req>, state: Out<State>, error: Out<u64>) -> bool {
        let is = req.state.get();
        if is == State::Done {
            return false;
        }
        if is == State::UserError {
            error.put(req.error.get());
        }
        state.put(is);
        true
    }

    fn tevent_req_poll(req: Chunk<Req>, ev: Chunk<Context>) -> bool {
        let here = Text::of(c"tevent_req_poll");
        let mut ended: c_int = 0;
        while ended == 0 && req.state.get() == State::InProgress {
            ended = crate::run::_tevent_loop_once(ev, here);
        }
        ended == 0
    }
}
