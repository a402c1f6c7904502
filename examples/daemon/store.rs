//! The keys, their values, and the timers that end them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tevent::{ContextRef, Timer, When};

use crate::resp::Failure;

/// Shared with the thread that writes a snapshot.
pub(crate) type Bytes = Arc<[u8]>;

/// Database, key, value, and when it ends.
pub(crate) type Record = (usize, Bytes, Bytes, Option<SystemTime>);

pub(crate) const DATABASES: usize = 16;

/// Keys and values take no more than this, each with an allowance for what stands around them.
const MAX_DATA: usize = 1 << 30;
const ALLOWANCE: usize = 400;

pub(crate) struct Store {
    ev: ContextRef,
    /// For its timers.
    me: Weak<RefCell<Store>>,
    pub(crate) databases: [HashMap<Bytes, Entry>; DATABASES],
    pub(crate) size: usize,
}

/// A value, and the timer that will end it, which goes with it.
pub(crate) struct Entry {
    pub(crate) value: Bytes,
    expiry: Option<Timer>,
}

impl Store {
    pub(crate) fn new(ev: &ContextRef) -> Rc<RefCell<Store>> {
        let (ev, databases, size) = (ev.clone(), Default::default(), 0);
        Rc::new_cyclic(|me| RefCell::new(Store { ev, me: me.clone(), databases, size }))
    }

    pub(crate) fn get(&self, db: usize, key: &[u8]) -> Option<Bytes> {
        self.databases[db].get(key).map(|entry| entry.value.clone())
    }

    pub(crate) fn set(
        &mut self,
        db: usize,
        key: &[u8],
        value: &[u8],
        keep_expiry: bool,
    ) -> Result<(), Failure> {
        let old = self.databases[db].get_mut(key);
        let size = self.size + takes(key, value) - old.as_ref().map_or(0, |entry| takes(key, &entry.value));
        if size > MAX_DATA.max(self.size) {
            return Err("OOM command not allowed when used memory > 'maxmemory'.".into());
        }
        self.size = size;
        match old {
            Some(entry) if keep_expiry => entry.value = value.into(),
            Some(entry) => *entry = Entry { value: value.into(), expiry: None },
            None => drop(self.databases[db].insert(key.into(), Entry { value: value.into(), expiry: None })),
        }
        Ok(())
    }

    /// Ends a key after that many milliseconds. Whether there is such a key.
    pub(crate) fn expire(&mut self, db: usize, key: &[u8], after: i64) -> bool {
        let Some(after) = u64::try_from(after).ok().filter(|after| *after > 0) else {
            return self.remove(db, key);
        };
        let Some(entry) = self.databases[db].get_mut(key) else { return false };
        let (store, key) = (self.me.clone(), Bytes::from(key));
        entry.expiry = Some(self.ev.add_timer(Duration::from_millis(after), move |_ev, _te, _now| {
            store.upgrade().map(|store| store.borrow_mut().remove(db, &key));
        }));
        true
    }

    /// How long a key will live, rounded; -1 is for ever, -2 if there is none.
    pub(crate) fn seconds_left(&self, db: usize, key: &[u8]) -> i64 {
        let rounded = |left: Duration| (left + Duration::from_millis(500)).as_secs().cast_signed();
        self.databases[db].get(key).map_or(-2, |entry| self.left(entry).map_or(-1, rounded))
    }

    pub(crate) fn remove(&mut self, db: usize, key: &[u8]) -> bool {
        let entry = self.databases[db].remove(key);
        self.size -= entry.as_ref().map_or(0, |entry| takes(key, &entry.value));
        entry.is_some()
    }

    pub(crate) fn clear(&mut self) {
        (self.databases, self.size) = Default::default();
    }

    /// Everything as it is now. Only pointers are copied.
    pub(crate) fn records(&self) -> Vec<Record> {
        let (now, databases) = (SystemTime::now(), self.databases.iter().enumerate());
        let all =
            databases.flat_map(|(db, entries)| entries.iter().map(move |(key, entry)| (db, key, entry)));
        let ends = |entry| self.left(entry).map(|left| now + left);
        all.map(|(db, key, entry)| (db, key.clone(), entry.value.clone(), ends(entry))).collect()
    }

    fn left(&self, entry: &Entry) -> Option<Duration> {
        match entry.expiry.as_ref()?.due() {
            Some(When::At(point)) => Some(point.saturating_duration_since(self.ev.now())),
            _ => Some(Duration::ZERO),
        }
    }
}

fn takes(key: &[u8], value: &[u8]) -> usize {
    key.len() + value.len() + ALLOWANCE
}
