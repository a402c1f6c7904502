//! A daemon that runs, and clients that wait for its replies.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::running::Program;

/// Only a daemon that hangs takes it.
const PATIENCE: Option<Duration> = Some(Duration::from_secs(60));

/// Starts a daemon that listens at as many places as `args` name, and says what they are called.
#[track_caller]
pub(crate) fn start(args: &[&str]) -> (Program, Vec<String>) {
    let mut program = Program::start("daemon", args);
    let places = args.iter().filter(|arg| ["--port", "--unix"].contains(arg)).count();
    let names = (0..places).map(|_| {
        let line = program.line();
        let name = line.strip_prefix("listening on ");
        name.unwrap_or_else(|| panic!("it said {line:?} and {:?}", program.complaint())).to_owned()
    });
    let names = names.collect();
    (program, names)
}

/// Starts a daemon on a port of its own; gives a client, too.
#[track_caller]
pub(crate) fn start_with(args: &[&str]) -> (Program, Client) {
    let (program, names) = start(&[&["--port", "0"], args].concat());
    let client = Client::tcp(&names[0]);
    (program, client)
}

trait Socket: Read + Write {}

impl<T: Read + Write> Socket for T {}

pub(crate) struct Client(BufReader<Box<dyn Socket>>);

impl Client {
    #[track_caller]
    pub(crate) fn tcp(address: &str) -> Client {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(PATIENCE).unwrap();
        Client(BufReader::new(Box::new(socket)))
    }

    #[track_caller]
    pub(crate) fn unix(path: &str) -> Client {
        let socket = UnixStream::connect(path).unwrap();
        socket.set_read_timeout(PATIENCE).unwrap();
        Client(BufReader::new(Box::new(socket)))
    }

    #[track_caller]
    pub(crate) fn send(&mut self, line: &str) {
        self.0.get_mut().write_all(line.as_bytes()).unwrap();
    }

    /// The next reply, with `|` for each end of a line; arrays are their first line.
    #[track_caller]
    pub(crate) fn reply(&mut self) -> String {
        let mut reply = String::new();
        self.0.read_line(&mut reply).unwrap();
        if let Some(Ok(length)) = reply.strip_prefix('$').map(|length| length.trim_end().parse::<usize>()) {
            let mut bytes = vec![0; length + 2];
            self.0.read_exact(&mut bytes).unwrap();
            reply.push_str(std::str::from_utf8(&bytes).unwrap());
        }
        reply.replace("\r\n", "|")
    }

    #[track_caller]
    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.send(&format!("{line}\r\n"));
        self.reply()
    }

    #[track_caller]
    pub(crate) fn assert_dialogue(&mut self, dialogue: &[(&str, &str)]) {
        for (request, reply) in dialogue {
            assert_eq!(self.ask(request), *reply, "{request}");
        }
    }

    /// A key ends in a thousand seconds, as far as these have not gone by meanwhile.
    #[track_caller]
    pub(crate) fn assert_ends_in_1000_seconds(&mut self, key: &str) {
        let left: u64 = self.ask(&format!("TTL {key}")).trim_matches([':', '|']).parse().unwrap();
        assert!((900..=1000).contains(&left), "{left}");
    }

    /// The value in that line of INFO.
    #[track_caller]
    pub(crate) fn info(&mut self, name: &str) -> String {
        let info = self.ask("INFO");
        let value = info.split('|').find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap_or_else(|| panic!("no {name} in {info}")).to_owned()
    }

    /// Begins a snapshot, and asks how it went until it has ended: `snapshots_saved` or `snapshot_last_error` changes.
    #[track_caller]
    pub(crate) fn save(&mut self) {
        let outcome =
            |client: &mut Client| ["snapshots_saved", "snapshot_last_error"].map(|name| client.info(name));
        let before = outcome(self);
        assert_eq!(self.ask("BGSAVE"), "+Background saving started|");
        let begin = std::time::Instant::now();
        while outcome(self) == before {
            assert!(begin.elapsed() < PATIENCE.unwrap(), "it never ends");
        }
    }

    /// What is left to read until the daemon closes.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).unwrap();
        rest.replace("\r\n", "|")
    }
}
