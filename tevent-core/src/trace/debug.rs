//! Messages of the library, for those who want them (TRACE-5).

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use crate::context::ContextRef;
use crate::stack::bounded_drop;

/// How grave a message is.
///
/// C equivalent: `enum tevent_debug_level`, with the same numbers. Spec: TRACE-5.
#[doc(alias = "tevent_debug_level")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DebugLevel {
    /// The loop cannot go on.
    #[doc(alias = "TEVENT_DEBUG_FATAL")]
    #[default]
    Fatal = 0,
    /// Something failed, such as watching a number that is not open.
    #[doc(alias = "TEVENT_DEBUG_ERROR")]
    Error = 1,
    /// Something is odd.
    #[doc(alias = "TEVENT_DEBUG_WARNING")]
    Warning = 2,
    /// Each event that comes, goes or is handled.
    #[doc(alias = "TEVENT_DEBUG_TRACE")]
    Trace = 3,
}

type Sink = dyn Fn(DebugLevel, fmt::Arguments<'_>);

/// Where a context's messages go.
#[derive(Default)]
pub(crate) struct Debug {
    sink: RefCell<Option<Rc<Sink>>>,
    threshold: Cell<DebugLevel>,
}

impl ContextRef {
    /// Sets where messages go, and the threshold to [`DebugLevel::Warning`]. The sink is called inside whatever it is told of,
    /// and may do anything. It stays over [`re_initialise`](Self::re_initialise).
    ///
    /// C equivalent: `tevent_set_debug`. Spec: TRACE-5.
    ///
    /// ```
    /// use std::{cell::RefCell, rc::Rc};
    /// use tevent_core::{Context, DebugLevel, FdFlags};
    ///
    /// let ctx = Context::new()?;
    /// let said = Rc::new(RefCell::new(Vec::new()));
    /// let say = Rc::clone(&said);
    /// ctx.set_debug(move |level, message| say.borrow_mut().push(format!("{level:?}: {message}")));
    /// ctx.debug(DebugLevel::Error, format_args!("out of tea"));
    /// ctx.debug(DebugLevel::Trace, format_args!("beyond the threshold"));
    /// let _fde = ctx.add_fd(1_000_000, FdFlags::READ, |_ev, _fde, _flags| {})?; // not open
    /// assert_eq!(said.borrow()[0], "Error: out of tea");
    /// assert!(said.borrow()[1].starts_with("Error: fd 1000000 is not open"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "tevent_set_debug")]
    #[doc(alias = "tevent_debug_fn")]
    pub fn set_debug(&self, sink: impl Fn(DebugLevel, fmt::Arguments<'_>) + 'static) {
        self.replace_sink(Some(Rc::new(sink)), DebugLevel::Warning);
    }

    /// Sends messages to the standard error output, each with its level.
    ///
    /// C equivalent: `tevent_set_debug_stderr`. Spec: TRACE-5.
    #[doc(alias = "tevent_set_debug_stderr")]
    pub fn set_debug_stderr(&self) {
        self.set_debug(|level, message| eprintln!("tevent {level:?}: {message}"));
    }

    /// Sends messages nowhere, and sets the threshold to [`DebugLevel::Fatal`].
    ///
    /// C equivalent: `tevent_set_debug` with NULL. Spec: TRACE-5.
    #[doc(alias = "tevent_set_debug")]
    pub fn clear_debug(&self) {
        self.replace_sink(None, DebugLevel::Fatal);
    }

    /// Sets the gravest level that is left out: messages up to and including `level` are sent. Gives the old one.
    ///
    /// C equivalent: `tevent_set_max_debug_level`. Spec: TRACE-5.
    ///
    /// ```
    /// use tevent_core::{Context, DebugLevel};
    ///
    /// let ctx = Context::new()?;
    /// ctx.set_debug(|_level, message| println!("{message}"));
    /// assert_eq!(ctx.set_max_debug_level(DebugLevel::Trace), DebugLevel::Warning);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "tevent_set_max_debug_level")]
    #[allow(clippy::must_use_candidate, reason = "the old level is mostly not needed")]
    pub fn set_max_debug_level(&self, level: DebugLevel) -> DebugLevel {
        let old = self.trace().debug.threshold.replace(level);
        self.count_trace_level(old, level);
        old
    }

    /// Sends a message, if a sink is set and the threshold lets it pass.
    ///
    /// C equivalent: `tevent_debug`. Spec: TRACE-5.
    #[doc(alias = "tevent_debug")]
    pub fn debug(&self, level: DebugLevel, message: fmt::Arguments<'_>) {
        #[cfg(feature = "tracing")]
        super::crate_tracing::message(level, message);
        self.send(level, message);
    }

    /// To the sink alone.
    pub(super) fn send(&self, level: DebugLevel, message: fmt::Arguments<'_>) {
        let debug = &self.trace().debug;
        if level > debug.threshold.get() {
            return;
        }
        // Kept alive, because it may replace itself.
        let sink = debug.sink.borrow().clone();
        if let Some(sink) = &sink {
            sink(level, message);
        }
        bounded_drop(sink);
    }

    fn replace_sink(&self, sink: Option<Rc<Sink>>, level: DebugLevel) {
        let old = self.trace().debug.sink.replace(sink);
        let _ = self.set_max_debug_level(level);
        bounded_drop(old);
    }

    /// Messages of the level Trace are made where events are traced.
    fn count_trace_level(&self, old: DebugLevel, new: DebugLevel) {
        let trace = DebugLevel::Trace;
        self.attention().count_listener(old == trace, new == trace);
    }
}
