//! An end that vanishes, and one that is something else.

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use crate::program::{listen, read_exactly, run, start};
use crate::running::{Program, Said};

/// A reading and a writing end that are connected through the test, so that it decides how far they come.
struct Between {
    reading: Program,
    writing: Program,
    to_reading: TcpStream,
    from_writing: TcpStream,
}

/// The frame with which the writing end begins.
const HELLO_LEN: usize = 48 + 16;

impl Between {
    #[track_caller]
    fn new(args: &[&str]) -> Self {
        let (reading, address) = listen("127.0.0.1:0");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let here = listener.local_addr().unwrap().to_string();
        let writing = start(&[&["--connect", &here], args].concat());
        let (from_writing, _) = listener.accept().unwrap();
        Between { reading, writing, to_reading: TcpStream::connect(address).unwrap(), from_writing }
    }

    #[track_caller]
    fn forward(&mut self, n: usize) {
        let bytes = read_exactly(&mut self.from_writing, n);
        self.to_reading.write_all(&bytes).unwrap();
    }

    /// The writing end is killed; what the reading end says.
    #[track_caller]
    fn kill_writing(self) -> Said {
        self.writing.kill();
        drop((self.from_writing, self.to_reading));
        self.reading.end()
    }

    /// The reading end is killed; what the writing end says.
    #[track_caller]
    fn kill_reading(self) -> Said {
        self.reading.kill();
        drop((self.to_reading, self.from_writing));
        self.writing.end()
    }
}

const EQUAL: [&str; 4] = ["--messages", "64", "--size", "64K"];
const FRAME_LEN: usize = 48 + (64 << 10);

#[test]
fn job_a_killed_writer_is_told_with_what_it_had_delivered() {
    let mut between = Between::new(&EQUAL);
    between.forward(HELLO_LEN + 5 * FRAME_LEN + 1000);
    let said = between.kill_writing();
    said.assert_complaint(1, &["the writing end vanished", "5 of 64 frames", "328,920 bytes"]);
    assert_eq!(5 * FRAME_LEN + 1000, 328_920);
    assert_eq!(said.out, "");
}

#[test]
fn job_a_writer_killed_before_its_first_byte_is_told() {
    let between = Between::new(&EQUAL);
    between.kill_writing().assert_complaint(1, &["the writing end vanished", "0 frames, 0 bytes"]);
}

#[test]
fn job_a_killed_reader_is_told_with_what_was_delivered_to_it() {
    let mut between = Between::new(&EQUAL);
    between.forward(HELLO_LEN + 5 * FRAME_LEN);
    let said = between.kill_reading();
    said.assert_complaint(1, &["the reading end vanished", "of 64 frames", "delivered so far: "]);
    let frames = said.err.split("delivered so far: ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    // What the socket buffers had taken besides is not known to have arrived, but it is told.
    assert!((4..64).contains(&frames.parse::<usize>().unwrap()), "{}", said.err);
    assert_eq!(said.out, "");
}

#[test]
fn job_a_reader_killed_before_its_verdict_is_told_although_all_was_written() {
    let mut between = Between::new(&["--messages", "3", "--size", "1K"]);
    between.forward(HELLO_LEN + 3 * (48 + 1024) - 1);
    let said = between.kill_reading();
    said.assert_complaint(1, &["the reading end vanished", "3 of 3 frames"]);
}

#[test]
fn job_without_the_queue_a_killed_reader_is_told_too() {
    let mut between = Between::new(&[&EQUAL[..], &["--no-queue"]].concat());
    between.forward(HELLO_LEN + FRAME_LEN);
    between.kill_reading().assert_complaint(1, &["the reading end vanished", "of 64 frames"]);
}

#[test]
fn job_nobody_there_to_connect_to_is_an_error_that_names_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    run(&["--connect", &address]).assert_complaint(1, &["cannot connect to", &address, "refused"]);
    run(&["--connect", "unix:/nowhere/socket"])
        .assert_complaint(1, &["cannot connect to unix:/nowhere/socket", "No such file"]);
}

#[test]
fn job_an_address_that_is_taken_cannot_be_listened_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    run(&["--listen", &address]).assert_complaint(1, &["cannot listen on", &address, "in use"]);
}

#[test]
fn job_a_peer_that_is_something_else_is_told() {
    let (reading, address) = listen("127.0.0.1:0");
    let mut stranger = TcpStream::connect(address).unwrap();
    stranger.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n").unwrap();
    reading.end().assert_complaint(1, &["the other end is no socket_writer", "hello"]);
}

#[test]
fn job_a_reader_that_is_something_else_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let writing = start(&["--connect", &address, "--messages", "1", "--size", "1"]);
    let (mut stranger, _) = listener.accept().unwrap();
    let hello = read_exactly(&mut stranger, HELLO_LEN);
    stranger.write_all(&hello).unwrap(); // an echo
    writing.end().assert_complaint(1, &["the other end is no socket_writer", "verdict"]);
}
