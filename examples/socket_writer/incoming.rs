//! The receiving side of a connection.

use rustix::io::Errno;
use rustix::net::RecvFlags;
use tevent::io::Stream;
use tevent::{FdSource, ReqError};

use crate::frame::Header;
use crate::parser::Parser;

/// Bytes that come in, and the frames in them.
#[derive(Debug)]
pub(crate) struct Incoming {
    stream: Stream,
    pub(crate) parser: Parser,
}

impl Incoming {
    pub(crate) fn new(stream: &Stream) -> Self {
        Incoming { stream: stream.clone(), parser: Parser::default() }
    }

    /// Reads once, without waiting; says how many bytes came, 0 when none were there. The end of the stream is an
    /// error: no end of this program closes before it knows that the other is content.
    pub(crate) fn read(&mut self) -> Result<usize, ReqError> {
        match rustix::net::recv(&self.stream, self.parser.room(), RecvFlags::DONTWAIT) {
            Ok((0, _)) => Err(ReqError::with_cause(code(Errno::PIPE), "it closed the connection")),
            Ok((n, _)) => {
                self.parser.filled(n);
                Ok(n)
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(errno) => Err(ReqError::from(errno.raw_os_error())),
        }
    }

    pub(crate) fn next_frame(&mut self) -> Option<(Header, &[u8])> {
        self.parser.next_frame()
    }
}

impl From<&Incoming> for FdSource {
    fn from(incoming: &Incoming) -> Self {
        FdSource::from(&incoming.stream)
    }
}

/// The other end is no end of this program.
pub(crate) fn foreign(what: &str) -> ReqError {
    ReqError::with_cause(code(Errno::PROTO), format!("the other end is no socket_writer: {what}"))
}

fn code(errno: Errno) -> u64 {
    u64::from(errno.raw_os_error().unsigned_abs())
}
