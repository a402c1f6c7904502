//! What the ends tell each other: the writing end what it will send, the reading end what has arrived.

use crate::frame::{HEADER_LEN, Header, Kind};

/// The first frame of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hello {
    /// How many frames of writers will follow.
    pub(crate) frames: u64,
    /// How many bytes those are, headers included.
    pub(crate) bytes: u64,
}

/// What has arrived, once all bytes have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) announced: u64,
    pub(crate) whole: u64,
    pub(crate) torn: u64,
    pub(crate) out_of_order: u64,
    pub(crate) bytes: u64,
    /// One number for all whole frames, in whatever order: the same seed gives the same.
    pub(crate) digest: u64,
}

impl Verdict {
    pub(crate) fn is_perfect(&self) -> bool {
        self.whole == self.announced && self.torn == 0 && self.out_of_order == 0
    }
}

impl Hello {
    pub(crate) fn encode(&self) -> Vec<u8> {
        encode(Kind::Hello, &[self.frames, self.bytes])
    }

    pub(crate) fn decode(header: &Header, payload: &[u8]) -> Option<Self> {
        let [frames, bytes] = decode(Kind::Hello, header, payload)?;
        Some(Hello { frames, bytes })
    }
}

impl Verdict {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let Verdict { announced, whole, torn, out_of_order, bytes, digest } = *self;
        encode(Kind::Verdict, &[announced, whole, torn, out_of_order, bytes, digest])
    }

    pub(crate) fn decode(header: &Header, payload: &[u8]) -> Option<Self> {
        let [announced, whole, torn, out_of_order, bytes, digest] = decode(Kind::Verdict, header, payload)?;
        Some(Verdict { announced, whole, torn, out_of_order, bytes, digest })
    }
}

fn encode(kind: Kind, numbers: &[u64]) -> Vec<u8> {
    let payload: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    let mut frame = Vec::with_capacity(HEADER_LEN + payload.len());
    frame.extend(Header::control(kind, &payload).encode());
    frame.extend(payload);
    frame
}

fn decode<const N: usize>(kind: Kind, header: &Header, payload: &[u8]) -> Option<[u64; N]> {
    let (numbers, rest) = payload.as_chunks();
    let fits = header.kind == kind && rest.is_empty();
    let numbers: &[[u8; 8]; N] = fits.then(|| numbers.try_into().ok())??;
    Some(numbers.map(u64::from_le_bytes))
}
