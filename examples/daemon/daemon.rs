//! What all parts of the daemon share.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::rc::Rc;

use tevent::ContextRef;

use crate::args::Options;
use crate::snapshot::{save_recv, save_send};
use crate::store::Store;

/// The bound on what the buffers of all clients take together: requests that have not arrived whole, and replies that have not left.
const MAX_BUFFERS: usize = 512 << 20;

pub(crate) struct Daemon {
    pub(crate) ev: ContextRef,
    pub(crate) options: Options,
    pub(crate) store: Store,
    pub(crate) counts: Counts,
    /// What a client has sent is read into this.
    pub(crate) buffer: RefCell<Vec<u8>>,
    held: Cell<usize>,
    pub(crate) saving: Cell<bool>,
    saved_changes: Cell<u64>,
    save_error: RefCell<String>,
}

/// What has happened since the start.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) connected: Cell<usize>,
    pub(crate) received: Cell<i64>,
    pub(crate) rejected: Cell<u64>,
    pub(crate) failed: Cell<u64>,
    pub(crate) saved: Cell<u64>,
}

impl Daemon {
    pub(crate) fn new(ev: &ContextRef, options: Options) -> Rc<Daemon> {
        Rc::new(Daemon {
            ev: ev.clone(),
            options,
            store: Store::new(ev),
            counts: Counts::default(),
            buffer: RefCell::new(vec![0; 64 << 10]),
            held: Cell::new(0),
            saving: Cell::new(false),
            saved_changes: Cell::new(0),
            save_error: RefCell::default(),
        })
    }

    /// A client's buffers have grown or shrunk. Whether they all fit.
    pub(crate) fn hold(&self, before: usize, now: usize) -> bool {
        self.held.set(self.held.get() - before + now);
        now <= before || self.held.get() <= MAX_BUFFERS
    }

    /// Whether a snapshot would be of no use.
    pub(crate) fn is_saved(&self) -> bool {
        self.options.dir.is_none() || self.saved_changes.get() == self.store.size_and_changes().1
    }

    /// Begins a snapshot of what there is now.
    pub(crate) fn save(self: &Rc<Self>) -> Result<(), &'static str> {
        let Some(dir) = &self.options.dir else { return Err("ERR there is no --dir to save to") };
        if self.saving.replace(true) {
            return Err("ERR Background save already in progress");
        }
        let (daemon, changes) = (self.clone(), self.store.size_and_changes().1);
        self.ev.add_subreq(save_send(&self.ev, dir, self.store.records()), move |_ev, req| {
            daemon.saving.set(false);
            daemon.save_error.replace(match save_recv(req) {
                Ok(()) => {
                    daemon.saved_changes.set(changes);
                    daemon.counts.saved.set(daemon.counts.saved.get() + 1);
                    String::new()
                }
                Err(error) => {
                    say(&format!("no snapshot was written: {error}"));
                    error.to_string()
                }
            });
        });
        Ok(())
    }

    /// For INFO and SIGHUP.
    pub(crate) fn info(&self) -> String {
        let (counts, stats, (data, _)) = (&self.counts, self.ev.stats(), self.store.size_and_changes());
        let lines = [
            ("redis_version", "7.0.0".to_owned()), // what its commands and replies are like
            ("process_id", std::process::id().to_string()),
            ("connected_clients", counts.connected.get().to_string()),
            ("total_connections_received", counts.received.get().to_string()),
            ("rejected_connections", counts.rejected.get().to_string()),
            ("failed_connections", counts.failed.get().to_string()),
            ("used_memory_data", data.to_string()),
            ("used_memory_buffers", self.held.get().to_string()),
            ("loop_turns", stats.turns.to_string()),
            ("loop_waits", stats.waits.to_string()),
            ("snapshot_in_progress", u8::from(self.saving.get()).to_string()),
            ("snapshots_saved", counts.saved.get().to_string()),
            ("snapshot_last_error", self.save_error.borrow().clone()),
        ];
        lines.iter().map(|(name, value)| format!("{name}:{value}\r\n")).collect()
    }

    /// For CONFIG GET, which some clients ask before they begin.
    pub(crate) fn settings(&self) -> [(&'static str, String); 6] {
        let Options { idle_timeout, max_clients, dir, port, .. } = &self.options;
        let dir = dir.as_ref().map_or(String::new(), |dir| dir.display().to_string());
        let idle = idle_timeout.map_or(0, |idle| idle.as_secs()).to_string();
        [
            ("save", String::new()),
            ("appendonly", "no".to_owned()),
            ("maxclients", max_clients.to_string()),
            ("timeout", idle),
            ("dir", dir),
            ("port", port.unwrap_or(0).to_string()),
        ]
    }
}

/// A daemon does not end because nobody listens to what it says.
pub(crate) fn say(message: &str) {
    let _ = writeln!(std::io::stderr(), "daemon: {message}");
}
