//! Examples that run, what they say, and how they end. Its test program has `programs`, which is `support/examples.rs`, too.

#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::programs;

/// A running example; killed with this if it has not ended.
pub struct Program {
    name: &'static str,
    child: Option<Child>,
}

/// What it said when it had ended.
pub struct Said {
    name: &'static str,
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Long enough for the slowest machine: only a program that hangs takes it.
const PATIENCE: Duration = Duration::from_secs(120);

impl Program {
    #[track_caller]
    pub fn start(name: &'static str, args: &[&str]) -> Self {
        let mut command = Command::new(programs::program(name));
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Program { name, child: Some(command.spawn().unwrap()) }
    }

    fn child(&mut self) -> &mut Child {
        self.child.as_mut().unwrap()
    }

    /// The next line on its standard output.
    #[track_caller]
    pub fn line(&mut self) -> String {
        line(self.child().stdout.as_mut().unwrap())
    }

    /// The next line on its standard error.
    #[track_caller]
    pub fn complaint(&mut self) -> String {
        line(self.child().stderr.as_mut().unwrap())
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(self.child.as_ref().unwrap())
    }

    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits until it ends; gives what it said and was not read before.
    #[track_caller]
    pub fn end(mut self) -> Said {
        let child = self.child.take().unwrap();
        let pid = Pid::from_child(&child);
        let (told, hear) = mpsc::channel();
        let waiting = thread::spawn(move || {
            let output = child.wait_with_output().unwrap();
            // Nobody listens any more if it took too long.
            let _ = told.send(output);
        });
        let output = hear.recv_timeout(PATIENCE);
        if output.is_err() {
            kill_process(pid, Signal::KILL).unwrap();
        }
        waiting.join().unwrap();
        let Output { status, stdout, stderr } = output.expect("the program hangs");
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { name: self.name, code: status.code(), out: text(stdout), err: text(stderr) }
    }

    pub fn kill(mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// One byte at a time: what follows is for others.
#[track_caller]
fn line(from: &mut impl Read) -> String {
    let mut line = String::new();
    BufReader::with_capacity(1, from).read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

impl Said {
    /// It ended with that code, and one line on standard error that has all of these in it.
    #[track_caller]
    pub fn assert_complaint(&self, code: i32, needles: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.err);
        assert_eq!(self.err.lines().count(), 1, "{:?}", self.err);
        let begin = format!("{}: ", self.name);
        assert!(self.err.starts_with(&begin) && self.err.ends_with('\n'), "{:?}", self.err);
        for needle in needles {
            assert!(self.err.contains(needle), "no {needle:?} in {:?}", self.err);
        }
    }
}
