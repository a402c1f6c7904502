//! Trace callbacks. They are told from here and not by the core, as they are told of chunks.

use std::cell::Cell;
use std::rc::Rc;

use tevent_core::TracePoint;

use crate::call::c_fn;
use crate::chunk::{Chunk, Out, Private};
use crate::context::Context;
use crate::export::export;
use crate::fd::Fd;
use crate::immediate::Immediate;
use crate::queue::Entry;
use crate::signal::Signal;
use crate::timer::Timer;

/// `enum tevent_event_trace_point`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq)]
#[allow(dead_code, reason = "C passes them too")]
pub enum Point {
    Attach = 0,
    Detach = 1,
    BeforeHandler = 2,
}

/// `enum tevent_trace_point`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq)]
pub enum LoopPoint {
    BeforeWait = 0,
    AfterWait = 1,
    BeforeLoopOnce = 2,
    AfterLoopOnce = 3,
}

c_fn! {
    OfPoint(point: LoopPoint, private: Private);
    OfFd(fde: Chunk<Fd>, point: Point, private: Private);
    OfSignal(se: Chunk<Signal>, point: Point, private: Private);
    OfTimer(te: Chunk<Timer>, point: Point, private: Private);
    OfImmediate(im: Chunk<Immediate>, point: Point, private: Private);
    OfEntry(entry: Chunk<Entry>, point: Point, private: Private);
}

type Place<F> = Cell<Option<(F, Private)>>;

/// The callbacks of one context.
#[derive(Default)]
pub struct Tracing {
    points: Place<OfPoint>,
    fds: Place<OfFd>,
    signals: Place<OfSignal>,
    timers: Place<OfTimer>,
    immediates: Place<OfImmediate>,
    entries: Place<OfEntry>,
    /// The core's waits are not told of.
    muted: Cell<bool>,
}

impl Tracing {
    pub fn mute(&self, muted: bool) {
        self.muted.set(muted);
    }
}

fn set<F>(place: &Place<F>, callback: Option<F>, private: Private) {
    place.set(callback.map(|callback| (callback, private)));
}

fn get<F: Copy>(place: &Place<F>, callback: Out<Option<F>>, private: Out<Private>) {
    let (set, with) = place.get().map_or((None, Private::NONE), |(set, with)| (Some(set), with));
    callback.put(set);
    private.put(with);
}

/// The callbacks of a wrapper are those of the context that it wraps.
fn of(ev: Chunk<Context>) -> Chunk<Context> {
    ev.main().unwrap_or(ev)
}

pub fn tell_fd(ev: Chunk<Context>, fde: Chunk<Fd>, at: Point) {
    if let Some((callback, private)) = ev.tracing.fds.get() {
        callback.call(fde, at, private);
    }
}

pub fn tell_signal(ev: Chunk<Context>, se: Chunk<Signal>, at: Point) {
    if let Some((callback, private)) = ev.tracing.signals.get() {
        callback.call(se, at, private);
    }
}

pub fn tell_timer(ev: Chunk<Context>, te: Chunk<Timer>, at: Point) {
    if let Some((callback, private)) = ev.tracing.timers.get() {
        callback.call(te, at, private);
    }
}

#[inline]
pub fn tell_immediate(ev: Chunk<Context>, im: Chunk<Immediate>, at: Point) {
    if let Some((callback, private)) = ev.tracing.immediates.get() {
        callback.call(im, at, private);
    }
}

pub fn tell_entry(ev: Chunk<Context>, entry: Chunk<Entry>, at: Point) {
    if let Some((callback, private)) = of(ev).tracing.entries.get() {
        callback.call(entry, at, private);
    }
}

#[inline]
pub fn tell_point(ev: Chunk<Context>, at: LoopPoint) {
    if let Some((callback, private)) = ev.tracing.points.get() {
        callback.call(at, private);
    }
}

/// The core tells of its waits while somebody listens.
fn listen_to_waits(ev: Chunk<Context>) {
    let points = ev.core().trace().points();
    if ev.tracing.points.get().is_none() {
        points.clear();
        return;
    }
    points.set(Rc::new(move |_ev, point| match point {
        _ if ev.tracing.muted.get() => {}
        TracePoint::BeforeWait => tell_point(ev, LoopPoint::BeforeWait),
        TracePoint::AfterWait => tell_point(ev, LoopPoint::AfterWait),
        TracePoint::BeforeLoopOnce | TracePoint::AfterLoopOnce => {}
    }));
}

export! {
    fn tevent_set_trace_callback(ev: Chunk<Context>, callback: Option<OfPoint>, private: Private) {
        set(&of(ev).tracing.points, callback, private);
        listen_to_waits(of(ev));
    }

    fn tevent_get_trace_callback(ev: Chunk<Context>, callback: Out<Option<OfPoint>>, private: Out<Private>) {
        get(&of(ev).tracing.points, callback, private);
    }

    fn tevent_trace_point_callback(ev: Chunk<Context>, point: LoopPoint) {
        tell_point(of(ev), point);
    }

    fn tevent_set_trace_fd_callback(ev: Chunk<Context>, callback: Option<OfFd>, private: Private) {
        set(&of(ev).tracing.fds, callback, private);
    }

    fn tevent_get_trace_fd_callback(ev: Chunk<Context>, callback: Out<Option<OfFd>>, private: Out<Private>) {
        get(&of(ev).tracing.fds, callback, private);
    }

    fn tevent_trace_fd_callback(ev: Chunk<Context>, fde: Chunk<Fd>, point: Point) {
        tell_fd(of(ev), fde, point);
    }

    fn tevent_set_trace_signal_callback(ev: Chunk<Context>, callback: Option<OfSignal>, private: Private) {
        set(&of(ev).tracing.signals, callback, private);
    }

    fn tevent_get_trace_signal_callback(ev: Chunk<Context>, callback: Out<Option<OfSignal>>, private: Out<Private>) {
        get(&of(ev).tracing.signals, callback, private);
    }

    fn tevent_trace_signal_callback(ev: Chunk<Context>, se: Chunk<Signal>, point: Point) {
        tell_signal(of(ev), se, point);
    }

    fn tevent_set_trace_timer_callback(ev: Chunk<Context>, callback: Option<OfTimer>, private: Private) {
        set(&of(ev).tracing.timers, callback, private);
    }

    fn tevent_get_trace_timer_callback(ev: Chunk<Context>, callback: Out<Option<OfTimer>>, private: Out<Private>) {
        get(&of(ev).tracing.timers, callback, private);
    }

    fn tevent_trace_timer_callback(ev: Chunk<Context>, te: Chunk<Timer>, point: Point) {
        tell_timer(of(ev), te, point);
    }

    fn tevent_set_trace_immediate_callback(ev: Chunk<Context>, callback: Option<OfImmediate>, private: Private) {
        set(&of(ev).tracing.immediates, callback, private);
    }

    fn tevent_get_trace_immediate_callback(
        ev: Chunk<Context>, callback: Out<Option<OfImmediate>>, private: Out<Private>,
    ) {
        get(&of(ev).tracing.immediates, callback, private);
    }

    fn tevent_trace_immediate_callback(ev: Chunk<Context>, im: Chunk<Immediate>, point: Point) {
        tell_immediate(of(ev), im, point);
    }

    fn tevent_set_trace_queue_callback(ev: Chunk<Context>, callback: Option<OfEntry>, private: Private) {
        set(&of(ev).tracing.entries, callback, private);
    }

    fn tevent_get_trace_queue_callback(ev: Chunk<Context>, callback: Out<Option<OfEntry>>, private: Out<Private>) {
        get(&of(ev).tracing.entries, callback, private);
    }

    fn tevent_trace_queue_callback(ev: Chunk<Context>, entry: Chunk<Entry>, point: Point) {
        tell_entry(ev, entry, point);
    }
}
