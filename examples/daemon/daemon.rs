//! What all parts of the daemon share.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::rc::Rc;

use tevent::{ContextRef, Req, future_recv};

use crate::args::Options;
use crate::resp::Failure;
use crate::snapshot;
use crate::store::Store;

pub(crate) struct Daemon {
    pub(crate) ev: ContextRef,
    pub(crate) options: Options,
    pub(crate) store: Rc<RefCell<Store>>,
    /// What a client has sent is read into this. Clients that are idle need no buffer of their own.
    pub(crate) buffer: RefCell<Vec<u8>>,
    pub(crate) clients: Cell<usize>,
    pub(crate) accepted: Cell<usize>,
    pub(crate) rejected: Cell<usize>,
    pub(crate) saving: Cell<bool>,
    saved: Cell<usize>,
    pub(crate) save_error: RefCell<String>,
}

impl Daemon {
    pub(crate) fn new(ev: &ContextRef, options: Options) -> Rc<Daemon> {
        let (ev, store, buffer) = (ev.clone(), Store::new(ev), RefCell::new(vec![0; 64 << 10]));
        let ([clients, accepted, rejected, saved], saving, save_error) = Default::default();
        Rc::new(Daemon { ev, options, store, buffer, clients, accepted, rejected, saving, saved, save_error })
    }

    /// Begins a snapshot of what there is now.
    pub(crate) fn save(self: &Rc<Self>) -> Result<(), Failure> {
        let dir = self.options.dir.clone().ok_or("ERR there is no --dir to save to")?;
        if self.saving.replace(true) {
            return Err("ERR Background save already in progress".into());
        }
        let (daemon, records) = (self.clone(), self.store.borrow().records());
        let save = Req::from_thread(&self.ev, move || snapshot::write(&dir, &records));
        self.ev.add_subreq(save, move |_ev, save| {
            let error = future_recv(save).map_or_else(|error| error.to_string(), |()| String::new());
            match &*error {
                "" => daemon.saved.set(daemon.saved.get() + 1),
                error => say(&format!("no snapshot was written: {error}")),
            }
            daemon.saving.set(false);
            daemon.save_error.replace(error);
        });
        Ok(())
    }

    pub(crate) fn info(&self) -> String {
        let (clients, accepted, rejected) = (self.clients.get(), self.accepted.get(), self.rejected.get());
        let (data, turns, waits) = (self.store.borrow().size, self.ev.stats().turns, self.ev.stats().waits);
        let (saved, error) = (self.saved.get(), self.save_error.borrow());
        format!(
            "redis_version:7.0.0\r\nconnected_clients:{clients}\r\ntotal_connections_received:{accepted}\r\n\
             rejected_connections:{rejected}\r\nused_memory_data:{data}\r\nloop_turns:{turns}\r\n\
             loop_waits:{waits}\r\nsnapshots_saved:{saved}\r\nsnapshot_last_error:{error}\r\n"
        )
    }
}

/// A daemon does not end because nobody listens to what it says.
pub(crate) fn say(message: &str) {
    let _ = writeln!(std::io::stderr(), "daemon: {}", message.trim_end());
}
