//! The model's files and fd events (FD-1 to FD-12).

use std::rc::Rc;

use super::naive::Naive;
use super::ops::{self, CAP, FileKind, Kind, Me, Op, Script, Touch, of_kind};
use super::seen::{Choice, Entry};

const READ: u16 = 1;
const WRITE: u16 = 2;
const ERROR: u16 = 4;

pub(crate) struct Fd {
    file: usize,
    flags: u16,
    shared: bool,
    close_fn: bool,
    /// A hang-up or error was reported to it.
    saw_error: bool,
    pub(crate) freed: bool,
    script: Script,
}

impl Fd {
    /// FD-6: after an error WRITE alone never fires.
    fn wants(&self) -> u16 {
        if self.saw_error && self.flags == WRITE { 0 } else { self.flags }
    }
}

pub(crate) struct File {
    kind: FileKind,
    bytes: usize,
    full: bool,
    half_closed: bool,
    closed: bool,
    /// The events on it, the next to run first.
    ring: Vec<usize>,
    /// The turn from which on it was watched, as long as it is.
    joined: Option<usize>,
    /// The latest turn that served it since.
    served: Option<usize>,
}

/// What the kernel can tell of a file.
struct Condition {
    flags: u16,
    /// Hang-up or error, not a mere half-close.
    failed: bool,
}

impl File {
    pub(crate) fn open(kind: FileKind) -> Self {
        File {
            kind,
            bytes: 0,
            full: false,
            half_closed: false,
            closed: false,
            ring: Vec::new(),
            joined: None,
            served: None,
        }
    }

    fn touch(&mut self, touch: Touch) {
        let reads = self.kind != FileKind::PipeToWrite;
        let writes = self.kind != FileKind::PipeToRead;
        match touch {
            Touch::Send if reads && !self.half_closed && !self.closed => self.bytes += 1,
            Touch::Drain if reads => self.bytes = 0,
            Touch::Fill if writes && !self.closed => self.full = true,
            Touch::DrainFar if writes && !self.closed => self.full = false,
            Touch::ShutFar if self.kind == FileKind::Socket && !self.closed => self.half_closed = true,
            Touch::CloseFar => {
                self.closed = true;
                // What was sent to a socket is thrown away with it; a pipe holds it.
                self.full &= self.kind == FileKind::PipeToWrite;
            }
            _ => {}
        }
    }

    fn condition(&self) -> Condition {
        let ended = self.closed || self.half_closed;
        let flag = |flag, on: bool| if on { flag } else { 0 };
        Condition {
            flags: flag(READ, self.bytes > 0 || ended)
                | flag(WRITE, self.kind != FileKind::PipeToRead && !self.full)
                | flag(ERROR, ended),
            failed: self.closed,
        }
    }
}

impl Naive {
    pub(crate) fn apply_to_fd(&mut self, op: &Op, me: Me) {
        match op {
            Op::AddFd { file, flags, shared, close_fn, script } => {
                if let [oldest, ..] = self.live_fds()[..]
                    && self.live_fds().len() >= CAP
                {
                    self.free_fd(oldest);
                }
                let id = self.fds.len();
                self.fds.push(Fd {
                    file: *file,
                    flags: *flags,
                    shared: *shared,
                    close_fn: *close_fn,
                    saw_error: false,
                    freed: false,
                    script: Rc::clone(script),
                });
                self.files[*file].ring.push(id);
                self.note_watched(*file);
            }
            Op::SetFlags(n, flags) => {
                if let Some(id) = self.pick_fd(*n, me).filter(|id| !self.fds[*id].freed) {
                    self.may_be_quiet |= self.fds[id].shared;
                    self.fds[id].flags = *flags;
                    self.note_watched(self.fds[id].file);
                }
            }
            Op::FreeFd(n) => {
                if let Some(id) = self.pick_fd(*n, me) {
                    self.free_fd(id);
                }
            }
            Op::Touch(file, Touch::Renew) => {
                for id in self.live_fds() {
                    if self.fds[id].file == *file {
                        self.free_fd(id);
                    }
                }
                self.files[*file] = File::open(self.files[*file].kind);
            }
            Op::Touch(file, touch) => self.files[*file].touch(*touch),
            others => self.apply_to_req(others, of_kind(me, Kind::Req)),
        }
    }

    fn live_fds(&self) -> Vec<usize> {
        (0..self.fds.len()).filter(|id| !self.fds[*id].freed).collect()
    }

    fn pick_fd(&self, n: ops::Pick, me: Me) -> Option<usize> {
        ops::pick(n, of_kind(me, Kind::Fd), &self.live_fds(), self.fds.len())
    }

    /// FD-8, FD-9.
    fn free_fd(&mut self, id: usize) {
        let fd = &mut self.fds[id];
        if fd.freed {
            return;
        }
        fd.freed = true;
        fd.flags = 0;
        let (file, close_fn) = (fd.file, fd.close_fn);
        self.may_be_quiet |= fd.shared;
        self.files[file].ring.retain(|other| *other != id);
        self.note_watched(file);
        if close_fn {
            self.say(Entry::Closed { fd: id });
        }
    }

    fn watched(&self, file: usize) -> u16 {
        self.files[file].ring.iter().fold(0, |flags, id| flags | self.fds[*id].wants())
    }

    fn note_watched(&mut self, file: usize) {
        let watched = self.watched(file) != 0;
        let turn = self.turns;
        let file = &mut self.files[file];
        if !watched {
            (file.joined, file.served) = (None, None);
        } else if file.joined.is_none() {
            file.joined = Some(turn);
        }
    }

    /// FD-2, FD-6: what the kernel reports without being asked are hang-ups and errors.
    fn is_ready(&self, file: usize) -> bool {
        let (watched, condition) = (self.watched(file), self.files[file].condition());
        watched != 0 && (condition.failed || watched & condition.flags != 0)
    }

    /// The files in the rotation are served one a turn (FD-12). Says whether one was.
    pub(crate) fn serve_a_file(&mut self, turn: usize, choice: Choice) -> bool {
        let ready: Vec<usize> = (0..self.files.len()).filter(|file| self.is_ready(*file)).collect();
        if ready.is_empty() {
            self.nothing_served(choice);
            return false;
        }
        let Some(served) = choice.served else {
            self.illegal(format!("files {ready:?} are ready, and none was served"));
            return true;
        };
        if !ready.contains(&served) {
            self.illegal(format!("file {served} was served, but ready are {ready:?}"));
            return true;
        }
        for other in ready {
            if other != served && self.must_wait_for(served, other) {
                self.illegal(format!("file {served} was served again before file {other}"));
            }
        }
        self.files[served].served = Some(turn);
        self.serve(served);
        true
    }

    /// Whether it was served since the other one came or was served itself.
    fn must_wait_for(&self, file: usize, other: usize) -> bool {
        let (file, other) = (&self.files[file], &self.files[other]);
        file.served.is_some_and(|turn| other.joined <= Some(turn) && other.served < Some(turn))
    }

    /// FD-4 to FD-6.
    fn serve(&mut self, file: usize) {
        let condition = self.files[file].condition();
        let hears = |fd: &Fd| {
            let told_of_failure = !condition.failed || fd.wants() & (READ | ERROR) != 0;
            told_of_failure && fd.wants() & condition.flags != 0
        };
        let ring = &mut self.files[file].ring;
        if let Some(place) = ring.iter().position(|id| hears(&self.fds[*id])) {
            let id = ring.remove(place);
            ring.push(id);
            let fd = &mut self.fds[id];
            fd.saw_error |= condition.failed;
            let (flags, script) = (fd.wants() & condition.flags, Rc::clone(&fd.script));
            self.note_watched(file);
            self.say(Entry::Fd { fd: id, flags });
            self.run(&script, Some((Kind::Fd, id)));
            return;
        }
        for id in self.files[file].ring.clone() {
            let fd = &mut self.fds[id];
            if fd.flags == WRITE {
                (fd.flags, fd.saw_error) = (0, true);
            }
        }
        self.note_watched(file);
    }

    pub(crate) fn look_at_fds(&self) -> Vec<(usize, u16)> {
        let looked_at = ops::looked_at(&self.live_fds(), self.fds.len());
        looked_at.into_iter().map(|id| (id, self.fds[id].flags)).collect()
    }
}
