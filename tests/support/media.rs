//! The kinds of file that the requests of tevent-io are made for, each with its two ends.

#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{CWD, Mode, OFlags, mkfifoat};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::SocketType;
use rustix::net::sockopt::{set_socket_linger, set_socket_recv_buffer_size, set_socket_send_buffer_size};
use tevent::io::Stream;

use super::streams::{TempPath, set_blocking};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    Tcp,
    Unix,
    Pipe,
    /// A pipe with a name.
    Fifo,
    Udp,
    UnixDatagram,
}

use Medium::{Fifo, Pipe, Tcp, Udp, Unix, UnixDatagram as Datagram};

impl Medium {
    pub const ALL: [Medium; 6] = [Tcp, Unix, Pipe, Fifo, Udp, Datagram];
    /// Those with one byte after the other, and an end.
    pub const BYTES: [Medium; 4] = [Tcp, Unix, Pipe, Fifo];
    pub const DATAGRAMS: [Medium; 2] = [Udp, Datagram];

    pub fn is_datagrams(self) -> bool {
        Medium::DATAGRAMS.contains(&self)
    }

    /// A stream to read, and the end that is written to. The stream blocks, the other end does not.
    pub fn reading(self) -> (Stream, OwnedFd) {
        let (near, far) = self.ends();
        set_blocking(&far, false);
        (Stream::new(near), far)
    }

    /// A stream to write, and the end that is read from. The stream blocks, the other end does not.
    pub fn writing(self) -> (Stream, OwnedFd) {
        let (far, near) = self.ends();
        set_blocking(&far, false);
        (Stream::new(near), far)
    }

    /// The first can be read, the second written.
    fn ends(self) -> (OwnedFd, OwnedFd) {
        match self {
            Tcp => tcp(),
            Unix => UnixStream::pair().map(|(one, two)| (one.into(), two.into())).unwrap(),
            Pipe => rustix::pipe::pipe().unwrap(),
            Fifo => fifo(),
            Udp => udp(),
            Datagram => UnixDatagram::pair().map(|(one, two)| (one.into(), two.into())).unwrap(),
        }
    }
}

fn tcp() -> (OwnedFd, OwnedFd) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    set_socket_recv_buffer_size(&listener, 8 * 1024).unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (near, _address) = listener.accept().unwrap();
    for end in [&near, &far] {
        set_socket_send_buffer_size(end, 8 * 1024).unwrap();
        end.set_nodelay(true).unwrap();
    }
    (near.into(), far.into())
}

fn udp() -> (OwnedFd, OwnedFd) {
    let ends = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    ends[0].connect(ends[1].local_addr().unwrap()).unwrap();
    ends[1].connect(ends[0].local_addr().unwrap()).unwrap();
    let [near, far] = ends;
    (near.into(), far.into())
}

/// The end to read, and the one to write.
fn fifo() -> (OwnedFd, OwnedFd) {
    let path = TempPath::new();
    mkfifoat(CWD, &path.0, Mode::RUSR | Mode::WUSR).unwrap();
    // Without NONBLOCK opening one end waits for the other.
    let reader = rustix::fs::open(&path.0, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap();
    let writer = rustix::fs::open(&path.0, OFlags::WRONLY, Mode::empty()).unwrap();
    set_blocking(&reader, true);
    (reader, writer)
}

#[track_caller]
pub fn put(file: impl AsFd, bytes: &[u8]) {
    assert_eq!(rustix::io::write(file, bytes), Ok(bytes.len()));
}

/// What each read gives, until nothing is left.
pub fn take_all(file: impl AsFd) -> Vec<Vec<u8>> {
    let mut taken = Vec::new();
    let mut buffer = vec![0; 300_000];
    loop {
        match rustix::io::read(&file, &mut *buffer) {
            Ok(0) | Err(Errno::AGAIN) => return taken,
            Ok(n) => taken.push(buffer[..n].to_vec()),
            Err(errno) => panic!("reading: {errno}"),
        }
    }
}

/// Waits until something can be read, or the other end is closed; what crosses the network stack may take a moment.
#[track_caller]
pub fn await_arrival(file: impl AsFd) {
    assert!(comes_to(file, PollFlags::IN), "nothing has arrived");
}

/// Waits until the kernel says that the other end is closed; says whether it does.
pub fn is_told_of_the_end(file: impl AsFd) -> bool {
    comes_to(file, PollFlags::RDHUP)
}

/// Errors and hang-ups count too.
fn comes_to(file: impl AsFd, what: PollFlags) -> bool {
    let mut files = [PollFd::new(&file, what)];
    retry_on_intr(|| rustix::event::poll(&mut files, Some(&Timespec { tv_sec: 5, tv_nsec: 0 }))) == Ok(1)
}

/// Whether the other end sees the file closed as soon as this stream goes: nobody else holds it.
pub fn is_closed_with(stream: Stream, far: impl AsFd) -> bool {
    // TCP would send first what nobody has read.
    let _only_for_sockets = set_socket_linger(&stream, Some(Duration::ZERO));
    drop(stream);
    let datagrams = rustix::net::sockopt::socket_type(&far) == Ok(SocketType::DGRAM);
    // Of datagrams only a write tells: at once, or by what comes back.
    (datagrams && rustix::io::write(&far, b"?") == Err(Errno::CONNREFUSED)) || is_told_of_the_end(far)
}

/// Closes a TCP connection so that the peer is told of a reset.
pub fn reset(far: OwnedFd) {
    set_socket_linger(&far, Some(Duration::ZERO)).unwrap();
    drop(far);
}
