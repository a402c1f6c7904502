//! What objects cost in memory. The room for their owners is there before, and not counted.

use rustix::event::{EventfdFlags, eventfd};
use tevent::{FdFlags, Immediate, Req};
use tevent_peers::{LATEST, Setup, Work};

use crate::{Count, context};

/// Makes as many as there is room for, after what is needed for the first of its kind.
fn fill<T: 'static>(size: usize, mut make: impl FnMut(usize) -> T + 'static) -> Work {
    let mut room: Vec<Option<T>> = (0..size).map(|_| None).collect();
    Box::new(move |n| {
        room.iter_mut().enumerate().for_each(|(i, place)| *place = Some(make(i)));
        n
    })
}

pub(crate) fn fds(Setup { size, .. }: Setup) -> Work {
    let (ctx, count) = (context(), Count::default());
    let files: Vec<_> = (0..size)
        .map(|_| eventfd(0, EventfdFlags::NONBLOCK).expect("the process may have so many files"))
        .collect();
    fill(size, move |i| {
        let count = count.clone();
        ctx.add_fd(&files[i], FdFlags::READ, move |_ev, _fde, _flags| count.up()).expect("it can be watched")
    })
}

pub(crate) fn timers(Setup { size, .. }: Setup) -> Work {
    let (ctx, count) = (context(), Count::default());
    fill(size, move |_| {
        let count = count.clone();
        ctx.add_timer(LATEST, move |_ev, _te, _now| count.up())
    })
}

pub(crate) fn requests(Setup { size, .. }: Setup) -> Work {
    fill(size, |_| Req::create([0_u64; 4]))
}

pub(crate) fn immediates(Setup { size, .. }: Setup) -> Work {
    let count = Count::default();
    fill(size, move |_| {
        let count = count.clone();
        Immediate::new(move |_ev, _im| count.up())
    })
}
