//! Everything that lives on a loop, for the question: why does it not end, what is it waiting for?

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::children::HomeLink;
use crate::context::ContextRef;
use crate::fd::FdRef;
use crate::immediate::ImmediateRef;
use crate::location::Location;
use crate::req::{Known, ReqState};
use crate::scheduled::Scheduled;
use crate::sys::poll;
use crate::timer::{TimerRef, When};
use crate::trace::{EventKind, Traced};

/// What lives on a loop at a moment. Made by [`ContextRef::dump`]; its `Display` is a report for people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dump {
    /// Where the context was created.
    pub location: Location,
    /// Turns that it has begun.
    pub turns: u64,
    /// How deeply the loop runs at this moment: 0 outside of its turns.
    pub level: u32,
    /// All events, those first that come first in a turn.
    pub events: Vec<DumpedEvent>,
    /// Handles of threads that the loop waits for (THR-3), and closures of theirs that have not run.
    pub thread_proxies: usize,
    /// The requests that were told of this context, the oldest first.
    pub requests: Vec<DumpedReq>,
}

/// An event in a [`Dump`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DumpedEvent {
    /// What kind of event it is.
    pub kind: EventKind,
    /// What it waits for, such as `fd 7 READ` or `timer due in 2s`.
    pub what: String,
    /// Where it was created.
    pub location: Location,
    /// The user's own number.
    pub tag: u64,
    /// Whether it keeps [`loop_wait`](ContextRef::loop_wait) going (LOOP-3).
    pub counts: bool,
    /// Whose it is.
    pub owner: DumpedOwner,
}

/// A request in a [`Dump`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DumpedReq {
    /// The type of its state.
    pub type_name: &'static str,
    /// Where it was created.
    pub location: Location,
    /// How it stands.
    pub state: ReqState,
    /// Whose it is.
    pub owner: DumpedOwner,
}

/// Who frees what a [`Dump`] shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DumpedOwner {
    /// Some variable of the program.
    Program,
    /// The context [keeps](ContextRef::keep) it.
    Context,
    /// It belongs to the request of that index in [`Dump::requests`].
    Request(usize),
    /// It is the [end time](crate::ReqRef::set_endtime) of that request.
    EndTimeOf(usize),
    /// It will call the callback of that request.
    CallbackOf(usize),
    /// It belongs to something that this context does not know, such as a request of another context.
    Other,
}

impl ContextRef {
    /// All events and requests that live on this loop, with the places where they were created: why does it not end, what is it
    /// waiting for? A look at what is there; it changes nothing, and can be taken anywhere.
    ///
    /// A request is known to the context that it was told of: by `add_fd`, `add_timer`, `set_endtime`, `post` and the like, by a
    /// queue, or by having been given to [`add_subreq`](Self::add_subreq). C has no equivalent.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tevent_core::{Backend, Context, FdFlags, Req};
    ///
    /// let ctx = Context::builder().backend(Backend::Simulated { seed: 1 }).build()?;
    /// let req = Req::create("a login");
    /// req.add_fd(&ctx, 0, FdFlags::READ, |_req, _flags| {})?;
    /// req.set_endtime(&ctx, Duration::from_secs(30));
    /// let dump = ctx.dump();
    /// assert_eq!(dump.events.iter().filter(|event| event.counts).count(), 2);
    /// println!("{dump}"); // timer due in 30s, created at src/main.rs:6, the end time of Req<&str> created at …
    /// # assert!(dump.to_string().contains("timer due in 30s"), "{dump}");
    /// # assert!(dump.to_string().contains("the end time of Req<&str>"), "{dump}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Complexity
    /// O(n log n) in the number of events and requests.
    #[must_use]
    pub fn dump(&self) -> Dump {
        let known = self.known_requests();
        let owners = Owners::new(self, &known);
        let requests = known.iter().map(|req| DumpedReq {
            type_name: req.type_name(),
            location: req.location(),
            state: req.state(),
            owner: owners.of(req.home()),
        });
        Dump {
            location: self.location(),
            turns: self.stats().turns,
            level: self.nesting().level(),
            requests: requests.collect(),
            events: owners.events(self),
            thread_proxies: self.threads().awaited(),
        }
    }
}

impl ContextRef {
    /// Those that were told of it, and then those that have only been posted on it.
    fn known_requests(&self) -> Vec<Rc<dyn Known>> {
        let told = self.requests().borrow();
        let mut known: Vec<_> = told.iter().filter_map(|(_key, known)| known.upgrade()).collect();
        let addresses: HashSet<usize> = known.iter().map(|req| req.address()).collect();
        let posted = self.immediates().borrow();
        known.extend(posted.iter().filter_map(|scheduled| match scheduled {
            Scheduled::Posted(req) if !addresses.contains(&req.address()) => Some(Rc::clone(req)),
            _ => None,
        }));
        known
    }
}

/// Who owns what: by the address of the home, and for the events that requests make for themselves by the event.
struct Owners {
    homes: HashMap<usize, DumpedOwner>,
    end_times: HashMap<TimerRef, usize>,
    requests: HashMap<usize, usize>,
}

impl Owners {
    fn new(ev: &ContextRef, known: &[Rc<dyn Known>]) -> Self {
        let context = (Rc::as_ptr(ev.kept()).addr(), DumpedOwner::Context);
        let of_requests = known
            .iter()
            .enumerate()
            .filter_map(|(index, req)| req.children_at().map(|home| (home, DumpedOwner::Request(index))));
        let homes = of_requests.chain([context]).collect();
        let end_times = known.iter().enumerate().filter_map(|(index, req)| Some((req.end_time()?, index)));
        let requests = known.iter().enumerate().map(|(index, req)| (req.address(), index));
        Owners { homes, end_times: end_times.collect(), requests: requests.collect() }
    }

    fn of(&self, home: &HomeLink) -> DumpedOwner {
        match home.address() {
            Some(address) => self.homes.get(&address).copied().unwrap_or(DumpedOwner::Other),
            None => DumpedOwner::Program,
        }
    }

    fn posted(&self, req: &dyn Known) -> DumpedEvent {
        let owner = self.requests.get(&req.address()).copied();
        as_immediate(req.location(), owner.map_or(DumpedOwner::Other, DumpedOwner::CallbackOf))
    }

    fn scheduled(&self, im: &ImmediateRef) -> DumpedEvent {
        dumped(Traced::Immediate(im), None, true, self.of(im.home_link()))
    }

    fn events(&self, ev: &ContextRef) -> Vec<DumpedEvent> {
        let mut events = Vec::new();
        for se in ev.signals().events() {
            events.push(dumped(Traced::Signal(&se), None, true, self.of(se.home_link())));
        }
        for scheduled in ev.immediates().borrow().iter() {
            match scheduled {
                Scheduled::Immediate(im) => events.push(self.scheduled(im)),
                Scheduled::Once(once) => events.push(self.scheduled(once.im())),
                Scheduled::Posted(req) => events.push(self.posted(&**req)),
                Scheduled::Afar(batch) => {
                    let closures = batch.locations().map(|at| as_immediate(at, DumpedOwner::Program));
                    events.extend(closures);
                }
            }
        }
        // Woken futures, which join them when a turn begins.
        for im in ev.tasks().waiting().iter().filter(|im| !im.is_scheduled()) {
            events.push(self.scheduled(im));
        }
        let now = ev.now();
        let mut timers: Vec<TimerRef> = ev.timers().borrow().values().cloned().collect();
        timers.sort_by_key(|te| match te.due() {
            Some(When::At(due)) => Some(due),
            _ => None,
        });
        for te in &timers {
            let what = match te.due() {
                Some(When::At(due)) => {
                    format!("timer due in {:?}", rounded(due.saturating_duration_since(now)))
                }
                _ => "timer due at once".to_owned(),
            };
            let end_time = self.end_times.get(te);
            let owner = end_time.map_or_else(|| self.of(te.home_link()), |req| DumpedOwner::EndTimeOf(*req));
            events.push(dumped(Traced::Timer(te), Some(what), true, owner));
        }
        let fds: Vec<FdRef> = ev.with_fds(|fds| fds.events()).unwrap_or_default();
        for fde in fds.iter().filter(|fde| !fde.is_internal()) {
            // Nobody tells the loop of a number that is closed under its event.
            let closed = poll::check_open(fde.fd()).is_err();
            let what = closed.then(|| format!("{}, which is not open", Traced::Fd(fde).what()));
            events.push(dumped(Traced::Fd(fde), what, fde.could_fire(), self.of(fde.home_link())));
        }
        events
    }
}

/// What runs among the immediates without being one.
fn as_immediate(location: Location, owner: DumpedOwner) -> DumpedEvent {
    let what = "immediate".to_owned();
    DumpedEvent { kind: EventKind::Immediate, what, location, tag: 0, counts: true, owner }
}

fn dumped(event: Traced<'_>, what: Option<String>, counts: bool, owner: DumpedOwner) -> DumpedEvent {
    DumpedEvent {
        kind: event.kind(),
        what: what.unwrap_or_else(|| event.what().to_string()),
        location: event.location(),
        tag: event.tag(),
        counts,
        owner,
    }
}

/// To the millisecond, which is what a wait can tell apart.
fn rounded(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

impl Dump {
    fn name(&self, request: usize) -> String {
        match self.requests.get(request) {
            Some(req) => format!("Req<{}> created at {}", req.type_name, req.location),
            None => "a request".to_owned(),
        }
    }

    fn whose(&self, owner: DumpedOwner) -> String {
        match owner {
            DumpedOwner::Program => String::new(),
            DumpedOwner::Context => ", kept by the context".to_owned(),
            DumpedOwner::Request(req) => format!(", of {}", self.name(req)),
            DumpedOwner::EndTimeOf(req) => format!(", the end time of {}", self.name(req)),
            DumpedOwner::CallbackOf(req) => format!(", the callback of {}", self.name(req)),
            DumpedOwner::Other => ", of something that this loop does not know".to_owned(),
        }
    }
}

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "loop created at {}: {} turns, at level {}", self.location, self.turns, self.level)?;
        let counting = self.events.iter().filter(|event| event.counts).count() + self.thread_proxies.min(1);
        match counting {
            0 => writeln!(f, "nothing keeps it going")?,
            1 => writeln!(f, "1 thing keeps it going")?,
            n => writeln!(f, "{n} things keep it going")?,
        }
        for event in &self.events {
            let tag = if event.tag == 0 { String::new() } else { format!(", tag {:#x}", event.tag) };
            let counts = if event.counts { "" } else { " (does not count)" };
            let whose = self.whose(event.owner);
            writeln!(f, "  {}{tag}, created at {}{whose}{counts}", event.what, event.location)?;
        }
        if self.thread_proxies > 0 {
            writeln!(f, "  thread proxies and closures of theirs: {}", self.thread_proxies)?;
        }
        match self.requests.len() {
            1 => writeln!(f, "1 request is known to it")?,
            n => writeln!(f, "{n} requests are known to it")?,
        }
        for (index, req) in self.requests.iter().enumerate() {
            writeln!(f, "  {}: {:?}{}", self.name(index), req.state, self.whose(req.owner))?;
        }
        Ok(())
    }
}
