//! RESP2: from bytes to requests, arrays of bulk strings or lines as a person types them; and from replies to bytes.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::store::Bytes;

/// What one request may take; and so a value, which is an argument in a snapshot. Nothing is set aside for what is only announced.
pub(crate) const MAX_ARGUMENTS: usize = 4096;
pub(crate) const MAX_ARGUMENT: usize = 1 << 20;
pub(crate) const MAX_REQUEST: usize = 2 << 20;
const MAX_LINE: usize = 64 << 10;

/// Something, if it is there whole, and the bytes behind it.
type Parsed<'a, T> = Result<Option<(T, &'a [u8])>, String>;

/// The arguments of the first request in some bytes; none if it is an empty line.
pub(crate) fn parse(bytes: &[u8]) -> Parsed<'_, Vec<&[u8]>> {
    let Some((line, mut rest)) = take_line(bytes, "too big inline request")? else { return Ok(None) };
    let Some(count) = line.strip_prefix(b"*") else {
        let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        return Ok(Some((words.collect(), rest)));
    };
    let count = number(count).map(|count| usize::try_from(count).unwrap_or(0)); // less than none is none
    let count = count.filter(|count| *count <= MAX_ARGUMENTS).ok_or("invalid multibulk length")?;
    let mut args = Vec::new();
    for _ in 0..count {
        let Some((arg, after)) = take_bulk(rest)? else {
            return if bytes.len() <= MAX_REQUEST { Ok(None) } else { Err("too big request".to_owned()) };
        };
        args.push(arg);
        rest = after;
    }
    Ok(Some((args, rest)))
}

fn take_bulk(bytes: &[u8]) -> Parsed<'_, &[u8]> {
    let Some((line, rest)) = take_line(bytes, "too big bulk count string")? else { return Ok(None) };
    let Some(length) = line.strip_prefix(b"$") else {
        let got = char::from(*line.first().unwrap_or(&b' '));
        return Err(format!("expected '$', got '{}'", got.escape_default()));
    };
    let length = number(length).and_then(|length| usize::try_from(length).ok());
    let length = length.filter(|length| *length <= MAX_ARGUMENT).ok_or("invalid bulk length")?;
    match rest.split_at_checked(length) {
        Some((arg, [b'\r', b'\n', rest @ ..])) => Ok(Some((arg, rest))),
        Some((_, [] | [b'\r'])) | None => Ok(None),
        Some(_) => Err("a bulk string does not end where it should".to_owned()),
    }
}

/// The first line without its end.
fn take_line<'a>(bytes: &'a [u8], too_long: &str) -> Parsed<'a, &'a [u8]> {
    match bytes[..bytes.len().min(MAX_LINE)].iter().position(|byte| *byte == b'\n') {
        None if bytes.len() < MAX_LINE => Ok(None),
        None => Err(too_long.to_owned()),
        Some(end) => Ok(Some((bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]), &bytes[end + 1..]))),
    }
}

/// An integer as RESP and INCR write it: no plus, no zeros in front, no spaces.
pub(crate) fn number(text: &[u8]) -> Option<i64> {
    let odd = matches!(text, [b'+', ..] | [b'0', _, ..] | [b'-', b'0', ..]);
    if odd { None } else { std::str::from_utf8(text).ok()?.parse().ok() }
}

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

pub(crate) const OK: Reply = Reply::Status("OK");

impl Reply {
    pub(crate) fn int(number: usize) -> Reply {
        Reply::Int(number.cast_signed() as i64)
    }

    pub(crate) fn text(text: impl AsRef<[u8]>) -> Reply {
        Reply::Text(text.as_ref().to_vec())
    }
}

pub(crate) fn write_reply(into: &mut Vec<u8>, reply: Result<&Reply, &Failure>) -> io::Result<()> {
    match reply {
        Err(failure) => write!(into, "-{}\r\n", failure.replace(['\r', '\n'], " ")),
        Ok(Reply::Status(text)) => write!(into, "+{text}\r\n"),
        Ok(Reply::Int(number)) => write!(into, ":{number}\r\n"),
        Ok(Reply::Null) => write!(into, "$-1\r\n"),
        Ok(Reply::Text(text)) => write_bulk(into, text),
        Ok(Reply::Value(value)) => write_bulk(into, value),
        Ok(Reply::Array(replies)) => {
            write!(into, "*{}\r\n", replies.len())?;
            replies.iter().try_for_each(|reply| write_reply(into, Ok(reply)))
        }
    }
}

/// A bulk string, which is what the arguments of a request are too.
pub(crate) fn write_bulk(into: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    write!(into, "${}\r\n", bytes.len())?;
    into.write_all(bytes)?;
    into.write_all(b"\r\n")
}
