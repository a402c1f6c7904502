//! Where to connect to.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::stream::Stream;

/// The address of a stream socket: TCP or Unix.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Address {
    /// TCP over IPv4 or IPv6.
    Tcp(SocketAddr),
    /// A Unix socket in the file system.
    Unix(PathBuf),
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Address::Tcp(address)
    }
}

impl From<PathBuf> for Address {
    fn from(path: PathBuf) -> Self {
        Address::Unix(path)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => write!(f, "{address}"),
            Address::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Address {
    /// Makes an unconnected stream socket of the right kind, close-on-exec, for
    /// [`connect_send`](crate::connect_send). It is in blocking mode.
    ///
    /// C equivalent: `socket(family, SOCK_STREAM, 0)`.
    ///
    /// ```
    /// use std::path::PathBuf;
    /// use tevent_io::Address;
    ///
    /// let address = Address::from(PathBuf::from("/run/daemon.sock"));
    /// let stream = address.socket()?; // nobody is asked yet whether that exists
    /// assert_eq!(address.to_string(), "/run/daemon.sock");
    /// assert_eq!(stream.writes(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the process has too many open files, or the kernel does not know the kind.
    pub fn socket(&self) -> io::Result<Stream> {
        let family = match self {
            Address::Tcp(SocketAddr::V4(_)) => AddressFamily::INET,
            Address::Tcp(SocketAddr::V6(_)) => AddressFamily::INET6,
            Address::Unix(_) => AddressFamily::UNIX,
        };
        let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        Ok(Stream::new(socket))
    }

    pub(crate) fn connect(&self, stream: &Stream) -> rustix::io::Result<()> {
        match self {
            Address::Tcp(address) => rustix::net::connect(stream, address),
            Address::Unix(path) => rustix::net::connect(stream, &SocketAddrUnix::new(path)?),
        }
    }
}
