//! The timers of one context. They are kept here and not by the core, as C says when they are due by the wall clock, and as a timer of
//! C's is a chunk already that knows its place.
//!
//! In the core's loop one timer stands for all of them: the alarm. It is never due after the first of them; after some have left it
//! may be due before, rings for nobody, and is set anew.

use std::cell::{Cell, RefCell};

use libc::timeval;

use crate::chunk::Chunk;
use crate::clock;
use crate::context::Context;
use crate::list::List;
use crate::sys;
use crate::time::{self, is_zero};
use crate::timer::{self, Timer};
use crate::timer_order::TimerOrder;

/// Where a timer stands.
#[derive(Clone, Copy, Default, PartialEq)]
pub enum Place {
    /// It is new, or has left.
    #[default]
    Nowhere,
    /// Among the zero timers.
    Zero,
    /// Among all others, at that index.
    Later(usize),
    /// It has had its turn, and its handler runs.
    Running,
}

/// When a timer is due, in microseconds of the wall clock.
type Due = i64;

/// The zero time is before all others (TIMER-2).
const AT_ONCE: Due = Due::MIN;

pub struct Timers {
    /// First in, first out.
    zero: List<Timer>,
    later: RefCell<TimerOrder>,
    running: List<Timer>,
    alarm: RefCell<Option<tevent_core::Timer>>,
    /// When the alarm is due, while it is pending.
    set_to: Cell<Option<Due>>,
    /// The turn in which it has rung for nobody.
    rang_idle: Cell<Option<u64>>,
}

impl Timers {
    pub const fn new() -> Self {
        Timers {
            zero: List::new(),
            later: RefCell::new(TimerOrder::new()),
            running: List::new(),
            alarm: RefCell::new(None),
            set_to: Cell::new(None),
            rang_idle: Cell::new(None),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.zero.is_empty() && self.later.borrow().is_empty()
    }

    /// The first, and when it is due.
    fn first(&self) -> Option<(Due, Chunk<Timer>)> {
        self.zero.first().map(|te| (AT_ONCE, te)).or_else(|| self.later.borrow().first())
    }

    /// One that is such, if any, those included whose handlers run.
    pub fn find(&self, is: impl Fn(Chunk<Timer>) -> bool) -> Option<Chunk<Timer>> {
        let waits = self.zero.find(&is).or_else(|| self.later.borrow().timers().find(|te| is(*te)));
        waits.or_else(|| self.running.find(is))
    }

    /// Takes it from where it stands.
    fn take_out(&self, te: Chunk<Timer>) {
        match te.place().take() {
            Place::Nowhere => {}
            Place::Zero => self.zero.remove(te),
            Place::Later(at) => self.later.borrow_mut().remove(at),
            Place::Running => self.running.remove(te),
        }
    }

    /// Whether the alarm has rung for nobody, and this in that turn.
    pub fn has_rung_idle(&self, turn: u64) -> bool {
        self.rang_idle.take() == Some(turn)
    }
}

fn microseconds(tv: timeval) -> Due {
    tv.tv_sec.saturating_mul(1_000_000).saturating_add(tv.tv_usec)
}

/// It takes its place, behind all with the same time.
pub fn insert(main: Chunk<Context>, te: Chunk<Timer>, due: timeval) {
    let timers = &main.timers;
    timers.take_out(te);
    if timers.is_empty() {
        main.core().leave_out_timers(0);
    }
    let rank = if is_zero(due) {
        te.place().set(Place::Zero);
        timers.zero.push_back(te);
        AT_ONCE
    } else {
        let rank = microseconds(due);
        timers.later.borrow_mut().insert(rank, te);
        rank
    };
    if timers.set_to.get().is_none_or(|set_to| rank < set_to) {
        set_alarm(main, rank, te);
    }
}

/// It leaves.
pub fn remove(main: Chunk<Context>, te: Chunk<Timer>) {
    let timers = &main.timers;
    timers.take_out(te);
    if timers.is_empty() {
        // An alarm for nobody does not keep `loop_wait` going.
        main.core().leave_out_timers(usize::from(timers.set_to.get().is_some()));
    }
}

/// The alarm is for that one, which is the first.
fn set_alarm(main: Chunk<Context>, due: Due, first: Chunk<Timer>) {
    let timers = &main.timers;
    timers.set_to.set(Some(due));
    let when = main.clock.when(first.due());
    let is_set = timers.alarm.borrow().as_ref().is_some_and(|alarm| alarm.update(when));
    if !is_set {
        let alarm = main.core().add_timer(when, move |_ev, _alarm, _now| ring(main));
        timers.alarm.replace(Some(alarm));
    }
}

/// Sets the alarm to the first timer, whatever it was set to.
pub fn settle(main: Chunk<Context>) {
    let timers = &main.timers;
    match timers.first() {
        Some((due, _te)) if timers.set_to.get() == Some(due) => {}
        Some((due, te)) => set_alarm(main, due, te),
        None => silence(main),
    }
}

/// There is nobody to ring for.
fn silence(main: Chunk<Context>) {
    let timers = &main.timers;
    let is_silent = timers.set_to.get().is_some()
        && timers.alarm.borrow().as_ref().is_some_and(|alarm| main.core().disarm_timer(alarm));
    if is_silent {
        timers.set_to.set(None);
        main.core().leave_out_timers(0);
    }
}

/// The context begins anew, and the alarm with it.
pub fn begin_anew(main: Chunk<Context>) {
    let timers = &main.timers;
    timers.set_to.set(None);
    main.core().leave_out_timers(0);
    drop(timers.alarm.take());
}

/// The alarm: the first timer's turn has come.
fn ring(main: Chunk<Context>) {
    let timers = &main.timers;
    timers.set_to.set(None);
    main.core().leave_out_timers(0);
    let idle = || timers.rang_idle.set(Some(main.core().turns()));
    let Some((due, te)) = timers.first() else { return idle() };
    let mut now = time::ZERO;
    if due != AT_ONCE {
        let wall = sys::wall();
        if microseconds(wall) < due.saturating_sub(clock::TOLERANCE) {
            idle();
            return settle(main);
        }
        now = time::later(wall, te.due());
    }
    start(main, te);
    settle(main);
    timer::run(te, now);
}

/// Their own part of a turn: the first zero timer runs, if there is one, without the alarm, which stays.
pub fn run_own(main: Chunk<Context>) -> bool {
    let timers = &main.timers;
    let Some(te) = timers.zero.first() else {
        // A wait is not cut short for nobody.
        if timers.set_to.get().is_some() && timers.is_empty() {
            silence(main);
        }
        return false;
    };
    start(main, te);
    timer::run(te, time::ZERO);
    true
}

/// Its handler is called next.
pub fn start(main: Chunk<Context>, te: Chunk<Timer>) {
    remove(main, te);
    te.place().set(Place::Running);
    main.timers.running.push_back(te);
}
