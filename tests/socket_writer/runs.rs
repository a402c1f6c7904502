//! Whole runs, and what the table says of them.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::folder::Folder;
use crate::program::{listen, run};

/// Small enough for a debug build, and more than the socket buffers take at once.
const SMALL: [&str; 6] = ["--messages", "64", "--size", "1K..64K", "--sndbuf", "4K"];

/// Frames that no socket buffer takes at once, from writers that do not take turns.
const RACE: [&str; 7] = ["--no-queue", "--messages", "64", "--size", "128K..256K", "--sndbuf", "4K"];

fn small<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&SMALL[..], more].concat()
}

#[test]
fn io_1_all_frames_of_all_writers_arrive_whole_and_in_the_order_of_the_queue() {
    let said = run(&SMALL);
    said.assert_perfect(64);
    assert_eq!(said.number("longest queue"), 8);
    assert!(said.number("bytes") > 64 * 1024);
    assert!(said.number("partial writes") > 0, "every frame went in one piece anyway");
}

#[test]
fn io_1_with_no_arguments_512_frames_arrive_over_many_partial_writes() {
    let said = run(&[]);
    said.assert_perfect(512);
    assert!(said.number("bytes") > 512 * 64 * 1024);
    assert!(said.number("partial writes") > 512, "the socket buffers are not small");
}

#[test]
fn io_1_without_the_queue_frames_are_torn_and_counted() {
    let said = run(&RACE);
    let torn = said.number("torn frames");
    assert!(torn > 8, "{}", said.out);
    assert_eq!(said.row("frames"), format!("{} of 64", 64 - torn));
    assert_eq!(said.row("longest queue"), "-");
    said.assert_complaint(1, &["of 64 frames arrived whole", &format!("{torn} torn")]);
}

#[test]
fn io_1_more_writers_than_messages_and_frames_of_one_byte_are_fine() {
    run(&["--writers", "1000", "--messages", "3000", "--size", "1"]).assert_perfect(3000);
    run(&["--writers=5", "--messages=1", "--size=1..2"]).assert_perfect(1);
}

#[test]
fn job_a_frame_can_have_64_mebibytes() {
    let said = run(&["--messages", "1", "--size", "64M", "--sndbuf", "4M"]);
    said.assert_perfect(1);
    assert_eq!(said.number("bytes"), 48 + (64 << 20));
}

#[test]
fn job_the_same_seed_gives_the_same_frames_and_another_one_others() {
    let [first, again, other] = ["7", "7", "8"].map(|seed| run(&small(&["--seed", seed])));
    assert_eq!((first.row("digest"), first.row("bytes")), (again.row("digest"), again.row("bytes")));
    assert_ne!(first.row("digest"), other.row("digest"));
}

#[test]
fn job_small_socket_buffers_make_more_partial_writes_than_large_ones() {
    let [small, large] =
        ["4K", "4M"].map(|sndbuf| run(&["--messages", "32", "--size", "100K", "--sndbuf", sndbuf]));
    small.assert_perfect(32);
    large.assert_perfect(32);
    assert!(small.number("partial writes") > large.number("partial writes"));
}

#[test]
fn job_the_table_is_aligned_and_no_bar_is_drawn_where_there_is_no_terminal() {
    let said = run(&SMALL);
    let names = [
        "frames",
        "bytes",
        "partial writes",
        "longest queue",
        "time",
        "MB/s",
        "torn frames",
        "out of order",
        "digest",
    ];
    assert!(said.out.lines().zip(names).all(|(line, name)| line.starts_with(name)), "{}", said.out);
    let widths: Vec<usize> = said.out.lines().map(str::len).collect();
    assert_eq!(widths, vec![widths[0]; names.len()]);
    assert_eq!(said.err, "");
}

#[test]
fn job_two_processes_are_the_ends_and_both_know_what_arrived() {
    let (reading, address) = listen("127.0.0.1:0");
    let writing = run(&small(&["--connect", &address]));
    let reading = reading.end();
    writing.assert_perfect(64);
    reading.assert_perfect(64);
    for row in ["frames", "bytes", "digest"] {
        assert_eq!(writing.row(row), reading.row(row));
    }
    assert_eq!((reading.row("partial writes"), reading.row("longest queue")), ("-", "-"));
    assert_eq!(writing.number("longest queue"), 8);
}

#[test]
fn job_torn_frames_fail_both_of_two_processes() {
    let (reading, address) = listen("127.0.0.1:0");
    let writing = run(&[&RACE[..], &["--connect", &address]].concat());
    let torn = format!("{} torn", writing.number("torn frames"));
    writing.assert_complaint(1, &[&torn]);
    reading.end().assert_complaint(1, &[&torn]);
}

#[test]
fn job_unix_runs_both_ends_over_a_path_that_is_gone_afterwards() {
    let folder = Folder::new();
    let path = folder.path("socket");
    run(&small(&["--unix", &path])).assert_perfect(64);
    assert!(!Path::new(&path).exists());
}

#[test]
fn job_two_processes_are_the_ends_of_a_unix_socket() {
    let folder = Folder::new();
    let (reading, address) = listen(&format!("unix:{}", folder.path("socket")));
    run(&small(&["--connect", &address])).assert_perfect(64);
    reading.end().assert_perfect(64);
    assert!(!Path::new(&folder.path("socket")).exists());
}

#[test]
fn job_a_stale_unix_socket_is_replaced() {
    let folder = Folder::new();
    let path = folder.path("socket");
    drop(UnixListener::bind(&path).unwrap());
    assert!(Path::new(&path).exists(), "the standard library leaves the path, as a killed process does");
    run(&small(&["--unix", &path])).assert_perfect(64);
}

#[test]
fn job_a_unix_socket_that_is_in_use_and_a_plain_file_are_left_alone() {
    let folder = Folder::new();
    let (used, file) = (folder.path("used"), folder.path("file"));
    let listener = UnixListener::bind(&used).unwrap();
    fs::write(&file, "precious").unwrap();

    run(&["--unix", &used]).assert_complaint(1, &[&used, "another process listens there"]);
    run(&["--unix", &file]).assert_complaint(1, &[&file, "no socket"]);

    assert!(Path::new(&used).exists());
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "asking whether it is in use has connected to it");
}
