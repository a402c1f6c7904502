//! Where a socket is, for its peers.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr as UnixSocketAddr;
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrAny, SocketAddrUnix, SocketFlags, SocketType};

use crate::stream::Stream;

/// An address to connect to, of whatever kind the socket is: [`socket`](Self::socket) makes a stream socket for it,
/// [`datagram_socket`](Self::datagram_socket) one for datagrams.
///
/// It is made from a [`SocketAddr`], from a path, and, if that has a name, from a [`SocketAddr` of Unix](UnixSocketAddr), such as a
/// listener's `local_addr()`.
///
/// C equivalent: `struct sockaddr` and its length. Spec: IO-3.
///
/// ```
/// use std::os::linux::net::SocketAddrExt;
/// use std::os::unix::net::{SocketAddr, UnixListener};
/// use tevent_core::Context;
/// use tevent_io::{Address, connect_recv, connect_send};
///
/// let name = format!("tevent-{}", std::process::id());
/// let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
/// let address = Address::try_from(listener.local_addr()?)?;
/// assert_eq!(address.to_string(), format!("@{name}"));
/// let (ctx, stream) = (Context::new()?, address.socket()?);
/// connect_recv(connect_send(&ctx, &stream, &address))?; // a Unix stream connects at once
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// TCP or UDP, over IPv4 or IPv6.
    Inet(SocketAddr),
    /// A Unix socket in the file system.
    Unix(PathBuf),
    /// A Unix socket with a name that is no file's, without the NUL that it begins with for the kernel.
    UnixAbstract(Vec<u8>),
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Address::Inet(address)
    }
}

impl From<PathBuf> for Address {
    fn from(path: PathBuf) -> Self {
        Address::Unix(path)
    }
}

impl TryFrom<UnixSocketAddr> for Address {
    type Error = io::Error;

    /// # Errors
    /// `EINVAL` where it has no name: nobody can connect to it.
    fn try_from(address: UnixSocketAddr) -> io::Result<Self> {
        let path = address.as_pathname().map(|path| Address::Unix(path.to_owned()));
        let named =
            path.or_else(|| address.as_abstract_name().map(|name| Address::UnixAbstract(name.to_owned())));
        named.ok_or_else(|| Errno::INVAL.into())
    }
}

impl fmt::Display for Address {
    /// A name that is no file's begins with `@`, as the system's tools show it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Inet(address) => write!(f, "{address}"),
            Address::Unix(path) => write!(f, "{}", path.display()),
            Address::UnixAbstract(name) => write!(f, "@{}", name.escape_ascii()),
        }
    }
}

impl Address {
    /// Makes an unconnected stream socket for it, close-on-exec, for
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
    /// `EMFILE` or `ENFILE` when too many files are open, `EAFNOSUPPORT` when the kernel does not know the kind.
    pub fn socket(&self) -> io::Result<Stream> {
        self.socket_of(SocketType::STREAM)
    }

    /// Makes an unconnected datagram socket for it, UDP or Unix, close-on-exec. Connected by
    /// [`connect_send`](crate::connect_send), which is done at once, it can be written by [`writev_send`](crate::writev_send). To receive
    /// on a Unix one, it needs a name of its own: bind a [`UnixDatagram`](std::os::unix::net::UnixDatagram) instead, and give it to
    /// [`Stream::new`].
    ///
    /// C equivalent: `socket(family, SOCK_DGRAM, 0)`.
    ///
    /// ```
    /// use std::net::UdpSocket;
    /// use tevent_core::Context;
    /// use tevent_io::{Address, connect_recv, connect_send, writev_recv, writev_send};
    ///
    /// let (ctx, far) = (Context::new()?, UdpSocket::bind("127.0.0.1:0")?);
    /// let address = Address::from(far.local_addr()?);
    /// let near = address.datagram_socket()?;
    /// connect_recv(connect_send(&ctx, &near, &address))?;
    /// let req = writev_send(&ctx, None, &near, false, vec!["one ", "datagram"]);
    /// req.poll(&ctx)?;
    /// writev_recv(req)?;
    /// let mut buffer = [0; 100];
    /// let n = far.recv(&mut buffer)?;
    /// assert_eq!(&buffer[..n], b"one datagram");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`socket`](Self::socket).
    pub fn datagram_socket(&self) -> io::Result<Stream> {
        self.socket_of(SocketType::DGRAM)
    }

    fn socket_of(&self, kind: SocketType) -> io::Result<Stream> {
        let family = match self {
            Address::Inet(SocketAddr::V4(_)) => AddressFamily::INET,
            Address::Inet(SocketAddr::V6(_)) => AddressFamily::INET6,
            Address::Unix(_) | Address::UnixAbstract(_) => AddressFamily::UNIX,
        };
        let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
        Ok(Stream::new(socket))
    }

    /// As the kernel takes it.
    pub(crate) fn for_kernel(&self) -> rustix::io::Result<SocketAddrAny> {
        Ok(match self {
            Address::Inet(address) => (*address).into(),
            // The kernel would take it for a name that is no file's.
            Address::Unix(path) if path.as_os_str().is_empty() => return Err(Errno::INVAL),
            Address::Unix(path) => SocketAddrUnix::new(path)?.into(),
            Address::UnixAbstract(name) => SocketAddrUnix::new_abstract_name(name)?.into(),
        })
    }
}
