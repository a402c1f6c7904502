//! The keys, their values, and the timers that end them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tevent::{ContextRef, Timer, When};

use crate::reply::Failure;

/// Shared with the thread that writes a snapshot.
pub(crate) type Bytes = Arc<[u8]>;

pub(crate) const DATABASES: usize = 16;

/// Keys and values take no more than this, each with an allowance for what stands around them.
const MAX_DATA: usize = 1 << 30;
const ALLOWANCE: usize = 200;

/// The databases. A cheap clone.
#[derive(Clone)]
pub(crate) struct Store(Rc<RefCell<Keys>>);

struct Keys {
    ev: ContextRef,
    databases: [HashMap<Bytes, Entry>; DATABASES],
    size: usize,
}

/// A value, and the timer that will end it, which goes with it.
struct Entry {
    value: Bytes,
    expiry: Option<Timer>,
}

/// Database, key, value, and when it ends: for a snapshot.
pub(crate) type Record = (usize, Bytes, Bytes, Option<SystemTime>);

impl Store {
    pub(crate) fn new(ev: &ContextRef) -> Store {
        Store(Rc::new(RefCell::new(Keys { ev: ev.clone(), databases: Default::default(), size: 0 })))
    }

    pub(crate) fn get(&self, db: usize, key: &[u8]) -> Option<Bytes> {
        self.0.borrow().databases[db].get(key).map(|entry| entry.value.clone())
    }

    pub(crate) fn set(&self, db: usize, key: &[u8], value: &[u8], keep_expiry: bool) -> Result<(), Failure> {
        let Keys { databases, size, .. } = &mut *self.0.borrow_mut();
        let old = databases[db].get_mut(key);
        let before = old.as_ref().map_or(0, |entry| size_of(key, &entry.value));
        let after = *size - before + size_of(key, value);
        if after > MAX_DATA.max(*size) {
            return Err("OOM command not allowed when used memory > 'maxmemory'.".into());
        }
        *size = after;
        match old {
            Some(entry) if keep_expiry => entry.value = value.into(),
            Some(entry) => *entry = Entry { value: value.into(), expiry: None },
            None => drop(databases[db].insert(key.into(), Entry { value: value.into(), expiry: None })),
        }
        Ok(())
    }

    /// Ends a key after that time. Whether there is such a key.
    pub(crate) fn expire(&self, db: usize, key: &[u8], after: Duration) -> bool {
        if after.is_zero() {
            return self.remove(db, key);
        }
        let (store, name) = (Rc::downgrade(&self.0), Bytes::from(key));
        let Keys { ev, databases, .. } = &mut *self.0.borrow_mut();
        let Some(entry) = databases[db].get_mut(key) else { return false };
        entry.expiry = Some(ev.add_timer(after, move |_ev, _te, _now| {
            store.upgrade().map(|store| Store(store).remove(db, &name));
        }));
        true
    }

    /// How long a key will live, rounded; -1 is for ever, -2 if there is none.
    pub(crate) fn seconds_left(&self, db: usize, key: &[u8]) -> i64 {
        let (keys, rounded) =
            (self.0.borrow(), |left: Duration| (left + Duration::from_millis(500)).as_secs());
        let entry = keys.databases[db].get(key);
        entry.map_or(-2, |entry| keys.left(entry).map_or(-1, |left| rounded(left).cast_signed()))
    }

    pub(crate) fn remove(&self, db: usize, key: &[u8]) -> bool {
        let mut keys = self.0.borrow_mut();
        let entry = keys.databases[db].remove(key);
        keys.size -= entry.as_ref().map_or(0, |entry| size_of(key, &entry.value));
        entry.is_some()
    }

    pub(crate) fn keys(&self, db: usize) -> Vec<Bytes> {
        self.0.borrow().databases[db].keys().cloned().collect()
    }

    pub(crate) fn len(&self, db: usize) -> usize {
        self.0.borrow().databases[db].len()
    }

    pub(crate) fn clear(&self) {
        let Keys { databases, size, .. } = &mut *self.0.borrow_mut();
        databases.iter_mut().for_each(HashMap::clear);
        *size = 0;
    }

    pub(crate) fn size(&self) -> usize {
        self.0.borrow().size
    }

    /// Everything as it is now. Only pointers are copied.
    pub(crate) fn records(&self) -> Vec<Record> {
        let (keys, now) = (&*self.0.borrow(), SystemTime::now());
        let record = |db, (key, entry): (&Bytes, &Entry)| {
            (db, key.clone(), entry.value.clone(), keys.left(entry).map(|left| now + left))
        };
        let databases = keys.databases.iter().enumerate();
        databases.flat_map(|(db, entries)| entries.iter().map(move |entry| record(db, entry))).collect()
    }
}

impl Keys {
    fn left(&self, entry: &Entry) -> Option<Duration> {
        entry.expiry.as_ref().map(|timer| match timer.due() {
            Some(When::At(point)) => point.saturating_duration_since(self.ev.now()),
            _ => Duration::ZERO,
        })
    }
}

fn size_of(key: &[u8], value: &[u8]) -> usize {
    key.len() + value.len() + ALLOWANCE
}
