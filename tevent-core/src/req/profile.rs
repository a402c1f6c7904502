//! Profiles: what a request and its sub-requests did, and how long it took them (REQ-14).

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::process;
use std::rc::{Rc, Weak};
use std::time::{Duration, SystemTime};

use super::{Known, ReqRef, ReqState};
use crate::location::Location;

/// What a request did: its type, where and when it started and stopped, how it stands, and the same for its sub-requests.
///
/// Plain data that outlives the request. Got with [`ReqRef::profile`] or [`ReqRef::move_profile`], or made by hand, as by those who
/// send profiles from one process to another. Its `Display` is a tree for people.
///
/// C equivalent: `struct tevent_req_profile`. Spec: REQ-14.
///
/// ```
/// use tevent_core::{Context, Req, ReqState, wakeup_send, When};
///
/// let ctx = Context::new()?;
/// let parent = Req::create("parent");
/// parent.set_profile()?;
/// parent.add_subreq(wakeup_send(&ctx, When::Zero), |parent, _child| {
///     parent.done();
/// });
/// parent.poll(&ctx)?;
/// let profile = parent.move_profile().expect("it was switched on");
/// drop(parent);
/// assert_eq!((profile.name(), profile.state()), ("&str", ReqState::Done));
/// assert_eq!(profile.subprofiles()[0].state(), ReqState::TimedOut); // that is how a wake-up ends
/// println!("{profile}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "tevent_req_profile")]
pub struct Profile {
    name: String,
    start: Option<(Location, SystemTime)>,
    stop: Option<(Location, SystemTime)>,
    pid: u32,
    state: ReqState,
    error: u64,
    subprofiles: Vec<Profile>,
}

impl Profile {
    /// An empty profile, to be filled by hand.
    ///
    /// C equivalent: `tevent_req_profile_create`, `tevent_req_profile_set_name`.
    #[doc(alias = "tevent_req_profile_create")]
    #[doc(alias = "tevent_req_profile_set_name")]
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        let (start, stop, subprofiles) = (None, None, Vec::new());
        Profile {
            name: name.into(),
            start,
            stop,
            pid: process::id(),
            state: ReqState::Init,
            error: 0,
            subprofiles,
        }
    }

    /// The type of the request's state.
    ///
    /// C equivalent: `tevent_req_profile_get_name`.
    #[doc(alias = "tevent_req_profile_get_name")]
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the request was created, and when the profile was begun.
    ///
    /// C equivalent: `tevent_req_profile_get_start`.
    #[doc(alias = "tevent_req_profile_get_start")]
    #[must_use]
    pub fn start(&self) -> Option<(Location, SystemTime)> {
        self.start
    }

    /// C equivalent: `tevent_req_profile_set_start`.
    #[doc(alias = "tevent_req_profile_set_start")]
    pub fn set_start(&mut self, location: Location, time: SystemTime) {
        self.start = Some((location, time));
    }

    /// Where and when the request finished; `None` while it is in progress.
    ///
    /// C equivalent: `tevent_req_profile_get_stop`.
    #[doc(alias = "tevent_req_profile_get_stop")]
    #[must_use]
    pub fn stop(&self) -> Option<(Location, SystemTime)> {
        self.stop
    }

    /// C equivalent: `tevent_req_profile_set_stop`.
    #[doc(alias = "tevent_req_profile_set_stop")]
    pub fn set_stop(&mut self, location: Location, time: SystemTime) {
        self.stop = Some((location, time));
    }

    /// How long the request took; zero where the wall clock was set back meanwhile. `None` while it is in progress.
    #[must_use]
    pub fn elapsed(&self) -> Option<Duration> {
        let ((_, start), (_, stop)) = (self.start?, self.stop?);
        Some(stop.duration_since(start).unwrap_or_default())
    }

    /// The process that it ran in.
    ///
    /// C equivalent: `tevent_req_profile_get_status`.
    #[doc(alias = "tevent_req_profile_get_status")]
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How the request stood when it finished, or stands.
    #[must_use]
    pub fn state(&self) -> ReqState {
        self.state
    }

    /// The error code of [`UserError`](ReqState::UserError), else 0.
    #[must_use]
    pub fn error(&self) -> u64 {
        self.error
    }

    /// C equivalent: `tevent_req_profile_set_status`.
    #[doc(alias = "tevent_req_profile_set_status")]
    pub fn set_status(&mut self, pid: u32, state: ReqState, error: u64) {
        (self.pid, self.state, self.error) = (pid, state, error);
    }

    /// The profiles of its sub-requests, in the order in which they came to it.
    ///
    /// C equivalent: `tevent_req_profile_get_subprofiles`, `tevent_req_profile_next`.
    #[doc(alias = "tevent_req_profile_get_subprofiles")]
    #[doc(alias = "tevent_req_profile_next")]
    #[must_use]
    pub fn subprofiles(&self) -> &[Profile] {
        &self.subprofiles
    }

    /// Adds the profile of a sub-request, the last.
    ///
    /// C equivalent: `tevent_req_profile_append_sub`.
    #[doc(alias = "tevent_req_profile_append_sub")]
    pub fn append_sub(&mut self, profile: Profile) {
        self.subprofiles.push(profile);
    }
}

impl Profile {
    /// Without its sub-requests.
    fn alone(&self) -> Profile {
        Profile {
            name: self.name.clone(),
            start: self.start,
            stop: self.stop,
            pid: self.pid,
            state: self.state,
            error: self.error,
            subprofiles: Vec::new(),
        }
    }

    fn is_alike(&self, other: &Profile) -> bool {
        let same = self.name == other.name && self.start == other.start && self.stop == other.stop;
        let stands =
            |profile: &Profile| (profile.pid, profile.state, profile.error, profile.subprofiles.len());
        same && stands(self) == stands(other)
    }
}

/// Not by recursion: a tree may be deep.
impl Clone for Profile {
    fn clone(&self) -> Self {
        grown(self, |profile| profile.alone(), |profile| profile.subprofiles.iter().collect())
    }
}

/// Not by recursion: a tree may be deep.
impl PartialEq for Profile {
    fn eq(&self, other: &Self) -> bool {
        let mut left = vec![(self, other)];
        while let Some((one, other)) = left.pop() {
            if !one.is_alike(other) {
                return false;
            }
            left.extend(one.subprofiles.iter().zip(&other.subprofiles));
        }
        true
    }
}

impl Eq for Profile {}

/// Of its sub-requests the number: a tree may be deep, and [`Display`](fmt::Display) shows it.
impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile")
            .field("name", &self.name)
            .field("start", &self.start)
            .field("stop", &self.stop)
            .field("pid", &self.pid)
            .field("state", &self.state)
            .field("error", &self.error)
            .field("subprofiles", &self.subprofiles.len())
            .finish()
    }
}

/// A profile with those below it, of a tree of anything.
fn grown<N>(root: N, alone: impl Fn(&N) -> Profile, below: impl Fn(&N) -> Vec<N>) -> Profile {
    // Not by recursion: a tree may be deep. Each node is finished after those below it.
    struct Frame<N> {
        profile: Profile,
        left: std::vec::IntoIter<N>,
    }
    let frame = |node: N| Frame { profile: alone(&node), left: below(&node).into_iter() };
    let mut stack = vec![];
    let mut top = frame(root);
    loop {
        if let Some(sub) = top.left.next() {
            stack.push(std::mem::replace(&mut top, frame(sub)));
        } else if let Some(mut parent) = stack.pop() {
            parent.profile.append_sub(top.profile);
            top = parent;
        } else {
            return top.profile;
        }
    }
}

/// Not by recursion: a tree may be deep.
impl Drop for Profile {
    fn drop(&mut self) {
        let mut left = std::mem::take(&mut self.subprofiles);
        while let Some(mut profile) = left.pop() {
            left.append(&mut profile.subprofiles);
        }
    }
}

/// A line for each request, sub-requests below and to the right of their parents.
impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not by recursion: a tree may be deep.
        let mut left = vec![(self, 0)];
        while let Some((profile, depth)) = left.pop() {
            // Beyond that nobody counts blanks.
            write!(f, "{:indent$}{}", "", profile.name, indent = 2 * usize::min(depth, 40))?;
            match profile.elapsed() {
                Some(elapsed) => write!(f, " [{elapsed:?}]")?,
                None => f.write_str(" [-]")?,
            }
            if let Some((location, _time)) = profile.start {
                write!(f, " {location}")?;
            }
            if let Some((location, _time)) = profile.stop {
                write!(f, " -> {location}")?;
            }
            writeln!(f, ": {:?} ({})", profile.state, profile.error)?;
            left.extend(profile.subprofiles.iter().rev().map(|profile| (profile, depth + 1)));
        }
        Ok(())
    }
}

/// A profile is switched on already, or the request has been received or freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfileError {
    created: Location,
    on: bool,
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = if self.on { "has a profile already" } else { "has been received or freed" };
        write!(f, "the request created at {} {why}", self.created)
    }
}

impl Error for ProfileError {}

/// A profile that is being recorded: shared by its request and by the parent's.
pub(crate) struct Recording {
    own: RefCell<Profile>,
    subs: RefCell<Vec<Rc<Recording>>>,
    parent: Option<Weak<Recording>>,
}

/// Not by recursion: a tree may be deep.
impl Drop for Recording {
    fn drop(&mut self) {
        let mut left = self.subs.take();
        while let Some(recording) = left.pop() {
            if Rc::strong_count(&recording) == 1 {
                left.append(&mut recording.subs.borrow_mut());
            }
        }
    }
}

impl Recording {
    fn begin(req: &dyn Known, parent: Option<&Rc<Recording>>) -> Rc<Self> {
        let mut own = Profile::new(req.type_name());
        own.set_start(req.location(), SystemTime::now());
        let recording = Recording {
            own: RefCell::new(own),
            subs: RefCell::new(Vec::new()),
            parent: parent.map(Rc::downgrade),
        };
        let recording = Rc::new(recording);
        recording.note_state(req);
        if let Some(parent) = parent {
            parent.subs.borrow_mut().push(Rc::clone(&recording));
        }
        recording
    }

    /// How the request stands, and where it has finished.
    pub(super) fn note_state(&self, req: &dyn Known) {
        let mut own = self.own.borrow_mut();
        let (state, error) = req.outcome();
        let pid = process::id();
        own.set_status(pid, state, error);
        if let (Some(location), None) = (req.finished(), own.stop) {
            own.set_stop(location, SystemTime::now());
            #[cfg(feature = "tracing")]
            {
                // The subscriber may look at it.
                let told = own.alone();
                drop(own);
                crate::trace::crate_tracing::profile(&told);
            }
        }
    }

    /// The request was freed before it had finished.
    pub(super) fn vanish(self: &Rc<Self>) {
        if let Some(parent) = self.parent.as_ref().and_then(Weak::upgrade) {
            let mut subs = parent.subs.borrow_mut();
            // Mostly one of the last.
            if let Some(at) = subs.iter().rposition(|sub| Rc::ptr_eq(sub, self)) {
                subs.remove(at);
            }
        }
    }

    fn snapshot(self: &Rc<Self>) -> Profile {
        let alone = |recording: &Rc<Recording>| recording.own.borrow().alone();
        grown(Rc::clone(self), alone, |recording| recording.subs.borrow().clone())
    }
}

/// A request and all that it has adopted already join the profile of a parent.
pub(super) fn join(req: Rc<dyn Known>, parent: &Rc<Recording>) {
    let mut left = vec![(req, Rc::clone(parent))];
    while let Some((req, parent)) = left.pop() {
        if req.recording().is_none() {
            let recording = Recording::begin(&*req, Some(&parent));
            req.set_recording(Some(Rc::clone(&recording)));
            left.extend(req.sub_requests().into_iter().rev().map(|sub| (sub, Rc::clone(&recording))));
        }
    }
}

impl<S: 'static> ReqRef<S> {
    /// Records a profile from now on, of this request and of its sub-requests, those that it has and those that come.
    ///
    /// The profile of a sub-request stays when that has finished, so that the profile of a request that lives long grows with each;
    /// it vanishes if the sub-request was freed before.
    ///
    /// C equivalent: `tevent_req_set_profile`. Spec: REQ-14.
    ///
    /// # Errors
    /// When it has a profile already, its own or as a part of its parent's; the request goes on. When it has been received or freed.
    #[doc(alias = "tevent_req_set_profile")]
    pub fn set_profile(&self) -> Result<(), ProfileError> {
        let on = self.known().recording().is_some();
        if on || self.state() == ReqState::Received {
            return Err(ProfileError { created: self.location(), on });
        }
        let recording = Recording::begin(self.known(), None);
        self.known().set_recording(Some(Rc::clone(&recording)));
        for sub in self.known().sub_requests() {
            join(sub, &recording);
        }
        Ok(())
    }

    /// The profile as it is now; `None` if none is recorded.
    ///
    /// C equivalent: `tevent_req_get_profile`. Spec: REQ-14.
    ///
    /// # Complexity
    /// O(n) in the number of requests in the profile.
    #[doc(alias = "tevent_req_get_profile")]
    #[must_use]
    pub fn profile(&self) -> Option<Profile> {
        Some(self.known().recording()?.snapshot())
    }

    /// The profile, of which nothing more is recorded; `None` if none was. It leaves the parent's. Sub-requests that come later are
    /// not profiled.
    ///
    /// C equivalent: `tevent_req_move_profile`. Spec: REQ-14.
    #[doc(alias = "tevent_req_move_profile")]
    #[must_use]
    pub fn move_profile(&self) -> Option<Profile> {
        let recording = self.known().recording()?;
        self.known().set_recording(None);
        recording.vanish();
        Some(recording.snapshot())
    }
}
