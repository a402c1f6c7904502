#![allow(warnings, clippy::all)]
use std::cell::*;
use std::io::{Read, Write};
use std::net::*;
use std::os::fd::*;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use tevent::io::*;
use tevent::*;

fn alarm(name: &'static str) {
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(20));
        eprintln!("HANG in {name}");
        std::process::exit(99)
    });
}

#[test]
fn two_numbers_of_one_blocking_listener() {
    alarm("two_numbers");
    for batch in [1, 64] {
        eprintln!("batch {batch}");
        let ctx = Context::builder().batch(batch).build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let again = listener.try_clone().unwrap();
        let address = listener.local_addr().unwrap();
        let one = accept_send(&ctx, &Stream::new(listener));
        let two = accept_send(&ctx, &Stream::new(again));
        let _client = TcpStream::connect(address).unwrap();
        ctx.set_wait_timeout(Some(Duration::from_millis(100)));
        for _ in 0..4 {
            let _ = ctx.loop_once();
        }
        assert!(one.is_in_progress() != two.is_in_progress());
    }
}
#[test]
fn local_address_comes_back() {
    let base = std::env::temp_dir();
    for n in [1, 50, 106, 107, 108] {
        let mut name = base.join(format!("b{}-", std::process::id())).into_os_string().into_string().unwrap();
        while name.len() < n {
            name.push('x');
        }
        if name.len() > 108 {
            continue;
        }
        let a = Address::from(PathBuf::from(&name));
        match a.listen() {
            Ok(l) => {
                println!("{n} {:?}", l.local_address());
                assert_eq!(l.local_address().unwrap(), a, "{n}");
                let (ctx, s) = (Context::new().unwrap(), a.socket().unwrap());
                connect_recv(connect_send(&ctx, &s, &a)).unwrap();
            }
            Err(e) => println!("{n} {e}"),
        }
        let _ = std::fs::remove_file(&name);
    }
    for n in [0, 1, 106, 107, 108] {
        let a = Address::UnixAbstract(vec![0xfe; n]);
        match a.listen() {
            Ok(l) => println!("abstract {n} {:?}", l.local_address().map(|b| b == a)),
            Err(e) => println!("abstract {n} {e}"),
        }
    }
    let a = Address::UnixAbstract(vec![0, b'a', 0, 0]);
    assert_eq!(a.listen().unwrap().local_address().unwrap(), a);
    println!("{:?}", Address::from(PathBuf::from("a\0b")).listen().map_err(|e| e.to_string()));
    println!(
        "{:?}",
        Address::from("[fe80::1%1]:80".parse::<SocketAddr>().unwrap_or("[::1]:0".parse().unwrap()))
            .listen()
            .map_err(|e| e.to_string())
    );
}
#[test]
fn cancel_everywhere() {
    alarm("cancel");
    let ctx = Context::new().unwrap();
    // in `more`, itself
    let (near, mut far) = UnixStream::pair().unwrap();
    let slot: Rc<RefCell<Option<ReqRef<ReadPacket>>>> = Rc::default();
    let s = slot.clone();
    let req = read_packet_send(&ctx, &Stream::new(near), 1, move |p| {
        let r = s.borrow().clone();
        let _ = r;
        Ok::<_, std::io::Error>(if p.len() < 3 { 1 } else { 0 })
    });
    *slot.borrow_mut() = Some(req.clone());
    far.write_all(b"abc").unwrap();
    req.poll(&ctx).unwrap();
    println!("{:?}", read_packet_recv(req));
    // a row of writers, all cancelled in all orders, from callbacks too
    let (near, mut far) = UnixStream::pair().unwrap();
    let (stream, queue) = (Stream::new(near), Queue::create("q"));
    let n = Rc::new(Cell::new(0));
    let reqs: Vec<_> = (0..8)
        .map(|i| writev_send(&ctx, Some(&queue), &stream, false, vec![vec![i as u8; 1 << 20]]))
        .collect();
    let refs: Vec<ReqRef<_>> = reqs.iter().map(|r| (**r).clone()).collect();
    for (i, r) in reqs.iter().enumerate() {
        println!("cancel {i} {}", r.cancel());
        println!("again {i} {}", r.cancel());
    }
    for r in reqs {
        let e = writev_recv(r);
        println!("{e:?}");
    }
    drop(refs);
    println!("{:?} {}", stream.broken(), queue.len());
    // connect: mode
    let l = TcpListener::bind("127.0.0.1:0").unwrap();
    let a = Address::from(l.local_addr().unwrap());
    let s = a.socket().unwrap();
    let one = connect_send(&ctx, &s, &a);
    let two = connect_send(&ctx, &s, &a);
    println!("{} {}", one.cancel(), two.cancel());
    println!("{:?} {:?}", connect_recv(one), connect_recv(two));
    println!("{:?}", rustix::fs::fcntl_getfl(&s));
    // dropped in the wrong order
    let s = a.socket().unwrap();
    let one = connect_send(&ctx, &s, &a);
    drop(s.clone());
    drop(ctx);
    println!("{}", one.cancel());
    println!("{:?}", connect_recv(one));
    println!("{:?}", rustix::fs::fcntl_getfl(&s));
}
#[test]
fn rst_and_half_closed() {
    alarm("rst");
    for batch in [1, 64] {
        let ctx = Context::builder().batch(batch).build().unwrap();
        let l = TcpListener::bind("127.0.0.1:0").unwrap();
        for kind in 0..3 {
            let a = TcpStream::connect(l.local_addr().unwrap()).unwrap();
            let (b, _) = l.accept().unwrap();
            let s = Stream::new(a);
            let reqs = (
                writev_send(&ctx, None, &s, true, vec![vec![1u8; 8 << 20]]),
                read_packet_send(&ctx, &s, 10, |_| Ok::<_, std::io::Error>(0)),
                wait_for_error_send(&ctx, &s),
                wait_for_read_send(&ctx, &s, true),
            );
            for _ in 0..10 {
                ctx.set_wait_timeout(Some(Duration::ZERO));
                let _ = ctx.loop_once();
            }
            match kind {
                0 => {
                    rustix::net::sockopt::set_socket_linger(&b, Some(Duration::ZERO)).unwrap();
                    drop(b)
                }
                1 => {
                    b.shutdown(Shutdown::Write).unwrap();
                    std::mem::forget(b)
                }
                _ => {
                    b.shutdown(Shutdown::Both).unwrap();
                    std::mem::forget(b)
                }
            }
            ctx.set_wait_timeout(Some(Duration::from_millis(200)));
            for _ in 0..30 {
                let _ = ctx.loop_once();
            }
            println!(
                "{kind} {:?} {:?} {:?} {:?}",
                writev_recv(reqs.0),
                read_packet_recv(reqs.1),
                wait_for_error_recv(reqs.2),
                wait_for_read_recv(reqs.3)
            );
        }
    }
}
