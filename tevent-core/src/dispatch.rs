//! The one place that fixes the order of a turn (LOOP-1).
//!
//! Each step picks what runs under a borrow, releases it, and then calls; so a handler may do anything.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use crate::call_flow;
use crate::context::ContextRef;
use crate::error::LoopError;
use crate::fd_table::{FdTable, Next};
use crate::trace::TracePoint;

/// How long a turn may wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Until the next timer is due, or for the wait timeout (LOOP-2).
    AsSet,
    /// Not at all: somebody else waits.
    None,
}

/// One turn.
///
/// # The frequent case
/// A turn that is [quiet](ContextRef::is_quiet) does what [`whole_turn`] would, without asking each of those that have
/// nothing to say.
#[inline]
pub(crate) fn turn(ev: &ContextRef, patience: Patience) -> Result<(), LoopError> {
    turn_with(ev, patience, || false)
}

/// The same, with something of the C ABI's own before the timers.
#[inline]
pub(crate) fn turn_with(
    ev: &ContextRef,
    patience: Patience,
    own: impl FnOnce() -> bool,
) -> Result<(), LoopError> {
    if !ev.is_quiet() {
        return whole_turn(ev, patience, own);
    }
    ev.counters().count_turn();
    let ran = run_own_source(ev, patience, own);
    call_flow::reset();
    ran
}

fn whole_turn(ev: &ContextRef, patience: Patience, own: impl FnOnce() -> bool) -> Result<(), LoopError> {
    if ev.is_freed() {
        return Err(LoopError::Freed);
    }
    ev.notice_fork();
    ev.threads().bury();
    ev.settle();
    ev.counters().count_turn();
    ev.tell_point(TracePoint::BeforeLoopOnce);
    let ran = run_one_source(ev, patience, own);
    ev.tell_point(TracePoint::AfterLoopOnce);
    call_flow::reset();
    ran
}

/// Runs the handlers of at most one source.
fn run_one_source(ev: &ContextRef, patience: Patience, own: impl FnOnce() -> bool) -> Result<(), LoopError> {
    // 1. The pending signals.
    if ev.signals().run_pending(ev) {
        return Ok(());
    }
    // 2. What other threads have scheduled joins the immediates.
    ev.threads().move_to_immediates(ev);
    ev.tasks().move_to_immediates(ev);
    run_own_source(ev, patience, own)
}

/// The rest of the order: what this thread itself has added.
#[inline]
fn run_own_source(ev: &ContextRef, patience: Patience, own: impl FnOnce() -> bool) -> Result<(), LoopError> {
    if run_immediate(ev) || own() {
        return Ok(());
    }
    match next_timer(ev) {
        Timers::Zero => run_timer(ev, None),
        Timers::At(due) => {
            let now = ev.now();
            if due > now {
                return wait_for_fds(ev, patience, Some(due - now));
            }
            run_timer(ev, Some(now));
        }
        Timers::None => return wait_for_fds(ev, patience, None),
    }
    Ok(())
}

/// 3. The first immediate.
#[inline]
pub(crate) fn run_immediate(ev: &ContextRef) -> bool {
    let first = ev.immediates().borrow_mut().pop_front();
    let Some(scheduled) = first else { return false };
    scheduled.run(ev);
    true
}

pub(crate) enum Timers {
    None,
    Zero,
    At(Instant),
}

pub(crate) fn next_timer(ev: &ContextRef) -> Timers {
    match ev.timers().borrow().first() {
        None => Timers::None,
        Some(None) => Timers::Zero,
        Some(Some(due)) => Timers::At(due),
    }
}

/// 4. The first timer, which is due.
pub(crate) fn run_timer(ev: &ContextRef, now: Option<Instant>) {
    let first = ev.timers().borrow_mut().pop();
    if let Some(te) = first {
        te.run(ev, now);
    }
}

/// 5. Fds, until the next timer is due or, without one, for the wait timeout.
fn wait_for_fds(
    ev: &ContextRef,
    patience: Patience,
    next_timer_in: Option<Duration>,
) -> Result<(), LoopError> {
    let mut next_timer_in = next_timer_in;
    match run_fetched_fd(ev) {
        Fetched::Ran => return Ok(()),
        // Where the debug sink was told it may have scheduled what was not there before.
        Fetched::Void => next_timer_in = time_to_next(ev),
        Fetched::Nothing => {}
    }
    if ev.signals().is_deaf() {
        ev.signals().be_heard(ev).map_err(LoopError::Wait)?;
    }
    // Those that arrived meanwhile; what comes after this ends the wait.
    if ev.signals().run_pending(ev) {
        return Ok(());
    }
    match fetch(ev, patience, next_timer_in) {
        None => return Ok(()),
        // One of them may have interrupted it.
        Some(Err(e)) if e.kind() == ErrorKind::Interrupted => {
            ev.signals().run_pending(ev);
            return Ok(());
        }
        Some(Err(e)) => return Err(LoopError::Wait(e)),
        Some(Ok(())) => {}
    }
    let fetched = run_fetched_fd(ev);
    if fetched == Fetched::Ran || run_timer_if_due(ev) || fetched == Fetched::Void {
        return Ok(());
    }
    if ev.tasks().are_woken() {
        return Ok(());
    }
    if never_waits(ev, patience) {
        return Err(LoopError::WouldBlock);
    }
    Ok(())
}

/// Asks the kernel what is ready; `None` without a context.
fn fetch(ev: &ContextRef, patience: Patience, next_timer_in: Option<Duration>) -> Option<io::Result<()>> {
    let told = ev.trace().is_on() && ev.with_fds(|fds| fds.asks_kernel())?;
    if told {
        ev.tell_point(TracePoint::BeforeWait);
    }
    // Tasks that have used up their budget go on after this look.
    let timeout = if never_waits(ev, patience) || ev.tasks().are_woken() {
        Some(Duration::ZERO)
    } else if told {
        // Whoever was told may have scheduled what was not there before.
        time_to_next(ev).or(ev.wait_timeout().get())
    } else {
        next_timer_in.or(ev.wait_timeout().get())
    };
    let fetched = ev.with_fds(|fds| fds.fetch(timeout));
    ev.tasks().looked_at_fds();
    if told {
        ev.tell_point(TracePoint::AfterWait);
    }
    fetched
}

fn never_waits(ev: &ContextRef, patience: Patience) -> bool {
    patience == Patience::None || ev.wait_timeout().get() == Some(Duration::ZERO)
}

/// How long the loop may sleep for what it knows of by itself, without the kernel.
pub(crate) fn time_to_next(ev: &ContextRef) -> Option<Duration> {
    let scheduled = !ev.immediates().borrow().is_empty() || ev.threads().are_waiting();
    if scheduled || ev.signals().are_due() || ev.tasks().are_woken() {
        return Some(Duration::ZERO);
    }
    match next_timer(ev) {
        Timers::Zero => Some(Duration::ZERO),
        Timers::At(due) => Some(due.saturating_duration_since(ev.now())),
        Timers::None => None,
    }
}

/// What became of what was fetched.
#[derive(PartialEq, Eq)]
enum Fetched {
    Nothing,
    /// No handler has run.
    Void,
    Ran,
}

/// One event of what was fetched runs; what has become void since is passed over.
fn run_fetched_fd(ev: &ContextRef) -> Fetched {
    match ev.with_fds(FdTable::next) {
        Some(Next::Event(fde, flags)) => {
            fde.run(ev, flags);
            Fetched::Ran
        }
        Some(Next::Void) => {
            ev.say_what_is_not_open();
            Fetched::Void
        }
        Some(Next::Nothing) | None => Fetched::Nothing,
    }
}

/// After a time-out.
fn run_timer_if_due(ev: &ContextRef) -> bool {
    let Timers::At(due) = next_timer(ev) else { return false };
    let now = ev.now();
    if due > now {
        return false;
    }
    run_timer(ev, Some(now));
    true
}
