//! The request that only waits (WAKE-1).

use libc::timeval;

use crate::chunk::{Chunk, Out, Parent};
use crate::context::Context;
use crate::export::export;
use crate::req::{self, Req, State, tevent_req_is_error};

export! {
    fn tevent_wakeup_send(parent: Parent, ev: Chunk<Context>, time: timeval) -> Option<Chunk<Req>> {
        let req = req::create_own(parent, c"struct tevent_wakeup_state", c"tevent_wakeup_send")?;
        if !req::set_endtime(req, ev, time) {
            req::post(req, ev);
        }
        Some(req)
    }

    fn tevent_wakeup_recv(req: Chunk<Req>) -> bool {
        let mut state = State::InProgress;
        tevent_req_is_error(req, Out::to(&mut state), Out::NOWHERE) && state == State::TimedOut
    }
}
