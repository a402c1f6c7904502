//! What the `tracing` crate is sent with the feature `tracing`: `cargo test --features tracing --test crate_tracing`.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use support::{Kind, turns};
use tevent::{DebugLevel, Immediate, When};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber, subscriber};

/// Writes down what it is sent.
#[derive(Default)]
struct Recorder {
    lines: Arc<Mutex<Vec<String>>>,
    spans: AtomicU64,
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if ["kind", "at", "point"].contains(&field.name()) {
            write!(self.0, " {value:?}").unwrap();
        } else if field.name() == "message" && !format!("{value:?}").contains("created at") {
            write!(self.0, " \"{value:?}\"").unwrap();
        }
    }
}

impl Recorder {
    fn note(&self, line: impl Into<String>) {
        self.lines.lock().unwrap().push(line.into());
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("tevent")
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut line = Line(format!("span {}", attributes.metadata().name()));
        attributes.record(&mut line);
        self.note(line.0);
        Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(format!("{} {}", event.metadata().target(), event.metadata().level()));
        event.record(&mut line);
        self.note(line.0);
    }

    fn enter(&self, _span: &Id) {
        self.note("enter");
    }

    fn exit(&self, _span: &Id) {
        self.note("exit");
    }
}

#[test]
fn points_events_handlers_and_messages_arrive() {
    let recorder = Recorder::default();
    let lines = Arc::clone(&recorder.lines);
    subscriber::with_default(recorder, || {
        let ctx = Kind::Simulated.context();
        let im = ctx.keep(Immediate::new(|ev, _im| ev.debug(DebugLevel::Warning, format_args!("odd"))));
        im.schedule(&ctx);
        turns(&ctx, 1);
        ctx.keep(ctx.add_timer(When::Zero, |_ev, _te, _now| {}));
    });
    assert_eq!(
        *lines.lock().unwrap(),
        [
            "tevent::event TRACE Immediate Attach",
            "tevent::loop TRACE BeforeLoopOnce",
            "tevent::event TRACE Immediate BeforeHandler",
            "span handler Immediate",
            "enter",
            "tevent WARN \"odd\"",
            "exit",
            "tevent::event TRACE Immediate Detach",
            "tevent::loop TRACE AfterLoopOnce",
            "tevent::event TRACE Timer Attach",
            "tevent::event TRACE Timer Detach",
        ]
    );
}
