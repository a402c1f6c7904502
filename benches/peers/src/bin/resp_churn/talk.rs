//! A connection: what is still to be sent on it, and what must come back.

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use tevent_peers::Random;

/// Does not block.
#[derive(Debug)]
pub(crate) struct Talk {
    socket: TcpStream,
    to_send: Vec<u8>,
    expected: Vec<u8>,
    /// How much of `expected` has come.
    came: usize,
    bytes: u64,
}

impl Talk {
    pub(crate) fn connect(port: u16) -> std::io::Result<Self> {
        let socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(Talk { socket, to_send: Vec::new(), expected: Vec::new(), came: 0, bytes: 0 })
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Another request, to which `reply` is the right one.
    pub(crate) fn ask(&mut self, request: &[&[u8]], reply: &[u8]) {
        put_request(&mut self.to_send, request);
        self.expected.extend_from_slice(reply);
    }

    /// Of the last request only the first bytes will be sent; it gets no reply.
    pub(crate) fn ask_in_part(&mut self, request: &[&[u8]], random: &mut Random) {
        let before = self.to_send.len();
        put_request(&mut self.to_send, request);
        let length = self.to_send.len() - before;
        self.to_send.truncate(before + 1 + random.below(length - 1));
    }

    pub(crate) fn has_more(&self) -> bool {
        !self.to_send.is_empty()
    }

    pub(crate) fn is_answered(&self) -> bool {
        !self.has_more() && self.came == self.expected.len()
    }

    /// Sends as much as the socket takes now.
    pub(crate) fn send(&mut self) -> Result<(), Box<dyn Error>> {
        let mut sent = 0;
        while sent < self.to_send.len() {
            match self.socket.write(&self.to_send[sent..]) {
                Ok(n) => sent += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.to_send.drain(..sent);
        Ok(())
    }

    /// Takes what has come, which must be what was expected. Says whether the server has closed.
    pub(crate) fn hear(&mut self) -> Result<bool, Box<dyn Error>> {
        let mut buffer = [0; 16384];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => return Ok(true),
                Ok(n) => self.compare(&buffer[..n])?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn compare(&mut self, heard: &[u8]) -> Result<(), Box<dyn Error>> {
        let rest = &self.expected[self.came..];
        if !rest.starts_with(heard) {
            let same = rest.iter().zip(heard).take_while(|(a, b)| a == b).count();
            let shown =
                |bytes: &[u8]| bytes[same.saturating_sub(20)..].iter().take(60).copied().collect::<Vec<_>>();
            let (rest, heard) = (shown(rest), shown(heard));
            return Err(format!("expected {}, not {}", rest.escape_ascii(), heard.escape_ascii()).into());
        }
        self.came += heard.len();
        self.bytes += heard.len() as u64;
        if self.came == self.expected.len() {
            self.expected.clear();
            self.came = 0;
        }
        Ok(())
    }

    /// Says that nothing more will be sent.
    pub(crate) fn half_close(&self) -> std::io::Result<()> {
        self.socket.shutdown(Shutdown::Write)
    }
}

fn put_request(to: &mut Vec<u8>, arguments: &[&[u8]]) {
    to.extend_from_slice(format!("*{}\r\n", arguments.len()).as_bytes());
    for argument in arguments {
        to.extend_from_slice(&bulk(argument));
    }
}

/// A string as it goes over the wire.
pub(crate) fn bulk(bytes: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// Bytes that nobody else has, of any value and mostly few.
pub(crate) fn payload(who: u64, number: u64, random: &mut Random) -> Vec<u8> {
    let length = match random.below(100) {
        0 => random.below(200_000),
        1..10 => random.below(10_000),
        _ => random.below(200),
    };
    let mut bytes = format!("{who}:{number}:").into_bytes();
    while bytes.len() < length {
        bytes.extend_from_slice(&random.draw().to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A talk that has asked for two things, and its other end.
    fn asked() -> Result<(Talk, TcpStream), Box<dyn Error>> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let mut talk = Talk::connect(listener.local_addr()?.port())?;
        talk.ask(&[b"ECHO", b"a"], &bulk(b"a"));
        talk.ask(&[b"GET", b"nothing"], b"$-1\r\n");
        talk.send()?;
        let (mut server, _address) = listener.accept()?;
        let asked = *b"*2\r\n$4\r\nECHO\r\n$1\r\na\r\n*2\r\n$3\r\nGET\r\n$7\r\nnothing\r\n";
        let mut heard = asked.map(|_| 0);
        server.read_exact(&mut heard)?;
        assert_eq!(heard, asked);
        Ok((talk, server))
    }

    /// What a talk makes of these replies, and whether it is then content.
    fn told(replies: &[u8]) -> Result<bool, Box<dyn Error>> {
        let (mut talk, mut server) = asked()?;
        server.write_all(replies)?;
        drop(server);
        while !talk.hear()? {
            std::thread::yield_now();
        }
        Ok(talk.is_answered())
    }

    #[test]
    fn right_replies_content_it_and_fewer_do_not() {
        let right = b"$1\r\na\r\n$-1\r\n";
        assert_eq!(told(right).ok(), Some(true));
        for length in 0..right.len() {
            assert_eq!(told(&right[..length]).ok(), Some(false), "of {length} bytes");
        }
    }

    #[test]
    fn wrong_mixed_and_additional_replies_are_told() {
        let wrong: [&[u8]; 4] =
            [b"$1\r\nb\r\n$-1\r\n", b"$-1\r\n$1\r\na\r\n", b"$1\r\na\r\n$-1\r\n$", b"-ERR\r\n"];
        for replies in wrong {
            let error = told(replies).expect_err("it is wrong").to_string();
            assert!(error.starts_with("expected "), "{error}");
        }
    }

    #[test]
    fn a_request_in_part_is_never_whole_nor_empty() -> Result<(), Box<dyn Error>> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let mut random = Random::default();
        for _ in 0..100 {
            let mut talk = Talk::connect(listener.local_addr()?.port())?;
            talk.ask_in_part(&[b"PING"], &mut random);
            assert!((1..b"*1\r\n$4\r\nPING\r\n".len()).contains(&talk.to_send.len()));
        }
        Ok(())
    }
}
