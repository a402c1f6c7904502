//! Where clients come from.

use std::io::{Error, ErrorKind, Result};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use tevent::io::Stream;

/// A listener, and what it is called.
type Listener = (Stream, String);

pub(crate) fn on_port(port: u16) -> Result<Listener> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|e| named(&format!("port {port}"), &e))?;
    let name = listener.local_addr()?.to_string();
    Ok((Stream::new(listener), name))
}

/// A socket that nobody listens at any more gives way.
pub(crate) fn on_path(path: &Path) -> Result<Listener> {
    let name = path.display().to_string();
    if UnixStream::connect(path).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused) {
        let _ = std::fs::remove_file(path); // else the next line tells
    }
    let listener = UnixListener::bind(path).map_err(|error| named(&name, &error))?;
    Ok((Stream::new(listener), name))
}

fn named(name: &str, error: &Error) -> Error {
    Error::new(error.kind(), format!("cannot listen on {name}: {error}"))
}
