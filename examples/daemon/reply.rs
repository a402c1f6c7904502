//! Replies, and how RESP2 writes them.

use std::borrow::Cow;
use std::io::Write;

use crate::store::Bytes;

pub(crate) enum Reply {
    Status(&'static str),
    /// The kind, such as ERR, and the rest of the line.
    Error(Cow<'static, str>),
    Int(i64),
    Null,
    Text(Vec<u8>),
    Value(Bytes),
    Array(Vec<Reply>),
}

/// A stretch of replies, for `writev_send`. Large values are shared with the store until they have left.
pub(crate) enum Piece {
    Text(Vec<u8>),
    Value(Bytes),
}

/// Larger values are shared, others copied.
const COPIED: usize = 1024;

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        match self {
            Piece::Text(text) => text,
            Piece::Value(value) => value,
        }
    }
}

/// Replies that have not been handed to a write yet.
#[derive(Default)]
pub(crate) struct Outgoing {
    before: Vec<Piece>,
    text: Vec<u8>,
    length: usize,
}

impl Outgoing {
    /// How many bytes they are.
    pub(crate) fn len(&self) -> usize {
        self.length + self.text.len()
    }

    pub(crate) fn put(&mut self, reply: &Reply) {
        // Writing to memory does not fail.
        let _ = match reply {
            Reply::Status(text) => write!(self.text, "+{text}\r\n"),
            Reply::Error(text) => write!(self.text, "-{}\r\n", text.replace(['\r', '\n'], " ")),
            Reply::Int(number) => write!(self.text, ":{number}\r\n"),
            Reply::Null => write!(self.text, "$-1\r\n"),
            Reply::Array(replies) => {
                let _ = write!(self.text, "*{}\r\n", replies.len());
                return replies.iter().for_each(|reply| self.put(reply));
            }
            Reply::Value(value) if value.len() > COPIED => {
                let _ = write!(self.text, "${}\r\n", value.len());
                self.length += self.text.len() + value.len();
                self.before
                    .extend([Piece::Text(std::mem::take(&mut self.text)), Piece::Value(value.clone())]);
                write!(self.text, "\r\n")
            }
            Reply::Value(value) => bulk(&mut self.text, value),
            Reply::Text(text) => bulk(&mut self.text, text),
        };
    }

    pub(crate) fn into_pieces(mut self) -> Vec<Piece> {
        self.before.push(Piece::Text(self.text));
        self.before
    }
}

/// A bulk string, which is also what the arguments of a request are.
pub(crate) fn bulk(into: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
    write!(into, "${}\r\n", bytes.len())?;
    into.write_all(bytes)?;
    into.write_all(b"\r\n")
}
