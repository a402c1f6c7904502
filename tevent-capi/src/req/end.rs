//! The end of a request: received, or freed.

use std::ffi::c_int;
use std::ptr;

use super::finish::{cleanup, drop_timer};
use super::{Req, State, profile};
use crate::chunk::Chunk;
use crate::export::{called_by_c, export};
use crate::talloc;

called_by_c! {
    pub fn destroy(req: Chunk<Req>) -> c_int {
        tevent_req_received(req);
        0
    }
}

export! {
    fn tevent_req_received(req: Chunk<Req>) {
        talloc::clear_destructor(req);
        req.print.set(None);
        req.cancel.set(None);
        if let Some(trigger) = req.trigger.take() {
            talloc::free(trigger);
        }
        drop_timer(req);
        profile::leave(req);
        req.state.set(State::Received);
        cleanup(req);
        talloc::free_raw(req.data.replace(ptr::null_mut()));
    }
}
