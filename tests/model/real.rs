//! The loop itself, made to do what a case says.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use tevent::{
    Backend, Context, FdEvent, FdFlags, FdSource, Immediate, Queue, QueueEntryRef, Req, ReqRef, Timer, When,
};

use super::files::File;
use super::ops::{self, DEPTH, FILES, Kind, Me, Op, Pick, Script, Time, Touch, of_kind};
use super::real_turn::OpenTurn;
use super::seen::{Choice, Due, Entry, Looks, Outcome};
use super::shelf::Shelf;

/// Counts the living, by being one of what they own.
pub(crate) struct Alive(Rc<Cell<usize>>);

impl Alive {
    fn new(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Alive(Rc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

pub(crate) struct EntryAt {
    pub(crate) entry: QueueEntryRef,
    pub(crate) req: usize,
    pub(crate) queue: usize,
}

pub(crate) struct Real {
    /// Handlers hold it weakly: they belong to it.
    myself: Weak<Real>,
    pub(crate) ctx: Context,
    start: Instant,
    files: RefCell<Vec<File>>,
    /// The file of each fd event.
    pub(crate) watched: RefCell<Vec<usize>>,
    pub(crate) fds: Shelf<FdEvent>,
    timers: Shelf<Timer>,
    immediates: Shelf<Immediate>,
    pub(crate) reqs: Shelf<Req<Alive>>,
    pub(crate) queues: Shelf<Queue>,
    /// Those that the case was given; one whose trigger runs inside the call that adds it comes when that returns.
    pub(crate) entries: RefCell<BTreeMap<usize, EntryAt>>,
    pub(crate) next_entry: Cell<usize>,
    pub(crate) log: RefCell<Vec<Entry>>,
    depth: Cell<usize>,
    pub(crate) level: Cell<usize>,
    executed: Cell<u64>,
    pub(crate) choices: RefCell<Vec<Choice>>,
    /// The turns that are being taken, each with how things stood when it began.
    pub(crate) open: RefCell<Vec<OpenTurn>>,
    alive: [Rc<Cell<usize>>; 5],
}

impl Real {
    pub(crate) fn new(seed: u64) -> Rc<Self> {
        let ctx = Context::builder().backend(Backend::Simulated { seed }).build().unwrap();
        ctx.allow_nesting();
        Rc::new_cyclic(|myself| Real {
            myself: myself.clone(),
            start: ctx.now(),
            ctx,
            files: RefCell::new(FILES.into_iter().map(File::open).collect()),
            watched: RefCell::default(),
            fds: Shelf::new(),
            timers: Shelf::new(),
            immediates: Shelf::new(),
            reqs: Shelf::new(),
            queues: Shelf::new(),
            entries: RefCell::default(),
            next_entry: Cell::new(0),
            log: RefCell::default(),
            depth: Cell::new(0),
            level: Cell::new(0),
            executed: Cell::new(0),
            choices: RefCell::default(),
            open: RefCell::default(),
            alive: Default::default(),
        })
    }

    /// How many operations were carried out, those in handlers included.
    pub(crate) fn executed(&self) -> u64 {
        self.executed.get()
    }

    /// What happened since this was last asked, and what every turn chose.
    pub(crate) fn take_log(&self) -> (Vec<Entry>, Vec<Choice>) {
        (self.log.take(), self.choices.borrow().clone())
    }

    pub(crate) fn execute(&self, op: &Op, me: Me) {
        self.executed.set(self.executed.get() + 1);
        self.apply(op, me);
        let looks = self.look();
        self.say(Entry::Looks(Box::new(looks)));
    }

    pub(crate) fn say(&self, entry: Entry) {
        self.log.borrow_mut().push(entry);
    }

    pub(crate) fn run(&self, script: &Script, me: Me) {
        if self.depth.get() >= DEPTH {
            return;
        }
        self.depth.set(self.depth.get() + 1);
        script.iter().for_each(|op| self.execute(op, me));
        self.depth.set(self.depth.get() - 1);
    }

    /// What a handler does: say that it runs, and run its script; nothing while the case is torn down.
    pub(crate) fn handler(
        &self,
        of: Kind,
        id: usize,
        script: &Script,
    ) -> impl Fn(&dyn Fn(&Real) -> Entry) + 'static {
        let (real, script) = (self.myself.clone(), Rc::clone(script));
        move |entry| {
            if let Some(real) = real.upgrade() {
                real.say(entry(&real));
                real.run(&script, Some((of, id)));
            }
        }
    }

    pub(crate) fn weak(&self) -> Weak<Real> {
        self.myself.clone()
    }

    pub(crate) fn new_state(&self) -> Alive {
        Alive::new(&self.alive[4])
    }

    fn apply(&self, op: &Op, me: Me) {
        let fd = |n: Pick| self.fds.find(n, of_kind(me, Kind::Fd));
        let timer = |n: Pick| self.timers.find(n, of_kind(me, Kind::Timer));
        let im = |n: Pick| self.immediates.find(n, of_kind(me, Kind::Im));
        match op {
            Op::AddFd { file, flags, shared, close_fn, script } => {
                self.add_fd(*file, FdFlags::from_bits_truncate(*flags), *shared, *close_fn, script);
            }
            Op::SetFlags(n, flags) => {
                if let Some(fd) = fd(*n) {
                    fd.set_flags(FdFlags::from_bits_truncate(*flags));
                }
            }
            Op::FreeFd(n) => drop(self.fds.pick(*n, of_kind(me, Kind::Fd)).and_then(|id| self.fds.take(id))),
            Op::Touch(file, Touch::Renew) => self.renew(*file),
            Op::Touch(file, touch) => self.files.borrow_mut()[*file].touch(*touch),

            Op::AddTimer(when, script) => self.add_timer(*when, script),
            Op::Update(n, when) => {
                if let Some(timer) = timer(*n) {
                    self.say(Entry::Said("update", timer.update(self.when(*when))));
                }
            }
            Op::FreeTimer(n) => {
                drop(self.timers.pick(*n, of_kind(me, Kind::Timer)).and_then(|id| self.timers.take(id)));
            }
            Op::Advance(by) => self.ctx.advance_clock(Duration::from_millis(u64::from(*by))),

            Op::NewIm { filled, script } => self.new_im(*filled, script),
            Op::Schedule(n) => {
                if let Some(im) = im(*n) {
                    im.schedule(&self.ctx);
                }
            }
            Op::ScheduleWith(n, script) => {
                if let Some(id) = self.immediates.pick(*n, of_kind(me, Kind::Im)) {
                    let (handler, alive) = (self.handler(Kind::Im, id, script), Alive::new(&self.alive[3]));
                    self.immediates.get(id).schedule_with(&self.ctx, move |_ev, _im| {
                        let _owned = &alive;
                        handler(&|_| Entry::Im { im: id, once: true });
                    });
                }
            }
            Op::Reset(n) => {
                if let Some(im) = im(*n) {
                    im.reset();
                }
            }
            Op::FreeIm(n) => {
                let id = self.immediates.pick(*n, of_kind(me, Kind::Im));
                drop(id.and_then(|id| self.immediates.take(id)));
            }

            Op::WaitTimeout(timeout) => {
                self.ctx.set_wait_timeout(timeout.map(|ms| Duration::from_millis(u64::from(ms))));
            }
            Op::Turn => self.turn(),
            Op::Turns(n) => self.turns(*n),
            others => self.apply_to_req(others, me),
        }
    }

    fn add_fd(&self, file: usize, flags: FdFlags, shared: bool, close_fn: bool, script: &Script) {
        self.fds.make_room();
        let id = self.fds.len();
        let (handler, alive) = (self.handler(Kind::Fd, id, script), Alive::new(&self.alive[0]));
        let called = move |_: &_, _: &_, flags: FdFlags| {
            let _owned = &alive;
            handler(&|real| {
                real.note_served(file);
                Entry::Fd { fd: id, flags: flags.bits() }
            });
        };
        let near = Rc::clone(&self.files.borrow()[file].near);
        let source = if shared { FdSource::from(near) } else { FdSource::from(&near) };
        let added = self.ctx.add_fd(source, flags, called);
        let fde = added.unwrap();
        if close_fn {
            let real = self.myself.clone();
            fde.set_close_fn(move |_number| {
                if let Some(real) = real.upgrade() {
                    real.say(Entry::Closed { fd: id });
                }
            });
        }
        self.watched.borrow_mut().push(file);
        self.fds.put(fde);
    }

    fn renew(&self, file: usize) {
        for id in self.fds.live() {
            if self.watched.borrow()[id] == file {
                drop(self.fds.take(id));
            }
        }
        let mut files = self.files.borrow_mut();
        let kind = files[file].kind;
        // Closed before the other is opened, so that the number is used again where nothing else holds it.
        files.remove(file);
        files.insert(file, File::open(kind));
    }

    pub(crate) fn when(&self, time: Time) -> When {
        let ms = |n: u8| Duration::from_millis(u64::from(n));
        match time {
            Time::Zero => When::Zero,
            Time::In(n) => When::In(ms(n)),
            Time::At(n) => When::At(self.start + ms(n)),
        }
    }

    fn add_timer(&self, when: Time, script: &Script) {
        self.timers.make_room();
        let id = self.timers.len();
        let (handler, alive) = (self.handler(Kind::Timer, id, script), Alive::new(&self.alive[1]));
        let start = self.start;
        let timer = self.ctx.add_timer(self.when(when), move |_ev, _te, now| {
            let _owned = &alive;
            handler(&|_| Entry::Timer { timer: id, now: now.map(|now| ms_between(start, now)) });
        });
        self.timers.put(timer);
    }

    fn new_im(&self, filled: bool, script: &Script) {
        self.immediates.make_room();
        let id = self.immediates.len();
        self.immediates.put(if filled {
            let (handler, alive) = (self.handler(Kind::Im, id, script), Alive::new(&self.alive[2]));
            Immediate::new(move |_ev, _im| {
                let _owned = &alive;
                handler(&|_| Entry::Im { im: id, once: false });
            })
        } else {
            Immediate::empty()
        });
    }

    fn look(&self) -> Looks {
        let due = |when| match when {
            When::At(at) => Due::Some(ms_between(self.start, at)),
            _ => None,
        };
        let entries = self.entries.borrow();
        let queued: Vec<usize> = self.live_entries();
        let looked_at = ops::looked_at(&queued, self.next_entry.get());
        let entry = |id| entries.get(&id).map(|at| (id, at.entry.is_queued(), at.entry.is_triggered()));
        Looks {
            now: ms_between(self.start, self.ctx.now()),
            fds: self.fds.look(|id, fd| (id, fd.flags().bits())),
            timers: self.timers.look(|id, timer| {
                assert_eq!(timer.is_pending(), timer.due().is_some(), "a timer contradicts itself");
                (id, timer.due().map(due))
            }),
            immediates: self.immediates.look(|id, im| (id, im.is_scheduled())),
            reqs: self.reqs.look(|id, req| (id, outcome(req), req.has_callback())),
            queues: self.queues.look(|id, queue| (id, queue.len(), queue.is_running())),
            entries: looked_at.into_iter().filter_map(entry).collect(),
            alive: (self.depth.get() == 0).then(|| self.alive.each_ref().map(|count| count.get())),
        }
    }
}

pub(crate) fn outcome(req: &ReqRef<Alive>) -> Outcome {
    let result = req.result();
    let code = result.as_ref().map_or_else(tevent::ReqError::code, |()| 0);
    let state = result.map_or_else(|error| error.state(), |()| tevent::ReqState::Done);
    assert_eq!(state, req.state(), "a request contradicts itself");
    Outcome { state: state as u8, code }
}

fn ms_between(start: Instant, end: Instant) -> u64 {
    u64::try_from((end - start).as_millis()).unwrap()
}
