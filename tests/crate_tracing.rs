//! What the `tracing` crate is sent with the feature `tracing`: `cargo test --features tracing --test crate_tracing`.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

use std::cell::RefCell;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::{Kind, turns};
use tevent::{DebugLevel, Immediate, Req, ReqRef, ReqState, When};
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
        if field.name() == "function" || field.name() == "name" {
            // The last part of the name of a type.
            write!(self.0, " {}", format!("{value:?}").trim_matches('"').rsplit("::").next().unwrap())
                .unwrap();
        } else if ["kind", "at", "point", "event", "depth", "state"].contains(&field.name()) {
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
            "tevent::request TRACE Reset 0 -",
            "tevent::event TRACE Timer Attach",
            "tevent::event TRACE Timer Detach",
        ]
    );
}

#[test]
fn requests_profiles_and_alarms_arrive() {
    let recorder = Recorder::default();
    let lines = Arc::clone(&recorder.lines);
    subscriber::with_default(recorder, || {
        let ctx = Kind::Simulated.context();
        let parent = Req::create(7_u8);
        parent.set_profile().unwrap();
        let child = parent.within(|| Req::create('c'));
        let child = parent.add_subreq(child, |parent, child| {
            drop(child);
            parent.done();
        });
        child.done();
        ctx.set_watchdog(Duration::from_millis(1), |_ev, _alarm| {});
        ctx.keep(ctx.add_timer(When::Zero, |ev, _te, _now| ev.advance_clock(Duration::from_secs(1))));
        turns(&ctx, 1);
    });
    let lines = lines.lock().unwrap();
    let of = |target: &str| lines.iter().filter(|line| line.starts_with(target)).cloned().collect::<Vec<_>>();
    assert_eq!(
        of("tevent::request"),
        [
            "tevent::request TRACE Create 0 u8",
            "tevent::request TRACE Create 1 char",
            "tevent::request TRACE Cleanup 1 -",
            "tevent::request TRACE NotifyCallback 0 {{closure}}",
            "tevent::request TRACE Cleanup 1 -",
            "tevent::request TRACE Cleanup 0 -",
            "tevent::request TRACE Reset 0 -",
            "tevent::request TRACE Cleanup 0 -",
        ]
    );
    assert_eq!(of("tevent::profile"), ["tevent::profile DEBUG char Done", "tevent::profile DEBUG u8 Done"]);
    assert_eq!(of("tevent::watchdog"), ["tevent::watchdog WARN \"a slow handler\" Timer"]);
}

thread_local! {
    static PROFILED: RefCell<Option<ReqRef<()>>> = const { RefCell::new(None) };
}

/// Looks at the request whose profile it is sent.
struct Looks(Arc<Mutex<Vec<ReqState>>>);

impl Subscriber for Looks {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "tevent::profile"
    }

    fn new_span(&self, _attributes: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, _event: &Event<'_>) {
        let profile = PROFILED.with_borrow(|req| req.as_ref().map(|req| req.profile().unwrap()));
        self.0.lock().unwrap().push(profile.unwrap().state());
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[test]
fn a_subscriber_may_look_at_the_profile_it_is_sent() {
    let seen = Arc::<Mutex<Vec<ReqState>>>::default();
    subscriber::with_default(Looks(Arc::clone(&seen)), || {
        let req = Req::create(());
        req.set_profile().unwrap();
        PROFILED.set(Some(req.clone()));
        req.done();
        PROFILED.set(None);
    });
    assert_eq!(*seen.lock().unwrap(), [ReqState::Done]);
}
