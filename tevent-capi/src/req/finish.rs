//! Finishing a request, and calling back.

use libc::timeval;

use super::{NAME, Req, State, profile};
use crate::call_depth::{self, Flow};
use crate::chunk::{Chunk, Private, Text};
use crate::context::Context;
use crate::export::{called_by_c, export};
use crate::immediate::{self, _tevent_schedule_immediate, Immediate, ImmediateHandler};
use crate::talloc;
use crate::timer::{_tevent_add_timer, Timer, TimerHandler};

/// As in C, one that has finished already finishes once more.
pub fn finish(req: Chunk<Req>, state: State, location: Text) {
    drop_timer(req);
    req.state.set(state);
    req.finished_at.set(location);
    cleanup(req);
    profile::stop(req, location);
    notify(req, location);
}

pub fn drop_timer(req: Chunk<Req>) {
    if let Some(timer) = req.timer.take() {
        talloc::free(timer);
    }
}

/// At most once for each state, in rising order (REQ-3).
pub fn cleanup(req: Chunk<Req>) {
    let (cleanup, state) = (req.cleanup.get(), req.state.get());
    let name = cleanup.map_or(Text::NONE, |(_cleanup, name)| name);
    if call_depth::in_use() {
        call_depth::tell(Some(req), Flow::Cleanup, req.depth.get(), name);
    }
    if let Some((cleanup, _name)) = cleanup
        && req.cleaned_up.get() < state
    {
        req.cleaned_up.set(state);
        cleanup.call(req, state);
    }
}

/// The callback, now, or posted where that was asked for. Nothing of the request is used after it.
fn notify(req: Chunk<Req>, location: Text) {
    req.finished_at.set(location);
    if let Some(ev) = req.defer_to.take() {
        return post(req, ev);
    }
    let Some((callback, name)) = req.callback.get() else { return };
    if call_depth::in_use() {
        call_depth::tell(Some(req), Flow::NotifyCallback, req.depth.get().saturating_sub(1), name);
    }
    callback.call(req);
}

pub fn post(req: Chunk<Req>, ev: Chunk<Context>) {
    let trigger = req.trigger.get().or_else(|| immediate::create(req.parent(), Text::of(c"tevent_req_post")));
    req.trigger.set(trigger);
    let trigger = trigger.expect("memory for an immediate");
    let name = Text::of(c"tevent_req_trigger");
    _tevent_schedule_immediate(trigger, ev, Some(ImmediateHandler(call_back)), req.private(), name, name);
}

called_by_c! {
    fn call_back(_ev: Option<Chunk<Context>>, _im: Chunk<Immediate>, req: Private) {
        let req: Chunk<Req> = talloc::own(req, NAME);
        notify(req, req.finished_at.get());
    }
}

called_by_c! {
    fn time_out(_ev: Option<Chunk<Context>>, _te: Chunk<Timer>, _now: timeval, req: Private) {
        finish(talloc::own(req, NAME), State::TimedOut, Text::of(c"tevent_req_timedout"));
    }
}

export! {
    fn _tevent_req_done(req: Chunk<Req>, location: Text) {
        finish(req, State::Done, location);
    }

    fn _tevent_req_error(req: Chunk<Req>, error: u64, location: Text) -> bool {
        if error != 0 {
            req.error.set(error);
            finish(req, State::UserError, location);
        }
        error != 0
    }

    fn _tevent_req_oom(req: Chunk<Req>, location: Text) {
        finish(req, State::NoMemory, location);
    }

    fn _tevent_req_nomem(pointer: Private, req: Chunk<Req>, location: Text) -> bool {
        let is_null = pointer == Private::NONE;
        if is_null {
            finish(req, State::NoMemory, location);
        }
        is_null
    }

    fn _tevent_req_notify_callback(req: Chunk<Req>, location: Text) {
        notify(req, location);
    }

    fn tevent_req_post(req: Chunk<Req>, ev: Chunk<Context>) -> Chunk<Req> {
        post(req, ev);
        req
    }

    fn tevent_req_defer_callback(req: Chunk<Req>, ev: Option<Chunk<Context>>) {
        req.defer_to.set(ev);
    }

    fn tevent_req_set_endtime(req: Chunk<Req>, ev: Chunk<Context>, endtime: timeval) -> bool {
        drop_timer(req);
        let name = Text::of(c"tevent_req_timedout");
        let handler = Some(TimerHandler(time_out));
        let timer = _tevent_add_timer(ev, req.parent(), endtime, handler, req.private(), name, req.created_at);
        req.timer.set(timer);
        if timer.is_none() {
            finish(req, State::NoMemory, name);
        }
        timer.is_some()
    }

    fn tevent_req_reset_endtime(req: Chunk<Req>) {
        drop_timer(req);
    }
}
