//! Hang-up, error and half-close (FD-6): who is told, who is silenced, and what is remembered.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/fds.rs"]
mod fds;
mod support;

use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::Duration;

use fds::{ERROR, NONE, READ, WRITE};
use fds::{assert_quiet, noted_in, noting, send};
use rustix::pipe::{PipeFlags, pipe_with};
use support::{Log, drain, fill, on_every_backend, pair, turns};
use tevent::{ContextRef, FdFlags, FdRef};

/// Both ends of a TCP connection over the loopback.
fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _address) = listener.accept().unwrap();
    near.set_nonblocking(true).unwrap();
    (near, far)
}

/// The read end and the write end.
fn pipe() -> (OwnedFd, OwnedFd) {
    pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).unwrap()
}

fn fill_pipe(end: &OwnedFd) {
    while rustix::io::write(end, &[0; 4096]).is_ok() {}
}

/// A socket with an error that passes: what it sent was refused, and reading `SO_ERROR` clears it.
fn refused_udp() -> UdpSocket {
    let bind = || UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let (near, far) = (bind(), bind());
    near.connect(far.local_addr().unwrap()).unwrap();
    near.set_nonblocking(true).unwrap();
    drop(far);
    assert_eq!(near.send(b"x").unwrap(), 1);
    near
}

/// Asks for each of `cases` in turn, and compares what is told twice in a row; `NONE` is: nothing.
#[track_caller]
fn assert_told(ev: &ContextRef, fde: &FdRef, log: &Log, cases: &[(FdFlags, FdFlags)]) {
    for (asked, told) in cases.iter().copied() {
        fde.set_flags(asked);
        if told.is_empty() {
            assert_quiet(ev, log);
        } else {
            let told = format!("it {told:?}");
            assert_eq!(noted_in(ev, 2, log), [told.as_str(); 2], "asked for {asked:?}");
        }
    }
}

/// The event has been silenced: it lost its flag, nothing is left that could fire, and nothing spins.
#[track_caller]
fn assert_silenced(ev: &ContextRef, fde: &FdRef, log: &Log) {
    assert_quiet(ev, log);
    assert_eq!(fde.flags(), NONE);
    ev.loop_wait().unwrap();
}

on_every_backend! {
    fn fd_6_a_closed_peer_is_told_as_read_and_as_error(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        let fde = noting(&ctx, &near, NONE, "it", &log);
        drop(far);
        assert_told(&ctx, &fde, &log, &[
            (READ, READ),
            (ERROR, ERROR),
            (READ | ERROR, READ | ERROR),
            (READ | WRITE, READ | WRITE),
            (WRITE | ERROR, WRITE | ERROR),
            (READ | WRITE | ERROR, READ | WRITE | ERROR),
            (NONE, NONE),
        ]);
    }

    fn fd_6_a_pipe_without_writers_is_told_as_read_and_as_error(backend) {
        let (ctx, (reader, writer), log) = (backend.context(), pipe(), Log::new());
        let fde = noting(&ctx, &reader, READ | ERROR, "it", &log);
        assert_quiet(&ctx, &log);
        drop(writer);
        assert_told(&ctx, &fde, &log, &[
            (READ | ERROR, READ | ERROR),
            (READ, READ),
            (ERROR, ERROR),
            (WRITE | ERROR, ERROR),
            (READ | WRITE, READ),
        ]);
    }

    fn fd_6_a_pipe_without_readers_is_told_as_error_with_write_when_writable(backend) {
        let (ctx, (reader, writer), log) = (backend.context(), pipe(), Log::new());
        let fde = noting(&ctx, &writer, WRITE | ERROR, "it", &log);
        assert_told(&ctx, &fde, &log, &[(WRITE | ERROR, WRITE), (ERROR, NONE)]);
        fill_pipe(&writer);
        assert_told(&ctx, &fde, &log, &[(WRITE | ERROR, NONE)]);
        drop(reader);
        assert_told(&ctx, &fde, &log, &[(WRITE | ERROR, ERROR), (ERROR, ERROR), (READ | ERROR, READ | ERROR)]);
    }

    fn fd_6_an_error_is_told_to_write_and_error_while_the_pipe_has_room(backend) {
        let (ctx, (reader, writer), log) = (backend.context(), pipe(), Log::new());
        let _fde = noting(&ctx, &writer, WRITE | ERROR, "it", &log);
        drop(reader);
        assert_eq!(noted_in(&ctx, 2, &log), ["it WRITE|ERROR"; 2]);
    }

    fn fd_6_an_error_on_a_socket_is_told_until_it_is_fetched(backend) {
        let (ctx, near, log) = (backend.context(), refused_udp(), Log::new());
        let fde = noting(&ctx, &near, READ | ERROR, "it", &log);
        assert_eq!(noted_in(&ctx, 2, &log), ["it READ|ERROR"; 2]);
        assert!(near.take_error().unwrap().is_some());
        assert_quiet(&ctx, &log);
        assert_told(&ctx, &fde, &log, &[(READ | WRITE, WRITE)]);
    }

    fn fd_6_a_half_close_is_told_as_read_and_as_error(backend) {
        let (ctx, (near, far), log) = (backend.context(), tcp_pair(), Log::new());
        let fde = noting(&ctx, &near, READ | ERROR, "it", &log);
        assert_quiet(&ctx, &log);
        far.shutdown(Shutdown::Write).unwrap();
        assert_told(&ctx, &fde, &log, &[
            (READ | ERROR, READ | ERROR),
            (READ, READ),
            (ERROR, ERROR),
            (WRITE | ERROR, WRITE | ERROR),
            (READ | WRITE, READ | WRITE),
            (READ | WRITE | ERROR, READ | WRITE | ERROR),
        ]);
    }

    fn fd_6_a_half_close_that_comes_during_the_watch_is_told(backend) {
        for asked in [READ, ERROR, READ | ERROR] {
            let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
            let _fde = noting(&ctx, &near, asked, "it", &log);
            assert_quiet(&ctx, &log);
            far.shutdown(Shutdown::Write).unwrap();
            assert_eq!(noted_in(&ctx, 2, &log), [format!("it {asked:?}").as_str(); 2]);
        }
    }

    fn fd_6_error_alone_is_not_told_of_data_but_of_the_half_close_behind_it(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        let _fde = noting(&ctx, &near, ERROR, "it", &log);
        for _ in 0..3 {
            send(&far);
            assert_quiet(&ctx, &log);
        }
        far.shutdown(Shutdown::Write).unwrap();
        assert_eq!(noted_in(&ctx, 2, &log), ["it ERROR"; 2]);
        drain(&near);
        assert_eq!(noted_in(&ctx, 2, &log), ["it ERROR"; 2]);
    }

    fn fd_6_a_half_close_is_not_remembered_for_the_file_can_still_be_written(backend) {
        let (ctx, (near, far), log) = (backend.context(), tcp_pair(), Log::new());
        let fde = noting(&ctx, &near, READ | ERROR, "it", &log);
        far.shutdown(Shutdown::Write).unwrap();
        assert_told(&ctx, &fde, &log, &[
            (READ | ERROR, READ | ERROR),
            (WRITE, WRITE),
            (ERROR, ERROR),
            (WRITE, WRITE),
        ]);
        assert_eq!(fde.flags(), WRITE);
    }

    fn fd_6_write_alone_does_not_hear_of_a_half_close(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        let fde = noting(&ctx, &near, WRITE, "it", &log);
        far.shutdown(Shutdown::Write).unwrap();
        assert_told(&ctx, &fde, &log, &[(WRITE, WRITE)]);
        fill(&near);
        assert_quiet(&ctx, &log);
        assert_eq!(fde.flags(), WRITE);
        drain(&far);
        assert_eq!(noted_in(&ctx, 1, &log), ["it WRITE"]);
    }

    fn fd_6_a_half_close_that_becomes_a_hang_up_is_remembered(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        let fde = noting(&ctx, &near, ERROR, "it", &log);
        far.shutdown(Shutdown::Write).unwrap();
        assert_told(&ctx, &fde, &log, &[(ERROR, ERROR), (WRITE, WRITE)]);
        drop(far);
        assert_silenced(&ctx, &fde, &log);
    }

    fn fd_6_write_alone_is_silenced_by_a_hang_up(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        let fde = noting(&ctx, &near, WRITE, "it", &log);
        assert_eq!(noted_in(&ctx, 1, &log), ["it WRITE"]);
        drop(far);
        assert_silenced(&ctx, &fde, &log);
    }

    fn fd_6_write_alone_is_silenced_though_the_buffer_is_full(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        fill(&near);
        let fde = noting(&ctx, &near, WRITE, "it", &log);
        drop(far);
        assert_silenced(&ctx, &fde, &log);
    }

    fn fd_6_write_alone_is_silenced_by_an_error(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let (reader, writer) = pipe();
        drop(reader);
        let on_a_pipe = noting(&ctx, &writer, WRITE, "it", &log);
        assert_silenced(&ctx, &on_a_pipe, &log);
        let near = refused_udp();
        let on_a_socket = noting(&ctx, &near, WRITE, "it", &log);
        assert_silenced(&ctx, &on_a_socket, &log);
    }

    fn fd_6_a_turn_that_only_silences_succeeds(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        let fde = noting(&ctx, &near, WRITE, "it", &log);
        drop(far);
        ctx.set_wait_timeout(Duration::ZERO);
        turns(&ctx, 1);
        assert_eq!((fde.flags(), log.len()), (NONE, 0));
    }

    fn fd_6_one_that_was_silenced_can_ask_for_more_but_never_for_write_alone(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        let fde = noting(&ctx, &near, WRITE, "it", &log);
        drop(far);
        assert_told(&ctx, &fde, &log, &[
            (WRITE, NONE),
            (READ, READ),
            (WRITE, NONE),
            (WRITE | ERROR, WRITE | ERROR),
            (WRITE, NONE),
            (READ | WRITE, READ | WRITE),
        ]);
    }

    /// The error is gone and the file is writable: only the memory is left.
    fn fd_6_an_error_that_was_told_is_remembered_with_the_event(backend) {
        for told in [READ, ERROR, READ | ERROR] {
            let (ctx, near, log) = (backend.context(), refused_udp(), Log::new());
            let fde = noting(&ctx, &near, told, "it", &log);
            assert_told(&ctx, &fde, &log, &[(told, told)]);
            assert!(near.take_error().unwrap().is_some());
            assert_told(&ctx, &fde, &log, &[(WRITE, NONE), (READ | WRITE, WRITE), (WRITE, NONE)]);
        }
    }

    fn fd_6_an_error_that_silenced_is_remembered_with_the_event(backend) {
        let (ctx, near, log) = (backend.context(), refused_udp(), Log::new());
        let fde = noting(&ctx, &near, WRITE, "it", &log);
        assert_silenced(&ctx, &fde, &log);
        assert!(near.take_error().unwrap().is_some());
        assert_told(&ctx, &fde, &log, &[(WRITE, NONE), (WRITE | ERROR, WRITE), (WRITE, NONE)]);
    }

    fn fd_6_a_hang_up_that_was_told_is_remembered_with_the_event(backend) {
        for told in [READ, ERROR, READ | ERROR, WRITE | ERROR, READ | WRITE] {
            let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
            let fde = noting(&ctx, &near, told, "it", &log);
            drop(far);
            assert_told(&ctx, &fde, &log, &[(told, told), (WRITE, NONE)]);
        }
    }

    fn fd_6_each_event_has_its_own_memory(backend) {
        let (ctx, near, log) = (backend.context(), refused_udp(), Log::new());
        let told = noting(&ctx, &near, ERROR, "told", &log);
        let idle = noting(&ctx, &near, NONE, "idle", &log);
        assert_eq!(noted_in(&ctx, 1, &log), ["told ERROR"]);
        assert!(near.take_error().unwrap().is_some());
        let later = noting(&ctx, &near, NONE, "later", &log);
        for fde in [&told, &idle, &later] {
            fde.set_flags(WRITE);
        }
        assert_eq!(noted_in(&ctx, 4, &log), ["idle WRITE", "later WRITE", "idle WRITE", "later WRITE"]);
        assert_eq!((idle.flags(), later.flags()), (WRITE, WRITE));
    }

    fn fd_6_the_memory_goes_with_the_event(backend) {
        let (ctx, near, log) = (backend.context(), refused_udp(), Log::new());
        let first = noting(&ctx, &near, WRITE, "first", &log);
        assert_silenced(&ctx, &first, &log);
        assert!(near.take_error().unwrap().is_some());
        drop(first);
        let _second = noting(&ctx, &near, WRITE, "second", &log);
        assert_eq!(noted_in(&ctx, 2, &log), ["second WRITE"; 2]);
    }

    fn fd_6_where_a_sibling_takes_the_report_write_alone_keeps_its_flag(backend) {
        for taker in [READ, ERROR, WRITE | ERROR] {
            let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
            let writer = noting(&ctx, &near, WRITE, "writer", &log);
            let sibling = noting(&ctx, &near, taker, "sibling", &log);
            drop(far);
            let told = format!("sibling {taker:?}");
            assert_eq!(noted_in(&ctx, 4, &log), [told.as_str(); 4]);
            assert_eq!(writer.flags(), WRITE);
            drop(sibling);
            assert_silenced(&ctx, &writer, &log);
        }
    }

    fn fd_6_a_sibling_that_stops_asking_leaves_write_alone_to_be_silenced(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        let writer = noting(&ctx, &near, WRITE, "writer", &log);
        let sibling = noting(&ctx, &near, READ | ERROR, "sibling", &log);
        drop(far);
        turns(&ctx, 1);
        sibling.set_flags(NONE);
        assert_silenced(&ctx, &writer, &log);
        sibling.set_flags(ERROR);
        assert_eq!(noted_in(&ctx, 2, &log), ["sibling ERROR"; 2]);
    }

    fn fd_6_all_that_ask_write_alone_are_silenced_together(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        let all = ["a", "b", "c"].map(|name| noting(&ctx, &near, WRITE, name, &log));
        let idle = noting(&ctx, &near, NONE, "idle", &log);
        drop(far);
        for fde in &all {
            assert_silenced(&ctx, fde, &log);
        }
        idle.set_flags(READ);
        assert_eq!(noted_in(&ctx, 2, &log), ["idle READ"; 2]);
    }

    fn fd_6_siblings_share_a_half_close_with_write_alone(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        let _writer = noting(&ctx, &near, WRITE, "writer", &log);
        let _sibling = noting(&ctx, &near, ERROR, "sibling", &log);
        far.shutdown(Shutdown::Write).unwrap();
        let once = ["writer WRITE", "sibling ERROR"];
        assert_eq!(noted_in(&ctx, 4, &log), [once, once].concat());
    }

    fn fd_6_siblings_share_a_hang_up(backend) {
        let (ctx, (near, far), log) = (backend.context(), pair(), Log::new());
        let _siblings = [("r", READ), ("e", ERROR), ("re", READ | ERROR), ("we", WRITE | ERROR)]
            .map(|(name, flags)| noting(&ctx, &near, flags, name, &log));
        drop(far);
        let once = ["r READ", "e ERROR", "re READ|ERROR", "we WRITE|ERROR"];
        assert_eq!(noted_in(&ctx, 8, &log), [once, once].concat());
    }

    fn fd_6_other_files_are_served_while_one_hangs_up(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let ((silenced, far), (near, other_far)) = (pair(), pair());
        let writer = noting(&ctx, &silenced, WRITE, "writer", &log);
        let _reader = noting(&ctx, &near, READ, "reader", &log);
        drop(far);
        send(&other_far);
        assert!(noted_in(&ctx, 3, &log).iter().all(|told| told == "reader READ"));
        assert_eq!(writer.flags(), NONE);
        assert_eq!(noted_in(&ctx, 2, &log), ["reader READ"; 2]);
    }
}
