//! Signals: statistics at any time, and an orderly end.

use rustix::process::Signal;

use crate::folder::Folder;
use crate::served::{Client, start};

#[test]
fn sighup_prints_statistics() {
    let (mut program, names) = start(&["--port", "0"]);
    for accepted in 1..3 {
        let mut client = Client::tcp(&names[0]);
        client.ask("SET a 1");
        program.signal(Signal::HUP);
        let mut told = vec![program.complaint()];
        while !told.last().unwrap().starts_with("snapshot_last_error:") {
            assert!(told.len() < 30, "{told:?}");
            told.push(program.complaint());
        }
        assert!(told[0].starts_with("daemon: "), "{told:?}");
        let accepted = format!("total_connections_received:{accepted}");
        for line in ["connected_clients:1", &accepted, "used_memory_data:402"] {
            assert!(told.iter().any(|told| told == line), "no {line} in {told:?}");
        }
        assert_eq!(client.ask("QUIT"), "+OK|");
        assert_eq!(client.rest(), "", "closed");
    }
}

#[test]
fn sigterm_and_sigint_end_it() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = Folder::new();
        let path = folder.path("socket");
        let (program, names) = start(&["--unix", &path, "--port", "0"]);
        let (mut one, mut two) = (Client::tcp(&names[0]), Client::unix(&path));
        assert_eq!((one.ask("PING"), two.ask("PING")), ("+PONG|".to_owned(), "+PONG|".to_owned()));
        program.signal(signal);
        assert_eq!((one.rest(), two.rest()), (String::new(), String::new()));
        let said = program.end();
        assert_eq!((said.code, &*said.out, &*said.err), (Some(0), "", ""));
        assert_eq!(folder.names(), [""; 0], "without --dir nothing is left");
    }
}

#[test]
fn what_has_arrived_is_answered_before_the_end() {
    let folder = Folder::new();
    let path = folder.path("socket");
    let (program, _names) = start(&["--unix", &path]);
    let mut client = Client::unix(&path);
    assert_eq!(client.ask("PING"), "+PONG|");
    client.send(&"INCR a\r\n".repeat(1000));
    client.send("INC");
    program.signal(Signal::TERM);
    let replies: Vec<_> = (1..=1000).map(|n| format!(":{n}|")).collect();
    assert_eq!(client.rest(), replies.concat());
    let said = program.end();
    assert_eq!((said.code, &*said.err), (Some(0), ""));
}
