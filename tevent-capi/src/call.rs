//! Functions of the user's, and how they are called.

use crate::chunk::{Private, Text};

/// Types of C functions. `Option` of one may be NULL.
macro_rules! c_fn {
    ($($(#[$meta:meta])* $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)?;)*) => {$(
        $(#[$meta])*
        #[repr(transparent)]
        #[derive(Clone, Copy)]
        pub struct $name(pub unsafe extern "C" fn($($ty),*) $(-> $ret)?);

        impl $name {
            #[allow(unsafe_code, reason = "this is where functions of C are called")]
            #[allow(clippy::too_many_arguments, reason = "as many as in C")]
            pub fn call(self, $($arg: $ty),*) $(-> $ret)? {
                // SAFETY: C gave a function of this type, and the arguments are what the C API says it is called with.
                unsafe { (self.0)($($arg),*) }
            }
        }
    )*};
}

pub(crate) use c_fn;

/// A handler, and what was given with it.
#[derive(Clone, Copy)]
pub struct Given<F> {
    pub function: Option<F>,
    pub private: Private,
    /// Its name in the source.
    pub name: Text,
    /// Where that was.
    pub location: Text,
}
