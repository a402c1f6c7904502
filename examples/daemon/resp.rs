//! From bytes to requests: RESP2 arrays of bulk strings, and lines as a person types them.

use std::ops::{Index, Range};

/// What one request may take. Nothing is set aside for what a client has only announced.
pub(crate) const MAX_ARGUMENTS: usize = 16 << 10;
pub(crate) const MAX_ARGUMENT: usize = 1 << 20;
pub(crate) const MAX_REQUEST: usize = 8 << 20;
const MAX_LINE: usize = 64 << 10;

/// Takes bytes as they come, and gives back whole requests. It looks at no byte twice, however they are cut up.
#[derive(Default)]
pub(crate) struct Parser {
    buffer: Vec<u8>,
    /// Where the request begins, up to where it has been understood, and up to where there is no end of a line.
    start: usize,
    at: usize,
    seen: usize,
    /// The arguments so far, counted from `start`; how many are to come, and the length of the next if it is known.
    args: Vec<Range<usize>>,
    missing: usize,
    length: Option<usize>,
}

/// The arguments of a whole request, at least one.
pub(crate) struct Request<'a> {
    bytes: &'a [u8],
    args: &'a [Range<usize>],
}

impl Request<'_> {
    pub(crate) fn len(&self) -> usize {
        self.args.len()
    }

    /// The arguments from one on.
    pub(crate) fn from(&self, first: usize) -> impl Iterator<Item = &[u8]> {
        self.args[first..].iter().map(|arg| &self.bytes[arg.clone()])
    }
}

impl Index<usize> for Request<'_> {
    type Output = [u8];

    fn index(&self, n: usize) -> &[u8] {
        &self.bytes[self.args[n].clone()]
    }
}

impl Parser {
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        (self.at, self.seen, self.start) = (self.at - self.start, self.seen - self.start, 0);
        self.buffer.extend_from_slice(bytes);
    }

    /// How many bytes it holds.
    pub(crate) fn held(&self) -> usize {
        self.buffer.capacity() + self.args.capacity() * size_of::<Range<usize>>()
    }

    /// The next whole request, if it is here. After an error nothing that follows makes sense.
    pub(crate) fn next(&mut self) -> Result<Option<Request<'_>>, String> {
        if self.missing == 0 {
            self.args.clear();
            if !self.begin()? {
                self.release();
                return Ok(None);
            }
        }
        while self.missing > 0 {
            if !self.argument()? {
                return Ok(None);
            }
        }
        Ok(Some(Request { bytes: &self.buffer[self.start..], args: &self.args }))
    }

    /// A connection that waits for its next request holds no memory of the last one.
    fn release(&mut self) {
        if self.start == self.buffer.len() {
            *self = Parser { args: std::mem::take(&mut self.args), ..Parser::default() };
            self.args.shrink_to(16);
        }
    }

    /// The first line of a request that is not empty.
    fn begin(&mut self) -> Result<bool, String> {
        loop {
            self.start = self.at;
            let Some(line) = self.line("too big inline request")? else { return Ok(false) };
            match self.buffer[line.clone()].strip_prefix(b"*") {
                Some(count) => {
                    let count = number(count).filter(|count| *count <= MAX_ARGUMENTS as i64);
                    let count = count.ok_or("invalid multibulk length")?;
                    self.missing = usize::try_from(count).unwrap_or(0);
                }
                None => words(&self.buffer, line, self.start, &mut self.args)?,
            }
            if self.missing > 0 || !self.args.is_empty() {
                return Ok(true);
            }
        }
    }

    /// The next argument of an array.
    fn argument(&mut self) -> Result<bool, String> {
        let length = match self.length {
            Some(length) => length,
            None => {
                let Some(line) = self.line("too big bulk count string")? else { return Ok(false) };
                let line = &self.buffer[line];
                let Some(length) = line.strip_prefix(b"$") else {
                    let got = line.first().map_or(' ', |byte| char::from(*byte));
                    return Err(format!("expected '$', got '{}'", got.escape_default()));
                };
                let length = number(length).and_then(|length| usize::try_from(length).ok());
                let length = length.filter(|length| *length <= MAX_ARGUMENT).ok_or("invalid bulk length")?;
                if self.at - self.start + length > MAX_REQUEST {
                    return Err("too big request".to_owned());
                }
                *self.length.insert(length)
            }
        };
        let end = self.at + length;
        let Some(after) = self.buffer.get(end..end + 2) else { return Ok(false) };
        if after != b"\r\n" {
            return Err("expected the end of a bulk string".to_owned());
        }
        self.args.push(self.at - self.start..end - self.start);
        (self.at, self.seen) = (end + 2, end + 2);
        (self.missing, self.length) = (self.missing - 1, None);
        Ok(true)
    }

    /// The next line, without its end.
    fn line(&mut self, too_long: &str) -> Result<Option<Range<usize>>, String> {
        let from = self.at;
        let Some(found) = self.buffer[self.seen..].iter().position(|byte| *byte == b'\n') else {
            self.seen = self.buffer.len();
            return if self.seen - from > MAX_LINE { Err(too_long.to_owned()) } else { Ok(None) };
        };
        let end = self.seen + found;
        (self.at, self.seen) = (end + 1, end + 1);
        let end = if self.buffer[from..end].ends_with(b"\r") { end - 1 } else { end };
        if end - from > MAX_LINE { Err(too_long.to_owned()) } else { Ok(Some(from..end)) }
    }
}

/// Digits, perhaps behind a minus, and nothing else.
pub(crate) fn number(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let plain = digits.iter().all(u8::is_ascii_digit) && (digits == b"0" || !digits.starts_with(b"0"));
    if plain && text != b"-0" { std::str::from_utf8(text).ok()?.parse().ok() } else { None }
}

/// The words of a line, quoted or not.
fn words(bytes: &[u8], line: Range<usize>, start: usize, into: &mut Vec<Range<usize>>) -> Result<(), String> {
    let mut at = line.start;
    while at < line.end {
        let quote = Some(bytes[at]).filter(|byte| b"\"'".contains(byte));
        let from = at + usize::from(quote.is_some());
        let is_end = |byte: &u8| quote.map_or(byte.is_ascii_whitespace(), |quote| *byte == quote);
        let length = bytes[from..line.end].iter().position(is_end);
        if quote.is_some() && length.is_none() {
            return Err("unbalanced quotes in request".to_owned());
        }
        let end = length.map_or(line.end, |length| from + length);
        if quote.is_some() || end > from {
            into.push(from - start..end - start);
        }
        at = end + 1;
    }
    if into.len() > MAX_ARGUMENTS { Err("invalid multibulk length".to_owned()) } else { Ok(()) }
}
