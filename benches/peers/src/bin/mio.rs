//! The workloads on bare mio, which is edge-triggered: whoever is told that there is something reads until there is nothing.

use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use tevent_peers::{
    Setup, Work, Workload, echo, lacks, make_hops, make_pair, program, runs, start_other, tell_wakeups,
    try_hop_on,
};

fn main() -> ExitCode {
    program(WORKLOADS)
}

const WORKLOADS: &[Workload] = &[
    lacks("immediate-rearm", "no immediates"),
    lacks("immediate-burst", "no immediates"),
    lacks("immediate-once", "no immediates"),
    lacks("timer-cycle", "no timers"),
    lacks("timer-latest", "no timers"),
    lacks("timer-fire", "no timers"),
    lacks("timer-zero", "no timers"),
    runs("ring", ring),
    runs("fd-churn", fd_churn),
    runs("fd-cycle-owning", fd_cycle),
    runs("fd-cycle-borrowed", fd_cycle),
    lacks("request-post", "no requests"),
    lacks("request-nopost", "no requests"),
    lacks("queue", "no requests"),
    runs("echo", echo_server),
    runs("closures", closures),
    lacks("memory-fds", "keeps nothing"),
    lacks("memory-timers", "no timers"),
    lacks("memory-requests", "no requests"),
    lacks("memory-immediates", "no immediates"),
    lacks("latency", "no timers"),
];

fn poll() -> (Poll, Events) {
    (Poll::new().expect("the kernel gives an epoll object"), Events::with_capacity(64))
}

fn wait(poll: &mut Poll, events: &mut Events) {
    poll.poll(events, None).expect("the loop turns");
}

fn watch(poll: &Poll, file: &impl AsRawFd, token: usize, interest: Interest) {
    let watched = poll.registry().register(&mut SourceFd(&file.as_raw_fd()), Token(token), interest);
    watched.expect("it can be watched");
}

fn unwatch(poll: &Poll, file: &impl AsRawFd) {
    poll.registry().deregister(&mut SourceFd(&file.as_raw_fd())).expect("it is watched");
}

fn ring(Setup { size, of, .. }: Setup) -> Work {
    let (mut poll, mut events) = poll();
    let hops = make_hops(size, of);
    hops.iter().enumerate().for_each(|(i, hop)| watch(&poll, hop, i, Interest::READABLE));
    Box::new(move |n| {
        let mut count = 0;
        while count < n {
            wait(&mut poll, &mut events);
            for event in &events {
                while try_hop_on(&hops[event.token().0]).is_ok() {
                    count += 1;
                }
            }
        }
        count
    })
}

fn fd_churn(_: Setup) -> Work {
    let ((poll, _), (near, far)) = (poll(), make_pair());
    Box::new(move |n| {
        let _ = &far;
        for _ in 0..n {
            watch(&poll, &near, 0, Interest::READABLE);
            unwatch(&poll, &near);
        }
        n
    })
}

fn fd_cycle(_: Setup) -> Work {
    let ((mut poll, mut events), (near, far)) = (poll(), make_pair());
    Box::new(move |n| {
        let _ = &far;
        let mut count = 0;
        while count < n {
            watch(&poll, &near, 0, Interest::WRITABLE);
            wait(&mut poll, &mut events);
            events.iter().for_each(|_event| count += 1);
            unwatch(&poll, &near);
        }
        count
    })
}

/// A read that did not fill its room was the last: epoll(7), question 9.
fn echo_server(setup: Setup) -> Work {
    let (mut poll, mut events) = poll();
    let sockets = setup.sockets;
    sockets.iter().enumerate().for_each(|(i, socket)| watch(&poll, socket, i, Interest::READABLE));
    Box::new(move |_| {
        let (mut clients, mut requests) = (sockets.len(), 0);
        while clients > 0 {
            wait(&mut poll, &mut events);
            for event in &events {
                let socket = &sockets[event.token().0];
                if !echo(socket, &mut requests) {
                    unwatch(&poll, socket);
                    clients -= 1;
                }
            }
        }
        requests
    })
}

/// A Waker wakes; the list is the program's.
fn closures(Setup { size, .. }: Setup) -> Work {
    type Closure = Box<dyn FnOnce(&mut u64) + Send>;
    let (mut poll, mut events) = poll();
    let waker = Waker::new(poll.registry(), Token(0)).expect("the kernel gives an eventfd");
    let waker = Arc::new(waker);
    Box::new(move |n| {
        let list: Arc<Mutex<Vec<Closure>>> = Arc::default();
        let (into, waker) = (Arc::clone(&list), Arc::clone(&waker));
        let other = start_other(move || {
            let mut wakeups = 0;
            for _ in 0..size {
                // It holds 8 bytes, as those of the others do.
                let one = std::hint::black_box(1_u64);
                let closure: Closure = Box::new(move |count| *count += one);
                let mut list = into.lock().expect("nobody panics under it");
                let first = list.is_empty();
                list.push(closure);
                drop(list);
                if first {
                    waker.wake().expect("the loop is there");
                    wakeups += 1;
                }
            }
            tell_wakeups(wakeups);
        });
        let mut count = 0;
        while count < n {
            wait(&mut poll, &mut events);
            let taken = std::mem::take(&mut *list.lock().expect("nobody panics under it"));
            for closure in taken {
                closure(&mut count);
            }
        }
        other.join().expect("the other thread is done");
        count
    })
}
