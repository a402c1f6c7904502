//! The workloads on tokio's `current_thread` runtime with a `LocalSet`. In place of handlers it has tasks; a request that is
//! posted is a task that is awaited, and a queue is a lock that is handed on in order.

use std::cell::Cell;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use tevent_peers::{
    LATEST, Random, Setup, Work, Workload, lacks, make_hops, make_pair, program, runs, start_other,
    try_hop_on,
};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, Notify, mpsc};
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::{Sleep, sleep};

fn main() -> ExitCode {
    program(WORKLOADS)
}

const WORKLOADS: &[Workload] = &[
    runs("immediate-rearm", immediate_rearm),
    runs("immediate-burst", |setup| tasks(&setup, |_| None)),
    runs("immediate-once", task_once),
    runs("timer-cycle", |setup| timer_cycle(&setup, Random::pending)),
    runs("timer-latest", |setup| timer_cycle(&setup, |_| LATEST)),
    runs("timer-fire", |setup| tasks(&setup, |random| Some(random.soon()))),
    lacks("timer-zero", "timers of 1 ms at least"),
    runs("ring", ring),
    runs("fd-churn", fd_churn),
    runs("fd-cycle-owning", fd_cycle),
    runs("fd-cycle-borrowed", fd_cycle),
    runs("request-post", task_once),
    lacks("request-nopost", "a task always runs later"),
    runs("queue", queue),
    runs("echo", echo_server),
    runs("closures", closures),
    lacks("memory-fds", "not measured"),
    lacks("memory-timers", "not measured"),
    lacks("memory-requests", "not measured"),
    lacks("memory-immediates", "no immediates"),
    lacks("latency", "not measured"),
];

fn runtime() -> (Runtime, LocalSet) {
    let runtime = Builder::new_current_thread().enable_all().build();
    (runtime.expect("the kernel gives an epoll object"), LocalSet::new())
}

/// 32 bytes, as in every program.
#[derive(Default)]
struct State {
    value: u64,
    _rest: [u64; 3],
}

fn immediate_rearm(_: Setup) -> Work {
    let (runtime, local) = runtime();
    Box::new(move |n| {
        let count = Rc::new(Cell::new(0));
        let mine = Rc::clone(&count);
        let task = async move {
            while mine.get() < n {
                yield_now().await;
                mine.set(mine.get() + 1);
            }
        };
        local.block_on(&runtime, async { spawn_local(task).await }).expect("the task ends");
        count.get()
    })
}

fn task_once(_: Setup) -> Work {
    let (runtime, local) = runtime();
    Box::new(move |n| {
        let tasks = async {
            let mut total = 0;
            for _ in 0..n {
                let mut state = State::default();
                let task = spawn_local(async move {
                    state.value += 1;
                    state
                });
                total += task.await.expect("the task ends").value;
            }
            total
        };
        local.block_on(&runtime, tasks)
    })
}

/// Many at a time, each of which may sleep first.
fn tasks(setup: &Setup, after: fn(&mut Random) -> Option<Duration>) -> Work {
    let ((runtime, local), size, mut random) = (runtime(), setup.size, Random::default());
    Box::new(move |n| {
        for _ in (0..n).step_by(size) {
            let (count, all) = (Rc::new(Cell::new(0)), Rc::new(Notify::new()));
            local.block_on(&runtime, async {
                for _ in 0..size {
                    let (count, all, after) = (Rc::clone(&count), Rc::clone(&all), after(&mut random));
                    spawn_local(async move {
                        if let Some(after) = after {
                            sleep(after).await;
                        }
                        count.set(count.get() + 1);
                        if count.get() == size {
                            all.notify_one();
                        }
                    });
                }
                all.notified().await;
            });
        }
        n
    })
}

/// A sleep has its place among the timers once it is polled.
fn start(sleep: Pin<&mut Sleep>) {
    let polled = sleep.poll(&mut std::task::Context::from_waker(Waker::noop()));
    assert!(polled.is_pending(), "it is hours away");
}

fn timer_cycle(setup: &Setup, after: fn(&mut Random) -> Duration) -> Work {
    let ((runtime, _), mut random) = (runtime(), Random::default());
    let entered = runtime.enter();
    let mut pending: Vec<_> = (0..setup.size).map(|_| Box::pin(sleep(random.pending()))).collect();
    for sleep in &mut pending {
        start(sleep.as_mut());
    }
    drop(entered);
    Box::new(move |n| {
        let _ = &pending;
        let _entered = runtime.enter();
        (0..n).for_each(|_| start(std::pin::pin!(sleep(after(&mut random)))));
        n
    })
}

/// Nobody else closes it meanwhile.
#[expect(deprecated, reason = "the constructor in its place is unsafe, and does the same")]
fn watch<T: AsRawFd>(file: T, interest: Interest) -> AsyncFd<T> {
    AsyncFd::with_interest(file, interest).expect("it can be watched")
}

fn ring(Setup { size, of, .. }: Setup) -> Work {
    let (runtime, local) = runtime();
    let (count, limit, all) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)), Rc::new(Notify::new()));
    let entered = runtime.enter();
    for hop in make_hops(size, of) {
        let hop = watch(hop, Interest::READABLE);
        let (count, limit, all) = (Rc::clone(&count), Rc::clone(&limit), Rc::clone(&all));
        local.spawn_local(async move {
            loop {
                hop.async_io(Interest::READABLE, try_hop_on).await.expect("a pipe takes a byte");
                count.set(count.get() + 1);
                if count.get() == limit.get() {
                    all.notify_one();
                }
            }
        });
    }
    drop(entered);
    Box::new(move |n| {
        count.set(0);
        limit.set(n);
        local.block_on(&runtime, all.notified());
        count.get()
    })
}

fn fd_churn(_: Setup) -> Work {
    let ((runtime, _), (near, far)) = (runtime(), make_pair());
    let near = Rc::new(near);
    Box::new(move |n| {
        let (_entered, _) = (runtime.enter(), &far);
        for _ in 0..n {
            drop(watch(Rc::clone(&near), Interest::READABLE));
        }
        n
    })
}

fn fd_cycle(_: Setup) -> Work {
    let ((runtime, local), (near, far)) = (runtime(), make_pair());
    let near = Rc::new(near);
    Box::new(move |n| {
        let _ = &far;
        let cycles = async {
            for _ in 0..n {
                let watched = watch(Rc::clone(&near), Interest::WRITABLE);
                drop(watched.writable().await.expect("it can be written"));
            }
            n
        };
        local.block_on(&runtime, cycles)
    })
}

fn queue(Setup { size, .. }: Setup) -> Work {
    let (runtime, local) = runtime();
    Box::new(move |n| {
        for _ in (0..n).step_by(size) {
            let turn = Rc::new(Mutex::new(0));
            let tasks = async {
                let mut tasks = Vec::with_capacity(size);
                for _ in 0..size {
                    let (turn, mut state) = (Rc::clone(&turn), State::default());
                    tasks.push(spawn_local(async move {
                        let mut total = turn.lock().await;
                        yield_now().await;
                        state.value += 1;
                        *total += state.value;
                    }));
                }
                for task in tasks {
                    task.await.expect("the task ends");
                }
            };
            local.block_on(&runtime, tasks);
        }
        n
    })
}

fn echo_server(setup: Setup) -> Work {
    let (runtime, local) = runtime();
    let requests = Rc::new(Cell::new(0));
    let (mut sockets, entered) = (Vec::new(), runtime.enter());
    for socket in setup.sockets {
        sockets.push(tokio::net::TcpStream::from_std(socket).expect("a socket can be watched"));
    }
    drop(entered);
    Box::new(move |_| {
        let mut tasks = Vec::new();
        for mut socket in sockets.drain(..) {
            let requests = Rc::clone(&requests);
            tasks.push(local.spawn_local(async move {
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = socket.read(&mut buffer).await {
                    socket.write_all(&buffer[..read]).await.expect("the client reads");
                    requests.set(requests.get() + 1);
                }
            }));
        }
        local.block_on(&runtime, async {
            for task in tasks {
                task.await.expect("the task ends");
            }
        });
        requests.get()
    })
}

fn closures(Setup { size, .. }: Setup) -> Work {
    type Closure = Box<dyn FnOnce(&mut u64) + Send>;
    let (runtime, local) = runtime();
    Box::new(move |_| {
        let (sender, mut receiver) = mpsc::unbounded_channel::<Closure>();
        let other = start_other(move || {
            for _ in 0..size {
                // It holds 8 bytes, as those of the others do.
                let one = std::hint::black_box(1_u64);
                let sent = sender.send(Box::new(move |count| *count += one));
                assert!(sent.is_ok(), "the loop is there");
            }
        });
        let task = async {
            let mut count = 0;
            while let Some(closure) = receiver.recv().await {
                closure(&mut count);
            }
            count
        };
        let count = local.block_on(&runtime, task);
        other.join().expect("the other thread is done");
        count
    })
}
