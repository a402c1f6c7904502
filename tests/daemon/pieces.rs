//! The parser as a connection uses it: bytes arrive in pieces. For its tests and the fuzzer.

use crate::resp::parse;

pub(crate) type Request = Vec<Vec<u8>>;

/// What a connection has seen: the requests, and how it ended if that was an error.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Seen {
    pub(crate) requests: Vec<Request>,
    pub(crate) error: Option<String>,
    /// What has arrived and is not done.
    pub(crate) input: Vec<u8>,
}

impl Seen {
    /// As a connection of the daemon does it.
    pub(crate) fn add(&mut self, piece: &[u8]) {
        if self.error.is_some() {
            return;
        }
        self.input.extend_from_slice(piece);
        loop {
            match parse(&self.input) {
                Ok(None) => return,
                Ok(Some((args, rest))) => {
                    assert!(rest.len() < self.input.len());
                    let (args, done) =
                        (args.into_iter().map(<[u8]>::to_vec).collect(), self.input.len() - rest.len());
                    self.requests.push(args);
                    self.input.drain(..done);
                }
                Err(error) => {
                    assert!(!error.contains(['\r', '\n']), "{error:?}");
                    self.error = Some(error);
                    self.input.clear(); // what follows is not looked at
                    return;
                }
            }
        }
    }
}
