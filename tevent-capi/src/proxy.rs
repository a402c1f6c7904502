//! Thread proxies: other threads hand over an immediate with its data.

use std::ffi::{CStr, c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tevent_core::ThreadProxy;

use crate::chunk::{Chunk, Out, Parent, Private};
use crate::context::Context;
use crate::export::{called_by_c, export};
use crate::immediate::{self, Immediate, ImmediateHandler};
use crate::talloc;
use crate::threaded::Carried;
use crate::wake;

const NAME: &CStr = c"struct tevent_thread_proxy";

/// `struct tevent_thread_proxy`.
pub struct Proxy {
    threads: ThreadProxy,
    ev: Chunk<Context>,
    /// False once the proxy, or its context, has gone: what is on its way is freed and not called.
    open: Arc<AtomicBool>,
    alive: Arc<AtomicBool>,
}

called_by_c! {
    fn destroy(tp: Chunk<Proxy>) -> c_int {
        tp.open.store(false, Ordering::Release);
        talloc::end(tp);
        0
    }
}

/// What is handed over: the parent of an immediate and its data, which go with it.
struct Load;

/// Frees the load when it has been called, or will not be.
struct Delivery(Carried<Chunk<Load>>);

impl Drop for Delivery {
    fn drop(&mut self) {
        talloc::free(self.0.get());
    }
}

export! {
    fn tevent_thread_proxy_create(ev: Chunk<Context>) -> Option<Chunk<Proxy>> {
        let main = ev.main()?;
        let threads = main.core().thread_proxy().ok()?;
        wake::be_heard(main);
        let tp = talloc::create(ev.parent(), NAME, Proxy {
            threads,
            ev,
            open: Arc::new(AtomicBool::new(true)),
            alive: main.threads.alive(),
        })?;
        talloc::set_destructor(tp, destroy);
        Some(tp)
    }

    fn tevent_thread_proxy_schedule(
        tp: Chunk<Proxy>, place_of_im: Out<Option<Chunk<Immediate>>>, handler: Option<ImmediateHandler>,
        place_of_private: Out<*mut c_void>,
    ) {
        let Some(Some(im)) = place_of_im.get() else { return };
        let Some(load) = talloc::create(Parent::NONE, c"tevent_thread_proxy load", Load) else { return };
        let private = place_of_private.get().unwrap_or(std::ptr::null_mut());
        talloc::steal(load.parent(), im.as_ptr());
        talloc::steal(load.parent(), private);
        immediate::forget(im);
        place_of_im.put(None);
        place_of_private.put(std::ptr::null_mut());
        let delivery = Delivery(Carried(load));
        let (open, alive) = (Arc::clone(&tp.open), Arc::clone(&tp.alive));
        let carried = Carried((tp.ev, im, Private::of(private)));
        let _gone = tp.threads.schedule(move |_ev| {
            let _at_last = delivery;
            let (ev, im, private) = carried.get();
            // Not as an immediate of this context: the handler may hand it on to another thread, and then it is not ours any more.
            if let Some(handler) = handler
                && open.load(Ordering::Acquire)
                && alive.load(Ordering::Acquire)
            {
                handler.call(Some(ev), im, private);
            }
        });
    }
}
