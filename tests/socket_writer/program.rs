//! Running the example, and reading what it says.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::programs;

/// Where the example is.
pub(crate) fn path() -> PathBuf {
    programs::program("socket_writer")
}

/// A running example; killed with this if it has not ended.
pub(crate) struct Program(Option<Child>);

/// What it said when it had ended.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Long enough for the slowest machine: only a program that hangs takes it.
const PATIENCE: Duration = Duration::from_secs(120);

impl Program {
    #[track_caller]
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut command = Command::new(path());
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Program(Some(command.spawn().unwrap()))
    }

    /// Starts the reading end; gives the address that it prints, too.
    #[track_caller]
    pub(crate) fn listen(address: &str) -> (Self, String) {
        let mut program = Program::start(&["--listen", address]);
        let out = program.0.as_mut().unwrap().stdout.as_mut().unwrap();
        let mut line = String::new();
        // One byte at a time: what follows is for `end`.
        BufReader::with_capacity(1, out).read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("it said {line:?}"));
        (program, address.trim_end().to_owned())
    }

    /// Waits until it ends.
    #[track_caller]
    pub(crate) fn end(mut self) -> Said {
        let child = self.0.take().unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        let (told, hear) = mpsc::channel();
        let waiting = thread::spawn(move || {
            let output = child.wait_with_output().unwrap();
            // Nobody listens any more if it took too long.
            let _ = told.send(output);
        });
        let output = hear.recv_timeout(PATIENCE);
        if output.is_err() {
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
        waiting.join().unwrap();
        Said::from(output.expect("the program hangs"))
    }

    pub(crate) fn kill(mut self) {
        let mut child = self.0.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[track_caller]
pub(crate) fn run(args: &[&str]) -> Said {
    Program::start(args).end()
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Said {
    /// The value in that row of the table.
    #[track_caller]
    pub(crate) fn row(&self, name: &str) -> &str {
        let value = self.out.lines().find_map(|line| line.strip_prefix(name));
        value.unwrap_or_else(|| panic!("no row {name:?} in {:?}, {:?}", self.out, self.err)).trim()
    }

    #[track_caller]
    pub(crate) fn number(&self, name: &str) -> u64 {
        self.row(name).replace(',', "").parse().unwrap()
    }

    /// It went well: all frames whole and in order.
    #[track_caller]
    pub(crate) fn assert_perfect(&self, frames: u64) {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""));
        assert_eq!(self.number("frames"), frames);
        assert_eq!((self.row("torn frames"), self.row("out of order")), ("0", "0"));
    }

    /// It ended with that code, and one line on standard error that has all of these in it.
    #[track_caller]
    pub(crate) fn assert_complaint(&self, code: i32, needles: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.err);
        assert_eq!(self.err.lines().count(), 1, "{:?}", self.err);
        assert!(self.err.starts_with("socket_writer: ") && self.err.ends_with('\n'), "{:?}", self.err);
        for needle in needles {
            assert!(self.err.contains(needle), "no {needle:?} in {:?}", self.err);
        }
    }
}

/// A folder of its own for one test, short enough for the path of a Unix socket.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("tevent-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Reads exactly so many bytes.
#[track_caller]
pub(crate) fn read_exactly(from: &mut impl Read, n: usize) -> Vec<u8> {
    let mut bytes = vec![0; n];
    from.read_exact(&mut bytes).unwrap();
    bytes
}
