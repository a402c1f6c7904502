//! Functions of requests that know the names of their types, for the call flow (TRACE-4). The name costs no room: it comes by
//! the closure's own table of functions.

use std::any::type_name;

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
