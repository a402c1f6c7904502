//! `Builder::batch(64)` against a model of its documented rule (docs/differences.md): what is ready is fetched in one wait and
//! runs one a turn, in any order; what was freed or narrowed meanwhile is passed over; what was drained meanwhile still runs.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/random.rs"]
mod random;
mod support;

use std::cell::Cell;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use random::Random;
use support::{Kind, drain, pair};
use tevent::{Context, FdEvent, FdFlags};

const FILES: usize = 12;

/// One socket and the event on it, as the model sees them.
#[derive(Clone, Copy, Default)]
struct File {
    wants: FdFlags,
    lives: bool,
    holds_bytes: bool,
    /// What the latest wait has fetched for it and has not run.
    fetched: FdFlags,
    /// It was passed over, or would have been: it may be thrown away already.
    may_be_gone: bool,
}

impl File {
    fn ready(self) -> FdFlags {
        let readable = if self.holds_bytes { FdFlags::READ } else { FdFlags::NONE };
        if self.lives { (readable | FdFlags::WRITE) & self.wants } else { FdFlags::NONE }
    }

    fn due(self) -> FdFlags {
        self.fetched & self.wants
    }

    fn change(&mut self, wants: FdFlags) {
        self.wants = wants;
        self.may_be_gone |= self.due().is_empty();
    }
}

type Ran = Rc<Cell<Option<(usize, FdFlags)>>>;

fn add(ctx: &Context, near: &UnixStream, file: usize, flags: FdFlags, ran: &Ran) -> FdEvent {
    let ran = Rc::clone(ran);
    ctx.add_fd(near, flags, move |_ev, _fde, flags| assert!(ran.replace(Some((file, flags))).is_none()))
        .unwrap()
}

fn flags(random: &mut Random) -> FdFlags {
    [FdFlags::NONE, FdFlags::READ, FdFlags::WRITE, FdFlags::READ | FdFlags::WRITE][random.below(4)]
}

#[test]
fn loop_1_a_batch_of_64_does_what_the_documented_rule_says() {
    let (mut runs, mut drained) = (0, 0);
    for seed in 0..200 {
        let mut random = Random(seed);
        let ctx = Kind::EpollBatch64.context();
        ctx.set_wait_timeout(Duration::ZERO);
        let sockets: Vec<_> = (0..FILES).map(|_| pair()).collect();
        let mut events: [Option<FdEvent>; FILES] = [const { None }; FILES];
        let mut files = [File::default(); FILES];
        let ran = Ran::default();
        for step in 0..400 {
            let at = random.below(FILES);
            let (near, mut far) = (&sockets[at].0, &sockets[at].1);
            match random.below(10) {
                0..2 => {
                    far.write_all(b"x").unwrap();
                    files[at].holds_bytes = true;
                }
                2 => {
                    drain(near);
                    files[at].holds_bytes = false;
                }
                3 => {
                    let wants = flags(&mut random);
                    drop(events[at].take());
                    events[at] = Some(add(&ctx, near, at, wants, &ran));
                    let holds_bytes = files[at].holds_bytes;
                    files[at] = File { wants, lives: true, holds_bytes, ..File::default() };
                }
                4 => {
                    if let Some(event) = &events[at] {
                        let wants = flags(&mut random);
                        event.set_flags(wants);
                        files[at].change(wants);
                    }
                }
                5 => {
                    drop(events[at].take());
                    files[at] = File { holds_bytes: files[at].holds_bytes, ..File::default() };
                }
                _ => {
                    let waits = ctx.stats().waits;
                    let result = ctx.loop_once();
                    let waited = ctx.stats().waits > waits;
                    let (place, seen) = (format!("seed {seed}, step {step}"), ran.take());
                    if waited {
                        let left = files.iter().any(|file| !file.due().is_empty() && !file.may_be_gone);
                        assert!(!left, "{place}: it waited though something fetched had not run");
                        for file in &mut files {
                            (file.fetched, file.may_be_gone) = (file.ready(), false);
                        }
                    }
                    let any = files.iter().any(|file| !file.due().is_empty());
                    assert_eq!(result.is_err(), seen.is_none(), "{place}");
                    assert!(!waited || any == seen.is_some(), "{place}: {seen:?}");
                    let Some((file, told)) = seen else { continue };
                    assert_eq!(told, files[file].due(), "{place}: what was fetched and is still wanted");
                    assert!(!told.is_empty(), "{place}");
                    runs += 1;
                    drained += usize::from(told.contains(FdFlags::READ) && !files[file].holds_bytes);
                    (files[file].fetched, files[file].may_be_gone) = (FdFlags::NONE, false);
                    for file in &mut files {
                        file.may_be_gone |= file.due().is_empty();
                    }
                }
            }
        }
    }
    println!("{runs} handlers, {drained} of them told of what had been drained");
    assert!(runs > 20_000 && drained > 100);
}
