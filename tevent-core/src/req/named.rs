//! Functions of requests that know the names of their types, for the call flow (TRACE-4). The name costs no room: it comes by
//! the closure's own table of functions.

use std::any::type_name;
use std::mem::needs_drop;
use std::ops::Deref;
use std::rc::Rc;

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

/// A function of a request that may be called while it is called, and be replaced by itself.
pub(super) enum ReqFn<S: 'static, A: 'static, R: 'static> {
    Nowhere(&'static dyn Named<S, A, R>),
    Counted(Rc<dyn Named<S, A, R>>),
}

impl<S: 'static, A: 'static, R: 'static> ReqFn<S, A, R> {
    pub(super) fn new<N: Named<S, A, R> + 'static>(named: N) -> Self {
        match nowhere(named) {
            Ok(named) => ReqFn::Nowhere(named),
            Err(named) => ReqFn::Counted(Rc::new(named)),
        }
    }
}

impl<S: 'static, A: 'static, R: 'static> Clone for ReqFn<S, A, R> {
    fn clone(&self) -> Self {
        match self {
            ReqFn::Nowhere(named) => ReqFn::Nowhere(*named),
            ReqFn::Counted(named) => ReqFn::Counted(Rc::clone(named)),
        }
    }
}

impl<S: 'static, A: 'static, R: 'static> Deref for ReqFn<S, A, R> {
    type Target = dyn Named<S, A, R>;

    fn deref(&self) -> &Self::Target {
        match self {
            ReqFn::Nowhere(named) => *named,
            ReqFn::Counted(named) => &**named,
        }
    }
}

/// One that captures nothing takes no room and needs no drop: nothing is allocated for it.
pub(super) fn nowhere<C: 'static>(callback: C) -> Result<&'static C, C> {
    if size_of::<C>() == 0 && !needs_drop::<C>() { Ok(Box::leak(Box::new(callback))) } else { Err(callback) }
}
