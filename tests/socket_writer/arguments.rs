//! Bad arguments: exit code 2, and one line that names the value.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use crate::program::run;

/// The arguments, and what has to stand in the line.
const BAD: &[(&[&str], &[&str])] = &[
    (&["--frobnicate"], &["--frobnicate", "unknown"]),
    (&["eight"], &["eight", "unknown"]),
    (&["--no-queue=yes"], &["yes", "unknown"]),
    (&[""], &["\"\"", "unknown"]),
    (&["two\nlines"], &["two\\nlines", "unknown"]),
    (&["--writers"], &["--writers", "needs a value"]),
    (&["--seed"], &["--seed", "needs a value"]),
    (&["--writers", "0"], &["--writers", "\"0\"", "from 1"]),
    (&["--writers", "-1"], &["--writers", "\"-1\""]),
    (&["--writers", "100001"], &["\"100001\"", "to 100000"]),
    (&["--writers", "many"], &["\"many\""]),
    (&["--messages", "0"], &["--messages", "\"0\""]),
    (&["--messages", "4294967296"], &["\"4294967296\""]),
    (&["--seed", "1.5"], &["--seed", "\"1.5\""]),
    (&["--size", "0"], &["--size", "\"0\""]),
    (&["--size", "65M"], &["--size", "\"65M\"", "64M"]),
    (&["--size", "99999999999999999999K"], &["\"99999999999999999999K\""]),
    (&["--size", "18014398509481984K"], &["\"18014398509481984K\""]),
    (&["--size", "2K..1K"], &["\"2K..1K\"", "above"]),
    (&["--size", "1K.."], &["\"1K..\""]),
    (&["--size", "K"], &["\"K\""]),
    (&["--size", "1T"], &["\"1T\""]),
    (&["--size", ""], &["\"\""]),
    (&["--sndbuf", "0"], &["--sndbuf", "\"0\""]),
    (&["--sndbuf", "2000M"], &["\"2000M\"", "1024M"]),
    (&["--connect", "localhost"], &["--connect", "\"localhost\"", "HOST:PORT"]),
    (&["--connect", "localhost:"], &["\"localhost:\"", "port"]),
    (&["--connect", "localhost:http"], &["\"localhost:http\"", "port"]),
    (&["--connect", "localhost:65536"], &["\"localhost:65536\"", "port"]),
    (&["--connect", "localhost:0"], &["\"localhost:0\"", "port 0"]),
    (&["--connect", ":80"], &["\":80\"", "host"]),
    (&["--connect", "two words:80"], &["\"two words:80\"", "host"]),
    (&["--connect", "::1:80"], &["\"::1:80\"", "brackets"]),
    (&["--connect", "[::x]:80"], &["\"[::x]:80\"", "IPv6"]),
    (&["--connect", "unix:"], &["\"unix:\"", "empty"]),
    (&["--listen", "5000"], &["--listen", "\"5000\""]),
    (&["--unix", ""], &["--unix", "\"\"", "empty"]),
    (&["--listen", "127.0.0.1:0", "--connect", "127.0.0.1:1"], &["--listen", "--connect", "exclude"]),
    (&["--unix", "/tmp/x", "--connect", "127.0.0.1:1"], &["--unix", "--connect", "exclude"]),
    (&["--unix", "/tmp/x", "--listen", "127.0.0.1:0"], &["--unix", "--listen", "exclude", "unix:/tmp/x"]),
    (&["--listen", "127.0.0.1:0", "--writers", "8"], &["--writers", "--listen"]),
    (&["--no-queue", "--listen", "127.0.0.1:0"], &["--no-queue", "--listen"]),
];

#[test]
fn job_a_bad_argument_gives_one_line_that_names_it_and_exit_code_2() {
    for (args, needles) in BAD {
        let said = run(args);
        assert_eq!(said.out, "", "{args:?}");
        said.assert_complaint(2, needles);
    }
}

#[test]
fn job_a_path_that_is_too_long_for_a_unix_socket_is_a_bad_argument() {
    let path = format!("/tmp/{}", "x".repeat(103));
    run(&["--unix", &path]).assert_complaint(2, &[&path, "too long"]);
}

#[test]
fn job_an_argument_that_is_no_text_is_a_bad_argument_and_no_panic() {
    let odd = OsStr::from_bytes(b"\xff\xfe");
    for args in [vec![odd], vec!["--writers".as_ref(), odd], vec!["--connect".as_ref(), odd]] {
        let program = crate::program::path();
        let output = Command::new(program).args(&args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 1, "{args:?}");
    }
}

#[test]
fn job_help_names_every_option_and_succeeds() {
    let said = run(&["--help"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    let options = [
        "--connect HOST:PORT",
        "--listen ADDR",
        "--unix PATH",
        "--writers",
        "--messages",
        "--size",
        "--sndbuf",
        "--seed",
        "--no-queue",
        "--help",
    ];
    for option in options {
        assert!(said.out.contains(option), "{option}");
    }
    assert!(said.out.lines().all(|line| line.len() <= 120));
}
