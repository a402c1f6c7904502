//! Functions of requests that know the names of their types, for the call flow (TRACE-4). The name costs no room: it comes by
//! the closure's own table of functions.

use std::any::type_name;
use std::marker::PhantomData;

use super::ReqRef;

/// Called with the request.
pub(super) trait Named<S: 'static, A, R> {
    fn call(&self, req: &ReqRef<S>, argument: A) -> R;

    fn name(&self) -> &'static str;
}

impl<S: 'static, A, R, F: Fn(&ReqRef<S>, A) -> R> Named<S, A, R> for F {
    fn call(&self, req: &ReqRef<S>, argument: A) -> R {
        self(req, argument)
    }

    fn name(&self) -> &'static str {
        type_name::<F>()
    }
}

/// A function of the request alone.
pub(super) struct Plain<F>(pub(super) F);

impl<S: 'static, R, F: Fn(&ReqRef<S>) -> R> Named<S, (), R> for Plain<F> {
    fn call(&self, req: &ReqRef<S>, (): ()) -> R {
        (self.0)(req)
    }

    fn name(&self) -> &'static str {
        type_name::<F>()
    }
}

/// Called once.
pub(super) trait NamedOnce {
    fn call(self: Box<Self>);

    fn name(&self) -> &'static str;
}

/// What delivers to a callback, by the name of the callback.
pub(super) struct Deliver<D, C> {
    deliver: D,
    _callback: PhantomData<C>,
}

impl<D: FnOnce(), C> Deliver<D, C> {
    pub(super) fn new(deliver: D, callback: PhantomData<C>) -> Self {
        Deliver { deliver, _callback: callback }
    }
}

impl<D: FnOnce(), C> NamedOnce for Deliver<D, C> {
    fn call(self: Box<Self>) {
        (self.deliver)();
    }

    fn name(&self) -> &'static str {
        type_name::<C>()
    }
}
