//! Where clients come from.

use std::io::{Error, ErrorKind, Result};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use tevent::io::Stream;

use crate::args::Options;

/// The listeners, and what they are called.
pub(crate) fn listen(options: &Options) -> Result<Vec<(Stream, String)>> {
    let mut listeners = Vec::new();
    if let Some(port) = options.port {
        let named = |error| named(format!("port {port}"), error);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(named)?;
        let name = listener.local_addr()?.to_string();
        listeners.push((Stream::new(listener), name));
    }
    if let Some(path) = &options.unix {
        let listener = bind(path).map_err(|error| named(path.display().to_string(), error))?;
        listeners.push((Stream::new(listener), path.display().to_string()));
    }
    Ok(listeners)
}

/// A socket that nobody listens at any more is in the way.
fn bind(path: &Path) -> Result<UnixListener> {
    let bound = UnixListener::bind(path);
    match bound {
        Err(error) if error.kind() == ErrorKind::AddrInUse => match UnixStream::connect(path) {
            Err(gone) if gone.kind() == ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path)?;
                UnixListener::bind(path)
            }
            _ => Err(error),
        },
        bound => bound,
    }
}

fn named(name: String, error: Error) -> Error {
    Error::new(error.kind(), format!("cannot listen on {name}: {error}"))
}
