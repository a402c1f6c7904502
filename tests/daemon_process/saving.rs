//! Snapshots over the lives of several daemons, some of which end badly.

use std::fs::{self, File};
use std::io::Read;

use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::Signal;

use crate::folder::Folder;
use crate::running::Program;
use crate::served::{Client, start, start_with};

const NAME: &str = "dump.tevent";
const TEMPORARY: &str = "dump.tevent.new";

#[track_caller]
fn end(program: Program) {
    program.signal(Signal::TERM);
    let said = program.end();
    assert_eq!((said.code, &*said.out, &*said.err), (Some(0), "", ""));
}

/// A folder with a snapshot that has `a` in it.
#[track_caller]
fn saved() -> Folder {
    let folder = Folder::new();
    let (program, mut client) = start_with(&["--dir", folder.root().to_str().unwrap()]);
    assert_eq!(client.ask("SET a old"), "+OK|");
    end(program);
    assert_eq!(folder.names(), [NAME]);
    folder
}

#[test]
fn a_new_daemon_has_what_the_last_one_had() {
    let folder = Folder::new();
    let args = ["--dir", folder.root().to_str().unwrap()];
    let (program, mut client) = start_with(&args);
    client.assert_dialogue(&[
        ("MSET a 1 b 2 c 3", "+OK|"),
        ("EXPIRE b 1000", ":1|"),
        ("SELECT 3", "+OK|"),
        ("SET a 4 PX 1", "+OK|"),
        ("SET b 5 EX 1000", "+OK|"),
    ]);
    end(program);
    for _ in 0..2 {
        // It is there for the one after the next, too.
        let (program, mut client) = start_with(&args);
        client.assert_dialogue(&[
            ("GET a", "$1|1|"),
            ("GET b", "$1|2|"),
            ("DBSIZE", ":3|"),
            ("TTL c", ":-1|"),
        ]);
        client.assert_ends_in_1000_seconds("b");
        client.assert_dialogue(&[("SELECT 3", "+OK|"), ("GET b", "$1|5|"), ("GET a", "$-1|")]);
        client.assert_ends_in_1000_seconds("b");
        end(program);
    }
}

#[test]
fn what_ended_while_no_daemon_ran_is_gone() {
    let folder = Folder::new();
    let snapshot = "SET a 1 PXAT 1000\nSET b 1 PXAT 99999999999999\nQUIT\n";
    fs::write(folder.path(NAME), snapshot).unwrap();
    let (program, mut client) = start_with(&["--dir", folder.root().to_str().unwrap()]);
    client.assert_dialogue(&[("DBSIZE", ":1|"), ("EXISTS a", ":0|"), ("GET b", "$1|1|")]);
    end(program);
}

#[test]
fn a_snapshot_that_is_cut_off_anywhere_is_refused() {
    let folder = saved();
    let whole = fs::read(folder.path(NAME)).unwrap();
    assert!(whole.ends_with(b"*1\r\n$4\r\nQUIT\r\n") && whole.len() < 100);
    for end in 0..whole.len() {
        fs::write(folder.path(NAME), &whole[..end]).unwrap();
        assert_refused(&folder, "not whole");
    }
}

#[test]
fn a_snapshot_that_is_damaged_is_refused() {
    let folder = Folder::new();
    for bytes in ["\r\n", "*0\r\n", "*1\r\n$7\r\nno\r\n\nno\r\n", "\u{7f}ELF\0\0\n", "*1\r\n$-1\r\n"] {
        fs::write(folder.path(NAME), bytes).unwrap();
        assert_refused(&folder, "");
    }
    fs::remove_file(folder.path(NAME)).unwrap();
    fs::create_dir(folder.path(NAME)).unwrap();
    assert_refused(&folder, "directory");
}

/// It does not begin with less than it was given to keep, and leaves that as it is.
#[track_caller]
fn assert_refused(folder: &Folder, why: &str) {
    let args = ["--port", "0", "--dir", folder.root().to_str().unwrap()];
    let said = Program::start("daemon", &args).end();
    assert_eq!(said.out, "");
    said.assert_complaint(1, &["cannot load from ", why]);
    assert_eq!(folder.names(), [NAME]);
}

#[test]
fn a_directory_that_does_not_exist_is_refused() {
    let folder = Folder::new();
    let said = Program::start("daemon", &["--port", "0", "--dir", &folder.path("missing")]).end();
    assert_eq!(said.out, "");
    said.assert_complaint(1, &["No such file"]);
    assert_eq!(folder.names(), [""; 0]);
}

#[test]
fn without_its_directory_no_snapshot_is_written_and_info_says_why() {
    for comes_back in [true, false] {
        let folder = Folder::new();
        let gone = folder.path("gone");
        fs::create_dir(&gone).unwrap();
        let (mut program, mut client) = start_with(&["--dir", &gone]);
        fs::remove_dir(&gone).unwrap();
        client.save();
        assert!(client.info("snapshot_last_error").contains("No such file"));
        assert_eq!(client.info("snapshots_saved"), "0");
        assert!(program.complaint().contains("no snapshot was written: No such file"));
        if comes_back {
            fs::create_dir(&gone).unwrap();
            client.save();
            assert_eq!(client.info("snapshot_last_error"), "");
            assert_eq!(client.info("snapshots_saved"), "1");
            end(program);
        } else {
            program.signal(Signal::TERM);
            let said = program.end();
            assert_eq!(said.code, Some(1));
            assert!(said.err.contains("no snapshot was written: No such file"), "{}", said.err);
        }
    }
}

/// A daemon that is just writing a snapshot: it waits for somebody to read it, all of it, because no pipe takes so much.
#[track_caller]
fn saving(folder: &Folder) -> Program {
    let (program, mut client) = start_with(&["--dir", folder.root().to_str().unwrap()]);
    for key in ["b", "c", "d", "e", "f"] {
        assert_eq!(client.ask(&format!("SET {key} {}", "x".repeat(60_000))), "+OK|");
    }
    mkfifoat(CWD, folder.path(TEMPORARY), Mode::RUSR | Mode::WUSR).unwrap();
    client.assert_dialogue(&[
        ("GET a", "$3|old|"),
        ("SET a new", "+OK|"),
        ("BGSAVE", "+Background saving started|"),
        ("BGSAVE", "-ERR Background save already in progress|"),
        ("GET a", "$3|new|"), // it serves on meanwhile
    ]);
    program
}

#[test]
fn a_daemon_that_is_killed_leaves_the_last_snapshot() {
    let folder = saved();
    let before = fs::read(folder.path(NAME)).unwrap();
    let program = saving(&folder);
    let pipe = File::open(folder.path(TEMPORARY)).unwrap(); // it has begun to write
    program.kill();
    drop(pipe);
    assert_eq!(folder.names(), [NAME, TEMPORARY]);
    assert_eq!(fs::read(folder.path(NAME)).unwrap(), before);
    let (program, mut client) = start_with(&["--dir", folder.root().to_str().unwrap()]);
    assert_eq!(folder.names(), [NAME]);
    assert_eq!(client.ask("GET a"), "$3|old|");
    end(program);
}

#[test]
fn a_snapshot_on_its_way_is_waited_for() {
    let folder = saved();
    let mut program = saving(&folder);
    program.signal(Signal::TERM);
    let mut written = String::new();
    File::open(folder.path(TEMPORARY)).unwrap().read_to_string(&mut written).unwrap();
    assert!(written.ends_with("QUIT\r\n"), "{written}");
    // A pipe cannot be brought to the disk. The last snapshot is written to a file.
    assert!(program.complaint().contains("no snapshot was written"));
    let said = program.end();
    assert_eq!((said.code, &*said.err), (Some(0), ""));
    let (program, mut client) = start_with(&["--dir", folder.root().to_str().unwrap()]);
    assert_eq!(client.ask("GET a"), "$3|new|");
    end(program);
}

#[test]
fn a_second_daemon_in_the_same_directory_does_no_harm_to_a_snapshot_on_its_way() {
    let folder = saved();
    let program = saving(&folder);
    let args =
        ["--port", "0", "--unix", "/no/such/directory/socket", "--dir", folder.root().to_str().unwrap()];
    let said = Program::start("daemon", &args).end();
    assert_eq!(said.code, Some(1), "it could not listen, or not have the directory");
    assert_eq!(folder.names(), [NAME, TEMPORARY], "what the first one is just writing is still there");
    program.kill();
}

#[test]
fn one_that_begins_while_another_ends_keeps_its_socket() {
    let folder = saved();
    let path = folder.path("socket");
    let args = ["--dir", folder.root().to_str().unwrap(), "--unix", &path];
    let (mut old, names) = start(&args);
    assert_eq!(names, [&*path]);
    let mut client = Client::unix(&path);
    for key in ["b", "c", "d", "e", "f"] {
        assert_eq!(client.ask(&format!("SET {key} {}", "x".repeat(60_000))), "+OK|");
    }
    mkfifoat(CWD, folder.path(TEMPORARY), Mode::RUSR | Mode::WUSR).unwrap();
    old.signal(Signal::TERM);
    assert_eq!(client.rest(), "", "closed");
    let mut pipe = File::open(folder.path(TEMPORARY)).unwrap(); // it writes its last snapshot
    let (_new, _names) = start(&["--unix", &path]);
    pipe.read_to_end(&mut Vec::new()).unwrap();
    old.complaint();
    old.end();
    assert_eq!(Client::unix(&path).ask("PING"), "+PONG|");
}
