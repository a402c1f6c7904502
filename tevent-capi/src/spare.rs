//! Events of the core's, which go from one object of the C API to the next: requests, and their end times, come and go. Which
//! object an event is for stands in its tag.

use std::cell::RefCell;
use std::ffi::CStr;
use std::ops::Deref;
use std::ptr;

use crate::chunk::{Chunk, Private};
use crate::immediate::{self, Immediate};
use crate::talloc;

/// How many are kept, on a thread or in a context.
pub const ROOM: usize = 64;

/// The tag of an event that is nobody's.
pub const NOBODY: u64 = 0;

/// The tag of an object's event.
pub fn tag_of<T>(object: Chunk<T>) -> u64 {
    object.as_ptr().expose_provenance() as u64
}

/// The object with that tag.
#[inline]
pub fn object<T>(tag: u64, name: &'static CStr) -> Option<Chunk<T>> {
    let address = usize::try_from(tag).ok().filter(|_address| tag != NOBODY)?;
    Some(talloc::own(Private::of(ptr::with_exposed_provenance_mut(address)), name))
}

thread_local! {
    static IMMEDIATES: RefCell<Vec<tevent_core::Immediate>> = const { RefCell::new(Vec::new()) };
}

/// An immediate of the core's in use. When it is dropped it is not scheduled any more, and spare.
pub struct Leased(Option<tevent_core::Immediate>);

impl Leased {
    pub fn to(im: Chunk<Immediate>) -> Self {
        let spare = IMMEDIATES.try_with(|spare| spare.borrow_mut().pop()).ok().flatten();
        let core = spare.unwrap_or_else(|| tevent_core::Immediate::new(|_ev, im| immediate::fire(im.tag())));
        core.set_tag(tag_of(im));
        Leased(Some(core))
    }
}

impl Deref for Leased {
    type Target = tevent_core::Immediate;

    fn deref(&self) -> &tevent_core::Immediate {
        self.0.as_ref().expect("it is here until it is dropped")
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        let Some(core) = self.0.take() else { return };
        // Also one that is not scheduled: its next object may go to another thread, to which it must not carry what it remembers of
        // this one's context.
        core.reset();
        core.set_tag(NOBODY);
        // At the end of a thread there is no place for it any more.
        let _gone = IMMEDIATES.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < ROOM {
                spare.push(core);
            }
        });
    }
}
