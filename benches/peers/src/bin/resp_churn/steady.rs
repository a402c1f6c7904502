//! A client that stays, and knows what must come back.

use std::error::Error;
use std::fmt;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tevent_peers::Random;

use crate::talk::{Talk, bulk, payload};

const KEYS: usize = 4;

/// Has keys of its own; nobody else writes to them.
#[derive(Debug)]
pub(crate) struct Steady {
    talk: Talk,
    number: u64,
    requests: u64,
    exchanges: u64,
    asked: Instant,
    values: [Option<Vec<u8>>; KEYS],
    count: u64,
}

impl Steady {
    pub(crate) fn connect(port: u16, number: u64, random: &mut Random) -> Result<Self, Box<dyn Error>> {
        let talk = Talk::connect(port)?;
        let values = [const { None }; KEYS];
        let mut client =
            Steady { talk, number, requests: 0, exchanges: 0, asked: Instant::now(), values, count: 0 };
        client.ask(random);
        client.talk.send()?;
        Ok(client)
    }

    /// After an edge: sends, hears, and asks again if that was answered and there is to be more.
    pub(crate) fn go_on(&mut self, more: bool, random: &mut Random) -> Result<(), Box<dyn Error>> {
        self.talk.send().map_err(|error| format!("{self}: {error}"))?;
        let is_closed = self.talk.hear().map_err(|error| format!("{self}: {error}"))?;
        if is_closed {
            return Err(format!("{self} was closed").into());
        }
        if self.is_answered() && more {
            self.exchanges += 1;
            self.ask(random);
            self.talk.send().map_err(|error| format!("{self}: {error}"))?;
        }
        Ok(())
    }

    /// One request, or now and then several at once.
    fn ask(&mut self, random: &mut Random) {
        let several = if random.below(4) == 0 { 2 + random.below(15) } else { 1 };
        for _ in 0..several {
            self.requests += 1;
            let bytes = payload(self.number, self.requests, random);
            let which = random.below(KEYS);
            let key = self.key(which);
            match random.below(4) {
                0 => self.talk.ask(&[b"ECHO", &bytes], &bulk(&bytes)),
                1 => {
                    self.talk.ask(&[b"SET", key.as_bytes(), &bytes], b"+OK\r\n");
                    self.values[which] = Some(bytes);
                }
                2 => {
                    let reply = self.values[which].as_ref().map_or(b"$-1\r\n".into(), |value| bulk(value));
                    self.talk.ask(&[b"GET", key.as_bytes()], &reply);
                }
                _ => {
                    self.count += 1;
                    let reply = format!(":{}\r\n", self.count);
                    self.talk.ask(&[b"INCR", self.key(KEYS).as_bytes()], reply.as_bytes());
                }
            }
        }
        self.asked = Instant::now();
    }

    fn key(&self, which: usize) -> String {
        format!("steady:{}:{which}", self.number)
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        self.talk.socket()
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.talk.is_answered()
    }

    pub(crate) fn has_waited(&self) -> Duration {
        if self.is_answered() { Duration::ZERO } else { self.asked.elapsed() }
    }

    pub(crate) fn exchanges(&self) -> u64 {
        self.exchanges
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.talk.bytes()
    }
}

impl fmt::Display for Steady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "steady client {} after {} exchanges", self.number, self.exchanges)
    }
}
