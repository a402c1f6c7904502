//! Time, on the virtual clock: keys end when they have to, idle clients are closed, and so are those that read nothing.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::Kind;
use crate::world::{Client, World, request, shown};

fn world(args: &[&str]) -> (World, Client) {
    let world = World::new(Kind::Simulated, args);
    world.ctx.set_wait_timeout(None);
    let client = world.connect();
    (world, client)
}

/// For tests in which no client is to be closed.
fn patient_world() -> (World, Client) {
    world(&["--idle-timeout", "0"])
}

#[test]
fn keys_end_at_their_time_and_not_before() {
    let (world, client) = patient_world();
    world.assert_dialogue(
        &client,
        &[
            ("SET ex 1 EX 10", "+OK|"),
            ("SET px 1 PX 10000", "+OK|"),
            ("SET set 1", "+OK|"),
            ("EXPIRE set 10", ":1|"),
            ("SET stays 1", "+OK|"),
        ],
    );
    world.pass(9999);
    world.assert_dialogue(&client, &[("MGET ex px set", "*3|$1|1|$1|1|$1|1|"), ("DBSIZE", ":4|")]);
    world.pass(1);
    assert_eq!(world.info("used_memory_data"), "406", "they go by themselves");
    world.assert_dialogue(
        &client,
        &[
            ("MGET ex px set", "*3|$-1|$-1|$-1|"),
            ("TTL ex", ":-2|"),
            ("EXISTS ex px set stays", ":1|"),
            ("KEYS *", "*1|$5|stays|"),
            ("DBSIZE", ":1|"),
        ],
    );
}

#[test]
fn a_key_has_ended_for_a_request_that_arrives_with_its_time() {
    let (world, client) = patient_world();
    world.ask(&client, "SET a 1 PX 5");
    client.send(&request(["GET", "a"]));
    world.pass(5);
    assert_eq!(shown(&client.read()), "$-1|");
}

#[test]
fn ttl_is_rounded_to_the_nearest_second() {
    let (world, client) = patient_world();
    world.ask(&client, "SET a 1 PX 2600");
    for (passes, left) in [(0, 3), (100, 3), (1, 2), (999, 2), (1, 1), (998, 1), (1, 1), (1, 0), (498, 0)] {
        world.pass(passes);
        assert_eq!(world.ask(&client, "TTL a"), format!(":{left}|"), "after another {passes} ms");
    }
    world.pass(1);
    assert_eq!(world.ask(&client, "TTL a"), ":-2|");
}

#[test]
fn what_replaces_a_value_drops_its_end() {
    let (world, client) = patient_world();
    for command in ["SET a 2", "SET a 2 XX", "MSET a 2"] {
        world.assert_dialogue(
            &client,
            &[("SET a 1 EX 10", "+OK|"), ("TTL a", ":10|"), (command, "+OK|"), ("TTL a", ":-1|")],
        );
        world.pass(11_000);
        assert_eq!(world.ask(&client, "GET a"), "$1|2|", "{command}");
    }
}

#[test]
fn what_replaces_a_key_is_not_ended_in_its_place() {
    let (world, client) = patient_world();
    for command in ["DEL a", "FLUSHALL", "EXPIRE a 0"] {
        world.ask(&client, "SET a 1 EX 10");
        world.ask(&client, command);
        world.ask(&client, "SET a 2");
        world.pass(11_000);
        assert_eq!(world.ask(&client, "GET a"), "$1|2|", "{command}");
    }
}

#[test]
fn incr_keeps_the_end_and_so_does_a_refused_set() {
    let (world, client) = patient_world();
    world.ask(&client, "SET a 1 EX 10");
    world.pass(4000);
    world.assert_dialogue(
        &client,
        &[
            ("INCR a", ":2|"),
            ("SET a 9 NX", "$-1|"),
            ("SET a 9 NX EX 100", "$-1|"),
            ("SET a 9 EX 0", "-ERR invalid expire time in 'set' command|"),
            ("TTL a", ":6|"),
        ],
    );
    world.pass(6000);
    assert_eq!(world.ask(&client, "INCR a"), ":1|");
    world.pass(10_000);
    assert_eq!(world.ask(&client, "TTL a"), ":-1|");
}

#[test]
fn expire_moves_the_end_both_ways() {
    let (world, client) = patient_world();
    world.assert_dialogue(
        &client,
        &[
            ("SET sooner 1 EX 10", "+OK|"),
            ("EXPIRE sooner 5", ":1|"),
            ("SET later 1 EX 10", "+OK|"),
            ("EXPIRE later 20", ":1|"),
        ],
    );
    world.pass(5000);
    world.assert_dialogue(&client, &[("EXISTS sooner", ":0|"), ("TTL later", ":15|")]);
    world.pass(14_999);
    assert_eq!(world.ask(&client, "EXISTS later"), ":1|");
    world.pass(1);
    assert_eq!(world.ask(&client, "EXISTS later"), ":0|");
}

#[test]
fn keys_of_the_same_name_end_apart() {
    let (world, client) = patient_world();
    world.assert_dialogue(
        &client,
        &[("SET a 1 EX 10", "+OK|"), ("SELECT 1", "+OK|"), ("SET a 1 EX 20", "+OK|")],
    );
    world.pass(10_000);
    assert_eq!(world.ask(&client, "TTL a"), ":10|");
    world.assert_dialogue(&client, &[("SELECT 0", "+OK|"), ("EXISTS a", ":0|")]);
}

#[test]
fn thousands_end_at_once() {
    let (world, client) = patient_world();
    let requests = (0..5000).flat_map(|n| request(["SET", &n.to_string(), "1", "EX", "10"]));
    assert_eq!(world.exchange(&client, &requests.collect::<Vec<_>>()).len(), 5000 * 5);
    assert_eq!(world.ask(&client, "DBSIZE"), ":5000|");
    client.send(&request(["DBSIZE"]));
    world.pass(10_000);
    assert_eq!(shown(&client.read()), ":0|", "all are gone before any request is looked at");
    assert_eq!(world.info("used_memory_data"), "0");
}

#[test]
fn a_point_in_time_is_one_of_the_wall_clock() {
    let (world, client) = patient_world();
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = since_epoch.as_millis();
    assert_eq!(world.ask(&client, &format!("SET future 1 PXAT {}", now + 1_000_000)), "+OK|");
    assert_eq!(world.ask(&client, &format!("SET past 1 PXAT {}", now - 1000)), "+OK|");
    assert_eq!(world.ask(&client, "EXISTS past"), ":0|");
    // No more of the wall clock's time goes by in this test than that.
    let left: u64 = world.ask(&client, "TTL future").trim_matches([':', '|']).parse().unwrap();
    assert!((900..=1000).contains(&left), "{left}");
    world.pass(1_001_000);
    assert_eq!(world.ask(&client, "EXISTS future"), ":0|");
}

#[test]
fn idle_clients_are_closed_at_their_time() {
    let (world, idle) = world(&["--idle-timeout", "300"]);
    let (busy, slow) = (world.connect(), world.connect());
    for _ in 0..3 {
        world.pass(99_999);
        world.assert_dialogue(&busy, &[("PING", "+PONG|")]);
        slow.send(b"P"); // not a whole request, but not nothing
        world.turn();
    }
    assert!(!idle.is_closed());
    world.pass(3);
    assert!(idle.is_closed() && !busy.is_closed() && !slow.is_closed());
    assert_eq!(world.info("connected_clients"), "2");
    world.pass(299_996);
    assert!(!busy.is_closed() && !slow.is_closed());
    world.pass(1);
    assert!(busy.is_closed() && slow.is_closed());
    assert_eq!(world.info("connected_clients"), "0");
    let late = world.connect();
    assert_eq!(world.ask(&late, "PING"), "+PONG|", "the daemon serves on");
}

#[test]
fn a_client_that_is_never_too_idle() {
    let (world, client) = patient_world();
    world.pass(31_536_000_000);
    assert_eq!(world.ask(&client, "PING"), "+PONG|");
}

/// Has 10 KB echoed until the daemon takes no more requests; says how many bytes it took.
#[track_caller]
fn stuff(world: &World, client: &Client) -> usize {
    let echo = request(["ECHO", &"x".repeat(10_000)]);
    let mut sent = 0;
    loop {
        let more = client.send(&echo[sent % echo.len()..]);
        world.turn();
        if more == 0 {
            return sent;
        }
        sent += more;
        assert!(sent < 10 << 20, "there is no end to it");
    }
}

#[test]
fn a_client_that_reads_nothing_is_closed_after_a_minute() {
    let (world, client) = patient_world();
    stuff(&world, &client);
    world.pass(59_999);
    assert_eq!(world.info("connected_clients"), "1");
    world.pass(1);
    assert_eq!(world.info("connected_clients"), "0");
    assert!(!client.read().is_empty());
    assert!(client.is_closed());
    assert_eq!(world.ask(&world.connect(), "PING"), "+PONG|");
}

#[test]
fn a_client_that_reads_nothing_is_closed_sooner_where_idle_ones_are() {
    let (world, client) = world(&["--idle-timeout", "10"]);
    stuff(&world, &client);
    world.pass(9999);
    assert_eq!(world.info("connected_clients"), "1");
    world.pass(1);
    assert_eq!(world.info("connected_clients"), "0");
}

#[test]
fn a_client_that_reads_late_gets_every_reply() {
    let (world, client) = patient_world();
    let sent = stuff(&world, &client);
    world.pass(59_000);
    let got = world.exchange(&client, b"");
    let requests = sent / request(["ECHO", &"x".repeat(10_000)]).len();
    let reply = format!("$10000\r\n{}\r\n", "x".repeat(10_000));
    assert!(got == reply.repeat(requests).as_bytes(), "{} of {requests}", got.len() / reply.len());
    assert!(!client.is_closed(), "a part of the next request is there");
}
