//! All of it for the `tracing` crate: the feature `tracing`.
//!
//! Targets are `tevent::loop` for the points of a turn, `tevent::event` for events, with a span `handler` around each handler,
//! and `tevent` for messages.

use std::fmt;

use tracing::{Level, event as emit, span};

use super::{DebugLevel, EventTracePoint, TracePoint, Traced};

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

pub(super) fn message(level: DebugLevel, message: fmt::Arguments<'_>) {
    match level {
        DebugLevel::Fatal | DebugLevel::Error => emit!(target: "tevent", Level::ERROR, "{message}"),
        DebugLevel::Warning => emit!(target: "tevent", Level::WARN, "{message}"),
        DebugLevel::Trace => emit!(target: "tevent", Level::TRACE, "{message}"),
    }
}
