//! What handlers do, the same in every program, and what they do it to.

use std::io;
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::thread::{CpuSet, sched_setaffinity};

/// xorshift64, as in the C programs.
#[derive(Debug)]
pub struct Random(u64);

impl Default for Random {
    fn default() -> Self {
        Random(0x9E37_79B9_7F4A_7C15)
    }
}

impl Random {
    /// Other numbers for each seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Random(Random::default().0.wrapping_add(seed).max(1))
    }

    /// Less than `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.draw() % bound as u64).unwrap_or_default()
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Where pending timers lie: between one and two hours from now.
    pub fn pending(&mut self) -> Duration {
        const HOUR: u64 = 3_600_000_000;
        Duration::from_micros(HOUR + self.draw() % HOUR)
    }

    /// Within the 50 ms of `timer-fire`.
    pub fn soon(&mut self) -> Duration {
        Duration::from_micros(self.draw() % 50_000)
    }
}

/// Later than all pending timers.
pub const LATEST: Duration = Duration::from_secs(3 * 3600);

/// A handler's place in the pipe ring: where it reads and where it writes.
#[derive(Debug)]
pub struct Hop {
    from: OwnedFd,
    to: OwnedFd,
}

impl Hop {
    /// Writes a byte to the next pipe.
    ///
    /// # Panics
    /// If that is full.
    pub fn send(&self, byte: u8) {
        rustix::io::write(&self.to, &[byte]).expect("a pipe takes a byte");
    }
}

impl AsFd for Hop {
    /// The reading end.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.from.as_fd()
    }
}

impl AsRawFd for Hop {
    /// The reading end.
    fn as_raw_fd(&self) -> RawFd {
        self.from.as_raw_fd()
    }
}

/// A pipe ring: `of` pipes, and a byte in every `of / active`-th.
///
/// # Panics
/// Where the process may not have so many files.
#[must_use]
pub fn make_hops(active: usize, of: usize) -> Vec<Hop> {
    let pipe = |_| pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).expect("a pipe");
    let (froms, mut tos): (Vec<_>, Vec<_>) = (0..of).map(pipe).unzip();
    for i in 0..active {
        rustix::io::write(&tos[i * of / active], b"x").expect("a pipe takes a byte");
    }
    tos.rotate_left(1);
    froms.into_iter().zip(tos).map(|(from, to)| Hop { from, to }).collect()
}

/// What each handler of the ring does.
///
/// # Panics
/// If there is nothing to read.
#[inline]
pub fn hop_on(hop: &Hop) {
    try_hop_on(hop).expect("a byte to read, and a pipe that takes it");
}

/// The same where there may be nothing to read: for peers that tell only once that there is.
///
/// # Errors
/// That there is nothing.
#[inline]
pub fn try_hop_on(hop: &Hop) -> io::Result<()> {
    let mut byte = [0];
    rustix::io::read(&hop.from, &mut byte)?;
    rustix::io::write(&hop.to, &byte)?;
    Ok(())
}

/// Both ends of a socket pair: either can be written at any time.
///
/// # Panics
/// Where the process may not have more files.
#[must_use]
pub fn make_pair() -> (UnixStream, UnixStream) {
    let (near, far) = UnixStream::pair().expect("a socket pair");
    near.set_nonblocking(true).expect("a socket need not block");
    (near, far)
}

/// What each handler of the echo server does: false when the client has gone.
///
/// # Panics
/// If the socket fails, or takes less than was asked.
#[inline]
pub fn echo(mut socket: &TcpStream, requests: &mut u64) -> bool {
    use std::io::Write;
    let mut buffer = [MaybeUninit::<u8>::uninit(); 4096];
    match rustix::io::read(socket, &mut buffer) {
        Ok(([], _)) | Err(Errno::CONNRESET) => false,
        Ok((bytes, _)) => {
            socket.write_all(bytes).expect("the client reads");
            *requests += 1;
            true
        }
        Err(Errno::AGAIN) => true,
        Err(error) => panic!("echo: {error}"),
    }
}

/// A thread on the other core, if the runner names one.
#[must_use]
pub fn start_other(body: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    std::thread::spawn(move || {
        pin_to_other_core();
        body();
    })
}

/// Moves the calling thread to the core that the runner has named for what is not measured.
///
/// # Panics
/// If there is no such core.
pub fn pin_to_other_core() {
    if let Some(core) = std::env::var("PEERS_OTHER_CORE").ok().and_then(|core| core.parse().ok()) {
        pin_to(core);
    }
}

/// Moves the calling thread to a core.
///
/// # Panics
/// If there is no such core.
pub fn pin_to(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores).expect("that core is there");
}
