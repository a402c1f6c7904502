//! What is to be sent: drawn from the seed, so that the same seed gives the same frames.

use std::ops::RangeInclusive;
use std::rc::Rc;

use crate::frame::HEADER_LEN;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) writers: u32,
    /// Of all writers together.
    pub(crate) messages: u32,
    pub(crate) sizes: RangeInclusive<usize>,
    pub(crate) seed: u64,
}

impl Plan {
    /// How many frames that writer sends.
    pub(crate) fn frames_of(&self, writer: u32) -> u32 {
        self.messages / self.writers + u32::from(writer < self.messages % self.writers)
    }

    /// How many bytes all frames are together.
    pub(crate) fn total_bytes(&self) -> u64 {
        let frames = (0..self.writers).flat_map(|w| (0..self.frames_of(w)).map(move |s| (w, s)));
        frames.map(|(writer, sequence)| (HEADER_LEN + self.size_of(writer, sequence)) as u64).sum()
    }

    fn size_of(&self, writer: u32, sequence: u32) -> usize {
        let choices = self.sizes.end() - self.sizes.start() + 1;
        self.sizes.start() + pick(self.draw(writer, sequence), choices)
    }

    /// A number that depends on the seed and the frame, and on nothing else.
    fn draw(&self, writer: u32, sequence: u32) -> u64 {
        mix(mix(self.seed) ^ u64::from(writer) << 32 ^ u64::from(sequence))
    }
}

/// Random bytes that all payloads are windows on, so that a thousand frames of 64 MiB can wait in a queue.
#[derive(Clone, Debug)]
pub(crate) struct Pool(Rc<[u8]>);

/// So many places a window can begin at: two frames rarely have the same bytes in the same place.
const PLACES: usize = 1 << 20;

impl Pool {
    pub(crate) fn new(plan: &Plan) -> Self {
        let words = (plan.sizes.end() + PLACES).div_ceil(8) as u64;
        Pool((0..words).flat_map(|word| mix(mix(!plan.seed) ^ word).to_le_bytes()).collect())
    }

    /// The payload of that frame.
    pub(crate) fn payload(&self, plan: &Plan, writer: u32, sequence: u32) -> Window {
        let start = pick(mix(plan.draw(writer, sequence)), PLACES);
        Window { pool: Rc::clone(&self.0), start, len: plan.size_of(writer, sequence) }
    }
}

/// The payload of one frame.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pool: Rc<[u8]>,
    start: usize,
    len: usize,
}

impl AsRef<[u8]> for Window {
    fn as_ref(&self) -> &[u8] {
        &self.pool[self.start..self.start + self.len]
    }
}

/// One of so many, by a random number.
#[allow(clippy::cast_possible_truncation, reason = "the remainder is below `choices`, which fits")]
fn pick(random: u64, choices: usize) -> usize {
    (random % choices as u64) as usize
}

/// Splitmix64: spreads each bit over all.
fn mix(number: u64) -> u64 {
    let n = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ n >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ n >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ n >> 31
}
