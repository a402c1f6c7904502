//! Listening at an address, and which one it is.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::net::{SocketAddrUnix, sockopt};

use crate::address::Address;
use crate::stream::Stream;

/// The kernel makes it `somaxconn` at most, which is 4096 where nobody has set it.
const BACKLOG: i32 = 4096;

impl Address {
    /// Makes a listening stream socket, close-on-exec and non-blocking, for [`accept_send`](crate::accept_send).
    ///
    /// On port 0 it gets a port that is free, which [`local_address`](Stream::local_address) tells. A TCP port can be had again at
    /// once when its last listener has gone (`SO_REUSEADDR`). A socket file that is left of a listener that has gone is replaced; one at
    /// which somebody listens is not, nor is a file of another kind. The file stays when the listener goes.
    ///
    /// C equivalent: `socket`, `bind` and `listen`.
    ///
    /// ```
    /// use std::net::{Ipv4Addr, SocketAddr};
    /// use tevent_core::Context;
    /// use tevent_io::{Address, accept_recv, accept_send, connect_recv, connect_send};
    ///
    /// let ctx = Context::new()?;
    /// let listener = Address::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).listen()?;
    /// let address = listener.local_address()?;
    /// let (near, accepting) = (address.socket()?, accept_send(&ctx, &listener));
    /// let connecting = connect_send(&ctx, &near, &address);
    /// accepting.poll(&ctx)?;
    /// let far = accept_recv(accepting)?;
    /// # connecting.poll(&ctx)?;
    /// # connect_recv(connecting)?;
    /// # drop(far);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `EADDRINUSE` when somebody listens there already, `EACCES`, `EADDRNOTAVAIL`, or another error of these calls; those of
    /// [`socket`](Self::socket).
    pub fn listen(&self) -> io::Result<Stream> {
        let stream = self.socket()?;
        rustix::io::ioctl_fionbio(&stream, true)?;
        if matches!(self, Address::Inet(_)) {
            sockopt::set_socket_reuseaddr(&stream, true)?;
        }
        let address = self.for_kernel()?;
        match rustix::net::bind(&stream, &address) {
            Err(Errno::ADDRINUSE) if self.is_left_behind()? => {
                if let Address::Unix(path) = self {
                    fs::remove_file(path)?;
                }
                rustix::net::bind(&stream, &address)?;
            }
            bound => bound?,
        }
        rustix::net::listen(&stream, BACKLOG)?;
        Ok(stream)
    }

    /// Whether it is the file of a socket at which nobody listens.
    fn is_left_behind(&self) -> io::Result<bool> {
        let Address::Unix(path) = self else { return Ok(false) };
        if !fs::symlink_metadata(path)?.file_type().is_socket() {
            return Ok(false);
        }
        let probe = self.socket()?;
        rustix::io::ioctl_fionbio(&probe, true)?;
        Ok(rustix::net::connect(&probe, &self.for_kernel()?) == Err(Errno::CONNREFUSED))
    }
}

impl Stream {
    /// The address of this end, to which peers of a listener connect.
    ///
    /// C equivalent: `getsockname`.
    ///
    /// ```
    /// use std::{net::TcpListener, os::unix::net::UnixStream};
    /// use tevent_io::{Address, Stream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let expected = Address::from(listener.local_addr()?);
    /// assert_eq!(Stream::new(listener).local_address()?, expected);
    /// let (nameless, _peer) = UnixStream::pair()?;
    /// assert!(Stream::new(nameless).local_address().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `ENOTSOCK` for a file that is no socket; `EINVAL` for a socket that has no address, as that of a Unix client, or one of a kind
    /// that [`Address`] does not know.
    pub fn local_address(&self) -> io::Result<Address> {
        let address = rustix::net::getsockname(self)?;
        if let Ok(inet) = SocketAddr::try_from(address.clone()) {
            return Ok(Address::Inet(inet));
        }
        let unix = SocketAddrUnix::try_from(address)?;
        if let Some(path) = unix.path() {
            return Ok(Address::Unix(PathBuf::from(OsString::from_vec(path.to_bytes().to_vec()))));
        }
        let name = unix.abstract_name().filter(|name| !name.is_empty()).ok_or(Errno::INVAL)?;
        Ok(Address::UnixAbstract(name.to_vec()))
    }
}
