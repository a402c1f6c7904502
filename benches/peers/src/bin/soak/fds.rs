//! Fds: a ring of pipes, events that come and go, sockets that come and go. In a forked child the files are the parent's too, and
//! either may take what the other waits for: nothing here relies on there being something to read.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use tevent::{FdFlags, io};
use tevent_peers::{make_hops, make_pair};

use crate::world::{Done, Stage, Work};

/// How many pipes a byte goes through.
const HOPS: u8 = 32;

/// Each byte says how far it has to go yet.
pub(crate) fn ring(stage: &Rc<Stage>) -> Work {
    let (stage, done) = (Rc::clone(stage), Done::default());
    let hops: Vec<_> = make_hops(0, 64).into_iter().map(Rc::new).collect();
    for hop in &hops {
        let (mine, done) = (Rc::clone(hop), done.clone());
        let run = move |_ev: &_, _fde: &_, _flags| {
            let mut left = [0];
            if rustix::io::read(&*mine, &mut left).is_ok() {
                done.up();
                if left[0] > 0 {
                    mine.send(left[0] - 1);
                }
            }
        };
        stage.ev.keep(stage.ev.add_fd(&**hop, FdFlags::READ, run).expect("a pipe can be watched"));
    }
    let pulse = move || hops[stage.below(hops.len())].send(HOPS);
    Work { name: "ring", pulse: Box::new(pulse), done }
}

/// Events on sockets that stay: freed without a turn, or by their own handler; the socket shared with the event, or borrowed.
pub(crate) fn churn(stage: &Rc<Stage>) -> Work {
    let (stage, done) = (Rc::clone(stage), Done::default());
    let pairs: Vec<_> = (0..32).map(|_| make_pair()).map(|(near, far)| (Rc::new(near), far)).collect();
    let ran = done.clone();
    let pulse = move || {
        let ev = &stage.ev;
        for _ in 0..4 {
            let (near, far) = &pairs[stage.below(pairs.len())];
            drop(ev.add_fd(&**near, FdFlags::READ, |_ev, _fde, _flags| {}));
            drop(ev.add_fd(Rc::clone(near), FdFlags::READ, |_ev, _fde, _flags| {}));
            let ran = ran.clone();
            let run = move |ev: &tevent::ContextRef, fde: &tevent::FdRef, _flags| {
                ran.up();
                drop(ev.take(fde));
            };
            let added = match stage.below(2) {
                0 => ev.add_fd(far, FdFlags::WRITE, run),
                _ => ev.add_fd(Rc::clone(near), FdFlags::WRITE, run),
            };
            ev.keep(added.expect("a socket can be watched"));
        }
    };
    Work { name: "churn", pulse: Box::new(pulse), done }
}

/// Pairs of sockets: one end, which its event owns, is closed by its handler, and the other then finds that it is gone.
pub(crate) fn sockets(stage: &Rc<Stage>) -> Work {
    let (stage, done) = (Rc::clone(stage), Done::default());
    let closed = done.clone();
    let pulse = move || {
        let (near, far) = UnixStream::pair().expect("a socket pair");
        let close = |ev: &tevent::ContextRef, fde: &tevent::FdRef, _flags| drop(ev.take(fde));
        let near = stage.ev.add_fd(OwnedFd::from(near), FdFlags::WRITE, close);
        stage.ev.keep(near.expect("a socket can be watched"));
        let (far, closed) = (io::Stream::new(far), closed.clone());
        let mine = far.clone();
        let run = move |ev: &tevent::ContextRef, fde: &tevent::FdRef, _flags| {
            if matches!(mine.try_read(&mut [0; 16]), Ok(0)) {
                closed.up();
                drop(ev.take(fde));
            }
        };
        stage.ev.keep(stage.ev.add_fd(&far, FdFlags::READ, run).expect("a socket can be watched"));
    };
    Work { name: "sockets", pulse: Box::new(pulse), done }
}
