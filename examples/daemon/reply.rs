//! From results to bytes: the replies of RESP2.

use std::borrow::Cow;
use std::io::{Result, Write};

use crate::store::Bytes;

pub(crate) enum Reply {
    Status(&'static str),
    Int(i64),
    Null,
    Text(Vec<u8>),
    Value(Bytes),
    Array(Vec<Reply>),
}

/// What is said of a request that failed: a kind, such as ERR, and the rest of the line.
pub(crate) type Failure = Cow<'static, str>;

impl Reply {
    pub(crate) fn write(&self, into: &mut Vec<u8>) -> Result<()> {
        match self {
            Reply::Status(text) => write!(into, "+{text}\r\n"),
            Reply::Int(number) => write!(into, ":{number}\r\n"),
            Reply::Null => write!(into, "$-1\r\n"),
            Reply::Text(text) => write_bulk(into, text),
            Reply::Value(value) => write_bulk(into, value),
            Reply::Array(replies) => {
                write!(into, "*{}\r\n", replies.len())?;
                replies.iter().try_for_each(|reply| reply.write(into))
            }
        }
    }
}

pub(crate) fn write_failure(into: &mut Vec<u8>, failure: &Failure) {
    into.extend_from_slice(format!("-{}\r\n", failure.replace(['\r', '\n'], " ")).as_bytes());
}

/// A bulk string, which is what the arguments of a request are too.
pub(crate) fn write_bulk(into: &mut impl Write, bytes: &[u8]) -> Result<()> {
    write!(into, "${}\r\n", bytes.len())?;
    into.write_all(bytes)?;
    into.write_all(b"\r\n")
}
