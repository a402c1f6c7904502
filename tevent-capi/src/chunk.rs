//! Objects of the C API: talloc chunks, passed around as pointers.
#![allow(unsafe_code, reason = "this is where a pointer of C's becomes a reference")]

use std::ffi::{CStr, c_char, c_void};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::{self, NonNull};

/// A pointer to an object of the C API, as C code has it: it may be copied, and owns nothing. `Option<Chunk<T>>` is one that
/// may be NULL.
///
/// All that is in such an object is in cells, so that any number of these may stand for it.
#[repr(transparent)]
pub struct Chunk<T>(NonNull<c_void>, PhantomData<*const T>);

impl<T> Chunk<T> {
    /// # Safety
    /// The memory holds a valid `T`, and is not used through this, or a copy of it, once it does so no longer.
    pub unsafe fn new(memory: NonNull<T>) -> Self {
        Chunk(memory.cast(), PhantomData)
    }

    pub fn as_ptr(self) -> *mut c_void {
        self.0.as_ptr()
    }

    /// As a parent for others.
    pub fn parent(self) -> Parent {
        Parent(self.as_ptr())
    }

    pub fn private(self) -> Private {
        Private(self.as_ptr())
    }
}

impl<T> Deref for Chunk<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: chunks are made by `talloc::create`, or come from C, whose part of the contract it is to pass only
        // objects that have not been freed. Here none is used after code of the user's has run, unless its memory is
        // known to stay: it is busy, or it was found anew.
        unsafe { self.0.cast().as_ref() }
    }
}

impl<T> Clone for Chunk<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Chunk<T> {}

impl<T> PartialEq for Chunk<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> fmt::Debug for Chunk<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A `TALLOC_CTX *` to allocate under; it may be NULL.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Parent(*mut c_void);

impl Parent {
    pub const NONE: Parent = Parent(ptr::null_mut());

    pub fn of(chunk: *mut c_void) -> Self {
        Parent(chunk)
    }

    pub fn is_null(self) -> bool {
        self.0.is_null()
    }

    pub fn as_ptr(self) -> *mut c_void {
        self.0
    }
}

/// A `void *private_data` of the user's, which is only handed back.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq)]
pub struct Private(*mut c_void);

impl Private {
    pub const NONE: Private = Private(ptr::null_mut());

    pub fn of(pointer: *mut c_void) -> Self {
        Private(pointer)
    }

    /// One of our own chunks, which was handed to a function of our own.
    pub fn parent(self) -> Parent {
        Parent(self.0)
    }
}

/// A `const char *` that lives as long as the program: a name or a place that the C compiler has put there. It may be NULL.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Text(*const c_char);

impl Text {
    pub const NONE: Text = Text(ptr::null());

    pub const fn of(text: &'static CStr) -> Self {
        Text(text.as_ptr())
    }

    pub const fn given(text: *const c_char) -> Self {
        Text(text)
    }

    pub fn as_ptr(self) -> *const c_char {
        self.0
    }

    pub fn is_null(self) -> bool {
        self.0.is_null()
    }

    pub fn c_str<'a>(self) -> Option<&'a CStr> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: the C API asks for strings that end in NUL.
        Some(unsafe { CStr::from_ptr(self.0) })
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.c_str() {
            Some(text) => f.write_str(&text.to_string_lossy()),
            None => f.write_str("(null)"),
        }
    }
}

/// Where a function puts one of its results: a pointer to room for a `T`, or NULL.
#[repr(transparent)]
pub struct Out<T>(*mut T);

impl<T> Clone for Out<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Out<T> {}

impl<T> Out<T> {
    pub const NOWHERE: Self = Out(ptr::null_mut());

    pub fn to(place: &mut T) -> Self {
        Out(place)
    }
}

impl<T: Copy> Out<T> {
    pub fn put(self, value: T) {
        if !self.0.is_null() {
            // SAFETY: the C API asks for NULL or room for one.
            unsafe { self.0.write(value) };
        }
    }

    /// What stands there.
    pub fn get(self) -> Option<T> {
        // SAFETY: the C API asks for NULL or a valid one.
        (!self.0.is_null()).then(|| unsafe { self.0.read() })
    }
}
