//! Keeping count of what arrives.

use std::collections::HashMap;

use crate::control::{Hello, Verdict};
use crate::frame::{Header, Kind};

/// What has arrived so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    whole: u64,
    out_of_order: u64,
    digest: u64,
    /// The place behind the farthest so far.
    next_place: u64,
    /// For each writer the sequence behind its farthest so far.
    next_sequence: HashMap<u32, u32>,
}

impl Tally {
    /// A frame has arrived whole; false if no such frame may come here.
    ///
    /// It is out of order when one that joined the queue later, or one that its writer sent later, was here before it.
    /// Where frames are missing the rest can still be in order.
    pub(crate) fn count(&mut self, header: &Header) -> bool {
        if header.kind != Kind::Data {
            return false;
        }
        let next_sequence = self.next_sequence.entry(header.writer).or_default();
        let in_order = header.place >= self.next_place && header.sequence >= *next_sequence;
        self.next_place = self.next_place.max(header.place.saturating_add(1));
        *next_sequence = (*next_sequence).max(header.sequence.saturating_add(1));
        self.whole += 1;
        self.out_of_order += u64::from(!in_order);
        // The sum does not depend on the order, which is counted apart; the place in the queue is the order itself.
        let name = u64::from(header.writer) << 32 | u64::from(header.sequence);
        self.digest = self.digest.wrapping_add(header.checksum ^ name.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        true
    }

    pub(crate) fn whole(&self) -> u64 {
        self.whole
    }

    /// When all bytes have arrived: what is not whole now was torn.
    pub(crate) fn verdict(&self, hello: &Hello) -> Verdict {
        Verdict {
            announced: hello.frames,
            whole: self.whole,
            torn: hello.frames.saturating_sub(self.whole),
            out_of_order: self.out_of_order,
            bytes: hello.bytes,
            digest: self.digest,
        }
    }
}
