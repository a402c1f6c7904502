//! More clients than the process may have files.

use std::fs;

use rustix::process::{Resource, Rlimit, prlimit};

use crate::served::{Client, start};

#[test]
fn who_finds_no_file_free_waits_until_one_is() {
    let (mut program, names) = start(&["--port", "0"]);
    let files = fs::read_dir(format!("/proc/{}/fd", program.pid().as_raw_nonzero())).unwrap();
    let numbers: Vec<u64> =
        files.map(|file| file.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
    let limit = numbers.iter().max().unwrap() + 4;
    let free = usize::try_from(limit).unwrap() - numbers.len();
    prlimit(Some(program.pid()), Resource::Nofile, Rlimit { current: Some(limit), maximum: Some(limit) })
        .unwrap();

    let mut clients: Vec<_> = (0..free).map(|_| Client::tcp(&names[0])).collect();
    for client in &mut clients {
        assert_eq!(client.ask("PING"), "+PONG|");
    }
    let mut late = Client::tcp(&names[0]);
    assert!(program.complaint().starts_with("daemon: cannot accept: Too many open files"));
    late.send("GET a\r\n");
    assert_eq!(clients[1].ask("SET a 1"), "+OK|", "those that are there are served");
    drop(clients.swap_remove(0));
    assert_eq!(late.reply(), "$1|1|");
    assert_eq!(late.info("connected_clients"), free.to_string());
}
