//! A TCP echo server on loopback: 64 bytes, each client has one request under way. Told is the time for one request, with the
//! clients' share, who are a thread of this process.
//!
//! `cargo bench --bench echo`; `ci/peers.sh` for the server's time alone, beside other libraries.

#![allow(missing_docs, reason = "criterion's macros make functions without")]
#![allow(clippy::unwrap_used, reason = "a bench that fails to set itself up has failed")]

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use criterion::{Criterion, criterion_group, criterion_main};
use support::{BATCHES, Count, batching, bench, may_open, turn_for};
use tevent::{ContextRef, FdFlags};

/// Answers what comes.
fn serve(ev: &ContextRef, socket: TcpStream, count: &Count) {
    socket.set_nodelay(true).unwrap();
    let (socket, count) = (Rc::new(socket), count.clone());
    let mine = Rc::clone(&socket);
    let answer = move |_ev: &_, _fde: &_, _flags| {
        let mut request = [0; 4096];
        let n = (&*mine).read(&mut request).unwrap();
        (&*mine).write_all(&request[..n]).unwrap();
        count.up();
    };
    ev.keep(ev.add_fd(socket, FdFlags::READ, answer).unwrap());
}

/// Asks as many rounds as it is told to; in each every client asks once.
fn ask(mut clients: Vec<TcpStream>, rounds: &Receiver<u64>) {
    for rounds in rounds {
        for _ in 0..rounds {
            for client in &mut clients {
                client.write_all(&[b'x'; 64]).unwrap();
            }
            for client in &mut clients {
                client.read_exact(&mut [0; 64]).unwrap();
            }
        }
    }
}

fn echo(c: &mut Criterion) {
    for size in [1, 50, 500] {
        if !may_open(2 * size) {
            eprintln!("echo {size}: this process may not open so many files");
            continue;
        }
        for (mode, batch) in BATCHES {
            let (ctx, count) = (batching(batch), Count::default());
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let mut clients = Vec::new();
            for _ in 0..size {
                let client = TcpStream::connect(address).unwrap();
                client.set_nodelay(true).unwrap();
                serve(&ctx, listener.accept().unwrap().0, &count);
                clients.push(client);
            }
            let (tell, rounds) = channel();
            let asking = thread::spawn(move || ask(clients, &rounds));
            bench(c, &format!("echo{mode}/{size}"), |n| {
                let rounds = n.div_ceil(size);
                tell.send(rounds).unwrap();
                turn_for(&ctx, &count, rounds * size);
            });
            drop(tell);
            asking.join().unwrap();
        }
    }
}

criterion_group!(benches, echo);
criterion_main!(benches);
