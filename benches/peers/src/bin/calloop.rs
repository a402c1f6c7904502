//! The workloads on calloop. What comes nearest to an immediate is an idle callback, which runs at the end of a dispatch.

use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use calloop::channel::{Event, channel};
use calloop::generic::Generic;
use calloop::timer::{TimeoutAction, Timer};
use calloop::{EventLoop, Interest, LoopHandle, Mode, PostAction, RegistrationToken};
use tevent_peers::{
    LATEST, Random, Setup, Work, Workload, echo, hop_on, lacks, make_hops, make_pair, program, runs,
    start_other,
};

fn main() -> ExitCode {
    program(WORKLOADS)
}

const WORKLOADS: &[Workload] = &[
    runs("immediate-rearm", immediate_rearm),
    runs("immediate-burst", immediate_burst),
    runs("immediate-once", immediate_once),
    runs("timer-cycle", |setup| timer_cycle(&setup, Random::pending)),
    runs("timer-latest", |setup| timer_cycle(&setup, |_| LATEST)),
    runs("timer-fire", |setup| timer_run(&setup, Random::soon)),
    runs("timer-zero", |setup| timer_run(&setup, |_| Duration::ZERO)),
    runs("ring", ring),
    runs("fd-churn", fd_churn),
    runs("fd-cycle-owning", fd_cycle),
    runs("fd-cycle-borrowed", fd_cycle),
    lacks("request-post", "no requests"),
    lacks("request-nopost", "no requests"),
    lacks("queue", "no requests"),
    runs("echo", echo_server),
    runs("closures", closures),
    lacks("memory-fds", "not measured"),
    lacks("memory-timers", "not measured"),
    lacks("memory-requests", "no requests"),
    lacks("memory-immediates", "not measured"),
    lacks("latency", "not measured"),
];

/// What handlers are given: the count, and where they stop.
#[derive(Default)]
struct Data {
    count: u64,
    limit: u64,
}

type Loop = EventLoop<'static, Data>;
type Handle = LoopHandle<'static, Data>;

fn new_loop() -> Loop {
    EventLoop::try_new().expect("the kernel gives an epoll object")
}

fn turn_until(event_loop: &mut Loop, data: &mut Data, n: u64, timeout: Option<Duration>) {
    while data.count < n {
        event_loop.dispatch(timeout, data).expect("the loop turns");
    }
}

fn rearm(handle: &Handle) {
    let again = handle.clone();
    handle.insert_idle(move |data| {
        data.count += 1;
        if data.count < data.limit {
            rearm(&again);
        }
    });
}

fn immediate_rearm(_: Setup) -> Work {
    let mut event_loop = new_loop();
    Box::new(move |n| {
        let mut data = Data { count: 0, limit: n };
        rearm(&event_loop.handle());
        turn_until(&mut event_loop, &mut data, n, Some(Duration::ZERO));
        data.count
    })
}

fn immediate_burst(Setup { size, .. }: Setup) -> Work {
    let mut event_loop = new_loop();
    Box::new(move |n| {
        let handle = event_loop.handle();
        for _ in (0..n).step_by(size) {
            let mut data = Data::default();
            (0..size).for_each(|_| _ = handle.insert_idle(|data| data.count += 1));
            turn_until(&mut event_loop, &mut data, size as u64, Some(Duration::ZERO));
        }
        n
    })
}

fn immediate_once(_: Setup) -> Work {
    let mut event_loop = new_loop();
    Box::new(move |n| {
        let (handle, mut data) = (event_loop.handle(), Data::default());
        for i in 0..n {
            handle.insert_idle(|data| data.count += 1);
            turn_until(&mut event_loop, &mut data, i + 1, Some(Duration::ZERO));
        }
        n
    })
}

fn add_timer(handle: &Handle, after: Duration) -> RegistrationToken {
    let fire = |_, (): &mut (), data: &mut Data| {
        data.count += 1;
        TimeoutAction::Drop
    };
    handle.insert_source(Timer::from_duration(after), fire).expect("a timer can be added")
}

fn timer_cycle(setup: &Setup, after: fn(&mut Random) -> Duration) -> Work {
    let (event_loop, mut random) = (new_loop(), Random::default());
    let handle = event_loop.handle();
    (0..setup.size).for_each(|_| _ = add_timer(&handle, random.pending()));
    Box::new(move |n| {
        let handle = event_loop.handle();
        for _ in 0..n {
            handle.remove(add_timer(&handle, after(&mut random)));
        }
        n
    })
}

fn timer_run(setup: &Setup, after: fn(&mut Random) -> Duration) -> Work {
    let (mut event_loop, mut random, size) = (new_loop(), Random::default(), setup.size);
    Box::new(move |n| {
        let handle = event_loop.handle();
        for _ in (0..n).step_by(size) {
            let mut data = Data::default();
            (0..size).for_each(|_| _ = add_timer(&handle, after(&mut random)));
            turn_until(&mut event_loop, &mut data, size as u64, None);
        }
        n
    })
}

fn ring(Setup { size, of, .. }: Setup) -> Work {
    let mut event_loop = new_loop();
    for hop in make_hops(size, of) {
        let run = |_, hop: &mut calloop::generic::NoIoDrop<_>, data: &mut Data| {
            hop_on(hop);
            data.count += 1;
            Ok(PostAction::Continue)
        };
        let source = Generic::new(hop, Interest::READ, Mode::Level);
        event_loop.handle().insert_source(source, run).expect("a pipe can be watched");
    }
    Box::new(move |n| {
        let mut data = Data::default();
        turn_until(&mut event_loop, &mut data, n, None);
        data.count
    })
}

fn add_fd(
    handle: &Handle,
    file: &Rc<std::os::unix::net::UnixStream>,
    interest: Interest,
) -> RegistrationToken {
    let source = Generic::new(Rc::clone(file), interest, Mode::Level);
    let run = |_, _: &mut _, data: &mut Data| {
        data.count += 1;
        Ok(PostAction::Continue)
    };
    handle.insert_source(source, run).expect("a socket can be watched")
}

fn fd_churn(_: Setup) -> Work {
    let (event_loop, (near, far)) = (new_loop(), make_pair());
    let near = Rc::new(near);
    Box::new(move |n| {
        let (handle, _) = (event_loop.handle(), &far);
        for _ in 0..n {
            handle.remove(add_fd(&handle, &near, Interest::READ));
        }
        n
    })
}

fn fd_cycle(_: Setup) -> Work {
    let (mut event_loop, (near, far)) = (new_loop(), make_pair());
    let near = Rc::new(near);
    Box::new(move |n| {
        let (handle, _) = (event_loop.handle(), &far);
        let mut data = Data::default();
        for i in 0..n {
            let token = add_fd(&handle, &near, Interest::WRITE);
            turn_until(&mut event_loop, &mut data, i + 1, None);
            handle.remove(token);
        }
        n
    })
}

/// The count is that of requests, the limit goes down to none left.
fn echo_server(setup: Setup) -> Work {
    let mut event_loop = new_loop();
    for socket in setup.sockets {
        let run = |_, socket: &mut calloop::generic::NoIoDrop<_>, data: &mut Data| {
            if echo(socket, &mut data.count) {
                return Ok(PostAction::Continue);
            }
            data.limit -= 1;
            Ok(PostAction::Remove)
        };
        let source = Generic::new(socket, Interest::READ, Mode::Level);
        event_loop.handle().insert_source(source, run).expect("a socket can be watched");
    }
    Box::new(move |_| {
        let mut data = Data { count: 0, limit: setup.size as u64 };
        while data.limit > 0 {
            event_loop.dispatch(None, &mut data).expect("the loop turns");
        }
        data.count
    })
}

fn closures(Setup { size, .. }: Setup) -> Work {
    type Closure = Box<dyn FnOnce(&mut Data) + Send>;
    let mut event_loop = new_loop();
    Box::new(move |n| {
        let (sender, receiver) = channel::<Closure>();
        let run = |event: Event<Closure>, (): &mut (), data: &mut Data| {
            if let Event::Msg(closure) = event {
                closure(data);
            }
        };
        event_loop.handle().insert_source(receiver, run).expect("a channel can be watched");
        let other = start_other(move || {
            for _ in 0..size {
                // It holds 8 bytes, as those of the others do.
                let one = std::hint::black_box(1_u64);
                let sent = sender.send(Box::new(move |data| data.count += one));
                assert!(sent.is_ok(), "the loop is there");
            }
        });
        let mut data = Data::default();
        turn_until(&mut event_loop, &mut data, n, None);
        other.join().expect("the other thread is done");
        n
    })
}
