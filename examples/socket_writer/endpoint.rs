//! Where the ends meet: TCP or a Unix socket.

use std::fmt;
use std::io::{Error, ErrorKind};
use std::net::{TcpListener, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::{fs, io};

use rustix::net::sockopt;
use tevent::ReqError;
use tevent::io::{Address, Stream};

use crate::failure::told;

/// An address as a person gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `HOST:PORT`, looked up when it is used.
    Tcp(String),
    Unix(PathBuf),
}

impl Endpoint {
    /// Any free port of this machine.
    pub(crate) fn loopback() -> Self {
        Endpoint::Tcp("127.0.0.1:0".to_owned())
    }

    /// `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`; an error says what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Endpoint::unix(PathBuf::from(path));
        }
        let (host, port) = text.rsplit_once(':').ok_or("expected HOST:PORT or unix:PATH")?;
        if port.parse::<u16>().is_err() {
            return Err("the port is no number from 0 to 65535");
        }
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        match (host, bare) {
            ("", _) => Err("the host is missing"),
            (_, Some(ipv6)) if ipv6.parse::<std::net::Ipv6Addr>().is_err() => {
                Err("what stands in brackets is no IPv6 address")
            }
            (host, None) if host.contains([':', '[', ']', '/']) || host.contains(char::is_whitespace) => {
                Err("the host is no name and no address (IPv6 stands in brackets)")
            }
            _ => Ok(Endpoint::Tcp(text.to_owned())),
        }
    }

    pub(crate) fn unix(path: PathBuf) -> Result<Self, &'static str> {
        match path.as_os_str().len() {
            0 => Err("the path is empty"),
            // What the kernel has room for, with the zero at the end.
            1..108 => Ok(Endpoint::Unix(path)),
            _ => Err("the path is too long for a Unix socket (107 bytes)"),
        }
    }

    pub(crate) fn is_any_port(&self) -> bool {
        matches!(self, Endpoint::Tcp(address) if address.rsplit(':').next() == Some("0"))
    }

    /// All the addresses it stands for.
    pub(crate) fn resolve(&self) -> io::Result<Vec<Address>> {
        match self {
            Endpoint::Tcp(address) => Ok(address.to_socket_addrs()?.map(Address::from).collect()),
            Endpoint::Unix(path) => Ok(vec![Address::from(path.clone())]),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp(address) => f.write_str(address),
            Endpoint::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A listening socket. The path of a Unix one goes with it.
#[derive(Debug)]
pub(crate) struct Listening {
    stream: Stream,
    endpoint: Endpoint,
}

impl Listening {
    /// Listens; the connections get receive buffers of that size.
    pub(crate) fn bind(endpoint: &Endpoint, buffer: usize) -> Result<Self, ReqError> {
        Self::try_bind(endpoint, buffer)
            .map_err(|error| told(format_args!("cannot listen on {endpoint}"), error))
    }

    fn try_bind(endpoint: &Endpoint, buffer: usize) -> io::Result<Self> {
        let (socket, endpoint): (OwnedFd, _) = match endpoint {
            Endpoint::Tcp(address) => {
                let listener = TcpListener::bind(address)?;
                let bound = Endpoint::Tcp(listener.local_addr()?.to_string());
                (listener.into(), bound)
            }
            Endpoint::Unix(path) => {
                remove_stale(path)?;
                (UnixListener::bind(path)?.into(), endpoint.clone())
            }
        };
        // From here on the drop of `listening` removes the path.
        let listening = Listening { stream: Stream::new(socket), endpoint };
        rustix::io::ioctl_fionbio(&listening.stream, true)?;
        // What is accepted inherits both.
        sockopt::set_socket_recv_buffer_size(&listening.stream, buffer)?;
        sockopt::set_socket_send_buffer_size(&listening.stream, buffer)?;
        Ok(listening)
    }

    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Where it really listens: port 0 has become a real one.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Endpoint::Unix(path) = &self.endpoint {
            // If somebody was faster there is nothing left to do.
            let _ = fs::remove_file(path);
        }
    }
}

/// Removes a socket that a killed process has left behind; never a file, and never a socket that is in use.
fn remove_stale(path: &Path) -> io::Result<()> {
    let there = match fs::symlink_metadata(path) {
        Ok(there) => there,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !there.file_type().is_socket() {
        return Err(Error::new(ErrorKind::AlreadyExists, "the path exists and is no socket"));
    }
    // A datagram socket asks without becoming somebody's connection: a live stream socket is of the wrong type to it.
    match UnixDatagram::unbound()?.connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        _ => Err(Error::new(ErrorKind::AddrInUse, "another process listens there")),
    }
}
