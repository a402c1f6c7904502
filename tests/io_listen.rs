//! Listening at an address (what `accept_send` needs first).

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::PathBuf;

use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::{FdFlags, fcntl_getfd};
use tevent::Context;
use tevent::io::{Address, Stream, accept_recv, accept_send, connect_recv, connect_send};

/// A path of this test alone, gone with it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tevent-listen-{name}-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        Place(path)
    }

    fn address(&self) -> Address {
        Address::from(self.0.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn connects(address: &Address, listener: &Stream) {
    let ctx = Context::new().unwrap();
    let near = address.socket().unwrap();
    let (accepting, connecting) = (accept_send(&ctx, listener), connect_send(&ctx, &near, address));
    accepting.poll(&ctx).unwrap();
    connecting.poll(&ctx).unwrap();
    accept_recv(accepting).unwrap();
    connect_recv(connecting).unwrap();
}

#[test]
fn a_listener_of_any_kind_is_connected_to_by_its_local_address() {
    let place = Place::new("kinds");
    let name = format!("tevent-listen-{}", std::process::id()).into_bytes();
    let mut addresses = vec![place.address(), Address::UnixAbstract(name)];
    addresses.push(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into());
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        addresses.push(SocketAddr::from((Ipv6Addr::LOCALHOST, 0)).into());
    }
    for address in addresses {
        let listener = address.listen().unwrap();
        assert!(fcntl_getfl(&listener).unwrap().contains(OFlags::NONBLOCK));
        assert!(fcntl_getfd(&listener).unwrap().contains(FdFlags::CLOEXEC));
        let found = listener.local_address().unwrap();
        match (&address, &found) {
            (Address::Inet(asked), Address::Inet(got)) => assert!(got.ip() == asked.ip() && got.port() > 0),
            _ => assert_eq!(found, address),
        }
        connects(&found, &listener);
    }
}

#[test]
fn a_listener_that_is_at_work_is_not_replaced() {
    let place = Place::new("taken");
    let first = place.address().listen().unwrap();
    assert_eq!(place.address().listen().unwrap_err().kind(), ErrorKind::AddrInUse);
    connects(&place.address(), &first);
    let tcp = Address::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).listen().unwrap();
    let taken = tcp.local_address().unwrap();
    assert_eq!(taken.listen().unwrap_err().kind(), ErrorKind::AddrInUse);
    drop(tcp);
    connects(&taken, &taken.listen().unwrap());
}

#[test]
fn a_socket_file_that_is_left_behind_is_replaced() {
    let place = Place::new("left");
    drop(UnixListener::bind(&place.0).unwrap());
    assert!(fs::symlink_metadata(&place.0).unwrap().file_type().is_socket());
    connects(&place.address(), &place.address().listen().unwrap());
}

#[test]
fn a_file_of_another_kind_is_nobodys_to_take_away() {
    let place = Place::new("file");
    fs::write(&place.0, "precious").unwrap();
    assert_eq!(place.address().listen().unwrap_err().kind(), ErrorKind::AddrInUse);
    assert_eq!(fs::read_to_string(&place.0).unwrap(), "precious");
    fs::remove_file(&place.0).unwrap();
    let datagrams = UnixDatagram::bind(&place.0).unwrap(); // connecting to it gives EPROTOTYPE
    assert_eq!(place.address().listen().unwrap_err().kind(), ErrorKind::AddrInUse);
    drop(datagrams);
}

#[test]
fn an_address_that_cannot_be_listened_at_is_an_error() {
    assert!(Address::from(PathBuf::new()).listen().is_err());
    assert!(Address::from(PathBuf::from("/no/such/directory/socket")).listen().is_err());
    let foreign = Address::from(SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 0))); // TEST-NET-1
    assert_eq!(foreign.listen().unwrap_err().kind(), ErrorKind::AddrNotAvailable);
}

#[test]
fn the_longest_path_comes_back_as_it_was() {
    let short = Place::new("");
    let name = short.0.to_str().unwrap();
    let longest = Place(PathBuf::from(format!("{name}{}", "x".repeat(107 - name.len()))));
    let listener = longest.address().listen().unwrap();
    assert_eq!(listener.local_address().unwrap(), longest.address());
    connects(&listener.local_address().unwrap(), &listener);
}
