//! The keys, their values, and the timers that end them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tevent::{ContextRef, Timer, When};

/// Shared with replies on their way and with the thread that writes a snapshot.
pub(crate) type Bytes = Arc<[u8]>;

pub(crate) const DATABASES: usize = 16;

/// All keys and values take no more than this, each with an allowance for what stands around them.
pub(crate) const MAX_DATA: usize = 1 << 30;
const ALLOWANCE: usize = 200;

/// The databases. A cheap clone.
#[derive(Clone)]
pub(crate) struct Store(Rc<RefCell<Keys>>);

struct Keys {
    ev: ContextRef,
    databases: [HashMap<Bytes, Entry>; DATABASES],
    size: usize,
    changes: u64,
}

/// A value. What ends it goes with it.
struct Entry {
    value: Bytes,
    expiry: Option<Timer>,
}

/// A key as it stands in a snapshot.
pub(crate) struct Record {
    pub(crate) db: usize,
    pub(crate) key: Bytes,
    pub(crate) value: Bytes,
    pub(crate) expires: Option<SystemTime>,
}

/// There is no room for more.
pub(crate) struct Full;

impl Store {
    pub(crate) fn new(ev: &ContextRef) -> Store {
        Store(Rc::new(RefCell::new(Keys {
            ev: ev.clone(),
            databases: Default::default(),
            size: 0,
            changes: 0,
        })))
    }

    pub(crate) fn get(&self, db: usize, key: &[u8]) -> Option<Bytes> {
        self.0.borrow().entry(db, key).map(|entry| entry.value.clone())
    }

    pub(crate) fn has(&self, db: usize, key: &[u8]) -> bool {
        self.0.borrow().entry(db, key).is_some()
    }

    /// What an earlier value had as its expiry goes, unless it is to be kept.
    pub(crate) fn set(&self, db: usize, key: &[u8], value: &[u8], keep_expiry: bool) -> Result<(), Full> {
        let mut guard = self.0.borrow_mut();
        let keys = &mut *guard;
        let entry = keys.databases[db].get_mut(key);
        let before = entry.as_ref().map_or(0, |entry| size(key, &entry.value));
        let after = keys.size - before + size(key, value);
        if after > MAX_DATA && after > keys.size {
            return Err(Full);
        }
        (keys.size, keys.changes) = (after, keys.changes + 1);
        match entry {
            Some(entry) => {
                entry.value = value.into();
                entry.expiry = entry.expiry.take().filter(|_| keep_expiry);
            }
            None => drop(keys.databases[db].insert(key.into(), Entry { value: value.into(), expiry: None })),
        }
        Ok(())
    }

    /// Ends a key after that time. Whether there is such a key.
    pub(crate) fn expire(&self, db: usize, key: &[u8], after: Duration) -> bool {
        if after.is_zero() {
            return self.remove(db, key);
        }
        let mut guard = self.0.borrow_mut();
        let keys = &mut *guard;
        let Some((key, _)) = keys.databases[db].get_key_value(key) else { return false };
        let (key, store) = (key.clone(), Rc::downgrade(&self.0));
        let name = key.clone();
        let timer = keys.ev.add_timer(after, move |_ev, _te, _now| {
            if let Some(store) = store.upgrade() {
                Store(store).remove(db, &name);
            }
        });
        keys.changes += 1;
        if let Some(entry) = keys.databases[db].get_mut(&key) {
            entry.expiry = Some(timer);
        }
        true
    }

    /// How long a key will live; the inner `None` is for ever.
    pub(crate) fn lifetime(&self, db: usize, key: &[u8]) -> Option<Option<Duration>> {
        let keys = self.0.borrow();
        keys.entry(db, key).map(|entry| keys.left(entry))
    }

    pub(crate) fn remove(&self, db: usize, key: &[u8]) -> bool {
        let mut keys = self.0.borrow_mut();
        let alive = keys.entry(db, key).is_some();
        if let Some(entry) = keys.databases[db].remove(key) {
            keys.size -= size(key, &entry.value);
            keys.changes += 1;
        }
        alive
    }

    pub(crate) fn keys(&self, db: usize) -> Vec<Bytes> {
        self.0.borrow().databases[db].keys().cloned().collect()
    }

    pub(crate) fn len(&self, db: usize) -> usize {
        self.0.borrow().databases[db].len()
    }

    pub(crate) fn clear(&self) {
        let mut keys = self.0.borrow_mut();
        keys.databases.iter_mut().for_each(HashMap::clear);
        (keys.size, keys.changes) = (0, keys.changes + 1);
    }

    /// How much memory it all takes, and how many changes there have been.
    pub(crate) fn size_and_changes(&self) -> (usize, u64) {
        let keys = self.0.borrow();
        (keys.size, keys.changes)
    }

    /// Everything as it is now. Nothing is copied but pointers.
    pub(crate) fn records(&self) -> Vec<Record> {
        let (keys, now) = (self.0.borrow(), SystemTime::now());
        let all = keys
            .databases
            .iter()
            .enumerate()
            .flat_map(|(db, keys)| keys.iter().map(move |entry| (db, entry)));
        all.map(|(db, (key, entry))| Record {
            db,
            key: key.clone(),
            value: entry.value.clone(),
            expires: keys.left(entry).map(|left| now + left),
        })
        .collect()
    }
}

impl Keys {
    fn entry(&self, db: usize, key: &[u8]) -> Option<&Entry> {
        // Its time may have come in the middle of a pipeline, before its timer had its turn.
        self.databases[db].get(key).filter(|entry| self.left(entry).is_none_or(|left| !left.is_zero()))
    }

    fn left(&self, entry: &Entry) -> Option<Duration> {
        match entry.expiry.as_ref()?.due() {
            Some(When::At(point)) => Some(point.saturating_duration_since(self.ev.now())),
            _ => Some(Duration::ZERO),
        }
    }
}

fn size(key: &[u8], value: &[u8]) -> usize {
    key.len() + value.len() + ALLOWANCE
}
