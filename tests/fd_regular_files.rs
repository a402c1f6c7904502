//! Files that epoll refuses are always ready, and take their turn among others (FD-10, FD-12).

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/fds.rs"]
mod fds;
mod support;

use std::fs::File;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use fds::{Duplicated, ERROR, NONE, Number, READ, WRITE};
use fds::{assert_quiet, noted_in, noting, send};
use rustix::fs::{MemfdFlags, memfd_create};
use support::{Log, on_every_backend, pair, turns};
use tevent::{Immediate, When};

/// A file that epoll refuses with EPERM.
fn regular_file() -> OwnedFd {
    memfd_create("regular", MemfdFlags::CLOEXEC).unwrap()
}

on_every_backend! {
    fn fd_10_a_regular_file_is_always_ready_for_read_and_write(backend) {
        for file in [regular_file(), File::open("/proc/self/exe").unwrap().into()] {
            let (ctx, log) = (backend.context(), Log::new());
            let fde = noting(&ctx, &file, NONE, "it", &log);
            assert_quiet(&ctx, &log);
            let started = ctx.now();
            for asked in [READ, WRITE, READ | WRITE, WRITE, READ | ERROR, READ | WRITE | ERROR] {
                fde.set_flags(asked);
                assert_eq!(fde.flags(), asked);
                let told = format!("it {:?}", asked - ERROR);
                assert_eq!(noted_in(&ctx, 3, &log), [told.as_str(); 3]);
            }
            if backend.is_simulated() {
                assert_eq!(ctx.now(), started, "no turn has waited");
            }
            fde.set_flags(ERROR);
            assert_quiet(&ctx, &log);
            fde.set_flags(NONE);
            ctx.loop_wait().unwrap();
        }
    }

    fn fd_10_siblings_on_a_regular_file_take_turns(backend) {
        let (ctx, file, log) = (backend.context(), regular_file(), Log::new());
        let [r, w, _e, rw] = [("r", READ), ("w", WRITE), ("e", ERROR), ("rw", READ | WRITE)]
            .map(|(name, flags)| noting(&ctx, &file, flags, name, &log));
        assert_eq!(noted_in(&ctx, 4, &log), ["r READ", "w WRITE", "rw READ|WRITE", "r READ"]);
        drop(w);
        rw.set_flags(NONE);
        assert_eq!(noted_in(&ctx, 2, &log), ["r READ"; 2]);
        drop(r);
        assert_quiet(&ctx, &log);
    }

    fn fd_10_a_regular_file_may_be_owned_or_shared(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let shared = Rc::new(regular_file());
        for _ in 0..3 {
            let owned = noting(&ctx, regular_file(), WRITE, "owned", &log);
            assert_eq!(noted_in(&ctx, 2, &log), ["owned WRITE"; 2]);
            drop(owned);
            let event = noting(&ctx, Rc::clone(&shared), READ, "shared", &log);
            assert_eq!(noted_in(&ctx, 2, &log), ["shared READ"; 2]);
            drop(event);
            assert_quiet(&ctx, &log);
        }
        assert_eq!(Rc::strong_count(&shared), 1);
    }

    fn fd_10_what_comes_before_fds_does_so_before_regular_files(backend) {
        let (ctx, file, log) = (backend.context(), regular_file(), Log::new());
        let _file = noting(&ctx, &file, READ, "file", &log);
        turns(&ctx, 1);
        let (of_timer, of_immediate) = (log.clone(), log.clone());
        let _timer = ctx.add_timer(When::Zero, move |_ev, _te, _now| of_timer.add("timer"));
        let im = Immediate::new(move |_ev, _im| of_immediate.add("immediate"));
        im.schedule(&ctx);
        assert_eq!(noted_in(&ctx, 3, &log), ["immediate", "timer", "file READ"]);
    }

    fn fd_10_a_number_changes_between_a_regular_file_and_a_socket(backend) {
        let (ctx, log, number) = (backend.context(), Log::new(), Number::reserve());
        let file = number.open(regular_file());
        let fde = noting(&ctx, &file, READ, "it", &log);
        assert_eq!(noted_in(&ctx, 1, &log), ["it READ"]);
        drop(file);
        let (near, far) = pair();
        let file = number.open(near);
        fde.set_flags(READ | ERROR);
        assert_quiet(&ctx, &log);
        send(&far);
        assert_eq!(noted_in(&ctx, 2, &log), ["it READ"; 2]);
        drop(file);
        let _file = number.open(regular_file());
        fde.set_flags(READ | WRITE);
        assert_eq!(noted_in(&ctx, 2, &log), ["it READ|WRITE"; 2]);
        drop(fde);
        assert_quiet(&ctx, &log);
    }

    fn fd_12_neither_regular_files_nor_sockets_starve(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let (sockets, files) = ([pair(), pair(), pair()], [regular_file(), regular_file()]);
        let _readers = sockets.each_ref().map(|(near, far)| {
            send(far);
            noting(&ctx, near, READ, "socket", &log)
        });
        let _a = noting(&ctx, &files[0], READ, "a", &log);
        let _b = noting(&ctx, &files[1], WRITE, "b", &log);
        let told = noted_in(&ctx, 60, &log);
        assert_eq!(told.len(), 60);
        for name in ["a READ", "b WRITE", "socket READ"] {
            let longest = told.split(|told| told == name).map(<[String]>::len).max();
            assert!(longest <= Some(8), "{name} waits for {longest:?} others in {told:?}");
        }
    }

    fn fd_12_regular_files_have_one_place_each_in_the_rotation(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let (sockets, file) = ([pair(), pair(), pair()], regular_file());
        let _readers = sockets.each_ref().map(|(near, far)| {
            send(far);
            noting(&ctx, near, READ, "socket", &log)
        });
        let _file = noting(&ctx, &file, READ, "file", &log);
        let told = noted_in(&ctx, 40, &log);
        let served = told.iter().filter(|told| *told == "file READ").count();
        assert!((9..=11).contains(&served), "one of four, served {served} times in 40 turns");
    }

    fn fd_10_regular_files_survive_that_a_closed_number_is_reported(backend) {
        let (ctx, log, file) = (backend.context(), Log::new(), regular_file());
        let fde = noting(&ctx, &file, READ, "file", &log);
        let (near, far) = pair();
        let _socket = noting(&ctx, &near, READ, "socket", &log);
        let Duplicated { file: closed, duplicate: _duplicate, .. } = Duplicated::readable();
        let old = noting(&ctx, &closed, READ, "old", &log);
        drop(closed);
        drop(old);
        let told = noted_in(&ctx, 9, &log);
        assert!(told.len() >= 6 && told.iter().all(|told| told == "file READ"), "{told:?}");
        send(&far);
        let told = noted_in(&ctx, 8, &log);
        assert!(told.iter().any(|told| told == "socket READ"), "{told:?}");
        assert!(told.iter().any(|told| told == "file READ"), "{told:?}");
        drop(fde);
        assert_eq!(noted_in(&ctx, 2, &log), ["socket READ"; 2]);
    }
}
