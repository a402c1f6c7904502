//! The parser of the example `daemon` on any bytes in any pieces. `fuzz/` does the same with a fuzzer that sees its branches.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "daemon/pieces.rs"]
mod pieces;
#[allow(dead_code, reason = "replies are not looked at")]
#[path = "../examples/daemon/resp.rs"]
mod resp;
/// All that the parser's module knows of the store.
mod store {
    pub(crate) type Bytes = std::sync::Arc<[u8]>;
}

use proptest::collection::vec;
use proptest::prelude::*;

use pieces::{Request, Seen};
use resp::{MAX_ARGUMENT, MAX_REQUEST, write_bulk};

/// All of it, cut there.
fn of(bytes: &[u8], cuts: &[prop::sample::Index]) -> Seen {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let (mut seen, mut begin) = (Seen::default(), 0);
    for cut in cuts.into_iter().chain([bytes.len()]) {
        seen.add(&bytes[begin..cut]);
        begin = cut;
    }
    seen
}

fn written(requests: &[Request]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for request in requests {
        bytes.extend(format!("*{}\r\n", request.len()).bytes());
        for arg in request {
            write_bulk(&mut bytes, arg).unwrap();
        }
    }
    bytes
}

/// Bytes that look like protocol, more or less.
fn nearly_protocol() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        4 => Just("\r\n".to_owned()),
        2 => Just("*".to_owned()),
        2 => Just("$".to_owned()),
        4 => (-1..6_i32).prop_map(|n| n.to_string()),
        2 => (1..4_i32).prop_map(|n| format!("*{n}\r\n")),
        4 => (0..4_usize).prop_map(|n| format!("${n}\r\n{}\r\n", &"abc"[..n])),
        1 => prop::sample::select(vec!["4096", "4097", "1048576", "1048577", "9223372036854775808", "00", "-0", "+1"])
            .prop_map(str::to_owned),
        1 => "[ -~]{0,4}",
        1 => Just("\n".to_owned()),
        1 => Just("\r".to_owned()),
    ];
    vec(word, 0..30).prop_map(|words| words.concat().into_bytes())
}

fn cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    vec(any::<prop::sample::Index>(), 0..12)
}

fn requests() -> impl Strategy<Value = Vec<Request>> {
    let arg = prop_oneof![9 => vec(any::<u8>(), 0..20), 1 => vec(any::<u8>(), 0..3000)];
    vec(vec(arg, 0..8), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_give_the_same_in_pieces_as_at_once(bytes in vec(any::<u8>(), 0..400), cuts in cuts()) {
        prop_assert_eq!(of(&bytes, &cuts), of(&bytes, &[]));
    }

    #[test]
    fn what_looks_like_protocol_gives_the_same_in_pieces_as_at_once(
        bytes in nearly_protocol(),
        cuts in cuts(),
    ) {
        prop_assert_eq!(of(&bytes, &cuts), of(&bytes, &[]));
    }

    #[test]
    fn what_was_written_comes_back(requests in requests(), cuts in cuts()) {
        let seen = of(&written(&requests), &cuts);
        prop_assert_eq!(seen, Seen { requests, ..Seen::default() });
    }

    #[test]
    fn one_byte_wrong_harms_nothing_before_it(
        requests in requests(),
        cuts in cuts(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = written(&requests);
        prop_assume!(!bytes.is_empty());
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let whole = (0..requests.len()).take_while(|n| written(&requests[..=*n]).len() <= at).count();
        let seen = of(&bytes, &cuts);
        prop_assert_eq!(&seen.requests[..whole], &requests[..whole]);
    }
}

#[test]
fn byte_by_byte_is_as_at_once() {
    let requests: Vec<Request> = vec![
        vec![b"SET".to_vec(), b"\r\n$1\r\n".to_vec(), Vec::new()],
        Vec::new(),
        vec![b"*1\r\n".repeat(50)],
    ];
    let bytes = [&written(&requests), &b" PING  a\tb \n\r\n*-7\r\n"[..]].concat();
    let mut seen = Seen::default();
    for byte in &bytes {
        seen.add(&[*byte]);
    }
    let typed = vec![b"PING".to_vec(), b"a".to_vec(), b"b".to_vec()];
    assert_eq!(seen.requests, [&requests[..], &[typed, Vec::new(), Vec::new()]].concat());
    assert!(seen.input.is_empty() && seen.error.is_none());
}

#[test]
fn what_never_ends_is_an_error_before_it_is_too_big() {
    const PIECE: usize = 64 << 10; // as much as the daemon reads at a time
    let large = format!("${MAX_ARGUMENT}\r\n{}\r\n", "x".repeat(MAX_ARGUMENT));
    let small = format!("$1000\r\n{}\r\n", "x".repeat(1000));
    for (begin, rest, complaint) in [
        ("*4096\r\n", large.as_str(), "too big request"),
        ("", "x", "too big inline request"),
        ("*", "1", "too big inline request"),
        ("*2\r\n", "$", "too big bulk count string"),
        ("*4096\r\n", "\0", "too big bulk count string"),
        ("*4096\r\n", &small, "too big request"),
    ] {
        let endless = begin.bytes().chain(rest.bytes().cycle()).take(2 * MAX_REQUEST).collect::<Vec<_>>();
        let mut seen = Seen::default();
        for piece in endless.chunks(PIECE) {
            seen.add(piece);
            assert!(seen.input.len() <= MAX_REQUEST + PIECE);
        }
        let error = seen.error.unwrap();
        assert!(error.starts_with(complaint), "{error}");
    }
}
