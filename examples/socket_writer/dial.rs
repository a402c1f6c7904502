//! Connecting to an endpoint, whichever of its addresses answers, as a request.

use std::collections::VecDeque;

use rustix::net::sockopt;
use tevent::io::{self, Address, Stream};
use tevent::{ContextRef, Req, ReqError, ReqRef};

use crate::endpoint::Endpoint;
use crate::failure::told;

/// The state of [`dial_send`]'s request.
pub(crate) struct Dial {
    ev: ContextRef,
    endpoint: Endpoint,
    buffer: usize,
    left: VecDeque<Address>,
    stream: Option<Stream>,
}

/// Connects to the first address of the endpoint that answers; its socket buffers get that size.
pub(crate) fn dial_send(ev: &ContextRef, endpoint: &Endpoint, buffer: usize) -> Req<Dial> {
    let resolved = endpoint.resolve();
    let req = Req::create(Dial {
        ev: ev.clone(),
        endpoint: endpoint.clone(),
        buffer,
        left: VecDeque::new(),
        stream: None,
    });
    match resolved {
        Ok(addresses) => {
            req.with_state(|s| s.left.extend(addresses));
            try_next(&req, ReqError::from(std::io::Error::other("the name has no address")));
        }
        Err(error) => fail(&req, error.into()),
    }
    if req.is_in_progress() { req } else { req.post(ev) }
}

/// The connected socket.
pub(crate) fn dial_recv(req: Req<Dial>) -> Result<Stream, ReqError> {
    req.recv(|s| s.stream.take()).map(|stream| stream.expect("done means connected"))
}

/// The next address, or the last one's error.
fn try_next(req: &ReqRef<Dial>, error: ReqError) {
    let next = req.with_state(|s| s.left.pop_front().map(|address| (s.ev.clone(), address, s.buffer)));
    let Some((ev, address, buffer)) = next.flatten() else { return fail(req, error) };
    let stream = match prepare(&address, buffer) {
        Ok(stream) => stream,
        Err(error) => return try_next(req, error.into()),
    };
    let subreq = io::connect_send(&ev, &stream, &address);
    req.add_subreq(subreq, move |req, subreq| match io::connect_recv(subreq) {
        Ok(()) => {
            req.with_state(|s| s.stream = Some(stream));
            req.done();
        }
        Err(error) => try_next(req, error),
    });
}

fn fail(req: &ReqRef<Dial>, error: ReqError) {
    if let Some(endpoint) = req.with_state(|s| s.endpoint.clone()) {
        req.error(told(format_args!("cannot connect to {endpoint}"), error));
    }
}

/// A socket with the right buffers, which have to be set before it is connected.
fn prepare(address: &Address, buffer: usize) -> std::io::Result<Stream> {
    let stream = address.socket()?;
    sockopt::set_socket_send_buffer_size(&stream, buffer)?;
    sockopt::set_socket_recv_buffer_size(&stream, buffer)?;
    if matches!(address, Address::Inet(_)) {
        // The end of a frame shall not wait for the acknowledgement of its begin.
        sockopt::set_tcp_nodelay(&stream, true)?;
    }
    Ok(stream)
}
