//! Profiles of requests.

use std::cell::Cell;
use std::ffi::{CStr, c_int};
use std::sync::atomic::{AtomicBool, Ordering};

use libc::{EINVAL, pid_t, timeval};

use super::{Req, State, finish};
use crate::chunk::{Chunk, Out, Parent, Text};
use crate::clock;
use crate::export::{called_by_c, export};
use crate::list::{Linked, Links, List};
use crate::sys;
use crate::talloc;
use crate::time::ZERO;

const NAME: &CStr = c"struct tevent_req_profile";

/// `struct tevent_req_profile`. Its texts are its children.
pub struct Profile {
    above: Cell<Option<Chunk<Profile>>>,
    links: Links<Profile>,
    below: List<Profile>,
    /// Whose it is, as long as both live.
    req: Cell<Option<Chunk<Req>>>,
    name: Cell<Text>,
    start: Cell<(Text, timeval)>,
    stop: Cell<(Text, timeval)>,
    pid: Cell<pid_t>,
    state: Cell<State>,
    error: Cell<u64>,
}

impl Linked for Profile {
    fn links(&self) -> &Links<Profile> {
        &self.links
    }
}

/// Nobody has to look for the request above a new one before there is one.
static IN_USE: AtomicBool = AtomicBool::new(false);

pub fn in_use() -> bool {
    IN_USE.load(Ordering::Relaxed)
}

fn create(parent: Parent) -> Option<Chunk<Profile>> {
    let profile = talloc::create(
        parent,
        NAME,
        Profile {
            above: Cell::new(None),
            links: Links::new(),
            below: List::new(),
            req: Cell::new(None),
            name: Cell::new(Text::NONE),
            start: Cell::new((Text::NONE, ZERO)),
            stop: Cell::new((Text::NONE, ZERO)),
            pid: Cell::new(0),
            state: Cell::new(State::InProgress),
            error: Cell::new(0),
        },
    )?;
    talloc::set_destructor(profile, destroy);
    Some(profile)
}

called_by_c! {
    fn destroy(profile: Chunk<Profile>) -> c_int {
        if let Some(req) = profile.req.take() {
            req.profile.set(None);
        }
        if let Some(above) = profile.above.take() {
            above.below.remove(profile);
        }
        while let Some(sub) = profile.below.first() {
            profile.below.remove(sub);
            sub.above.set(None);
        }
        0
    }
}

/// A request gets a profile that has begun.
fn begin(req: Chunk<Req>, parent: Parent) -> Option<Chunk<Profile>> {
    let profile = create(parent)?;
    IN_USE.store(true, Ordering::Relaxed);
    profile.req.set(Some(req));
    profile.name.set(copy(profile, req.type_name));
    profile.start.set((copy(profile, req.created_at), sys::wall()));
    profile.pid.set(clock::pid());
    req.profile.set(Some(profile));
    Some(profile)
}

fn copy(profile: Chunk<Profile>, text: Text) -> Text {
    Text::given(talloc::strdup(profile.parent(), text))
}

/// Replaces a text of the profile's own.
fn replace(profile: Chunk<Profile>, old: Text, new: Text) -> Option<Text> {
    let copied = copy(profile, new);
    if copied.is_null() && !new.is_null() {
        return None;
    }
    talloc::free_raw(old.as_ptr().cast_mut().cast());
    Some(copied)
}

/// A request below one that is profiled is profiled too.
pub fn inherit(req: Chunk<Req>, above: Option<Chunk<Req>>) {
    if let Some(above) = above.and_then(|above| above.profile.get())
        && let Some(profile) = begin(req, above.parent())
    {
        append(above, profile);
    }
}

fn append(above: Chunk<Profile>, profile: Chunk<Profile>) {
    profile.above.set(Some(above));
    above.below.push_back(profile);
}

/// The request has finished.
pub fn stop(req: Chunk<Req>, location: Text) {
    let Some(profile) = req.profile.get() else { return };
    let old = profile.stop.get().0;
    if let Some(at) = replace(profile, old, location) {
        profile.stop.set((at, sys::wall()));
    }
    profile.state.set(req.state.get());
    profile.error.set(req.error.get());
}

/// The request ends: of one that never finished nothing stays in its parent's.
pub fn leave(req: Chunk<Req>) {
    let Some(profile) = req.profile.take() else { return };
    profile.req.set(None);
    if profile.above.get().is_some() && req.state.get() == State::InProgress {
        talloc::free(profile);
    }
}

export! {
    fn tevent_req_set_profile(req: Chunk<Req>) -> bool {
        if req.profile.get().is_some() {
            req.error.set(EINVAL as u64);
            finish(req, State::UserError, Text::of(c"tevent_req_set_profile"));
            return false;
        }
        begin(req, req.parent()).is_some()
    }

    fn tevent_req_get_profile(req: Chunk<Req>) -> Option<Chunk<Profile>> {
        req.profile.get()
    }

    fn tevent_req_move_profile(req: Chunk<Req>, parent: Parent) -> Option<Chunk<Profile>> {
        let profile = req.profile.take()?;
        profile.req.set(None);
        if let Some(above) = profile.above.take() {
            above.below.remove(profile);
        }
        talloc::steal(parent, profile.as_ptr());
        Some(profile)
    }

    fn tevent_req_profile_create(parent: Parent) -> Option<Chunk<Profile>> {
        create(parent)
    }

    fn tevent_req_profile_append_sub(above: Chunk<Profile>, place: Out<Option<Chunk<Profile>>>) {
        if let Some(Some(profile)) = place.get() {
            talloc::steal(above.parent(), profile.as_ptr());
            append(above, profile);
            place.put(None);
        }
    }

    fn tevent_req_profile_get_name(profile: Chunk<Profile>, name: Out<Text>) {
        name.put(profile.name.get());
    }

    fn tevent_req_profile_get_start(profile: Chunk<Profile>, location: Out<Text>, time: Out<timeval>) {
        let (at, when) = profile.start.get();
        location.put(at);
        time.put(when);
    }

    fn tevent_req_profile_get_stop(profile: Chunk<Profile>, location: Out<Text>, time: Out<timeval>) {
        let (at, when) = profile.stop.get();
        location.put(at);
        time.put(when);
    }

    fn tevent_req_profile_get_status(
        profile: Chunk<Profile>, pid: Out<pid_t>, state: Out<State>, error: Out<u64>,
    ) {
        pid.put(profile.pid.get());
        state.put(profile.state.get());
        error.put(profile.error.get());
    }

    fn tevent_req_profile_get_subprofiles(profile: Chunk<Profile>) -> Option<Chunk<Profile>> {
        profile.below.first()
    }

    fn tevent_req_profile_next(profile: Chunk<Profile>) -> Option<Chunk<Profile>> {
        profile.links.next()
    }

    fn tevent_req_profile_set_name(profile: Chunk<Profile>, name: Text) -> bool {
        let copied = replace(profile, profile.name.get(), name);
        copied.inspect(|name| profile.name.set(*name)).is_some()
    }

    fn tevent_req_profile_set_start(profile: Chunk<Profile>, location: Text, time: timeval) -> bool {
        let copied = replace(profile, profile.start.get().0, location);
        copied.inspect(|at| profile.start.set((*at, time))).is_some()
    }

    fn tevent_req_profile_set_stop(profile: Chunk<Profile>, location: Text, time: timeval) -> bool {
        let copied = replace(profile, profile.stop.get().0, location);
        copied.inspect(|at| profile.stop.set((*at, time))).is_some()
    }

    fn tevent_req_profile_set_status(profile: Chunk<Profile>, pid: pid_t, state: State, error: u64) {
        profile.pid.set(pid);
        profile.state.set(state);
        profile.error.set(error);
    }
}
