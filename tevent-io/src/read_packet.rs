//! Reading a packet whose length stands in the packet (IO-2).

use std::error::Error;
use std::fmt;
use std::task::Poll;

use rustix::io::Errno;
use tevent_core::{ContextRef, FdFlags, Req, ReqError};

use crate::at_work::{self, AtWork, Working};
use crate::errno::{is_transient, req_error};
use crate::stream::{Kind, Stream};

/// So much is read at a time, and so much is the buffer ahead of what has arrived: a peer that announces a gigabyte does not
/// get one before it has sent it.
const STEP: usize = 64 << 10;

/// So many steps are taken before others have their turn.
const STEPS: usize = 16;

type More = Box<dyn FnMut(&[u8]) -> Result<usize, ReqError>>;

/// The state of [`read_packet_send`]'s request.
pub struct ReadPacket {
    at_work: AtWork,
    stream: Stream,
    packet: Vec<u8>,
    /// How many bytes it has to have before `more` is asked again.
    wanted: usize,
    more: More,
}

/// Reads a packet, and nothing after it: `initial` bytes, then as many as `more` says when it is shown what has arrived; it is asked
/// again when those are there, until it says 0. It must not cancel the request nor ask for its state, which is lent out then: that panics.
///
/// On a socket a read is tried at once, without blocking; other files, such as pipes, wait for READ and are read once each time. The
/// file is not watched any more when the callback runs.
///
/// On a datagram socket each read takes one datagram. One that is longer than what is still wanted is thrown away, and the
/// request fails with `EMSGSIZE`; one that is shorter is a part of the packet, like any bytes. So ask for a whole datagram by
/// `initial` where their length is known, and use [`Stream::try_read`] where it is not.
///
/// The callback runs in the turn in which the packet is complete; if that was so inside this call, in a later one. Dropped in the
/// middle of a packet, or out of time, it takes the bytes with it that it has read: where the next packet begins nobody knows then.
/// [`cancel`](tevent_core::ReqRef::cancel) works until the first byte has been read, and is refused after it. What it has in common
/// with the other requests stands in the [crate's docs](crate#what-they-have-in-common).
///
/// C equivalent: `read_packet_send`. Spec: IO-2.
///
/// ```
/// use std::{convert::Infallible, io::Write, os::unix::net::UnixStream};
/// use tevent_core::Context;
/// use tevent_io::{Stream, read_packet_recv, read_packet_send};
///
/// let ctx = Context::new()?;
/// let (near, mut far) = UnixStream::pair()?;
/// let stream = Stream::new(near);
/// let req = read_packet_send(&ctx, &stream, 1, |packet| {
///     let announced = usize::from(packet[0]) + 1; // a byte with the length, then so many
///     Ok::<_, Infallible>(announced - packet.len())
/// });
/// far.write_all(b"\x05helloand what comes next")?;
/// req.poll(&ctx)?;
/// assert_eq!(read_packet_recv(req)?, b"\x05hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn read_packet_send<E: Into<Box<dyn Error + Send + Sync>>>(
    ev: &ContextRef,
    stream: &Stream,
    initial: usize,
    mut more: impl FnMut(&[u8]) -> Result<usize, E> + 'static,
) -> Req<ReadPacket> {
    let more: More = Box::new(move |packet| {
        more(packet).map_err(|error| ReqError::with_cause(req_error(Errno::IO), error))
    });
    let (at_work, packet, wanted) = (AtWork::on(ev), Vec::new(), initial);
    let req = Req::create(ReadPacket { at_work, stream: stream.clone(), packet, wanted, more });
    at_work::begin(&req);
    if stream.kind() != Kind::Other || initial == 0 {
        req.advance(ReadPacket::read);
    }
    if req.is_in_progress()
        && let Err(error) =
            at_work::watch(&req, stream, FdFlags::READ, |req, _flags| req.advance(ReadPacket::read))
    {
        req.error(error);
    }
    if req.is_in_progress() { req } else { req.post(ev) }
}

/// The packet, whole. Frees the request.
///
/// The example of [`read_packet_send`] ends with it. C equivalent: `read_packet_recv`. Spec: IO-2.
///
/// # Errors
/// - `EPIPE` when the stream ended before the packet did, on a half-close too, and on an empty datagram. A peer that has closed between
///   two packets is told from a torn packet by [`wait_for_read_send`](crate::wait_for_read_send) with `check_errors` before each: it
///   fails with `EPIPE` where not one byte has come, and what fails after it was torn;
/// - `EIO` with the [cause](ReqError::cause) when `more` failed;
/// - `EMSGSIZE` when it asked for more than memory can hold, or a datagram was longer than what was wanted;
/// - `ECANCELED`, or what [`errno`](ReqError::errno) says of a request that timed out or has not finished;
/// - `ENOMEM`, or what the system call gave, such as `ECONNRESET`.
pub fn read_packet_recv(req: Req<ReadPacket>) -> Result<Vec<u8>, ReqError> {
    req.recv(|s| std::mem::take(&mut s.packet))
}

impl Working for ReadPacket {
    fn at_work(&mut self) -> &mut AtWork {
        &mut self.at_work
    }

    fn is_untouched(&self) -> bool {
        self.packet.is_empty()
    }
}

impl ReadPacket {
    /// Reads what is there, as far as it belongs to the packet.
    fn read(&mut self) -> Poll<Result<(), ReqError>> {
        // A second read from a file that is no socket could find nothing, and wait.
        let steps = if self.stream.kind() == Kind::Other { 1 } else { STEPS };
        for _ in 0..steps {
            match self.ask() {
                Ok(true) => {}
                Ok(false) => return Poll::Ready(Ok(())),
                Err(error) => return Poll::Ready(Err(error)),
            }
            match self.step() {
                Ok(0) => return Poll::Ready(Err(req_error(Errno::PIPE))),
                Ok(_) => {}
                Err(errno) if is_transient(errno) => return Poll::Pending,
                Err(Errno::NOMEM) => return Poll::Ready(Err(ReqError::NO_MEMORY)),
                Err(errno) => return Poll::Ready(Err(req_error(errno))),
            }
        }
        match self.ask() {
            Ok(true) => Poll::Pending,
            Ok(false) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Whether there is more to read; asks when all that was wanted is here.
    fn ask(&mut self) -> Result<bool, ReqError> {
        if self.packet.len() < self.wanted {
            return Ok(true);
        }
        let more = (self.more)(&self.packet)?;
        let wanted = self.wanted.checked_add(more).filter(|wanted| isize::try_from(*wanted).is_ok());
        self.wanted = wanted.ok_or_else(|| req_error(Errno::MSGSIZE))?;
        Ok(more > 0)
    }

    /// One read, of which the end is 0.
    fn step(&mut self) -> rustix::io::Result<usize> {
        let arrived = self.packet.len();
        let missing = self.wanted - arrived;
        let datagrams = self.stream.kind() == Kind::Datagrams;
        let room = missing.min(if datagrams { self.stream.datagram_length()? } else { STEP });
        self.packet.try_reserve(room).map_err(|_| Errno::NOMEM)?;
        self.packet.resize(arrived + room, 0);
        let read = self.stream.read_now(&mut self.packet[arrived..]);
        self.packet.truncate(arrived + read.map_or(0, |n| n.min(room)));
        // The kernel has cut it and thrown away the rest.
        if read.is_ok_and(|n| n > room) { Err(Errno::MSGSIZE) } else { read }
    }
}

impl fmt::Debug for ReadPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadPacket")
            .field("stream", &self.stream)
            .field("arrived", &self.packet.len())
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}
