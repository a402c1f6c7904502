//! What is planned, and how what arrives is counted.

use crate::control::{Hello, Verdict};
use crate::frame::{HEADER_LEN, Header, Kind};
use crate::plan::{Plan, Pool};
use crate::tally::Tally;

fn plan(writers: u32, messages: u32, seed: u64) -> Plan {
    Plan { writers, messages, sizes: 100..=200, seed }
}

/// Counts frames given as writer, sequence and place.
fn count(frames: &[(u32, u32, u64)]) -> Verdict {
    let mut tally = Tally::default();
    for (writer, sequence, place) in frames {
        assert!(tally.count(&Header::data(*writer, *sequence, *place, b"")));
    }
    tally.verdict(&Hello { frames: 4, bytes: 0 })
}

#[test]
fn plan_every_message_is_some_writers() {
    for (writers, messages) in [(8, 512), (3, 10), (1, 1), (10, 3), (1000, 1001)] {
        let plan = plan(writers, messages, 1);
        assert_eq!((0..writers).map(|writer| plan.frames_of(writer)).sum::<u32>(), messages);
    }
}

#[test]
fn plan_the_bytes_it_announces_are_those_of_its_payloads() {
    let plan = plan(3, 50, 1);
    let pool = Pool::new(&plan);
    let sizes = (0..3).flat_map(|writer| {
        let (plan, pool) = (&plan, &pool);
        (0..plan.frames_of(writer)).map(move |sequence| pool.payload(plan, writer, sequence).as_ref().len())
    });
    let sizes: Vec<usize> = sizes.collect();
    assert!(sizes.iter().all(|size| plan.sizes.contains(size)));
    assert!(sizes.iter().any(|size| *size != sizes[0]), "all have the same size");
    assert_eq!(sizes.iter().map(|size| (size + HEADER_LEN) as u64).sum::<u64>(), plan.total_bytes());
}

#[test]
fn plan_a_payload_depends_on_seed_writer_and_sequence() {
    let payload = |seed, writer, sequence| {
        let plan = plan(8, 512, seed);
        Pool::new(&plan).payload(&plan, writer, sequence).as_ref().to_vec()
    };
    assert_eq!(payload(1, 2, 3), payload(1, 2, 3));
    for other in [payload(2, 2, 3), payload(1, 3, 3), payload(1, 2, 4), payload(1, 3, 2)] {
        assert_ne!(payload(1, 2, 3)[..100], other[..100]);
    }
}

#[test]
fn tally_all_frames_in_order_are_perfect() {
    let verdict = count(&[(0, 0, 0), (1, 0, 1), (0, 1, 2), (1, 1, 3)]);
    assert!(verdict.is_perfect(), "{verdict:?}");
    assert_eq!((verdict.whole, verdict.announced), (4, 4));
}

#[test]
fn tally_a_missing_frame_is_torn_and_the_rest_stays_in_order() {
    let verdict = count(&[(0, 0, 0), (0, 1, 2), (1, 1, 3)]);
    assert_eq!((verdict.whole, verdict.torn, verdict.out_of_order), (3, 1, 0));
    assert!(!verdict.is_perfect());
}

#[test]
fn tally_a_frame_behind_one_that_joined_the_queue_later_is_out_of_order() {
    assert_eq!(count(&[(0, 0, 0), (0, 1, 2), (1, 0, 1), (1, 1, 3)]).out_of_order, 1);
}

#[test]
fn tally_a_frame_behind_a_later_one_of_its_writer_or_twice_is_out_of_order() {
    assert_eq!(count(&[(0, 1, 0), (0, 0, 1), (1, 0, 2), (1, 1, 3)]).out_of_order, 1);
    assert_eq!(count(&[(0, 0, 0), (0, 0, 0), (1, 0, 2), (1, 1, 3)]).out_of_order, 1);
}

#[test]
fn tally_the_digest_tells_frames_apart_and_not_their_order() {
    let digest = |frames: &[_]| count(frames).digest;
    assert_eq!(digest(&[(0, 0, 0), (1, 0, 1)]), digest(&[(1, 0, 0), (0, 0, 1)]));
    assert_ne!(digest(&[(0, 0, 0), (1, 0, 1)]), digest(&[(0, 0, 0), (1, 1, 1)]));
}

#[test]
fn tally_only_the_frames_of_writers_are_counted() {
    assert!(!Tally::default().count(&Header::control(Kind::Verdict, b"")));
}

#[test]
fn control_what_the_ends_tell_each_other_is_the_same_when_it_arrives() {
    let verdict = Verdict { announced: 6, whole: 1, torn: 2, out_of_order: 3, bytes: u64::MAX, digest: 5 };
    let hello = Hello { frames: 7, bytes: 8 };
    let split = |frame: Vec<u8>| {
        let header = Header::decode(frame.first_chunk().unwrap()).unwrap();
        (header, frame[HEADER_LEN..].to_vec())
    };
    let (header, payload) = split(verdict.encode());
    assert_eq!(Verdict::decode(&header, &payload), Some(verdict));
    assert_eq!((Hello::decode(&header, &payload), Verdict::decode(&header, &payload[8..])), (None, None));
    let (header, payload) = split(hello.encode());
    assert_eq!(Hello::decode(&header, &payload), Some(hello));
}
