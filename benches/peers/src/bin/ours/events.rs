//! Immediates, timers, fds.

use std::rc::Rc;

use tevent::{Context, FdFlags, Immediate, Timer, When};
use tevent_peers::{
    Arrivals, LATEST, Random, Setup, Work, hop_on, make_hops, make_idle, make_pair, tell_latencies,
};

use crate::{Count, batching, context, turn_until};

pub(crate) fn immediate_rearm(_: Setup) -> Work {
    let (ctx, count) = (context(), Count::default());
    let up = count.clone();
    let im = Immediate::new(move |ev, im| {
        up.up();
        im.schedule(ev);
    });
    ctx.keep(im).schedule(&ctx);
    Box::new(move |n| {
        count.clear();
        turn_until(&ctx, &count, n);
        count.get()
    })
}

fn counting(count: &Count) -> Immediate {
    let count = count.clone();
    Immediate::new(move |_ev, _im| count.up())
}

pub(crate) fn immediate_burst(Setup { size, .. }: Setup) -> Work {
    let (ctx, count) = (context(), Count::default());
    let immediates: Vec<_> = (0..size).map(|_| counting(&count)).collect();
    Box::new(move |n| {
        for _ in (0..n).step_by(size) {
            count.clear();
            for im in &immediates {
                im.schedule(&ctx);
            }
            turn_until(&ctx, &count, size as u64);
        }
        n
    })
}

pub(crate) fn immediate_once(_: Setup) -> Work {
    let (ctx, count) = (context(), Count::default());
    Box::new(move |n| {
        count.clear();
        for i in 0..n {
            let im = counting(&count);
            im.schedule(&ctx);
            turn_until(&ctx, &count, i + 1);
            drop(im);
        }
        n
    })
}

fn add_timer(ctx: &Context, when: impl Into<When>, count: &Count) -> Timer {
    let count = count.clone();
    ctx.add_timer(when, move |_ev, _te, _now| count.up())
}

pub(crate) fn timer_cycle(Setup { size, .. }: Setup) -> Work {
    let (ctx, count, mut random) = (context(), Count::default(), Random::default());
    let pending: Vec<_> = (0..size).map(|_| add_timer(&ctx, random.pending(), &count)).collect();
    Box::new(move |n| {
        let _ = &pending;
        (0..n).for_each(|_| drop(add_timer(&ctx, random.pending(), &count)));
        n
    })
}

pub(crate) fn timer_latest(Setup { size, .. }: Setup) -> Work {
    let (ctx, count, mut random) = (context(), Count::default(), Random::default());
    let pending: Vec<_> = (0..size).map(|_| add_timer(&ctx, random.pending(), &count)).collect();
    Box::new(move |n| {
        let _ = &pending;
        (0..n).for_each(|_| drop(add_timer(&ctx, LATEST, &count)));
        n
    })
}

pub(crate) fn timer_fire(Setup { size, .. }: Setup) -> Work {
    let (ctx, count, mut random) = (context(), Count::default(), Random::default());
    Box::new(move |n| {
        for _ in (0..n).step_by(size) {
            count.clear();
            let timers: Vec<_> = (0..size).map(|_| add_timer(&ctx, random.soon(), &count)).collect();
            turn_until(&ctx, &count, size as u64);
            drop(timers);
        }
        n
    })
}

pub(crate) fn timer_zero(Setup { size, .. }: Setup) -> Work {
    let (ctx, count) = (context(), Count::default());
    Box::new(move |n| {
        for _ in (0..n).step_by(size) {
            count.clear();
            let timers: Vec<_> = (0..size).map(|_| add_timer(&ctx, When::Zero, &count)).collect();
            turn_until(&ctx, &count, size as u64);
            drop(timers);
        }
        n
    })
}

pub(crate) fn ring(setup: &Setup, batch: usize) -> Work {
    let (ctx, count) = (batching(batch), Count::default());
    for hop in make_hops(setup.size, setup.of) {
        let (hop, count) = (Rc::new(hop), count.clone());
        let mine = Rc::clone(&hop);
        let run = move |_ev: &_, _fde: &_, _flags| {
            hop_on(&mine);
            count.up();
        };
        ctx.keep(ctx.add_fd(&*hop, FdFlags::READ, run).expect("a pipe can be watched"));
    }
    Box::new(move |n| {
        count.clear();
        turn_until(&ctx, &count, n);
        count.get()
    })
}

pub(crate) fn fd_churn(_: Setup) -> Work {
    let (ctx, count, (near, far)) = (context(), Count::default(), make_pair());
    Box::new(move |n| {
        let _ = &far;
        for _ in 0..n {
            let count = count.clone();
            drop(ctx.add_fd(&near, FdFlags::READ, move |_ev, _fde, _flags| count.up()));
        }
        n
    })
}

/// The event and the program share the socket.
pub(crate) fn fd_cycle_owning(_: Setup) -> Work {
    let (ctx, count, (near, far)) = (context(), Count::default(), make_pair());
    let near = Rc::new(near);
    Box::new(move |n| {
        let _ = &far;
        count.clear();
        for i in 0..n {
            let mine = count.clone();
            let fde = ctx.add_fd(Rc::clone(&near), FdFlags::WRITE, move |_ev, _fde, _flags| mine.up());
            turn_until(&ctx, &count, i + 1);
            drop(fde);
        }
        n
    })
}

pub(crate) fn fd_cycle_borrowed(_: Setup) -> Work {
    let (ctx, count, (near, far)) = (context(), Count::default(), make_pair());
    Box::new(move |n| {
        let _ = &far;
        count.clear();
        for i in 0..n {
            let mine = count.clone();
            let fde = ctx.add_fd(&near, FdFlags::WRITE, move |_ev, _fde, _flags| mine.up());
            turn_until(&ctx, &count, i + 1);
            drop(fde);
        }
        n
    })
}

/// Beside so many idle fds and pending timers.
pub(crate) fn latency(Setup { size, of, .. }: Setup) -> Work {
    let (ctx, count, mut random) = (context(), Count::default(), Random::default());
    let pending: Vec<_> = (0..of).map(|_| add_timer(&ctx, random.pending(), &count)).collect();
    let idle = make_idle(size);
    for file in &idle {
        let count = count.clone();
        let added = ctx.add_fd(file, FdFlags::READ, move |_ev, _fde, _flags| count.up());
        ctx.keep(added.expect("it can be watched"));
    }
    let arrivals = Arrivals::new();
    let mine = Rc::clone(&arrivals);
    let added = ctx.add_fd(Rc::clone(&arrivals), FdFlags::READ, move |_ev, _fde, _flags| mine.called());
    ctx.keep(added.expect("a pipe can be watched"));
    Box::new(move |n| {
        let _ = (&pending, &idle);
        tell_latencies(arrivals.measure(n, || ctx.loop_once().expect("the loop turns")));
        n
    })
}
