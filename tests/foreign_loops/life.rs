//! What becomes of the fd when the context is freed, begins anew, forks, or a handler panics.

use std::cell::Cell;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use tevent::{Context, FdFlags, Immediate};

use super::hosts::BareEpoll;
use super::support::{Kind, drain, pair};

fn on_each_kernel_backend(run: impl Fn(Context)) {
    for kind in Kind::ALL.into_iter().filter(|kind| !kind.is_simulated()) {
        println!("{kind:?}");
        run(kind.context());
    }
}

#[test]
fn the_fd_outlives_the_context_and_is_never_readable_again() {
    on_each_kernel_backend(|ctx| {
        let (near, mut far) = pair();
        let fd = ctx.loop_fd().unwrap();
        let host = BareEpoll::around(&ctx);
        ctx.keep(ctx.add_fd(&near, FdFlags::READ, |_ev, _fde, _flags| {}).unwrap());
        far.write_all(b"x").unwrap();
        assert!(host.is_readable());
        drop(ctx);
        assert!(!host.is_readable());
        assert!(fd.as_fd().try_clone_to_owned().is_ok(), "it is open");
    });
}

#[test]
fn a_context_that_begins_anew_is_watched_by_the_same_fd() {
    on_each_kernel_backend(|ctx| {
        let (near, mut far) = pair();
        let number = ctx.loop_fd().unwrap().as_raw_fd();
        let mut host = BareEpoll::around(&ctx);
        far.write_all(b"x").unwrap();
        let _old = ctx.add_fd(&near, FdFlags::READ, |_ev, _fde, _flags| {}).unwrap();
        ctx.re_initialise().unwrap();
        assert!(!host.is_readable());
        let near = Rc::new(near);
        let read = Rc::clone(&near);
        let _new = ctx.add_fd(&near, FdFlags::READ, move |_ev, _fde, _flags| {
            drain(&read);
        });
        assert!(host.is_readable());
        assert!(host.turn());
        assert!(!host.is_readable());
        assert_eq!(ctx.loop_fd().unwrap().as_raw_fd(), number);
    });
}

/// A duplicate keeps a file open whose number was closed: the kernel reports what nobody can name, and the object is
/// made anew.
#[test]
fn a_stray_is_got_rid_of() {
    on_each_kernel_backend(|ctx| {
        let mut host = BareEpoll::around(&ctx);
        let (near, mut far) = pair();
        let _keeps_it_open = near.try_clone().unwrap();
        let fde = ctx.add_fd(near.as_raw_fd(), FdFlags::READ, |_ev, _fde, _flags| {}).unwrap();
        drop(near);
        drop(fde);
        far.write_all(b"x").unwrap();
        for _ in 0..3 {
            ctx.dispatch().unwrap();
        }
        assert!(!host.is_readable(), "it would spin for ever");
        let (near, mut far) = pair();
        let near = Rc::new(near);
        let read = Rc::clone(&near);
        let _fde = ctx.add_fd(&near, FdFlags::READ, move |_ev, _fde, _flags| {
            drain(&read);
        });
        far.write_all(b"x").unwrap();
        assert!(host.turn() && ctx.stats().handled.fds == 1);
    });
}

#[test]
fn a_handler_that_panics_leaves_both_loops_usable() {
    on_each_kernel_backend(|ctx| {
        let mut host = BareEpoll::around(&ctx);
        let (near, mut far) = pair();
        far.write_all(b"x").unwrap();
        let bad = Cell::new(true);
        let near = Rc::new(near);
        let read = Rc::clone(&near);
        let _fde = ctx.add_fd(&near, FdFlags::READ, move |_ev, _fde, _flags| {
            assert!(!bad.replace(false), "on purpose");
            drain(&read);
        });
        assert!(catch_unwind(AssertUnwindSafe(|| host.turn())).is_err());
        assert!(
            host.is_readable() || ctx.next_timeout() == Some(std::time::Duration::ZERO),
            "it is still ready"
        );
        assert!(host.turn());
        assert!(!host.is_readable());
    });
}

#[test]
fn there_is_one_fd_for_a_context() {
    on_each_kernel_backend(|ctx| {
        let (one, other) = (ctx.loop_fd().unwrap(), ctx.loop_fd().unwrap());
        assert_eq!(one.as_raw_fd(), other.as_raw_fd());
        assert!(format!("{one:?}").starts_with("LoopFd("));
    });
}

#[test]
fn a_context_that_goes_with_something_scheduled_is_never_readable_again() {
    on_each_kernel_backend(|ctx| {
        let host = BareEpoll::around(&ctx);
        ctx.keep(Immediate::new(|_ev, _im| {})).schedule(&ctx);
        assert!(host.is_readable());
        drop(ctx);
        assert!(!host.is_readable(), "the host would spin for ever");
    });
}
