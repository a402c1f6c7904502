//! The place of one trace callback.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use crate::attention::Attention;
use crate::stack::bounded_drop;

/// The place of one [trace](crate::Trace) callback. An `Rc`, so that one can be kept, called by another, and put back.
///
/// ```
/// use std::rc::Rc;
/// use tevent_core::{Context, TracePoint};
///
/// let ctx = Context::new()?;
/// ctx.trace().points().set(Rc::new(|_ev, point| println!("{point:?}")));
/// let first = ctx.trace().points().get().expect("it was just set");
/// ctx.trace().points().set(Rc::new(move |ev, point| {
///     if point == TracePoint::AfterLoopOnce {
///         first(ev, point); // only these
///     }
/// }));
/// ctx.trace().points().clear();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Hook<'a, F: ?Sized> {
    pub(super) place: &'a RefCell<Option<Rc<F>>>,
    pub(super) attention: &'a Attention,
}

impl<F: ?Sized + 'static> Hook<'_, F> {
    /// Sets the callback, and gives back the one before. One that is running goes on until it returns.
    #[allow(clippy::must_use_candidate, reason = "most callers have set none before")]
    pub fn set(&self, callback: Rc<F>) -> Option<Rc<F>> {
        self.replace(Some(callback))
    }

    /// Calls nothing from now on. Gives back the callback that was set.
    #[allow(clippy::must_use_candidate, reason = "it is mostly not needed any more")]
    pub fn clear(&self) -> Option<Rc<F>> {
        self.replace(None)
    }

    /// The callback that is set.
    #[must_use]
    pub fn get(&self) -> Option<Rc<F>> {
        self.place.borrow().clone()
    }

    pub(super) fn call(&self, run: impl FnOnce(&F)) {
        // Kept alive, because it may replace itself.
        let callback = self.get();
        if let Some(callback) = &callback {
            run(callback);
        }
        bounded_drop(callback);
    }

    fn replace(&self, callback: Option<Rc<F>>) -> Option<Rc<F>> {
        let now = callback.is_some();
        let old = self.place.replace(callback);
        self.attention.count_listener(old.is_some(), now);
        old
    }
}

impl<F: ?Sized> fmt::Debug for Hook<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hook").field(&self.place.borrow().is_some()).finish()
    }
}
