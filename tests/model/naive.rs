//! The model: what the clauses say, with plain vectors and no cleverness. It takes one thing from the loop, which of
//! the ready files a turn served, and verifies that the clauses allow it.

use std::rc::Rc;

use super::naive_fd::{Fd, File};
use super::naive_queue::{Place, Queues};
use super::naive_req::Request;
use super::ops::{self, CAP, DEPTH, FILES, Kind, Me, Op, Pick, Script, Time, of_kind};
use super::seen::{Choice, Due, Entry, Looks};

/// What waits in the list of immediates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Soon {
    User(usize),
    Post(usize),
    Queue(usize),
}

/// What waits in the list of timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Later {
    User(usize),
    EndTime(usize),
}

pub(crate) struct Timer {
    freed: bool,
    pub(crate) spent: bool,
    pub(crate) running: usize,
    pub(crate) script: Script,
}

pub(crate) struct Im {
    freed: bool,
    filled: bool,
    pub(crate) once: Option<Script>,
    pub(crate) script: Script,
}

pub(crate) struct Naive {
    pub(crate) now: u64,
    pub(crate) wait_timeout: Option<u64>,
    /// In the order in which they will run.
    pub(crate) soon: Vec<Soon>,
    pub(crate) later: Vec<(Due, Later)>,
    pub(crate) timers: Vec<Timer>,
    pub(crate) ims: Vec<Im>,
    pub(crate) fds: Vec<Fd>,
    pub(crate) files: Vec<File>,
    pub(crate) reqs: Vec<Request>,
    pub(crate) queues: Vec<Queues>,
    pub(crate) entries: Vec<Place>,
    log: Vec<Entry>,
    depth: usize,
    pub(crate) level: usize,
    pub(crate) turns: usize,
    pub(crate) choices: Vec<Choice>,
    /// A shared file may be let go right before the wait: then that was the turn (LOOP-1, an internal matter).
    pub(crate) may_be_quiet: bool,
}

impl Naive {
    pub(crate) fn new() -> Self {
        Naive {
            now: 0,
            wait_timeout: Some(30_000),
            soon: Vec::new(),
            later: Vec::new(),
            timers: Vec::new(),
            ims: Vec::new(),
            fds: Vec::new(),
            files: FILES.into_iter().map(File::open).collect(),
            reqs: Vec::new(),
            queues: Vec::new(),
            entries: Vec::new(),
            log: Vec::new(),
            depth: 0,
            level: 0,
            turns: 0,
            choices: Vec::new(),
            may_be_quiet: false,
        }
    }

    /// Carries out an operation, given what the turns of the loop chose; says what has to have happened.
    pub(crate) fn follow(&mut self, op: &Op, choices: Vec<Choice>) -> Vec<Entry> {
        self.choices = choices;
        self.execute(op, None);
        if self.turns != self.choices.len() {
            self.illegal(format!("{} turns were taken instead of {}", self.choices.len(), self.turns));
        }
        std::mem::take(&mut self.log)
    }

    fn execute(&mut self, op: &Op, me: Me) {
        self.apply(op, me);
        let looks = self.look();
        self.say(Entry::Looks(Box::new(looks)));
    }

    pub(crate) fn say(&mut self, entry: Entry) {
        self.log.push(entry);
    }

    pub(crate) fn illegal(&mut self, why: String) {
        self.say(Entry::Illegal(why));
    }

    pub(crate) fn run(&mut self, script: &Script, me: Me) {
        if self.depth >= DEPTH {
            return;
        }
        self.depth += 1;
        script.iter().for_each(|op| self.execute(op, me));
        self.depth -= 1;
    }

    fn apply(&mut self, op: &Op, me: Me) {
        match op {
            Op::AddTimer(when, script) => {
                if let [oldest, ..] = self.live_timers()[..]
                    && self.live_timers().len() >= CAP
                {
                    self.free_timer(oldest);
                }
                let script = Rc::clone(script);
                self.timers.push(Timer { freed: false, spent: false, running: 0, script });
                self.arm(Later::User(self.timers.len() - 1), *when);
            }
            Op::Update(n, when) => {
                if let Some(id) = self.pick_timer(*n, me) {
                    let timer = &self.timers[id];
                    let armed = !timer.freed && !timer.spent;
                    if armed {
                        self.arm(Later::User(id), *when);
                    }
                    self.say(Entry::Said("update", armed));
                }
            }
            Op::FreeTimer(n) => {
                if let Some(id) = self.pick_timer(*n, me) {
                    self.free_timer(id);
                }
            }
            Op::Advance(by) => self.now += u64::from(*by),

            Op::NewIm { filled, script } => {
                if let [oldest, ..] = self.live_ims()[..]
                    && self.live_ims().len() >= CAP
                {
                    self.free_im(oldest);
                }
                self.ims.push(Im { freed: false, filled: *filled, once: None, script: Rc::clone(script) });
            }
            Op::Schedule(n) => {
                if let Some(id) = self.pick_im(*n, me).filter(|id| !self.ims[*id].freed) {
                    self.reset(id);
                    if self.ims[id].filled {
                        self.schedule(Soon::User(id));
                    }
                }
            }
            Op::ScheduleWith(n, script) => {
                if let Some(id) = self.pick_im(*n, me).filter(|id| !self.ims[*id].freed) {
                    self.ims[id].once = Some(Rc::clone(script));
                    self.schedule(Soon::User(id));
                }
            }
            Op::Reset(n) => {
                if let Some(id) = self.pick_im(*n, me) {
                    self.reset(id);
                }
            }
            Op::FreeIm(n) => {
                if let Some(id) = self.pick_im(*n, me) {
                    self.free_im(id);
                }
            }

            Op::WaitTimeout(timeout) => self.wait_timeout = timeout.map(u64::from),
            Op::Turn => self.turns(1),
            Op::Turns(n) => self.turns(*n),
            others => self.apply_to_fd(others, me),
        }
    }

    fn live_timers(&self) -> Vec<usize> {
        (0..self.timers.len()).filter(|id| !self.timers[*id].freed).collect()
    }

    fn pick_timer(&self, n: Pick, me: Me) -> Option<usize> {
        ops::pick(n, of_kind(me, Kind::Timer), &self.live_timers(), self.timers.len())
    }

    fn free_timer(&mut self, id: usize) {
        self.timers[id].freed = true;
        self.disarm(Later::User(id));
    }

    fn live_ims(&self) -> Vec<usize> {
        (0..self.ims.len()).filter(|id| !self.ims[*id].freed).collect()
    }

    fn pick_im(&self, n: Pick, me: Me) -> Option<usize> {
        ops::pick(n, of_kind(me, Kind::Im), &self.live_ims(), self.ims.len())
    }

    fn reset(&mut self, id: usize) {
        self.ims[id].once = None;
        self.unschedule(Soon::User(id));
    }

    fn free_im(&mut self, id: usize) {
        self.reset(id);
        self.ims[id].freed = true;
    }

    /// IM-1, IM-2: to the tail, also if it is in the list already.
    pub(crate) fn schedule(&mut self, what: Soon) {
        self.unschedule(what);
        self.soon.push(what);
    }

    pub(crate) fn unschedule(&mut self, what: Soon) {
        self.soon.retain(|other| *other != what);
    }

    /// TIMER-2, TIMER-4: behind all that are due at the same time.
    pub(crate) fn arm(&mut self, what: Later, when: Time) {
        self.disarm(what);
        let due = match when {
            Time::Zero => None,
            Time::In(n) => Some(self.now + u64::from(n)),
            Time::At(n) => Some(u64::from(n)),
        };
        let place = self.later.iter().take_while(|(other, _)| *other <= due).count();
        self.later.insert(place, (due, what));
    }

    pub(crate) fn disarm(&mut self, what: Later) {
        self.later.retain(|(_, other)| *other != what);
    }

    pub(crate) fn due(&self, what: Later) -> Option<Due> {
        self.later.iter().find(|(_, other)| *other == what).map(|(due, _)| *due)
    }

    fn look(&self) -> Looks {
        let timers = ops::looked_at(&self.live_timers(), self.timers.len());
        let ims = ops::looked_at(&self.live_ims(), self.ims.len());
        Looks {
            now: self.now,
            fds: self.look_at_fds(),
            timers: timers.into_iter().map(|id| (id, self.due(Later::User(id)))).collect(),
            immediates: ims.into_iter().map(|id| (id, self.soon.contains(&Soon::User(id)))).collect(),
            reqs: self.look_at_reqs(),
            queues: self.look_at_queues(),
            entries: self.look_at_entries(),
            alive: (self.depth == 0).then(|| {
                [
                    self.fds.iter().filter(|fd| !fd.freed).count(),
                    self.timers.iter().filter(|timer| !timer.freed && !timer.spent).count(),
                    self.ims.iter().filter(|im| !im.freed && im.filled).count(),
                    self.ims.iter().filter(|im| im.once.is_some()).count(),
                    self.reqs.iter().filter(|req| !req.is_received()).count(),
                ]
            }),
        }
    }
}
