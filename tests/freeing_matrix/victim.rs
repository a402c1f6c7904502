//! What is freed: made, watched and freed alike, whatever it is.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::ops::Deref;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tevent::{
    ChildRef, Context, ContextRef, FdFlags, Immediate, LoopError, Queue, QueueEntryRef, QueueRef, Req,
    ReqRef, When,
};

use crate::support::{Kind, pair};

/// What is freed and, for a request, which of its own closures is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Fd,
    Timer,
    Immediate,
    ScheduledWith,
    RequestOfFd,
    RequestOfTimer,
    RequestOfSubreq,
    RequestOfCallback,
    RequestOfTrigger,
    Entry,
    Queue,
}

impl What {
    pub(crate) const ALL: [What; 11] = [
        What::Fd,
        What::Timer,
        What::Immediate,
        What::ScheduledWith,
        What::RequestOfFd,
        What::RequestOfTimer,
        What::RequestOfSubreq,
        What::RequestOfCallback,
        What::RequestOfTrigger,
        What::Entry,
        What::Queue,
    ];
}

/// Who keeps the victim.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Home {
    Test,
    Context,
    Request,
}

pub(crate) type Work = Rc<dyn Fn()>;
pub(crate) type OnRun = Rc<dyn Fn(&Victim)>;
pub(crate) type LendOwn = Rc<dyn Fn(Lend, Work)>;

/// How the victim's own state is lent while some work is done.
#[derive(Clone, Copy)]
pub(crate) enum Lend {
    WithState,
    AdvancePending,
    AdvanceReady,
}

/// One closure or state of a victim.
#[derive(Default)]
pub(crate) struct Part {
    name: &'static str,
    drops: Cell<usize>,
    /// How many calls or borrows stand on the stack.
    busy: Cell<usize>,
}

#[derive(Clone)]
pub(crate) struct Victim(pub(crate) Rc<Watch>);

pub(crate) struct Watch {
    pub(crate) env: Rc<Env>,
    parts: RefCell<Vec<Rc<Part>>>,
    pub(crate) freed: Cell<bool>,
    faults: RefCell<Vec<String>>,
    free: RefCell<Option<Box<dyn FnOnce()>>>,
    on_run: RefCell<Option<OnRun>>,
    /// Makes it ready once more.
    again: RefCell<Option<Work>>,
    lend: RefCell<Option<LendOwn>>,
}

impl Victim {
    pub(crate) fn new(env: &Rc<Env>) -> Self {
        Victim(Rc::new(Watch {
            env: Rc::clone(env),
            parts: RefCell::default(),
            freed: Cell::new(false),
            faults: RefCell::default(),
            free: RefCell::default(),
            on_run: RefCell::default(),
            again: RefCell::default(),
            lend: RefCell::default(),
        }))
    }

    pub(crate) fn part(&self, name: &'static str) -> Probe {
        let part = Rc::new(Part { name, ..Part::default() });
        self.0.parts.borrow_mut().push(Rc::clone(&part));
        Probe { victim: self.clone(), part }
    }

    pub(crate) fn on_run(&self, run: impl Fn(&Victim) + 'static) {
        *self.0.on_run.borrow_mut() = Some(Rc::new(run));
    }

    /// A closure that frees it.
    pub(crate) fn freer(&self) -> Work {
        let victim = self.clone();
        Rc::new(move || victim.free())
    }

    pub(crate) fn free(&self) {
        self.0.freed.set(true);
        let free = self.0.free.take();
        if let Some(free) = free {
            free();
        }
        self.look("right after the free");
    }

    /// Makes it ready once more; false where that cannot be.
    pub(crate) fn again(&self) -> bool {
        let again = self.0.again.borrow().clone();
        again.inspect(|again| again()).is_some()
    }

    /// Does the work while a state is borrowed: its own if it has one, else some other request's.
    pub(crate) fn lend(&self, how: Lend, work: Work) {
        let own = self.0.lend.borrow().clone();
        match own {
            Some(lend) => lend(how, work),
            None => lend_state(&self.0.env.host, how, move |()| work()),
        }
    }

    /// Turns the loop, one level deeper, until it is freed.
    pub(crate) fn turn_until_freed(&self) {
        let ev = &self.0.env.ev;
        let turns = (0..8).take_while(|_| !self.0.freed.get()).filter(|_| ev.loop_once().is_ok());
        assert!(turns.count() > 0 || self.0.freed.get());
    }

    /// Has its handler entered once more on top of itself; false where that cannot be.
    pub(crate) fn enter_again(&self) -> bool {
        let can = self.again();
        if can {
            self.turn_until_freed();
        }
        can
    }

    pub(crate) fn fault(&self, what: String) {
        self.0.faults.borrow_mut().push(what);
    }

    pub(crate) fn look(&self, when: &str) {
        for part in self.0.parts.borrow().iter() {
            let (drops, name) = (part.drops.get(), part.name);
            let right = match (self.0.freed.get(), part.busy.get()) {
                (_, 1..) => drops == 0,
                (true, 0) => drops == 1,
                (false, 0) => drops <= 1,
            };
            if !right {
                self.fault(format!("{when}: {name} was dropped {drops} times, busy {}", part.busy.get()));
            }
        }
    }

    pub(crate) fn verdict(&self, case: &str) {
        self.look("at the end");
        assert!(self.0.freed.get(), "{case}: nobody came to free it");
        assert!(!self.0.parts.borrow().is_empty(), "{case}: nothing was watched");
        assert_eq!(self.0.faults.take(), [""; 0], "{case}");
        // These hold the victim itself, which would leak.
        drop((self.0.on_run.take(), self.0.again.take(), self.0.lend.take()));
    }
}

/// Sits in a closure or a state of the victim's.
pub(crate) struct Probe {
    victim: Victim,
    part: Rc<Part>,
}

pub(crate) struct Busy<'a>(&'a Part);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.set(self.0.busy.get() - 1);
    }
}

impl Probe {
    /// The body of each of the victim's closures.
    pub(crate) fn run(&self) {
        if self.victim.0.freed.get() {
            self.victim.fault(format!("{} was called after the free", self.part.name));
        }
        let on_run = self.victim.0.on_run.borrow().clone();
        self.busy(|| on_run.iter().for_each(|run| run(&self.victim)));
    }

    pub(crate) fn busy(&self, work: impl FnOnce()) {
        self.part.busy.set(self.part.busy.get() + 1);
        let _busy = Busy(&self.part);
        work();
        self.victim.look("while it runs");
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.part.drops.set(self.part.drops.get() + 1);
        if self.part.busy.get() > 0 {
            self.victim.fault(format!("{} was dropped while it ran", self.part.name));
        }
        self.victim.0.env.call_into_the_loop();
    }
}

/// Does something when it is dropped.
pub(crate) struct OnDrop(pub(crate) Work);

impl Drop for OnDrop {
    fn drop(&mut self) {
        (self.0)();
    }
}

pub(crate) fn lend_state<S>(req: &ReqRef<S>, how: Lend, work: impl FnOnce(&mut S) + 'static) {
    match how {
        Lend::WithState => drop(req.with_state(work)),
        Lend::AdvancePending => req.advance(move |state| {
            work(state);
            Poll::Pending
        }),
        Lend::AdvanceReady => req.advance(move |state| {
            work(state);
            Poll::Ready(Ok(()))
        }),
    }
}

/// A loop and what a victim needs around it.
pub(crate) struct Env {
    ctx: RefCell<Option<Context>>,
    pub(crate) ev: ContextRef,
    /// Always readable.
    pub(crate) near: UnixStream,
    /// Never readable.
    far: UnixStream,
    host: Req<()>,
    pub(crate) neighbour: Req<()>,
    pub(crate) queue: Queue,
    /// Whether the entry behind the victim's had its turn.
    pub(crate) queue_went_on: Rc<Cell<bool>>,
}

impl Env {
    pub(crate) fn new(backend: Kind) -> Rc<Self> {
        let ctx = backend.context();
        ctx.set_wait_timeout(Duration::ZERO);
        let (near, far) = pair();
        (&far).write_all(b"x").unwrap();
        Rc::new(Env {
            ev: ctx.clone(),
            ctx: RefCell::new(Some(ctx)),
            near,
            far,
            host: Req::create(()),
            neighbour: Req::create(()),
            queue: Queue::create("queue"),
            queue_went_on: Rc::default(),
        })
    }

    pub(crate) fn free_context(&self) {
        let ctx = self.ctx.take();
        drop(ctx);
    }

    /// Gives an owner its home; what is given back frees it from there.
    pub(crate) fn own<O>(self: &Rc<Self>, home: Home, owner: O) -> Box<dyn FnOnce()>
    where
        O: Deref + 'static,
        O::Target: ChildRef<Owner = O>,
    {
        let env = Rc::clone(self);
        match home {
            Home::Test => Box::new(move || drop(owner)),
            Home::Context => {
                let child = self.ev.keep(owner);
                Box::new(move || drop(env.ev.take(&child)))
            }
            Home::Request => {
                let child = self.host.keep(owner);
                Box::new(move || drop(env.host.take(&child)))
            }
        }
    }

    /// What the `Drop` of a state or of a captured value may do: nearly anything.
    pub(crate) fn call_into_the_loop(&self) {
        let im = Immediate::new(|_ev, _im| unreachable!("it is freed"));
        im.schedule(&self.ev);
        drop(self.ev.add_timer(When::Zero, |_ev, _te, _now| unreachable!("it is freed")));
        drop(self.ev.add_fd(&self.near, FdFlags::READ, |_ev, _fde, _flags| unreachable!("it is freed")));
        let req = Req::create(());
        req.add_timer(&self.ev, When::Zero, |_req, _te, _now| unreachable!("it is freed"));
        req.done();
    }

    /// Turns the loop often enough for all that is ready; says how many turns panicked as expected.
    pub(crate) fn settle(&self) -> usize {
        let turn = || match catch_unwind(AssertUnwindSafe(|| self.ev.loop_once())) {
            Ok(Ok(()) | Err(LoopError::WouldBlock | LoopError::Freed)) => 0,
            Ok(Err(error)) => panic!("{error}"),
            Err(panic) if panic.is::<Expected>() => 1,
            Err(panic) => resume_unwind(panic),
        };
        (0..16).map(|_| turn()).sum()
    }

    /// An immediate, a timer and an fd event still get their turns.
    pub(crate) fn assert_goes_on(&self, case: &str) {
        let runs = Rc::new(Cell::new(0));
        let count = |n: u32| {
            let runs = Rc::clone(&runs);
            move || runs.set(runs.get() | n)
        };
        let (one, two, four) = (count(1), count(2), count(4));
        let im = Immediate::new(move |_ev, _im| one());
        im.schedule(&self.ev);
        let te = self.ev.add_timer(When::Zero, move |_ev, _te, _now| two());
        let fde = self.ev.add_fd(&self.near, FdFlags::READ, move |_ev, _fde, _flags| four()).unwrap();
        self.settle();
        drop((te, fde));
        assert_eq!(runs.get(), 7, "{case}: the loop does not go on");
    }
}

/// What a panicking handler throws.
pub(crate) struct Expected;

/// Makes the victim; all of it is ready or will never be.
pub(crate) fn make(victim: &Victim, what: What, home: Home) {
    let env = &victim.0.env;
    let ev = env.ev.clone();
    let mut again: Option<Work> = None;
    let free = match what {
        What::Fd => {
            let probe = victim.part("fd handler");
            again = Some(Rc::new(|| {}));
            env.own(home, ev.add_fd(&env.near, FdFlags::READ, move |_ev, _fde, _flags| probe.run()).unwrap())
        }
        What::Timer => {
            let probe = victim.part("timer handler");
            let te = ev.add_timer(When::Zero, move |_ev, _te, _now| probe.run());
            let reference = te.clone();
            again = Some(Rc::new(move || assert!(reference.update(When::Zero))));
            env.own(home, te)
        }
        What::Immediate => {
            let probe = victim.part("immediate handler");
            let im = Immediate::new(move |_ev, _im| probe.run());
            im.schedule(&ev);
            let reference = im.clone();
            again = Some(Rc::new(move || reference.schedule(&ev)));
            env.own(home, im)
        }
        What::ScheduledWith => {
            let im = Immediate::empty();
            let (reference, maker) = (im.clone(), victim.clone());
            let schedule = move || {
                let probe = maker.part("handler of one schedule");
                reference.schedule_with(&ev, move |_ev, _im| probe.run());
            };
            schedule();
            again = Some(Rc::new(schedule));
            env.own(home, im)
        }
        What::Entry => {
            let probe = victim.part("trigger");
            let entry = env.queue.add_entry(&ev, &env.neighbour, move |_req| probe.run()).unwrap();
            again = Some(trigger_again(&env.queue, &entry));
            let env = Rc::clone(env);
            Box::new(move || drop(env.neighbour.take(&entry)))
        }
        What::Queue => {
            let probe = victim.part("trigger");
            let queue = Queue::create("victim");
            let entry = queue.add_entry(&ev, &env.neighbour, move |_req| probe.run()).unwrap();
            again = Some(trigger_again(&queue, &entry));
            env.own(home, queue)
        }
        request => {
            let req = make_request(victim, request, &mut again);
            let lender = req.clone();
            let lend = move |how, work: Work| {
                // A finished request cannot be advanced.
                let how = if lender.is_in_progress() { how } else { Lend::WithState };
                lend_state(&lender, how, move |state: &mut State| state.0.busy(|| work()));
            };
            *victim.0.lend.borrow_mut() = Some(Rc::new(lend));
            env.own(home, req)
        }
    };
    *victim.0.free.borrow_mut() = Some(free);
    *victim.0.again.borrow_mut() = again;
    let went_on = Rc::clone(&env.queue_went_on);
    env.queue.add(&env.ev, &env.neighbour, move |_req| went_on.set(true)).unwrap();
}

/// The state of a victim that is a request, and of its sub-request.
pub(crate) struct State(Probe);

/// A request with children of every kind, one of which is ready: that which `what` tells.
pub(crate) fn make_request(victim: &Victim, what: What, again: &mut Option<Work>) -> Req<State> {
    let env = &victim.0.env;
    let ev = &env.ev;
    let req = Req::create(State(victim.part("state")));

    let probe = victim.part("fd handler of a request");
    let socket = if what == What::RequestOfFd { &env.near } else { &env.far };
    req.add_fd(ev, socket, FdFlags::READ, move |_req, _flags| probe.run()).unwrap();

    let probe = victim.part("timer handler of a request");
    let hour = When::In(Duration::from_secs(3600));
    let when = if what == What::RequestOfTimer { When::Zero } else { hour };
    let te = req.add_timer(ev, when, move |_req, _te, _now| probe.run());

    let probe = victim.part("callback of a sub-request");
    let subreq = Req::create(State(victim.part("state of a sub-request")));
    let finish = subreq.add_immediate(|subreq| assert!(subreq.done()));
    req.add_subreq(subreq, move |_req, subreq| {
        assert!(subreq.recv(|_state| ()).is_ok());
        probe.run();
    });

    let probe = victim.part("callback of a request");
    req.set_callback(move |_req| probe.run());
    let done = req.add_immediate(|req| assert!(req.done()));

    let idle = Queue::create("idle");
    idle.stop();
    let queue = if what == What::RequestOfTrigger { &env.queue } else { &*idle };
    let probe = victim.part("trigger of a request");
    let entry = queue.add_entry(ev, &req, move |_req| probe.run()).unwrap();
    let queue = queue.clone();
    req.keep(idle);

    let reference = req.clone();
    *again = match what {
        What::RequestOfFd => Some(Rc::new(|| {})),
        What::RequestOfTimer => Some(Rc::new(move || assert!(te.update(When::Zero)))),
        What::RequestOfCallback => {
            done.schedule(ev);
            Some(Rc::new(move || reference.notify_callback()))
        }
        What::RequestOfTrigger => Some(trigger_again(&queue, &entry)),
        _ => {
            finish.schedule(ev);
            None
        }
    };
    req
}

pub(crate) fn trigger_again(queue: &QueueRef, entry: &QueueEntryRef) -> Work {
    let (queue, entry) = (queue.clone(), entry.clone());
    Rc::new(move || {
        queue.stop();
        entry.untrigger();
        queue.start();
    })
}
