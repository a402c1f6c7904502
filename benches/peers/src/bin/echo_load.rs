//! The load on an echo server: `echo-load PORT CLIENTS MILLISECONDS`. Each client has one request of 64 bytes under way.

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use tevent_peers::pin_to_other_core;

const REQUEST: [u8; 64] = [b'x'; 64];

fn main() -> ExitCode {
    let numbers: Result<Vec<u64>, _> = std::env::args().skip(1).map(|text| text.parse()).collect();
    let Ok([port, clients, milliseconds]) = numbers.as_deref() else {
        eprintln!("usage: echo-load PORT CLIENTS MILLISECONDS");
        return ExitCode::from(2);
    };
    match load(*port, *clients, *milliseconds) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo-load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn load(port: u64, clients: u64, milliseconds: u64) -> Result<(), Box<dyn Error>> {
    pin_to_other_core();

    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut sockets = Vec::new();
    for i in 0..clients {
        let mut socket = TcpStream::connect(("127.0.0.1", u16::try_from(port)?))?;
        socket.set_nodelay(true)?;
        epoll::add(&epoll, &socket, epoll::EventData::new_u64(i), epoll::EventFlags::IN)?;
        socket.write_all(&REQUEST)?;
        sockets.push(socket);
    }
    let until = Instant::now() + Duration::from_millis(milliseconds);
    let mut under_way = sockets.len();
    let mut events = Vec::with_capacity(64);
    while under_way > 0 {
        let over = Instant::now() >= until;
        events.clear();
        epoll::wait(&epoll, spare_capacity(&mut events), None)?;
        for event in &events {
            let data = event.data;
            let mut socket = &sockets[usize::try_from(data.u64())?];
            let mut answer = [0; 64];
            socket.read_exact(&mut answer)?;
            if over {
                under_way -= 1; // answered, and asks no more
            } else {
                socket.write_all(&REQUEST)?;
            }
        }
    }
    Ok(())
}
