//! From results to bytes: the replies of RESP2.

use std::borrow::Cow;
use std::io::{self, Write};

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
    pub(crate) fn int(number: usize) -> Reply {
        Reply::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }

    pub(crate) fn text(text: impl AsRef<[u8]>) -> Reply {
        Reply::Text(text.as_ref().to_vec())
    }
}

pub(crate) fn write_reply(into: &mut Vec<u8>, reply: Result<&Reply, &Failure>) {
    let _ = match reply {
        Err(failure) => write!(into, "-{}\r\n", failure.replace(['\r', '\n'], " ")),
        Ok(Reply::Status(text)) => write!(into, "+{text}\r\n"),
        Ok(Reply::Int(number)) => write!(into, ":{number}\r\n"),
        Ok(Reply::Null) => write!(into, "$-1\r\n"),
        Ok(Reply::Text(text)) => write_bulk(into, text),
        Ok(Reply::Value(value)) => write_bulk(into, value),
        Ok(Reply::Array(replies)) => {
            let begun = write!(into, "*{}\r\n", replies.len());
            for reply in replies {
                write_reply(into, Ok(reply));
            }
            begun
        }
    }; // memory takes all of it
}

/// A bulk string, which is what the arguments of a request are too.
pub(crate) fn write_bulk(into: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    write!(into, "${}\r\n", bytes.len())?;
    into.write_all(bytes)?;
    into.write_all(b"\r\n")
}
