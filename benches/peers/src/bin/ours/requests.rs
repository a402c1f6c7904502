//! Requests, the queue, other threads, and the echo server.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use tevent::{FdFlags, Queue, Req};
use tevent_peers::{Setup, Work, echo, start_other, tell_wakeups};

use crate::{Count, batching, context, turn_until};

/// 32 bytes, as in every program.
#[derive(Default)]
struct State {
    value: u64,
    _rest: [u64; 3],
}

fn receive(req: Req<State>) -> u64 {
    req.recv(|state| state.value).expect("the request is done")
}

pub(crate) fn post(_: Setup) -> Work {
    let ctx = context();
    Box::new(move |n| {
        let mut total = 0;
        for _ in 0..n {
            let req = Req::create(State::default());
            req.done();
            let req = req.post(&ctx);
            req.set_callback(|req| _ = req.with_state(|state| state.value += 1));
            ctx.loop_once().expect("the loop turns");
            total += receive(req);
        }
        total
    })
}

pub(crate) fn nopost(_: Setup) -> Work {
    Box::new(move |n| {
        let mut total = 0;
        for _ in 0..n {
            let req = Req::create(State::default());
            req.set_callback(|req| _ = req.with_state(|state| state.value += 1));
            req.done();
            total += receive(req);
        }
        total
    })
}

/// A trigger schedules an immediate that finishes the request; the callback frees it, so that the next is triggered.
pub(crate) fn queue(Setup { size, .. }: Setup) -> Work {
    let (ctx, count, queue) = (context(), Count::default(), Queue::create("queue"));
    Box::new(move |n| {
        for _ in (0..n).step_by(size) {
            count.clear();
            for _ in 0..size {
                let req = Req::create(State::default());
                let ev = ctx.clone();
                let trigger = move |req: &tevent::ReqRef<State>| {
                    let finish = req.add_immediate(|req| {
                        req.advance(|state| {
                            state.value += 1;
                            Poll::Ready(Ok(()))
                        });
                    });
                    finish.schedule(&ev);
                };
                queue.add(&ctx, &req, trigger).expect("the queue is there");
                let count = count.clone();
                ctx.add_subreq(req, move |_ctx, req| {
                    count.0.set(count.get() + receive(req));
                });
            }
            turn_until(&ctx, &count, size as u64);
        }
        n
    })
}

pub(crate) fn closures(Setup { size, .. }: Setup) -> Work {
    let ctx = context();
    let handle = ctx.threaded().expect("the kernel gives an eventfd");
    // As the plain pointer of the C programs: what a closure holds of it is 8 bytes and is not counted.
    let count: &'static AtomicU64 = Box::leak(Box::default());
    Box::new(move |n| {
        let handle = handle.clone();
        let other = start_other(move || {
            for _ in 0..size {
                // Raised by the loop's thread alone.
                let up = move |_ev: &_| count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                handle.schedule(up).expect("the loop is there");
            }
        });
        ctx.loop_until(|| count.load(Ordering::Relaxed) >= n).expect("the loop turns");
        other.join().expect("the other thread is done");
        tell_wakeups(ctx.stats().wakeups);
        n
    })
}

pub(crate) fn echo_server(setup: Setup, batch: usize) -> Work {
    let ctx = batching(batch);
    let clients = Rc::new(Cell::new(setup.size));
    let requests = Rc::new(Cell::new(0));
    for socket in setup.sockets {
        let socket = Rc::new(socket);
        let (mine, clients, requests) = (Rc::clone(&socket), Rc::clone(&clients), Rc::clone(&requests));
        let run = move |ev: &tevent::ContextRef, fde: &tevent::FdRef, _flags| {
            let mut answered = requests.get();
            if !echo(&mine, &mut answered) {
                drop(ev.take(fde));
                clients.set(clients.get() - 1);
            }
            requests.set(answered);
        };
        ctx.keep(ctx.add_fd(socket, FdFlags::READ, run).expect("a socket can be watched"));
    }
    Box::new(move |_| {
        ctx.loop_until(|| clients.get() == 0).expect("the loop turns");
        requests.get()
    })
}
