//! Finding frames in a stream of bytes, also in one where writers have written into each other's frames.

use crate::frame::{HEADER_LEN, Header, MAGIC, checksum};

/// Takes bytes as they come and gives whole frames.
///
/// Where a frame is torn it goes on behind that frame's magic and looks for the next valid header, so every frame that
/// did arrive in one piece is found, even inside the reach of a torn one.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    buffer: Vec<u8>,
    /// What is between these is not parsed yet.
    start: usize,
    end: usize,
    /// No byte will follow.
    closed: bool,
    skipped: u64,
}

/// How many bytes there is room for at least.
const ROOM: usize = 128 << 10;

impl Parser {
    /// Room for the next bytes, to be followed by [`filled`](Self::filled).
    pub(crate) fn room(&mut self) -> &mut [u8] {
        let waiting = self.end - self.start;
        // Moving what waits pays when at least half as much was parsed since.
        if self.start >= waiting / 2 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, waiting);
        }
        if self.buffer.len() < self.end + ROOM {
            let grown = (self.buffer.len() * 3 / 2).max(self.end + ROOM);
            self.buffer.resize(grown, 0);
        }
        &mut self.buffer[self.end..]
    }

    /// The first `n` bytes of the room were filled.
    pub(crate) fn filled(&mut self, n: usize) {
        self.end += n;
    }

    /// No byte will follow: a frame that is not complete now is torn.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// The next whole frame; `None` until there are more bytes.
    pub(crate) fn next_frame(&mut self) -> Option<(Header, &[u8])> {
        loop {
            let waiting = &self.buffer[self.start..self.end];
            let header = Header::decode(waiting.first_chunk::<HEADER_LEN>()?);
            let Some(header) = header else {
                self.skip_to_magic();
                continue;
            };
            let whole = waiting.get(..header.frame_len());
            if whole.is_none() && !self.closed {
                return None;
            }
            if whole.is_some_and(|frame| checksum(&frame[HEADER_LEN..]) == header.checksum) {
                let payload = self.start + HEADER_LEN;
                self.start += header.frame_len();
                return Some((header, &self.buffer[payload..self.start]));
            }
            self.skip_to_magic();
        }
    }

    /// How many bytes belong to no whole frame.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Goes on at the next magic behind this place, or where one may begin in the bytes still to come.
    fn skip_to_magic(&mut self) {
        let behind = &self.buffer[self.start + 1..self.end];
        let found = behind.windows(MAGIC.len()).position(|window| window == MAGIC);
        let skip = 1 + found.unwrap_or((behind.len() + 1).saturating_sub(MAGIC.len()));
        self.start += skip;
        self.skipped += skip as u64;
    }
}
