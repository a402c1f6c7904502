//! Snapshots: what was saved is there again, and what is no snapshot is an error, whatever it is.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::folder::Folder;
use crate::snapshot;
use crate::support::Kind;
use crate::world::{World, request, shown};

/// A daemon that keeps its snapshots there.
fn world(folder: &Folder) -> World {
    let world =
        World::new(Kind::Simulated, &["--idle-timeout", "0", "--dir", folder.root().to_str().unwrap()]);
    world.ctx.set_wait_timeout(None);
    world
}

impl World {
    #[track_caller]
    fn save(&self) {
        assert_eq!(self.ask(&self.connect(), "BGSAVE"), "+Background saving started|");
        self.ctx.loop_until(|| !self.daemon.saving.get()).unwrap();
    }

    fn load(&self, folder: &Folder) -> io::Result<()> {
        snapshot::load(&self.daemon, folder.root())
    }
}

/// Loads such a file; an error has one line.
#[track_caller]
fn load(folder: &Folder, world: &World, bytes: &[u8]) -> Result<(), String> {
    fs::write(folder.path("dump.tevent"), bytes).unwrap();
    let loaded = catch_unwind(AssertUnwindSafe(|| world.load(folder)));
    let loaded = loaded.unwrap_or_else(|_| panic!("it panicked at {}", bytes.escape_ascii()));
    loaded.map_err(|error| {
        let error = error.to_string();
        assert!(!error.contains(['\n', '\r']), "{error:?}");
        error
    })
}

/// As far as the wall clock has not gone on meanwhile.
#[track_caller]
fn assert_in_1000_seconds(reply: &str) {
    let left: u64 = reply.trim_matches([':', '|']).parse().unwrap();
    assert!((900..=1000).contains(&left), "{left}");
}

/// A small snapshot with something of everything.
fn small() -> Vec<u8> {
    let folder = Folder::new();
    let world = world(&folder);
    let client = world.connect();
    world.assert_dialogue(
        &client,
        &[("SET a 1", "+OK|"), ("SET b 2 EX 1000", "+OK|"), ("SELECT 3", "+OK|"), ("SET \r\n ", "+OK|")],
    );
    world.save();
    fs::read(folder.path("dump.tevent")).unwrap()
}

#[test]
fn what_was_saved_is_there_again() {
    let folder = Folder::new();
    let (old, all): (_, Vec<u8>) = (world(&folder), (0..=255).collect());
    let client = old.connect();
    old.assert_dialogue(
        &client,
        &[
            ("MSET a 1 b 2 c 3", "+OK|"),
            ("EXPIRE a 1000", ":1|"),
            ("SET d 4 PX 5", "+OK|"),
            ("SELECT 15", "+OK|"),
            ("SET a ", "+OK|"),
        ],
    );
    let large = all.repeat(4096);
    old.exchange(&client, &request([&b"MSET"[..], &all, &large, b"", &all]));
    old.pass(5); // d is over
    old.save();
    assert_eq!(folder.names(), ["dump.tevent"]);
    assert_eq!((old.info("snapshots_saved"), old.info("snapshot_last_error")), ("1".into(), String::new()));

    let new = world(&folder);
    new.load(&folder).unwrap();
    assert_eq!(new.info("used_memory_data"), old.info("used_memory_data"));
    let client = new.connect();
    new.assert_dialogue(
        &client,
        &[
            ("MGET a b c d", "*4|$1|1|$1|2|$1|3|$-1|"),
            ("MGET", "-ERR wrong number of arguments for 'mget' command|"),
            ("TTL b", ":-1|"),
            ("DBSIZE", ":3|"),
        ],
    );
    assert_in_1000_seconds(&new.ask(&client, "TTL a"));
    new.assert_dialogue(&client, &[("SELECT 15", "+OK|"), ("DBSIZE", ":3|"), ("GET a", "$0||")]);
    let reply = new.exchange(&client, &request([&b"MGET"[..], &all, b""]));
    let expected = [b"*2\r\n$1048576\r\n", &*large, b"\r\n$256\r\n", &all, b"\r\n"].concat();
    assert!(reply == expected);
    assert_eq!(new.ask(&client, "SELECT 0"), "+OK|");
    new.pass(1_001_000);
    assert_eq!(new.ask(&client, "EXISTS a"), ":0|");
}

#[test]
fn a_snapshot_is_what_there_was_when_it_began() {
    let folder = Folder::new();
    let old = world(&folder);
    let client = old.connect();
    let requests =
        ["SET a 1", "BGSAVE", "SET a 2", "SET b 2", "BGSAVE"].map(|words| request(words.split(' ')));
    let replies = "+OK|+Background saving started|+OK|+OK|-ERR Background save already in progress|";
    assert_eq!(shown(&old.exchange(&client, &requests.concat())), replies);
    old.ctx.loop_until(|| !old.daemon.saving.get()).unwrap();
    let new = world(&folder);
    new.load(&folder).unwrap();
    new.assert_dialogue(&new.connect(), &[("GET a", "$1|1|"), ("DBSIZE", ":1|")]);
}

#[test]
fn the_longest_lifetimes_are_refused_or_saved_and_loaded() {
    let longest = i64::MAX;
    for digits in (0..19).map(|n| longest / 10_i64.pow(n)).chain([longest - 1, longest - 1_000_000_000]) {
        let folder = Folder::new();
        let old = world(&folder);
        let client = old.connect();
        old.ask(&client, "SET d 1");
        for command in ["SET a 1 EX", "SET b 1 PX", "SET c 1 PXAT", "EXPIRE d"] {
            let reply = old.ask(&client, &format!("{command} {digits}"));
            assert!(["+OK|", ":1|"].contains(&&*reply) || reply.contains("invalid expire time"), "{reply}");
        }
        old.save();
        assert_eq!(old.info("snapshot_last_error"), "");
        let loaded = world(&folder).load(&folder);
        assert!(loaded.is_ok(), "{digits}: {loaded:?}");
    }
}

#[test]
fn a_snapshot_that_is_cut_off_is_none() {
    let (whole, folder) = (small(), Folder::new());
    let world = world(&folder);
    for end in 0..whole.len() {
        assert_eq!(load(&folder, &world, &whole[..end]), Err("it is not whole".to_owned()), "{end}");
    }
    world.ask(&world.connect(), "FLUSHALL");
    assert_eq!(load(&folder, &world, &whole), Ok(()));
    world.assert_dialogue(&world.connect(), &[("MGET a b", "*2|$1|1|$1|2|"), ("TTL a", ":-1|")]);
    assert_in_1000_seconds(&world.ask(&world.connect(), "TTL b"));
}

#[test]
fn a_snapshot_with_any_byte_changed_is_loaded_or_refused() {
    let (whole, folder) = (small(), Folder::new());
    let world = world(&folder);
    let mut refused = 0;
    for at in 0..whole.len() {
        for byte in [b'\n', b'\r', b'*', b'$', b'0', b'9', b'-', b' ', b'x', 0, 255, whole[at] ^ 1] {
            let mut damaged = whole.clone();
            damaged[at] = byte;
            refused += usize::from(load(&folder, &world, &damaged).is_err());
        }
    }
    assert!(refused > whole.len(), "{refused}");
}

#[test]
fn what_no_daemon_has_written_is_refused() {
    let folder = Folder::new();
    let world = world(&folder);
    for (bytes, complaint) in [
        (&b"\r\n"[..], "not whole"),
        (b"*0\r\n", "not whole"),
        (b"*1\r\n$4\r\nPING\r\n", "not whole"),
        (b"*2\r\n$4\r\nECHO", "not whole"),
        (b"*1\r\n$5\r\nno\nno\r\n", "unknown command"),
        (b"\x7fELF\x02\x01\x01\n", "unknown command"),
        (b"*1\r\nQUIT\r\n", "expected '$'"),
        (&vec![b'x'; 100_000], "too big"),
        (&[0; 1000], "not whole"),
    ] {
        let error = load(&folder, &world, bytes).unwrap_err();
        assert!(error.contains(complaint), "{}: {error}", bytes.escape_ascii());
    }
}

#[test]
fn no_snapshot_is_an_empty_one_and_remains_of_one_go() {
    let folder = Folder::new();
    fs::write(folder.path("dump.tevent.new"), "half of it").unwrap();
    let world = world(&folder);
    world.load(&folder).unwrap();
    assert_eq!(folder.names(), [""; 0]);
    assert_eq!(world.ask(&world.connect(), "DBSIZE"), ":0|");
}

#[test]
fn why_no_snapshot_was_written_is_told() {
    let folder = Folder::new();
    let missing = folder.path("missing");
    let world = World::new(Kind::Simulated, &["--dir", &missing]);
    world.ctx.set_wait_timeout(None);
    world.save();
    assert!(
        world.info("snapshot_last_error").contains("No such file"),
        "{}",
        world.info("snapshot_last_error")
    );
    assert_eq!(world.info("snapshots_saved"), "0");
    fs::create_dir(&missing).unwrap();
    world.save();
    assert_eq!(
        (world.info("snapshot_last_error"), world.info("snapshots_saved")),
        (String::new(), "1".into())
    );
}

#[test]
fn what_lives_longest_loads_again() {
    for request in ["SET a 1 PX 4611686018427387903", "SET a 1 EX 4611686018427387"] {
        let folder = Folder::new();
        let old = world(&folder);
        old.assert_dialogue(&old.connect(), &[(request, "+OK|")]);
        old.save();
        let new = world(&folder);
        new.load(&folder).unwrap_or_else(|error| panic!("{request}: {error}"));
        assert_eq!(new.ask(&new.connect(), "GET a"), "$1|1|");
    }
}
