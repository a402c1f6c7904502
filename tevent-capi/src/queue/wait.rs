//! The request that only waits for its turn (QUEUE-10).

use super::Queue;
use super::entry::{Trigger, tevent_queue_add};
use crate::chunk::{Chunk, Out, Parent, Private, Text};
use crate::context::Context;
use crate::export::{called_by_c, export};
use crate::req::{self, Req, State};

called_by_c! {
    fn on_turn(req: Chunk<Req>, _private: Private) {
        req::finish(req, State::Done, Text::of(c"tevent_queue_wait_trigger"));
    }
}

export! {
    fn tevent_queue_wait_send(parent: Parent, ev: Chunk<Context>, queue: Chunk<Queue>) -> Option<Chunk<Req>> {
        let req = req::create_own(parent, c"struct tevent_queue_wait_state", c"tevent_queue_wait_send")?;
        if !tevent_queue_add(queue, ev, req, Some(Trigger(on_turn)), Private::NONE) {
            req::finish(req, State::NoMemory, Text::of(c"tevent_queue_wait_send"));
            req::post(req, ev);
        }
        Some(req)
    }

    fn tevent_queue_wait_recv(req: Chunk<Req>) -> bool {
        let failed = req::tevent_req_is_error(req, Out::NOWHERE, Out::NOWHERE);
        req::received(req);
        !failed
    }
}
