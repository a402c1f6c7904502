//! The command line.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tevent::io::Address;

/// A key-value daemon for the clients of Redis.
#[derive(clap::Parser)]
#[command(name = "daemon")]
pub(crate) struct Options {
    /// Listen on 127.0.0.1, this port; 0 for any that is free [7379, unless --unix is given]
    #[arg(long, value_name = "N")]
    pub(crate) port: Option<u16>,
    /// Listen on a Unix socket, too or instead
    #[arg(long, value_name = "PATH")]
    pub(crate) unix: Option<PathBuf>,
    /// Keep snapshots in this directory [the data ends with the daemon]
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
    /// Turn away more clients than that
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) max_clients: usize,
    /// Close connections that say nothing for so long, in seconds; 0 for never
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(crate) idle_timeout: u32,
}

impl Options {
    pub(crate) fn addresses(&self) -> impl Iterator<Item = Address> {
        let port = self.port.or(if self.unix.is_none() { Some(7379) } else { None });
        let on_port = port.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into());
        on_port.into_iter().chain(self.unix.clone().map(Address::from))
    }

    /// How long a client may be idle.
    pub(crate) fn patience(&self) -> Duration {
        if self.idle_timeout == 0 { Duration::MAX } else { Duration::from_secs(self.idle_timeout.into()) }
    }
}
