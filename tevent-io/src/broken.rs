//! Why nothing more can be written to a stream.

use std::error::Error;
use std::fmt;

use rustix::io::Errno;
use tevent_core::ReqError;

/// A writer ended after part of its bytes, so that nothing more can be written to its stream.
///
/// It is the [cause](ReqError::cause) of the error, `EPIPE`, with which the writers behind it fail. C has no
/// equivalent: there the next writer goes on in the middle of the frame.
///
/// ```
/// use std::os::unix::net::UnixStream;
/// use tevent_core::Context;
/// use tevent_io::{Stream, StreamBroken, writev_recv, writev_send};
/// use tevent_queue::Queue;
///
/// let (ctx, queue) = (Context::new()?, Queue::create("near"));
/// let (near, _far) = UnixStream::pair()?;
/// let stream = Stream::new(near);
/// drop(writev_send(&ctx, Some(&queue), &stream, false, vec![vec![0; 8 << 20]])); // part of it was written
/// let next = writev_send(&ctx, Some(&queue), &stream, false, vec!["frame"]);
/// next.poll(&ctx)?;
/// let error = writev_recv(next).expect_err("the stream is broken");
/// assert!(error.cause().is_some_and(|cause| cause.is::<StreamBroken>()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamBroken {
    pub(crate) written: usize,
    pub(crate) total: usize,
}

impl StreamBroken {
    /// How many bytes the writer had written, of how many.
    #[must_use]
    pub fn progress(&self) -> (usize, usize) {
        (self.written, self.total)
    }
}

impl fmt::Display for StreamBroken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StreamBroken { written, total } = self;
        write!(f, "the stream is broken: a writer ended after {written} of its {total} bytes")
    }
}

impl Error for StreamBroken {}

impl From<StreamBroken> for ReqError {
    fn from(broken: StreamBroken) -> Self {
        ReqError::with_cause(Errno::PIPE.raw_os_error(), broken)
    }
}
