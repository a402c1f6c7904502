//! What belongs to a context or a request and goes when it goes.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::mem;
use std::ops::Deref;
use std::rc::{Rc, Weak};

use crate::list::{Key, List};
use crate::look::look;
use crate::panics::Panics;
use crate::req::Known;
use crate::sys::in_place;
use crate::sys::kept::{Kept, Owner};

/// Implemented by every Ref whose owner can be given to a home: `ctx.keep(owner)`, `req.keep(owner)`.
///
/// The home drops what it keeps when it goes itself, the newest first. A crate that brings an owner of its
/// own, as `tevent-queue` does, implements this for its Ref: the Ref carries a [`HomeLink`], and the owner
/// derefs to the Ref. Its `Drop` drops what it has of the user's by [`drop_each`](crate::drop_each).
///
/// ```
/// use tevent_core::{Context, Immediate};
///
/// let ctx = Context::new()?;
/// let im = ctx.keep(Immediate::new(|_ev, _im| println!("ran")));
/// im.schedule(&ctx);
/// ctx.loop_wait()?;
/// let owner: Option<Immediate> = ctx.take(&im);
/// assert!(owner.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait ChildRef: Clone + 'static {
    /// The type that owns what this Ref points to.
    type Owner: Deref<Target = Self> + 'static;

    /// Where the Ref's object notes who keeps it.
    fn home(&self) -> &HomeLink;

    /// The request that it stands for, if it is one.
    #[doc(hidden)]
    fn as_request(&self) -> Option<AnyReq> {
        None
    }
}

/// A request of any type, to the library alone.
#[doc(hidden)]
#[allow(missing_debug_implementations, reason = "nobody outside can do anything with it")]
pub struct AnyReq(pub(crate) Rc<dyn Known>);

impl<O> Owner for O
where
    O: Deref + 'static,
    O::Target: ChildRef<Owner = O>,
{
    fn as_request(&self) -> Option<Rc<dyn Known>> {
        self.deref().as_request().map(|AnyReq(req)| req)
    }
}

/// Where an object notes who keeps it. See [`ChildRef`].
#[derive(Default)]
pub struct HomeLink(Cell<Option<(Weak<Children>, Key)>>);

impl HomeLink {
    /// A link of something that nobody keeps yet.
    #[must_use]
    pub const fn new() -> Self {
        HomeLink(Cell::new(None))
    }

    /// Tells one home from another.
    pub(crate) fn address(&self) -> Option<usize> {
        self.look(|home| home.as_ptr().addr())
    }

    /// Leaves the home: what it kept, to be dropped by the caller outside any borrow.
    pub(crate) fn leave(&self) -> Option<Kept> {
        let (home, key) = self.0.take()?;
        home.upgrade()?.list.borrow_mut().remove(key)
    }

    /// The request that keeps it.
    pub(crate) fn parent(&self) -> Option<Rc<dyn Known>> {
        let home = self.look(Weak::upgrade)??;
        home.of.as_ref()?.upgrade()
    }

    fn look<R>(&self, at: impl FnOnce(&Weak<Children>) -> R) -> Option<R> {
        look(&self.0, |(home, _key)| at(home))
    }
}

impl fmt::Debug for HomeLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HomeLink").field(&self.address().is_some()).finish()
    }
}

/// A home: the owners it keeps, in the order they came.
pub(crate) struct Children {
    /// A chain for each [`Until`]. Most requests have one event, and perhaps a place in a queue.
    list: RefCell<List<Kept, 2, 2>>,
    /// The request whose they are; `None` for a context's.
    of: Option<Weak<dyn Known>>,
    closed: [Cell<bool>; 2],
}

/// When those that are kept go.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    /// With the state of a request: its events and sub-requests.
    Received = 0,
    /// With what keeps them: what a context or a request was told to keep.
    Freed = 1,
}

impl Children {
    pub(crate) fn new(of: Option<Weak<dyn Known>>) -> Rc<Self> {
        in_place::rc(|| Children {
            list: RefCell::new(List::new()),
            of,
            closed: [const { Cell::new(false) }; 2],
        })
    }

    /// The requests among them, those that go first first, and of these the oldest.
    pub(crate) fn requests(&self) -> Vec<Rc<dyn Known>> {
        let list = self.list.borrow();
        let kept = [Until::Received, Until::Freed].into_iter().flat_map(|until| list.iter_of(until as u32));
        kept.filter_map(|(_key, kept)| kept.as_request()).collect()
    }

    /// Keeps an owner and gives its Ref. Once those that go then have gone it is dropped at once.
    pub(crate) fn keep<O>(self: &Rc<Self>, until: Until, owner: O) -> O::Target
    where
        O: Deref + 'static,
        O::Target: ChildRef<Owner = O>,
    {
        let child = O::Target::clone(&owner);
        if self.closed[until as usize].get() {
            drop(owner);
        } else {
            let key = self.list.borrow_mut().push_back_of(until as u32, Kept::new(owner));
            child.home().0.set(Some((Rc::downgrade(self), key)));
        }
        child
    }

    /// Gives an owner back, if it is this home that keeps it.
    pub(crate) fn take<R: ChildRef>(self: &Rc<Self>, child: &R) -> Option<R::Owner> {
        if child.home().address() != Some(Rc::as_ptr(self).addr()) {
            return None;
        }
        child.home().leave()?.into_owner()
    }

    /// Drops those that are kept until now, the newest first, and keeps no more of them.
    pub(crate) fn close(&self, until: Until) {
        self.refuse(until);
        let others = Others { children: self, until };
        while let Some(newest) = others.newest() {
            drop(newest);
        }
        mem::forget(others);
    }

    /// What comes from now on is dropped at once; what is here stays until it is closed.
    pub(crate) fn refuse(&self, until: Until) {
        self.closed[until as usize].set(true);
    }

    pub(crate) fn len(&self) -> usize {
        self.list.borrow().len()
    }
}

/// Those that go all the same when one of them has panicked, whose panic goes on.
struct Others<'a> {
    children: &'a Children,
    until: Until,
}

impl Others<'_> {
    fn newest(&self) -> Option<Kept> {
        self.children.list.borrow_mut().pop_back_of(self.until as u32)
    }
}

impl Drop for Others<'_> {
    #[cold]
    fn drop(&mut self) {
        let mut panics = Panics::default();
        while let Some(newest) = self.newest() {
            panics.catch(|| drop(newest));
        }
    }
}
