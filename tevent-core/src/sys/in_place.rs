//! An `Rc` whose value is made in its own room.

use std::rc::Rc;

/// As `Rc::new(make())`, but there is room before the value is made, so that it is not made elsewhere and then copied.
#[inline]
pub(crate) fn rc<T>(make: impl FnOnce() -> T) -> Rc<T> {
    let mut room = Rc::<T>::new_uninit();
    let place = Rc::get_mut(&mut room).expect("nobody else has a share of what was made just now");
    place.write(make());
    // SAFETY: it has just been written.
    unsafe { room.assume_init() }
}
