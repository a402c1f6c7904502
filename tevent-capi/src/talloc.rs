//! The system's talloc.
#![allow(unsafe_code, reason = "functions of talloc are called here")]

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr::NonNull;

use crate::chunk::{Chunk, Parent, Private, Text};

type RawDestructor = unsafe extern "C" fn(*mut c_void) -> c_int;

unsafe extern "C" {
    fn talloc_named_const(parent: *const c_void, size: usize, name: *const c_char) -> *mut c_void;
    fn _talloc_zero(parent: *const c_void, size: usize, name: *const c_char) -> *mut c_void;
    fn _talloc_pooled_object(
        parent: *const c_void,
        size: usize,
        name: *const c_char,
        objects: c_uint,
        room: usize,
    ) -> *mut c_void;
    fn _talloc_free(chunk: *mut c_void, location: *const c_char) -> c_int;
    fn _talloc_set_destructor(chunk: *const c_void, destructor: Option<RawDestructor>);
    fn _talloc_steal_loc(parent: *const c_void, chunk: *const c_void, location: *const c_char)
    -> *mut c_void;
    fn talloc_parent(chunk: *const c_void) -> *mut c_void;
    fn talloc_total_blocks(chunk: *const c_void) -> usize;
    fn talloc_check_name(chunk: *const c_void, name: *const c_char) -> *mut c_void;
    fn talloc_strdup(parent: *const c_void, text: *const c_char) -> *mut c_char;
}

/// What talloc notes as the place of a free.
const HERE: Text = Text::of(c"libtevent");

/// A destructor: -1 refuses.
pub type Destructor<T> = extern "C" fn(Chunk<T>) -> c_int;

/// An object of the C API. `None` when there is no memory. Its destructor [ends](end) it.
pub fn create<T>(parent: Parent, name: &'static CStr, value: T) -> Option<Chunk<T>> {
    // SAFETY: the parent is NULL or a chunk, which is for C to see to; the name lives for ever.
    let memory = unsafe { talloc_named_const(parent.as_ptr(), size_of::<T>(), name.as_ptr()) };
    place(memory, value)
}

/// The same, with room for one child of that size.
pub fn create_with_room<T>(parent: Parent, name: &'static CStr, room: usize, value: T) -> Option<Chunk<T>> {
    // SAFETY: as above.
    let memory = unsafe { _talloc_pooled_object(parent.as_ptr(), size_of::<T>(), name.as_ptr(), 1, room) };
    place(memory, value)
}

fn place<T>(memory: *mut c_void, value: T) -> Option<Chunk<T>> {
    const { assert!(align_of::<T>() <= 16, "talloc aligns to 16") };
    let memory = NonNull::new(memory.cast::<T>())?;
    // SAFETY: it has just been allocated, in that size.
    unsafe { memory.write(value) };
    // SAFETY: it holds a value now, until it is freed.
    Some(unsafe { Chunk::new(memory) })
}

/// Zeroed memory under a name that C gives.
pub fn zeroed(parent: Parent, size: usize, name: Text) -> *mut c_void {
    // SAFETY: the parent is NULL or a chunk; names that C gives live for ever.
    unsafe { _talloc_zero(parent.as_ptr(), size, name.as_ptr()) }
}

/// What runs when it is freed.
pub fn set_destructor<T>(chunk: Chunk<T>, destructor: Destructor<T>) {
    // SAFETY: a `Chunk<T>` is a pointer, and to C a function is called with pointers all alike.
    let destructor: RawDestructor = unsafe { std::mem::transmute(destructor) };
    // SAFETY: it is a chunk, and its destructor is called with it.
    unsafe { _talloc_set_destructor(chunk.as_ptr(), Some(destructor)) };
}

/// Nothing runs when it is freed.
pub fn clear_destructor<T>(chunk: Chunk<T>) {
    // SAFETY: it is a chunk.
    unsafe { _talloc_set_destructor(chunk.as_ptr(), None) };
}

pub fn free<T>(chunk: Chunk<T>) {
    free_raw(chunk.as_ptr());
}

/// Memory that is no object.
pub fn free_raw(memory: *mut c_void) {
    if !memory.is_null() {
        // SAFETY: it is a chunk; who frees it does not use it afterwards.
        unsafe { _talloc_free(memory, HERE.as_ptr()) };
    }
}

/// Drops what is in an object: the last that its destructor does, as its memory is freed next.
pub fn end<T>(chunk: Chunk<T>) {
    // SAFETY: it holds a valid `T`, which is dropped this once: its memory is freed next, without a destructor.
    unsafe { chunk.as_ptr().cast::<T>().drop_in_place() };
}

/// Gives it another parent.
pub fn steal(parent: Parent, memory: *mut c_void) {
    if !memory.is_null() {
        // SAFETY: both are chunks or NULL.
        unsafe { _talloc_steal_loc(parent.as_ptr(), memory, HERE.as_ptr()) };
    }
}

/// It, if it is an object of ours of that name.
pub fn named<T>(chunk: Parent, name: &'static CStr) -> Option<Chunk<T>> {
    if chunk.is_null() {
        return None;
    }
    // SAFETY: it is a chunk.
    let named = unsafe { talloc_check_name(chunk.as_ptr(), name.as_ptr()) };
    // SAFETY: our objects alone bear our names.
    NonNull::new(named.cast()).map(|memory| unsafe { Chunk::new(memory) })
}

/// What a function of ours was given with it when it was set.
pub fn own<T>(private: Private, name: &'static CStr) -> Chunk<T> {
    named(private.parent(), name).expect("a function of our own is called with its own object")
}

pub fn parent(of: Parent) -> Parent {
    // SAFETY: it is a chunk, or NULL.
    Parent::of(unsafe { talloc_parent(of.as_ptr()) })
}

/// Whether it is being freed, so that its children are freed on its behalf.
pub fn is_going(chunk: Parent) -> bool {
    // SAFETY: it is a chunk. One that is being freed counts no blocks, as a program on libtalloc shows; `tests/freeing.c` would tell if it did.
    !chunk.is_null() && unsafe { talloc_total_blocks(chunk.as_ptr()) } == 0
}

/// A copy of a text, as a child of that chunk. NULL without memory, or of NULL.
pub fn strdup(parent: Parent, text: Text) -> *mut c_char {
    if text.is_null() {
        return std::ptr::null_mut();
    }
    // SAFETY: the parent is a chunk or NULL, and the text ends in NUL.
    unsafe { talloc_strdup(parent.as_ptr(), text.as_ptr()) }
}

/// A text of ours, as a child of that chunk.
pub fn string(parent: Parent, text: &str) -> *mut c_char {
    let text = std::ffi::CString::new(text.replace('\0', " ")).unwrap_or_default();
    // SAFETY: as above.
    unsafe { talloc_strdup(parent.as_ptr(), text.as_ptr()) }
}

/// A list of texts that ends in NULL.
pub fn string_list<'a>(parent: Parent, texts: impl Iterator<Item = &'a CStr>) -> *mut Text {
    let texts: Vec<&CStr> = texts.collect();
    let size = (texts.len() + 1) * size_of::<Text>();
    let list = zeroed(parent, size, Text::of(c"const char *")).cast::<Text>();
    if list.is_null() {
        return list;
    }
    // SAFETY: it has room for that many, all of them NULL now.
    let places = unsafe { std::slice::from_raw_parts_mut(list, texts.len()) };
    for (place, text) in places.iter_mut().zip(texts) {
        // SAFETY: the list is a chunk, and the text ends in NUL.
        *place = Text::given(unsafe { talloc_strdup(list.cast(), text.as_ptr()) });
    }
    list
}
