//! All of it for the `tracing` crate: the feature `tracing`.
//!
//! Targets are `tevent::loop` for the points of a turn, `tevent::event` for events, with a span `handler` around each handler,
//! `tevent::request` for the call flow, `tevent::profile` for each profiled request that has finished, `tevent::watchdog` for alarms, and
//! `tevent` for messages.

use std::fmt;

use tracing::{Level, event as emit, span};

use super::{Alarm, DebugLevel, EventTracePoint, TracePoint, Traced};
use crate::call_flow::CallFlow;
use crate::req::Profile;

pub(super) fn point(point: TracePoint) {
    emit!(target: "tevent::loop", Level::TRACE, ?point);
}

pub(super) fn event(event: Traced<'_>, at: EventTracePoint) {
    let kind = event.kind();
    emit!(target: "tevent::event", Level::TRACE, ?kind, ?at, tag = event.tag(), location = %event.location(), "{event}");
}

pub(super) fn in_span(event: Traced<'_>, handler: impl FnOnce()) {
    let kind = event.kind();
    let span = span!(target: "tevent::event", Level::TRACE, "handler", ?kind, tag = event.tag(), location = %event.location());
    span.in_scope(handler);
}

pub(crate) fn wants_call_flow() -> bool {
    tracing::enabled!(target: "tevent::request", Level::TRACE)
}

pub(crate) fn call_flow(flow: CallFlow) {
    let CallFlow { event, depth, function, location, request } = flow;
    let (function, location) = (function.unwrap_or("-"), location.map(tracing::field::display));
    emit!(target: "tevent::request", Level::TRACE, ?event, depth, function, location, request);
}

pub(crate) fn profile(profile: &Profile) {
    let (name, state, error) = (profile.name(), profile.state(), profile.error());
    let elapsed = profile.elapsed().map(tracing::field::debug);
    emit!(target: "tevent::profile", Level::DEBUG, name, ?state, error, elapsed);
}

pub(super) fn alarm(alarm: &Alarm) {
    match *alarm {
        Alarm::SlowHandler { kind, location, tag, ran } => {
            emit!(target: "tevent::watchdog", Level::WARN, ?kind, %location, tag, ?ran, "a slow handler");
        }
        Alarm::FdsStarve { kind, location, handlers, waited } => {
            emit!(target: "tevent::watchdog", Level::WARN, ?kind, %location, handlers, ?waited, "fds starve");
        }
    }
}

pub(super) fn message(level: DebugLevel, message: fmt::Arguments<'_>) {
    match level {
        DebugLevel::Fatal | DebugLevel::Error => emit!(target: "tevent", Level::ERROR, "{message}"),
        DebugLevel::Warning => emit!(target: "tevent", Level::WARN, "{message}"),
        DebugLevel::Trace => emit!(target: "tevent", Level::TRACE, "{message}"),
    }
}
