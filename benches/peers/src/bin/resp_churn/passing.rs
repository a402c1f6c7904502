//! Clients that come, and are gone at a random moment in a bad way.

use std::error::Error;
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;
use tevent_peers::Random;

use crate::PATIENCE;
use crate::talk::{Talk, bulk, payload};

/// How one goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Has said nothing.
    Silent,
    /// In the middle of a request.
    Torn,
    /// With replies of megabytes unread.
    Unread,
    /// By a reset, replies unread and a request in half.
    Reset,
    /// Says that nothing more will come, but wants its replies.
    HalfClosed,
    /// The same in the middle of a request, which gets none.
    HalfClosedTorn,
    /// With all that it asked for.
    Polite,
}

pub(crate) const WAYS: [Way; 7] =
    [Way::Silent, Way::Torn, Way::Unread, Way::Reset, Way::HalfClosed, Way::HalfClosedTorn, Way::Polite];

/// One of them.
#[derive(Debug)]
pub(crate) struct Passing {
    talk: Talk,
    number: u64,
    way: Way,
    goes: Instant,
}

/// What the unread replies are made of.
static BIG: [u8; 65536] = [b'b'; 65536];

/// Leaves nothing on the server but what they ask for.
pub(crate) fn prepare(port: u16) -> Result<(), Box<dyn Error>> {
    let mut talk = Talk::connect(port)?;
    talk.ask(&[b"FLUSHALL"], b"+OK\r\n");
    talk.ask(&[b"SET", b"big", &BIG], b"+OK\r\n");
    let until = Instant::now() + PATIENCE;
    while !talk.is_answered() {
        talk.send()?;
        if talk.hear()? || Instant::now() > until {
            return Err("the first requests were not answered".into());
        }
        std::thread::yield_now();
    }
    Ok(())
}

impl Passing {
    pub(crate) fn come(
        port: u16,
        number: u64,
        way: Way,
        random: &mut Random,
    ) -> Result<Self, Box<dyn Error>> {
        let mut talk = Talk::connect(port)?;
        if matches!(way, Way::Unread | Way::Reset) {
            for _ in 0..=random.below(40) {
                talk.ask(&[b"GET", b"big"], &[]);
            }
        }
        if matches!(way, Way::HalfClosed | Way::HalfClosedTorn | Way::Polite) {
            for _ in 0..=random.below(5) {
                let bytes = payload(1_000_000 + number, 0, random);
                talk.ask(&[b"ECHO", &bytes], &bulk(&bytes));
            }
        }
        if matches!(way, Way::Torn | Way::Reset | Way::HalfClosedTorn) {
            let bytes = payload(2_000_000 + number, 0, random);
            talk.ask_in_part(&[b"SET", b"torn", &bytes], random);
        }
        let goes = Instant::now() + Duration::from_micros(random.draw() % 20_000);
        let mut client = Passing { talk, number, way, goes };
        client.send()?;
        Ok(client)
    }

    /// Half-closes when all is sent.
    fn send(&mut self) -> Result<(), Box<dyn Error>> {
        let had_more = self.talk.has_more();
        self.talk.send()?;
        if had_more && !self.talk.has_more() && matches!(self.way, Way::HalfClosed | Way::HalfClosedTorn) {
            self.talk.half_close()?;
        }
        Ok(())
    }

    /// Whether it may be dropped.
    pub(crate) fn is_gone(&mut self, now: Instant) -> Result<bool, Box<dyn Error>> {
        self.try_to_go(now)
            .map_err(|error| format!("passing client {} ({:?}): {error}", self.number, self.way).into())
    }

    fn try_to_go(&mut self, now: Instant) -> Result<bool, Box<dyn Error>> {
        if now > self.goes + PATIENCE {
            return Err("was not answered".into());
        }
        match self.way {
            Way::Silent | Way::Torn | Way::Unread => Ok(now >= self.goes),
            Way::Reset => {
                set_socket_linger(self.talk.socket(), Some(Duration::ZERO))?;
                Ok(now >= self.goes)
            }
            Way::Polite => {
                self.send()?;
                if self.talk.hear()? {
                    return Err("was closed".into());
                }
                Ok(self.talk.is_answered() && now >= self.goes)
            }
            Way::HalfClosed | Way::HalfClosedTorn => {
                self.send()?;
                let is_closed = self.talk.hear()?;
                if is_closed && !self.talk.is_answered() {
                    return Err("was closed before it had its replies".into());
                }
                Ok(is_closed)
            }
        }
    }
}
