//! Where it listens, what it says to arguments, and what else it may find when it starts.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use crate::folder::Folder;
use crate::running::{Program, Said};
use crate::served::{Client, start};

fn run(args: &[&str]) -> Said {
    Program::start("daemon", args).end()
}

#[test]
fn it_serves_on_a_port_and_on_a_path() {
    let folder = Folder::new();
    let path = folder.path("socket");
    let (_program, names) = start(&["--unix", &path, "--port", "0"]);
    assert_eq!(names[1], path);
    assert!(names[0].starts_with("127.0.0.1:") && names[0] != "127.0.0.1:0", "{}", names[0]);
    let (mut one, mut two) = (Client::tcp(&names[0]), Client::unix(&path));
    assert_eq!(one.ask("SET a hello"), "+OK|");
    assert_eq!(two.ask("GET a"), "$5|hello|");
    assert_eq!(one.info("connected_clients"), "2");
    // Large replies over a network socket.
    let large = "x".repeat(60_000);
    assert_eq!(one.ask(&format!("SET a {large}")), "+OK|");
    one.send(&"GET a\r\n".repeat(50));
    for _ in 0..50 {
        assert_eq!(one.reply(), format!("$60000|{large}|"));
    }
}

#[test]
fn it_serves_on_a_path_alone() {
    let folder = Folder::new();
    let (_program, names) = start(&["--unix", &folder.path("socket")]);
    assert_eq!(Client::unix(&names[0]).ask("PING"), "+PONG|");
}

#[test]
fn a_socket_that_nobody_listens_at_gives_way() {
    let folder = Folder::new();
    let path = folder.path("socket");
    let (program, _names) = start(&["--unix", &path]);
    program.kill();
    assert_eq!(folder.names(), ["socket"]);
    let (_program, _names) = start(&["--unix", &path]);
    assert_eq!(Client::unix(&path).ask("PING"), "+PONG|");
}

#[test]
fn a_socket_that_somebody_listens_at_does_not() {
    let folder = Folder::new();
    let path = folder.path("socket");
    let _listener = UnixListener::bind(&path).unwrap();
    let said = run(&["--unix", &path]);
    assert_eq!(said.out, "");
    said.assert_complaint(1, &["listen", &path, "in use"]);
    assert_eq!(folder.names(), ["socket"]);
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let folder = Folder::new();
    let path = folder.path("letter");
    fs::write(&path, "dear reader").unwrap();
    run(&["--unix", &path]).assert_complaint(1, &["listen", &path, "in use"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "dear reader");
}

#[test]
fn a_place_where_it_cannot_listen() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    run(&["--port", &port]).assert_complaint(1, &["listen", &port, "in use"]);
    let folder = Folder::new();
    let path = folder.path("missing/socket");
    run(&["--unix", &path]).assert_complaint(1, &["listen", &path, "No such file"]);
}

#[test]
fn a_bad_argument_is_one_line() {
    for (args, needles) in [
        (&["--frobnicate"][..], &["--frobnicate"][..]),
        (&["eight"], &["eight"]),
        (&["--port"], &["--port", "value"]),
        (&["--port", "-1"], &["-1"]),
        (&["--port", "65536"], &["65536", "--port"]),
        (&["--port", "many"], &["many", "--port"]),
        (&["--max-clients", "-1"], &["-1"]),
        (&["--max-clients", "1.5"], &["1.5", "--max-clients"]),
        (&["--idle-timeout", "4294967296"], &["4294967296", "--idle-timeout"]),
        (&["--port", "0", "--port", "0"], &["--port"]),
        (&["--unix"], &["--unix", "value"]),
        (&["--dir"], &["--dir", "value"]),
    ] {
        let said = run(args);
        assert_eq!(said.out, "", "{args:?}");
        said.assert_complaint(2, needles);
    }
}

#[test]
fn help_names_every_option() {
    let said = run(&["--help"]);
    assert_eq!((said.code, &*said.err), (Some(0), ""));
    for option in ["--port", "--unix", "--dir", "--max-clients", "--idle-timeout"] {
        assert!(said.out.contains(option), "{}", said.out);
    }
}
