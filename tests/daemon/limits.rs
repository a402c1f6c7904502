//! What is too much: the daemon says so, and closes where nothing that follows could make sense.

use crate::resp::{MAX_ARGUMENT, MAX_ARGUMENTS, MAX_REQUEST};
use crate::support::{Kind, on_every_backend};
use crate::world::{World, request, shown};

/// A request that has a fault is the last; what came before it is answered, and what follows is not.
#[track_caller]
fn assert_closes(kind: Kind, bytes: &[u8], complaint: &str) {
    let world = World::new(kind, &[]);
    let client = world.connect();
    let all = [&request(["SET", "a", "1"]), bytes, &request(["SET", "a", "2"])].concat();
    let got = shown(&world.exchange(&client, &all));
    assert_eq!(got, format!("+OK|-ERR Protocol error: {complaint}|"));
    assert!(client.is_closed());
    let after = world.connect();
    world.assert_dialogue(&after, &[("GET a", "$1|1|")]);
    assert_eq!(
        (world.info("connected_clients"), world.info("rejected_connections")),
        ("1".into(), "0".into())
    );
}

on_every_backend! {
    fn what_is_no_request(backend) {
        for (bytes, complaint) in [
            ("*x\r\n", "invalid multibulk length"),
            ("*\r\n", "invalid multibulk length"),
            ("* 1\r\n", "invalid multibulk length"),
            ("*+1\r\n", "invalid multibulk length"),
            ("*4097\r\n", "invalid multibulk length"),
            ("*9223372036854775807\r\n", "invalid multibulk length"),
            ("*-9223372036854775809\r\n", "invalid multibulk length"),
            ("*1\r\nPING\r\n", "expected '$', got 'P'"),
            ("*1\r\n\r\n", "expected '$', got ' '"),
            ("*1\r\n*1\r\n$4\r\nPING\r\n", "expected '$', got '*'"),
            ("*1\r\n\n", "expected '$', got ' '"),
            ("*1\r\n\u{1}\r\n", "expected '$', got '\\u{1}'"),
            ("*1\r\n$\r\n", "invalid bulk length"),
            ("*1\r\n$-1\r\n", "invalid bulk length"),
            ("*1\r\n$x\r\n", "invalid bulk length"),
            ("*1\r\n$1048577\r\n", "invalid bulk length"),
            ("*1\r\n$18446744073709551617\r\n", "invalid bulk length"),
            ("*1\r\n$4\r\nPINGPING\r\n", "a bulk string does not end where it should"),
            ("*1\r\n$4\r\nPING\n\r", "a bulk string does not end where it should"),
        ] {
            assert_closes(backend, bytes.as_bytes(), complaint);
        }
    }

    fn lines_that_do_not_end(backend) {
        let long = vec![b'1'; 64 << 10];
        assert_closes(backend, &long, "too big inline request");
        assert_closes(backend, &[b"*1\r\n$", &*long].concat(), "too big bulk count string");
    }

    fn lines_that_end_just_in_time(backend) {
        let world = World::new(backend, &[]);
        let text = vec![b'x'; (64 << 10) - 6];
        let got = world.exchange(&world.connect(), &[b"ECHO ", &*text, b"\n"].concat());
        assert_eq!(got.len(), text.len() + 10);
        let client = world.connect();
        assert_eq!(shown(&world.exchange(&client, &vec![b'x'; (64 << 10) - 1])), "");
        assert!(!client.is_closed());
    }

    fn a_request_that_grows_too_big(backend) {
        let arg = vec![b'x'; MAX_ARGUMENT];
        let whole = request([&b"MSET"[..], &arg, &arg[..MAX_ARGUMENT - 100]]);
        assert!(whole.len() <= MAX_REQUEST);
        let world = World::new(backend, &[]);
        let client = world.connect();
        assert_eq!(shown(&world.exchange(&client, &whole)), "+OK|");
        // A third argument is announced, and they are too big together.
        let three = request([&b"DEL"[..], &arg, &arg, &arg]);
        let mut reply = world.exchange(&client, &three);
        assert_eq!(shown(&reply), "-ERR Protocol error: too big request|");
        reply.clear();
        assert!(client.is_closed());
        assert_eq!(world.ask(&world.connect(), "DBSIZE"), ":1|");
    }

    fn as_many_arguments_as_are_allowed(backend) {
        let world = World::new(backend, &[]);
        let client = world.connect();
        let many = request(std::iter::once("DEL").chain(std::iter::repeat_n("a", MAX_ARGUMENTS - 1)));
        assert_eq!(shown(&world.exchange(&client, &many)), ":0|");
        // A line is short enough for as many as it has.
        let line = "EXISTS".to_owned() + &" a".repeat(30_000) + "\n";
        assert_eq!(world.ask(&client, "SET a 1"), "+OK|");
        assert_eq!(shown(&world.exchange(&client, line.as_bytes())), ":30000|");
    }

    fn a_reply_that_would_be_too_large(backend) {
        let world = World::new(backend, &[]);
        let client = world.connect();
        let value = "x".repeat(MAX_ARGUMENT);
        let key = |n| format!("{n}{}", "k".repeat(MAX_ARGUMENT - 2));
        for n in 10..27 {
            assert_eq!(shown(&world.exchange(&client, &request(["SET", &key(n), "1"]))), "+OK|");
        }
        world.exchange(&client, &request(["SET", "a", &value]));
        let most = request(std::iter::once("MGET").chain(std::iter::repeat_n("a", 15)));
        assert_eq!(world.exchange(&client, &most).len(), 15 * (MAX_ARGUMENT + 12) + 5);
        world.assert_dialogue(&client, &[
            (&("MGET".to_owned() + &" a".repeat(16)), "-ERR the reply would be too large|"),
            (&("MGET".to_owned() + &" a".repeat(4095)), "-ERR the reply would be too large|"),
            ("KEYS *", "-ERR the reply would be too large|"),
            ("KEYS a", "*1|$1|a|"),
            ("PING", "+PONG|"),
        ]);
    }

    fn more_data_than_is_kept(backend) {
        const FULL: &str = "-OOM command not allowed when used memory > 'maxmemory'.|";
        let world = World::new(backend, &[]);
        let client = world.connect();
        world.assert_dialogue(&client, &[("SET a 12345", "+OK|"), ("SET n 1 EX 100", "+OK|")]);
        let used = world.daemon.store.borrow().size;
        assert_eq!(used, 2 * 400 + 6 + 2);
        // As if there were so much else.
        world.daemon.store.borrow_mut().size = (1 << 30) - 403;
        world.assert_dialogue(&client, &[
            ("SET b 123", FULL),
            ("SET b 12", "+OK|"), // the last that fits
            ("SET c ", FULL),
            ("SET a 123456", FULL),
            ("MSET a 123456", FULL),
            ("GET a", "$5|12345|"),
            ("SET a 1234", "+OK|"),
            ("SET a 12345", "+OK|"),
            ("INCR n", ":2|"),
            ("SET n 9 EX 200", "+OK|"),
            ("INCR n", FULL),
            ("GET n", "$1|9|"),
            ("TTL n", ":200|"),
            ("DEL b", ":1|"),
            ("INCR n", ":10|"),
        ]);
        // A snapshot may have had more than that.
        world.daemon.store.borrow_mut().size = (1 << 30) + 1000;
        world.assert_dialogue(&client, &[
            ("SET a 123456", FULL),
            ("SET a 123", "+OK|"),
            ("SET b ", FULL),
            ("FLUSHALL", "+OK|"),
            ("SET c 1", "+OK|"),
        ]);
        assert_eq!(world.info("used_memory_data"), "402");
    }

    fn more_clients_than_are_served(backend) {
        let world = World::new(backend, &["--max-clients", "2"]);
        let (one, two) = (world.connect(), world.connect());
        for _ in 0..3 {
            let three = world.connect();
            assert_eq!(shown(&three.read()), "-ERR max number of clients reached|");
            assert!(three.is_closed());
        }
        assert_eq!(world.ask(&one, "PING"), "+PONG|");
        drop(two);
        world.turn();
        let four = world.connect();
        world.assert_dialogue(&four, &[("PING", "+PONG|"), ("CLIENT ID", ":3|")]);
        let counts =
            ["connected_clients", "total_connections_received", "rejected_connections"].map(|name| world.info(name));
        assert_eq!(counts, ["2", "3", "3"]);
    }
}
