//! The parser of the example `daemon`: never panics, gives the same in pieces as at once, and what it gives can be written and read
//! again.

#![no_main]

#[path = "../../tests/daemon/pieces.rs"]
mod pieces;
#[allow(dead_code, reason = "replies are not looked at")]
#[path = "../../examples/daemon/resp.rs"]
mod resp;
/// All that the parser's module knows of the store.
mod store {
    pub(crate) type Bytes = std::sync::Arc<[u8]>;
}

use libfuzzer_sys::fuzz_target;

use pieces::Seen;

// The first byte says how long the pieces are.
fuzz_target!(|bytes: &[u8]| {
    let Some((length, bytes)) = bytes.split_first() else { return };
    let (mut whole, mut pieces) = (Seen::default(), Seen::default());
    whole.add(bytes);
    bytes.chunks(usize::from(*length) + 1).for_each(|piece| pieces.add(piece));
    assert_eq!(whole, pieces);

    let mut written = Vec::new();
    for request in &whole.requests {
        written.extend_from_slice(format!("*{}\r\n", request.len()).as_bytes());
        for arg in request {
            resp::write_bulk(&mut written, arg).expect("memory takes it");
        }
    }
    let mut again = Seen::default();
    again.add(&written);
    assert_eq!((again.requests, again.error), (whole.requests, None));
});
