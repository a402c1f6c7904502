//! The loop against its peers: `cargo bench --bench peers`.
//!
//! All contenders of a case run in turn, round by round, in one process, so that what disturbs the machine disturbs all
//! alike. What is printed is the ratio of the medians to tevent's; above 1 tevent is faster. With `--test`, as CI runs
//! it, every contender runs once and nothing is printed of time.

#![allow(clippy::unwrap_used, reason = "a bench that fails to set itself up has failed")]

use std::cell::Cell;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

use calloop::generic::Generic;
use calloop::timer::{TimeoutAction, Timer};
use calloop::{EventLoop, Interest, Mode, PostAction};
use tevent::{Backend, Context, FdFlags, Immediate};

type Contender = (&'static str, Box<dyn Fn(usize)>);

fn main() {
    let test = !std::env::args().any(|arg| arg == "--bench");
    let (rounds, n) = if test { (1, 10) } else { (31, 20_000) };
    race("64 fds that stay ready: one dispatch", &ready_fds(), rounds, n, test);
    race("a timer that re-arms itself, among 10,000: one tick", &timers(), rounds, n, test);
    race("run a closure in the next turn", &closures(), rounds, n, test);
}

fn race(case: &str, contenders: &[Contender], rounds: usize, n: usize, test: bool) {
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); contenders.len()];
    for _ in 0..rounds {
        for ((_, run), times) in contenders.iter().zip(&mut times) {
            let started = Instant::now();
            run(n);
            times.push(started.elapsed());
        }
    }
    println!("{case}");
    let medians = times.iter_mut().map(|times| median(times).as_secs_f64());
    let medians: Vec<f64> = medians.collect();
    for ((name, _), median) in contenders.iter().zip(&medians) {
        if test {
            println!("    {name}: ran");
        } else {
            println!("    {:>6.2}  {name}", median / medians[0]);
        }
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn ready_fds() -> Vec<Contender> {
    vec![
        ("tevent", tevent_fds(Backend::Epoll, 1)),
        ("tevent, batch(64)", tevent_fds(Backend::Epoll, 64)),
        ("tevent, re-arming", tevent_fds(Backend::Rearm, 1)),
        ("calloop", calloop_fds()),
    ]
}

fn tevent_fds(backend: Backend, batch: usize) -> Box<dyn Fn(usize)> {
    let ctx = Context::builder().backend(backend).batch(batch).build().unwrap();
    let count = Rc::new(Cell::new(0));
    let sockets: Vec<_> = (0..64).map(|_| UnixStream::pair().unwrap()).collect();
    for (near, _far) in &sockets {
        let count = Rc::clone(&count);
        let fde = ctx.add_fd(near, FdFlags::WRITE, move |_, _, _| count.set(count.get() + 1));
        ctx.keep(fde.unwrap());
    }
    Box::new(move |n| {
        let _open = &sockets;
        count.set(0);
        ctx.loop_until(|| count.get() >= n).unwrap();
    })
}

fn calloop_fds() -> Box<dyn Fn(usize)> {
    let event_loop: EventLoop<'static, usize> = EventLoop::try_new().unwrap();
    for _ in 0..64 {
        let (near, far) = UnixStream::pair().unwrap();
        let source = Generic::new(near, Interest::WRITE, Mode::Level);
        let count = move |_, _: &mut _, count: &mut usize| {
            let _open = &far;
            *count += 1;
            Ok(PostAction::Continue)
        };
        event_loop.handle().insert_source(source, count).unwrap();
    }
    let event_loop = std::cell::RefCell::new(event_loop);
    Box::new(move |n| {
        let mut count = 0;
        while count < n {
            event_loop.borrow_mut().dispatch(Duration::ZERO, &mut count).unwrap();
        }
    })
}

fn timers() -> Vec<Contender> {
    let hour = Duration::from_secs(3600);
    let ctx = Context::new().unwrap();
    for _ in 0..10_000 {
        ctx.keep(ctx.add_timer(hour, |_, _, _| {}));
    }
    let tevent = move |n: usize| {
        let left = Rc::new(Cell::new(n));
        let count = Rc::clone(&left);
        let timer = ctx.add_timer(Duration::ZERO, move |_, te, _| {
            count.set(count.get() - 1);
            te.update(Duration::ZERO);
        });
        ctx.loop_until(|| left.get() == 0).unwrap();
        drop(timer);
    };

    let event_loop: EventLoop<'static, usize> = EventLoop::try_new().unwrap();
    for _ in 0..10_000 {
        let timer = Timer::from_duration(hour);
        event_loop.handle().insert_source(timer, |_, (), _| TimeoutAction::Drop).unwrap();
    }
    let event_loop = std::cell::RefCell::new(event_loop);
    let calloop = move |n: usize| {
        let mut event_loop = event_loop.borrow_mut();
        let token = event_loop.handle().insert_source(Timer::immediate(), |_, (), left: &mut usize| {
            *left = left.saturating_sub(1);
            TimeoutAction::ToDuration(Duration::ZERO)
        });
        let mut left = n;
        while left > 0 {
            event_loop.dispatch(Duration::ZERO, &mut left).unwrap();
        }
        event_loop.handle().remove(token.unwrap());
    };
    vec![("tevent", Box::new(tevent)), ("calloop", Box::new(calloop))]
}

fn closures() -> Vec<Contender> {
    let ctx = Context::new().unwrap();
    let im = Immediate::empty();
    let tevent = move |n: usize| {
        for i in 0..n {
            im.schedule_with(&ctx, move |_, _| {
                std::hint::black_box(i);
            });
            ctx.loop_once().unwrap();
        }
    };
    let event_loop: EventLoop<'static, ()> = EventLoop::try_new().unwrap();
    let event_loop = std::cell::RefCell::new(event_loop);
    let calloop = move |n: usize| {
        let mut event_loop = event_loop.borrow_mut();
        for i in 0..n {
            event_loop.handle().insert_idle(move |()| {
                std::hint::black_box(i);
            });
            event_loop.dispatch(Duration::ZERO, &mut ()).unwrap();
        }
    };
    vec![("tevent", Box::new(tevent)), ("calloop", Box::new(calloop))]
}
