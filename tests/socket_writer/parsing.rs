//! Finding frames, whole and torn.

use crate::frame::{HEADER_LEN, Header, Kind, MAGIC, MAX_PAYLOAD};
use crate::parser::Parser;

fn frame(writer: u32, length: u8) -> Vec<u8> {
    let payload: Vec<u8> = (0..length).map(|byte| byte ^ writer.to_le_bytes()[0]).collect();
    [&Header::data(writer, 0, 0, &payload).encode()[..], &payload].concat()
}

/// The writers of the whole frames in these chunks, and how many bytes belong to none.
fn parse<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u32>, u64) {
    let (mut parser, mut found) = (Parser::default(), Vec::new());
    for chunk in chunks {
        parser.room()[..chunk.len()].copy_from_slice(chunk);
        parser.filled(chunk.len());
        take(&mut parser, &mut found);
    }
    parser.close();
    take(&mut parser, &mut found);
    (found, parser.skipped())
}

fn take(parser: &mut Parser, found: &mut Vec<u32>) {
    while let Some((header, payload)) = parser.next_frame() {
        assert_eq!(payload.len(), header.length as usize);
        found.push(header.writer);
    }
}

#[test]
fn frame_a_header_is_the_same_after_encoding_and_decoding() {
    let header = Header::data(7, 9, u64::MAX - 1, b"payload");
    assert_eq!(Header::decode(&header.encode()), Some(header));
    assert_eq!((header.length, header.frame_len()), (7, HEADER_LEN + 7));
}

#[test]
fn frame_a_header_with_any_bit_turned_is_none() {
    let whole = Header::data(7, 9, 11, b"payload").encode();
    for bit in 0..HEADER_LEN * 8 {
        let mut damaged = whole;
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Header::decode(&damaged), None, "bit {bit}");
    }
}

#[test]
fn frame_a_header_that_promises_too_much_is_none() {
    let length = u32::try_from(MAX_PAYLOAD).unwrap();
    let largest = Header { length, ..Header::control(Kind::Data, b"") };
    assert!(Header::decode(&largest.encode()).is_some());
    let absurd = Header { length: length + 1, ..largest };
    assert_eq!(Header::decode(&absurd.encode()), None);
}

#[test]
fn parser_whole_frames_are_found_however_the_stream_is_cut() {
    let stream = [frame(1, 0), frame(2, 200), frame(3, 1), frame(4, 31)].concat();
    for size in 1..=stream.len() {
        assert_eq!(parse(stream.chunks(size)), (vec![1, 2, 3, 4], 0), "chunks of {size}");
    }
}

#[test]
fn parser_a_frame_inside_a_torn_one_is_found_wherever_it_was_torn() {
    let (torn, inside, behind) = (frame(1, 100), frame(2, 50), frame(3, 10));
    for cut in 1..torn.len() {
        let (begin, end) = torn.split_at(cut);
        let stream = [begin, &inside, end, &behind].concat();
        let expected = (vec![2, 3], torn.len() as u64);
        assert_eq!(parse([&stream[..]]), expected, "cut at {cut}");
        assert_eq!(parse(stream.chunks(7)), expected, "cut at {cut}, in small chunks");
    }
}

#[test]
fn parser_two_frames_woven_into_each_other_are_both_torn() {
    let (one, two, behind) = (frame(1, 120), frame(2, 120), frame(3, 10));
    let woven: Vec<u8> = one.chunks(60).zip(two.chunks(60)).flat_map(|(a, b)| [a, b].concat()).collect();
    assert_eq!(parse([&woven[..], &behind]), (vec![3], 2 * 168));
}

#[test]
fn parser_a_damaged_payload_costs_its_own_frame_only() {
    let mut damaged = frame(2, 100);
    damaged[HEADER_LEN + 50] ^= 1;
    let stream = [frame(1, 10), damaged.clone(), frame(3, 10)].concat();
    assert_eq!(parse(stream.chunks(64)), (vec![1, 3], damaged.len() as u64));
}

#[test]
fn parser_a_magic_that_is_no_header_is_passed_over_also_across_chunks() {
    let junk = [&b"junk"[..], &MAGIC, &MAGIC[..5], &b"more junk"[..]].concat();
    let stream = [&junk, &frame(5, 20)[..]].concat();
    for size in 1..=stream.len() {
        assert_eq!(parse(stream.chunks(size)), (vec![5], junk.len() as u64), "chunks of {size}");
    }
}

#[test]
fn parser_what_a_frame_that_is_never_complete_has_swallowed_is_found_at_the_end() {
    let swallowed = [&frame(1, 200)[..HEADER_LEN], &frame(2, 20)].concat();
    let mut parser = Parser::default();
    parser.room()[..swallowed.len()].copy_from_slice(&swallowed);
    parser.filled(swallowed.len());
    assert!(parser.next_frame().is_none(), "it may still become complete");
    parser.close();
    assert_eq!(parser.next_frame().map(|(header, _)| header.writer), Some(2));
    assert!(parser.next_frame().is_none());
}

#[test]
fn parser_a_frame_larger_than_its_first_buffer_is_found() {
    let payload = vec![9; 3 << 20];
    let large = [&Header::data(1, 0, 0, &payload).encode()[..], &payload].concat();
    let stream = [frame(0, 9), large, frame(2, 9)].concat();
    assert_eq!(parse(stream.chunks(100_000)), (vec![0, 1, 2], 0));
}
