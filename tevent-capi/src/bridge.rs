//! Rust code on the very loop that a C program runs: its context, and requests of either side as those of the other.
//!
//! C calls Rust by functions that are written as C's are, `_send` with a talloc parent and `_recv` with places for the results:
//!
//! ```ignore
//! #[unsafe(no_mangle)]
//! pub extern "C" fn nap_send(parent: TallocCtx, ev: CContext) -> Option<CReq> {
//!     let ctx = bridge::context(ev)?;
//!     bridge::into_c(parent, ev, wakeup_send(&ctx, Duration::from_millis(1)))
//! }
//! ```
//!
//! `tevent-capi/example` has both directions.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CStr, c_int};

use tevent_core::{ContextRef, ReqError, ReqRef, ReqState};

use crate::chunk::Chunk;
use crate::context::Context;
use crate::export::called_by_c;
use crate::req::{self, CancelFn, Req, ReqFn, State};
use crate::talloc;

pub use crate::chunk::{Out, Parent as TallocCtx, Private, Text};
pub use crate::talloc::string as talloc_string;

/// A `struct tevent_context *`. `Option` of it may be NULL.
pub type CContext = Chunk<Context>;

/// A `struct tevent_req *`.
pub type CReq = Chunk<Req>;

/// The loop that a C program's context runs; of a wrapper the loop that it wraps. What is added to it takes its turns among the
/// events that C adds. `None` once the context has gone.
///
/// Whether the loop may be run inside of its handlers is looked after where C runs it; Rust's own
/// [`loop_once`](ContextRef::loop_once) is never refused there.
pub fn context(ev: CContext) -> Option<ContextRef> {
    ev.main().map(|main| main.core().clone())
}

const NAME: &CStr = c"struct tevent_rust_req";

/// What a C request has in its state that stands for one of Rust's.
struct Held {
    req: RefCell<Option<Box<dyn Any>>>,
    cancel: Box<dyn Fn() -> bool>,
}

/// A request of Rust's as one of C's, which owns it: it finishes when that does, with its error, and frees it when it is freed.
/// `None` without memory. C may ask for its [cancel](tevent_core::ReqRef::cancel).
///
/// It replaces the callback of the Rust request. Where that has finished already the callback is posted.
pub fn into_c<S: 'static>(parent: TallocCtx, ev: CContext, req: tevent_core::Req<S>) -> Option<CReq> {
    let handle = req.clone();
    let asked = handle.clone();
    let held = Held { req: RefCell::new(Some(Box::new(req))), cancel: Box::new(move || asked.cancel()) };
    let c_req = req::create_with_state(parent, NAME, held, end)?;
    req::set_cancel_fn(c_req, Some(CancelFn(cancel)));
    handle.set_callback(move |req| finish(c_req, req));
    if !handle.is_in_progress() {
        finish(c_req, &handle);
        req::post(c_req, ev);
    }
    Some(c_req)
}

/// For the `_recv` function of a request that [`into_c`] has made: gives the request of Rust's back, to be received. `None` if it is of
/// another type, has been given back already, or C has finished the request by itself, such as by an end time.
pub fn recv<S: 'static>(req: CReq) -> Option<tevent_core::Req<S>> {
    let held = req.state_named::<Held>(NAME)?;
    let mut place = held.req.borrow_mut();
    let finished =
        place.as_ref()?.downcast_ref::<tevent_core::Req<S>>().is_some_and(|inside| !inside.is_in_progress());
    let inside = if finished { place.take() } else { None };
    inside?.downcast().ok().map(|inside| *inside)
}

fn finish<S>(c_req: CReq, req: &ReqRef<S>) {
    let location = Text::of(c"a request of Rust's");
    let state = match req.result() {
        Ok(()) => State::Done,
        Err(error) => {
            c_req.set_error(error.code());
            match error.state() {
                ReqState::TimedOut => State::TimedOut,
                ReqState::NoMemory => State::NoMemory,
                _ => State::UserError,
            }
        }
    };
    req::finish(c_req, state, location);
}

called_by_c! {
    fn cancel(req: CReq) -> bool {
        req.state_named::<Held>(NAME).is_some_and(|held| (held.cancel)())
    }

    fn end(held: Chunk<Held>) -> c_int {
        talloc::end(held);
        0
    }
}

/// The state of a Rust request that [`from_c`] has made.
#[derive(Debug)]
pub struct FromC(CReq);

impl FromC {
    /// The request of C's, for its `_recv` function: `req.recv(|state| echo_recv(state.c_req()))`.
    pub fn c_req(&self) -> CReq {
        self.0
    }
}

impl Drop for FromC {
    fn drop(&mut self) {
        talloc::free(self.0);
    }
}

const TOLD: &CStr = c"struct tevent_rust_req_told";

/// A child of the C request that knows whom to tell.
struct Told(ReqRef<FromC>);

/// A request of C's, as its `_send` function has given it, as one of Rust's, which owns it: it finishes when that does, with its
/// error, and dropping it frees that. Its [cancel](ReqRef::cancel) asks C's. `None` without memory; the C request is freed then.
pub fn from_c(req: CReq) -> Option<tevent_core::Req<FromC>> {
    talloc::steal(TallocCtx::NONE, req.as_ptr());
    let rust = tevent_core::Req::create(FromC(req));
    rust.set_cancel_fn(move |_req| req::cancel(req, Text::of(c"Rust")));
    let told = talloc::create(req.parent(), TOLD, Told(rust.clone()))?;
    talloc::set_destructor(told, end_told);
    req::set_callback(req, Some(ReqFn(on_done)), told.private());
    Some(rust)
}

called_by_c! {
    fn on_done(req: CReq) {
        let told: Chunk<Told> = talloc::own(req::callback_data(req), TOLD);
        let rust = told.0.clone();
        match req.outcome() {
            None => _ = rust.done(),
            Some((State::TimedOut, _)) => _ = rust.error(ReqError::TIMED_OUT),
            Some((State::NoMemory, _)) => _ = rust.error(ReqError::NO_MEMORY),
            Some((_, code)) => _ = rust.error(ReqError::new(code)),
        }
    }

    fn end_told(told: Chunk<Told>) -> c_int {
        talloc::end(told);
        0
    }
}
