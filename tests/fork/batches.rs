//! Forks in the middle of what was fetched, inside a handler: what the parent has fetched and what becomes ready later still
//! reports there, whatever the child does.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use super::forks::{Case, in_child};
use super::support::{Kind, drain, pair, run_ready, turns};
use tevent::{Context, FdFlags, FdRef, When};

const SOCKETS: usize = 64;
/// In the handler of the how-manieth the process forks.
const FORKS_IN: usize = 4;

pub(super) const CASES: [Case; 5] = [
    ("forked_in_a_batch_child_drops_its_context", |kind| forked_in_a_batch(kind, Child::Drops)),
    ("forked_in_a_batch_child_frees_its_events", |kind| forked_in_a_batch(kind, Child::Frees)),
    ("forked_in_a_batch_child_turns_on", |kind| forked_in_a_batch(kind, Child::TurnsOn)),
    ("forked_in_a_batch_child_begins_anew", |kind| forked_in_a_batch(kind, Child::BeginsAnew)),
    ("forked_in_a_batch_child_only_ends", |kind| forked_in_a_batch(kind, Child::Ends)),
];

#[derive(Clone, Copy)]
enum Child {
    Drops,
    /// All its events, then its context.
    Frees,
    TurnsOn,
    BeginsAnew,
    Ends,
}

struct Batch {
    ctx: RefCell<Option<Context>>,
    sockets: Vec<(UnixStream, UnixStream)>,
    /// How often each has reported.
    reports: RefCell<Vec<usize>>,
    events: RefCell<Vec<FdRef>>,
    is_child: Cell<bool>,
}

impl Batch {
    fn fill(&self) {
        for (_near, far) in &self.sockets {
            assert_eq!((&*far).write(b"x").unwrap(), 1);
        }
    }

    fn reported(&self) -> usize {
        self.reports.borrow().iter().sum()
    }
}

fn forked_in_a_batch(kind: Kind, child: Child) {
    let sockets = (0..SOCKETS).map(|_| pair()).collect();
    let ctx = kind.context();
    ctx.allow_nesting();
    let ev = ctx.clone();
    let batch = Rc::new(Batch {
        ctx: RefCell::new(Some(ctx)),
        sockets,
        reports: RefCell::new(vec![0; SOCKETS]),
        events: RefCell::default(),
        is_child: Cell::new(false),
    });
    batch.fill();
    for n in 0..SOCKETS {
        let of_all = Rc::clone(&batch);
        let fde = ev.add_fd(&batch.sockets[n].0, FdFlags::READ, move |_ev, fde, _flags| {
            of_all.reports.borrow_mut()[n] += 1;
            if of_all.is_child.get() {
                // What can be read is the parent's.
                return fde.set_flags(FdFlags::NONE);
            }
            drain(&of_all.sockets[n].0);
            if of_all.reported() == FORKS_IN {
                assert!(in_child(|| live_on(&of_all, child)));
            }
        });
        batch.events.borrow_mut().push(ev.keep(fde.unwrap()));
    }
    run_ready(&ev);
    assert_eq!(*batch.reports.borrow(), [1; SOCKETS], "all that was fetched is served");
    batch.fill();
    run_ready(&ev);
    assert_eq!(*batch.reports.borrow(), [2; SOCKETS], "and what became ready later");
    drop(batch.ctx.take());
}

fn live_on(batch: &Batch, how: Child) {
    batch.is_child.set(true);
    let ev = batch.ctx.borrow().as_deref().unwrap().clone();
    match how {
        Child::Ends => {}
        Child::Drops => drop(batch.ctx.take()),
        Child::Frees => {
            batch.events.take().iter().for_each(|fde| drop(ev.take(fde)));
            drop(batch.ctx.take());
        }
        Child::TurnsOn => {
            // Inside of the handler, with what the parent has fetched still to come.
            run_ready(&ev);
            assert_eq!(
                *batch.reports.borrow(),
                [1; SOCKETS],
                "the child has found out by itself what is ready"
            );
        }
        Child::BeginsAnew => {
            ev.re_initialise().unwrap();
            assert_eq!(run_ready(&ev), 0);
            ev.set_wait_timeout(None);
            let te = ev.add_timer(When::In(Duration::from_millis(1)), |_, _, _| ());
            turns(&ev, 1);
            assert!(!te.is_pending());
        }
    }
}
