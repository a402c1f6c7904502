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
/// nothing to say. It is inlined into the loops that run turn after turn.
#[inline(always)]
pub(crate) fn turn(ev: &ContextRef, patience: Patience) -> Result<(), LoopError> {
    turn_with(ev, patience, || false)
}

/// The same, with something of the C ABI's own before the timers.
#[inline(always)]
pub(crate) fn turn_with(
    ev: &ContextRef,
    patience: Patience,
    own: impl FnOnce() -> bool,
) -> Result<(), LoopError> {
    if !ev.is_quiet() {
        return whole_turn(ev, patience, own);
    }
    ev.counters().count_turn();
    if run_immediate(ev) {
        call_flow::reset();
        return Ok(());
    }
    let ran = run_own_source(ev, patience, own);
    call_flow::reset();
    ran
}

#[inline(never)]
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
    if run_immediate(ev) { Ok(()) } else { run_own_source(ev, patience, own) }
}

/// The rest of the order.
#[inline(never)]
fn run_own_source(ev: &ContextRef, patience: Patience, own: impl FnOnce() -> bool) -> Result<(), LoopError> {
    if own() {
        return Ok(());
    }
    let next_timer_in = match next_timer(ev) {
        Timers::None => None,
        Timers::Zero => {
            run_timer(ev, None);
            return Ok(());
        }
        Timers::At(due) => {
            let now = ev.now();
            if due <= now {
                run_timer(ev, Some(now));
                return Ok(());
            }
            Some(due - now)
        }
    };
    run_fd(ev, patience, next_timer_in)
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
#[inline]
fn run_fd(ev: &ContextRef, patience: Patience, mut next_timer_in: Option<Duration>) -> Result<(), LoopError> {
    let mut waits = !ev.with_fds(|fds| fds.has_fetched()).unwrap_or(false);
    loop {
        if waits && !wait(ev, patience, next_timer_in)? {
            return Ok(());
        }
        match ev.with_fds(FdTable::next) {
            Some(Next::Event(fde, flags)) => {
                fde.run(ev, flags);
                return Ok(());
            }
            Some(Next::Nothing) | None => return after_time_out(ev, patience),
            Some(Next::Void) => ev.say_what_is_not_open(),
        }
        if waits {
            run_timer_if_due(ev);
            return Ok(());
        }
        // All that an earlier wait has fetched. Whoever was told of it may have scheduled what was not there before.
        next_timer_in = time_to_next(ev);
        waits = true;
    }
}

/// Asks the kernel what is ready; false where the turn is over, because a signal's handlers have run or the context has gone.
#[inline]
fn wait(ev: &ContextRef, patience: Patience, next_timer_in: Option<Duration>) -> Result<bool, LoopError> {
    if ev.signals().is_deaf() {
        ev.signals().be_heard(ev).map_err(LoopError::Wait)?;
    }
    // Those that arrived meanwhile; what comes after this ends the wait.
    if ev.signals().run_pending(ev) {
        return Ok(false);
    }
    let told = ev.trace().is_on() && ev.with_fds(|fds| fds.asks_kernel()).unwrap_or(false);
    let fetched =
        if told { fetch_told(ev, patience) } else { fetch(ev, timeout(ev, patience, next_timer_in)) };
    match fetched {
        Some(Ok(())) => Ok(true),
        Some(Err(error)) => not_fetched(ev, error),
        None => Ok(false),
    }
}

#[inline]
fn fetch(ev: &ContextRef, timeout: Option<Duration>) -> Option<io::Result<()>> {
    let fetched = ev.with_fds(|fds| fds.fetch(timeout));
    ev.tasks().looked_at_fds();
    fetched
}

/// Whoever is told may schedule what was not there before.
#[cold]
fn fetch_told(ev: &ContextRef, patience: Patience) -> Option<io::Result<()>> {
    ev.tell_point(TracePoint::BeforeWait);
    let fetched = fetch(ev, timeout(ev, patience, time_to_next(ev)));
    ev.tell_point(TracePoint::AfterWait);
    fetched
}

/// How long the wait may take. Tasks that have used up their budget go on after this look.
#[inline]
fn timeout(ev: &ContextRef, patience: Patience, next_timer_in: Option<Duration>) -> Option<Duration> {
    if never_waits(ev, patience) || ev.tasks().are_woken() {
        return Some(Duration::ZERO);
    }
    next_timer_in.or(ev.wait_timeout().get())
}

/// A signal may have interrupted the wait.
#[cold]
fn not_fetched(ev: &ContextRef, error: io::Error) -> Result<bool, LoopError> {
    if error.kind() != ErrorKind::Interrupted {
        return Err(LoopError::Wait(error));
    }
    ev.signals().run_pending(ev);
    Ok(false)
}

/// Nothing was fetched.
fn after_time_out(ev: &ContextRef, patience: Patience) -> Result<(), LoopError> {
    let found = run_timer_if_due(ev) || ev.tasks().are_woken();
    if !found && never_waits(ev, patience) {
        return Err(LoopError::WouldBlock);
    }
    Ok(())
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

fn run_timer_if_due(ev: &ContextRef) -> bool {
    let Timers::At(due) = next_timer(ev) else { return false };
    let now = ev.now();
    if due > now {
        return false;
    }
    run_timer(ev, Some(now));
    true
}
