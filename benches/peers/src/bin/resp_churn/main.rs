//! Clients of a RESP2 server, such as examples/daemon or redis-server: `resp-churn PORT STEADY PASSING [SEED]`.
//!
//! `STEADY` clients exchange requests and check every byte of every reply, while `PASSING` others come and are gone at random
//! moments and in bad ways. What the server had before is lost. It stands on epoll alone: what judges the daemon shares nothing with it.

mod passing;
mod steady;
mod talk;

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use tevent_peers::Random;

use passing::{Passing, WAYS};
use steady::Steady;

/// How many passing clients are there at once.
const AT_ONCE: usize = 64;
/// An answer that takes longer is lost.
const PATIENCE: Duration = Duration::from_secs(20);
/// No steady client ends with fewer exchanges.
const EXCHANGES: u64 = 20;

fn main() -> ExitCode {
    let numbers: Result<Vec<u64>, _> = std::env::args().skip(1).map(|text| text.parse()).collect();
    let (port, steady, passing, seed) = match numbers.as_deref() {
        Ok([port, steady @ (1..), passing]) => (*port, *steady, *passing, 0),
        Ok([port, steady @ (1..), passing, seed]) => (*port, *steady, *passing, *seed),
        _ => {
            eprintln!("usage: resp-churn PORT STEADY PASSING [SEED]");
            return ExitCode::from(2);
        }
    };
    match churn(port, steady, passing, Random::new(seed)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("resp-churn: FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}

fn churn(port: u64, steady: u64, passing: u64, mut random: Random) -> Result<(), Box<dyn Error>> {
    let port = u16::try_from(port)?;
    passing::prepare(port)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut clients = Vec::new();
    for number in 0..steady {
        let client = Steady::connect(port, number, &mut random)?;
        let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
        epoll::add(&epoll, client.socket(), epoll::EventData::new_u64(number), flags)?;
        clients.push(client);
    }

    let mut guests = Guests::default();
    let mut events = Vec::with_capacity(256);
    let mut is_over = false;
    while !(is_over && clients.iter().all(Steady::is_answered)) {
        let millisecond = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
        events.clear();
        epoll::wait(&epoll, spare_capacity(&mut events), Some(&millisecond))?;
        for event in &events {
            let data = event.data;
            clients[usize::try_from(data.u64())?].go_on(!is_over, &mut random)?;
        }
        guests.come_and_go(port, passing, &mut random)?;
        is_over = guests.are_through(passing) && clients.iter().all(|client| client.exchanges() >= EXCHANGES);
        if let Some(client) = clients.iter().find(|client| client.has_waited() > PATIENCE) {
            return Err(format!("{client} was not answered").into());
        }
    }

    settled(port, steady)?;
    let exchanges: u64 = clients.iter().map(Steady::exchanges).sum();
    let bytes: u64 = clients.iter().map(Steady::bytes).sum();
    println!("{steady} steady clients: {exchanges} exchanges, {bytes} bytes of replies, each as it must be");
    println!("{passing} passing clients: {}", guests.tell());
    Ok(())
}

/// The passing clients.
#[derive(Default)]
struct Guests {
    there: Vec<Passing>,
    came: u64,
    by_way: [u64; WAYS.len()],
}

impl Guests {
    fn come_and_go(&mut self, port: u16, all: u64, random: &mut Random) -> Result<(), Box<dyn Error>> {
        let now = Instant::now();
        let mut i = 0;
        while i < self.there.len() {
            if self.there[i].is_gone(now)? {
                self.there.swap_remove(i);
            } else {
                i += 1;
            }
        }
        while self.came < all && self.there.len() < AT_ONCE {
            let way = random.below(WAYS.len());
            self.there.push(Passing::come(port, self.came, WAYS[way], random)?);
            self.by_way[way] += 1;
            self.came += 1;
        }
        Ok(())
    }

    fn are_through(&self, all: u64) -> bool {
        self.came == all && self.there.is_empty()
    }

    fn tell(&self) -> String {
        let ways = WAYS.iter().zip(self.by_way);
        ways.map(|(way, count)| format!("{count} {way:?}")).collect::<Vec<_>>().join(", ")
    }
}

/// The server soon counts the steady clients and who asks, and has done nothing that was asked in half.
fn settled(port: u16, steady: u64) -> Result<(), Box<dyn Error>> {
    let until = Instant::now() + PATIENCE;
    loop {
        let info = asked(port, "INFO")?;
        let connected = info.lines().find_map(|line| line.strip_prefix("connected_clients:"));
        let connected: u64 = connected.ok_or("INFO tells no connected_clients")?.trim().parse()?;
        if connected == steady + 1 {
            break;
        }
        if Instant::now() > until {
            return Err(format!("connected_clients is {connected}, not {}", steady + 1).into());
        }
        std::thread::yield_now();
    }
    match asked(port, "EXISTS torn")?.as_str() {
        ":0\r\n+OK\r\n" => Ok(()),
        reply => Err(format!("half a request was done: {reply:?}").into()),
    }
}

/// All that is said to one inline request, and to QUIT.
fn asked(port: u16, request: &str) -> Result<String, Box<dyn Error>> {
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.write_all(format!("{request}\r\nQUIT\r\n").as_bytes())?;
    let mut reply = String::new();
    socket.read_to_string(&mut reply)?;
    Ok(reply)
}
