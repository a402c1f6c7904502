//! The loops that a context is a guest of.

#![allow(unsafe_code, reason = "tokio asks for it: whoever gives it an fd vouches for it")]
#![allow(unreachable_pub, reason = "it is for the other files of this test")]

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use rustix::event::{Timespec, epoll};
use tevent::{Context, ContextRef, FdFlags, LoopFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A loop of nobody's: one epoll object.
pub struct BareEpoll {
    object: OwnedFd,
    guest: ContextRef,
    _fd: LoopFd,
    /// How often it was woken by the fd.
    pub wakes: usize,
}

impl BareEpoll {
    pub fn around(guest: &ContextRef) -> Self {
        let (object, fd) = (epoll::create(epoll::CreateFlags::CLOEXEC).unwrap(), guest.loop_fd().unwrap());
        epoll::add(&object, &fd, epoll::EventData::new_u64(7), epoll::EventFlags::IN).unwrap();
        BareEpoll { object, guest: guest.clone(), _fd: fd, wakes: 0 }
    }

    /// Whether the fd is readable, without waiting.
    pub fn is_readable(&self) -> bool {
        self.wait(Some(Duration::ZERO))
    }

    /// Sleeps as long as the guest lets it, at most ten seconds, and dispatches once.
    pub fn turn(&mut self) -> bool {
        let timeout = self.guest.next_timeout().unwrap_or(Duration::from_secs(10));
        self.wakes += usize::from(self.wait(Some(timeout)));
        self.guest.dispatch().unwrap()
    }

    pub fn run_until(&mut self, done: impl Fn() -> bool) {
        while !done() {
            self.turn();
        }
    }

    fn wait(&self, timeout: Option<Duration>) -> bool {
        let timeout = timeout.map(|timeout| Timespec::try_from(timeout).unwrap());
        let mut ready = Vec::with_capacity(1);
        match epoll::wait(&self.object, rustix::buffer::spare_capacity(&mut ready), timeout.as_ref()) {
            Ok(n) => n > 0,
            Err(rustix::io::Errno::INTR) => false,
            Err(e) => panic!("waiting: {e}"),
        }
    }
}

/// tokio's loop, on this thread, with another task beside the one that dispatches the guest.
pub fn run_inside_tokio(
    guest: &ContextRef,
    other: impl Future<Output = ()> + 'static,
    done: impl Fn() -> bool,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let tasks = tokio::task::LocalSet::new();
    tasks.spawn_local(other);
    tasks.block_on(&runtime, async {
        let fd = guest.loop_fd().unwrap();
        // SAFETY: a LoopFd keeps its file open and the same as long as it lives, which is as long as the AsyncFd; nobody
        // forks here.
        let fd = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.unwrap();
        while !done() {
            if guest.dispatch().unwrap() {
                tokio::task::yield_now().await; // others may run
                continue;
            }
            let timeout = guest.next_timeout().unwrap_or(Duration::from_secs(10));
            if let Ok(ready) = tokio::time::timeout(timeout, fd.readable()).await {
                let mut ready = ready.unwrap();
                // It tells of a readiness once, so all of it is taken.
                while !done() && guest.dispatch().unwrap() {}
                ready.clear_ready();
            }
        }
    });
}

/// Another of our contexts.
pub fn run_inside_another(host: &Context, guest: &ContextRef, done: impl Fn() -> bool + 'static) {
    let fd = guest.loop_fd().unwrap();
    let of_fd = guest.clone();
    let _watch = host
        .add_fd(&fd, FdFlags::READ, move |_ev, _fde, _flags| {
            of_fd.dispatch().unwrap();
        })
        .unwrap();
    let done = Rc::new(done);
    let (of_timer, finished) = (guest.clone(), Rc::clone(&done));
    // Asked before each sleep of the host.
    host.trace().points().set(Rc::new(move |host, point| {
        if point == tevent::TracePoint::BeforeWait
            && !finished()
            && let Some(timeout) = of_timer.next_timeout()
        {
            let guest = of_timer.clone();
            host.keep(host.add_timer(timeout, move |_ev, _te, _now| {
                guest.dispatch().unwrap();
            }));
        }
    }));
    host.loop_until(|| done()).unwrap();
    host.trace().points().clear();
}
