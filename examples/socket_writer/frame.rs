//! What a frame looks like: a header of 48 bytes, which can be recognised anywhere in a stream, and the payload.
//!
//! | bytes | |
//! |---|---|
//! | 0..8 | magic |
//! | 8..12 | kind |
//! | 12..16 | length of the payload |
//! | 16..20 | writer |
//! | 20..24 | sequence: how many frames this writer sent before |
//! | 24..32 | place: how many frames of all writers joined the queue before |
//! | 32..40 | checksum of the payload |
//! | 40..48 | checksum of the header so far |
//!
//! All numbers are little-endian.

pub(crate) const HEADER_LEN: usize = 48;
pub(crate) const MAX_PAYLOAD: usize = 64 << 20;
pub(crate) const MAGIC: [u8; 8] = *b"\xf5tevent\x0a";

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The writing end announces what it will send.
    Hello = 1,
    /// A writer's message.
    Data = 2,
    /// The reading end answers what has arrived.
    Verdict = 3,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) length: u32,
    pub(crate) writer: u32,
    pub(crate) sequence: u32,
    pub(crate) place: u64,
    pub(crate) checksum: u64,
}

impl Header {
    /// The header of a message between the ends, which no writer has sent.
    pub(crate) fn control(kind: Kind, payload: &[u8]) -> Self {
        Header { kind, ..Header::data(0, 0, 0, payload) }
    }

    /// The header of a writer's frame.
    ///
    /// # Panics
    /// If the payload is larger than [`MAX_PAYLOAD`].
    pub(crate) fn data(writer: u32, sequence: u32, place: u64, payload: &[u8]) -> Self {
        assert!(payload.len() <= MAX_PAYLOAD, "a payload of {} bytes is too large", payload.len());
        #[allow(clippy::cast_possible_truncation, reason = "checked in the line above")]
        let length = payload.len() as u32;
        Header { kind: Kind::Data, length, writer, sequence, place, checksum: checksum(payload) }
    }

    /// The length of the whole frame.
    pub(crate) fn frame_len(&self) -> usize {
        HEADER_LEN + self.length as usize
    }

    pub(crate) fn encode(&self) -> [u8; HEADER_LEN] {
        let words = [
            u64::from_le_bytes(MAGIC),
            pair(self.kind as u32, self.length),
            pair(self.writer, self.sequence),
            self.place,
            self.checksum,
        ];
        let mut bytes = [0; HEADER_LEN];
        let (slots, _) = bytes.as_chunks_mut();
        for (slot, word) in slots.iter_mut().zip(words) {
            *slot = word.to_le_bytes();
        }
        let check = checksum(&bytes[..HEADER_LEN - 8]);
        bytes[HEADER_LEN - 8..].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    /// The header that stands there, if it is one in every bit.
    pub(crate) fn decode(bytes: &[u8; HEADER_LEN]) -> Option<Self> {
        if !bytes.starts_with(&MAGIC) {
            return None;
        }
        let word = |index: usize| {
            let (words, _) = bytes.as_chunks();
            u64::from_le_bytes(words[index])
        };
        if word(5) != checksum(&bytes[..HEADER_LEN - 8]) {
            return None;
        }
        let (kind, length) = unpair(word(1));
        let (writer, sequence) = unpair(word(2));
        let kind =
            [Kind::Hello, Kind::Data, Kind::Verdict].into_iter().find(|known| *known as u32 == kind)?;
        let header = Header { kind, length, writer, sequence, place: word(3), checksum: word(4) };
        (length as usize <= MAX_PAYLOAD).then_some(header)
    }
}

fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

#[allow(clippy::cast_possible_truncation, reason = "it takes the halves")]
fn unpair(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

/// A fast hash of the bytes and of where they stand. It is against accidents, not against an adversary.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let step = |lane: u64, word: u64| (lane ^ word).wrapping_mul(FACTOR).rotate_left(29);
    // Four lanes, because each waits for its own multiplication.
    let mut lanes = [1, 2, 3, 4];
    let (blocks, rest) = bytes.as_chunks::<32>();
    for block in blocks {
        let (words, _) = block.as_chunks();
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane = step(*lane, u64::from_le_bytes(*word));
        }
    }
    let whole = lanes.into_iter().fold(bytes.len() as u64, step);
    let sum = rest.iter().fold(whole, |sum, byte| step(sum, u64::from(*byte)));
    step(sum, sum >> 32)
}
