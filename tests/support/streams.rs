//! Words that the tests of tevent-io share. Not part of `support`, because only they need them.

#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_send_buffer_size;
use tevent::io::{Address, Stream};
use tevent::{Context, ContextRef, EventTracePoint, FdEvent, FdFlags, Req, ReqError, ReqState};

use super::support::{Kind, Log, fill, pair};

/// A loop that fails where it would wait: for tests in which what is waited for is ready at once, or never.
pub fn impatient(backend: Kind) -> Context {
    let ctx = backend.context();
    ctx.set_wait_timeout(Duration::ZERO);
    ctx
}

/// A stream that takes few bytes at a time, and its peer.
pub fn narrow_pair() -> (Stream, UnixStream) {
    let (near, far) = pair();
    set_socket_send_buffer_size(&near, 8 * 1024).unwrap();
    (Stream::new(near), far)
}

/// A stream that takes no byte until its peer reads.
pub fn full_pair() -> (Stream, UnixStream) {
    let (near, far) = pair();
    fill(&near);
    (Stream::new(near), far)
}

/// Bytes of which no two neighbouring pages are alike.
pub fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| u8::try_from((i ^ (i >> 8) ^ (i >> 16)) & 0xff).unwrap()).collect()
}

/// Reads in the loop whatever arrives.
pub fn collect(ev: &ContextRef, file: impl Read + AsFd + 'static) -> (FdEvent, Rc<RefCell<Vec<u8>>>) {
    let got = Rc::new(RefCell::new(Vec::new()));
    let file = Rc::new(RefCell::new(file));
    let (source, sink) = (file.borrow().as_fd().try_clone_to_owned().unwrap(), Rc::clone(&got));
    let fde = ev.add_fd(source, FdFlags::READ, move |_ev, _fde, _flags| {
        let mut buffer = [0; 4096];
        let n = file.borrow_mut().read(&mut buffer).unwrap();
        sink.borrow_mut().extend_from_slice(&buffer[..n]);
    });
    (fde.unwrap(), got)
}

pub fn is_blocking(file: impl AsFd) -> bool {
    !fcntl_getfl(file).unwrap().contains(OFlags::NONBLOCK)
}

pub fn set_blocking(file: impl AsFd, blocking: bool) {
    let mode = fcntl_getfl(&file).unwrap() - OFlags::NONBLOCK;
    fcntl_setfl(&file, if blocking { mode } else { mode | OFlags::NONBLOCK }).unwrap();
}

#[track_caller]
pub fn assert_errno<T: fmt::Debug>(result: Result<T, ReqError>, errno: Errno) {
    let error = result.unwrap_err();
    assert_eq!((error.state(), error.errno()), (ReqState::UserError, errno.raw_os_error()), "{error}");
}

/// Logs the callback, which does not receive.
pub fn log_callback<S: 'static>(req: &Req<S>, log: &Log, name: &'static str) {
    let log = log.clone();
    req.set_callback(move |_req| log.add(name));
}

/// A TCP listener that takes no connection any more: the kernel drops what comes, so that whoever connects has to wait.
pub struct FullListener {
    pub address: Address,
    _held: (Stream, TcpStream),
}

impl FullListener {
    pub fn new() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = Address::from(any).socket().unwrap();
        rustix::net::bind(&listener, &any).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let address: SocketAddr = rustix::net::getsockname(&listener).unwrap().try_into().unwrap();
        let first = TcpStream::connect(address).unwrap();
        // When that is there, there is no room.
        rustix::event::poll(&mut [PollFd::new(&listener, PollFlags::IN)], None).unwrap();
        FullListener { address: address.into(), _held: (listener, first) }
    }
}

/// Does something right before the next handler of an fd runs, when the kernel has told of it.
pub fn before_its_handler(ev: &ContextRef, act: impl FnOnce() + 'static) {
    let act = Cell::new(Some(act));
    ev.trace().fds().set(Rc::new(move |_fde, at| {
        if at == EventTracePoint::BeforeHandler
            && let Some(act) = act.take()
        {
            act();
        }
    }));
}

/// A path that no other test uses, removed with the test.
pub struct TempPath(pub PathBuf);

impl TempPath {
    pub fn new() -> TempPath {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (pid, n) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        TempPath(std::env::temp_dir().join(format!("tevent-io-{pid}-{n}")))
    }
}

impl Drop for TempPath {
    fn drop(&mut self) {
        // Not every test makes the file.
        let _ = std::fs::remove_file(&self.0);
    }
}
