//! What each command answers, byte for byte; `|` stands for the end of a line.

use crate::support::{Kind, on_every_backend};
use crate::world::{World, request, shown};

#[track_caller]
fn assert_dialogue(kind: Kind, dialogue: &[(&str, &str)]) {
    let world = World::new(kind, &[]);
    world.assert_dialogue(&world.connect(), dialogue);
}

const NO_INTEGER: &str = "-ERR value is not an integer or out of range|";
const SYNTAX: &str = "-ERR syntax error|";
const NO_LIFETIME: &str = "-ERR invalid expire time in 'set' command|";

on_every_backend! {
    fn values_are_set_got_and_removed(backend) {
        assert_dialogue(backend, &[
            ("GET a", "$-1|"),
            ("SET a 1", "+OK|"),
            ("GET a", "$1|1|"),
            ("get a", "$1|1|"),
            ("gEt A", "$-1|"),
            ("SET a longer", "+OK|"),
            ("GET a", "$6|longer|"),
            ("SET  ", "+OK|"), // the empty key, the empty value
            ("GET ", "$0||"),
            ("DBSIZE", ":2|"),
            ("EXISTS a b a ", ":3|"),
            ("DEL a b a", ":1|"),
            ("EXISTS a", ":0|"),
            ("DBSIZE", ":1|"),
            ("FLUSHALL", "+OK|"),
            ("FLUSHALL ASYNC", "+OK|"),
            ("FLUSHALL 1", "-ERR syntax error|"),
            ("FLUSHALL SYNC ASYNC", "-ERR syntax error|"),
            ("BGSAVE 1", "-ERR syntax error|"),
            ("DBSIZE", ":0|"),
            ("GET ", "$-1|"),
        ]);
    }

    fn several_at_a_time(backend) {
        assert_dialogue(backend, &[
            ("MSET a 1 b 22 a 3", "+OK|"),
            ("MGET a b c a", "*4|$1|3|$2|22|$-1|$1|3|"),
            ("MGET c", "*1|$-1|"),
            ("DBSIZE", ":2|"),
            ("MSET a 4 b", "-ERR wrong number of arguments for 'mset' command|"),
            ("GET a", "$1|3|"),
        ]);
    }

    fn options_of_set(backend) {
        assert_dialogue(backend, &[
            ("SET a 1 XX", "$-1|"),
            ("EXISTS a", ":0|"),
            ("SET a 1 NX", "+OK|"),
            ("SET a 2 NX", "$-1|"),
            ("SET a 2 NX EX 9", "$-1|"),
            ("GET a", "$1|1|"),
            ("TTL a", ":-1|"),
            ("SET a 3 xx", "+OK|"),
            ("SET a 3 XX XX", "+OK|"),
            ("GET a", "$1|3|"),
            ("SET a 4 NX XX", SYNTAX),
            ("SET a 4 XX NX", SYNTAX),
            ("SET a 4 KEEPTTL", SYNTAX),
            ("SET a 4 ", SYNTAX),
            ("SET a 4 EX", SYNTAX),
            ("SET a 4 EX 5 PX", SYNTAX),
            ("SET a 4 EX 5 PX 5", SYNTAX),
            ("SET a 4 EX 5 EX 5", SYNTAX),
            ("SET a 4 EX five", NO_INTEGER),
            ("SET a 4 EX 5.0", NO_INTEGER),
            ("SET a 4 EX 9223372036854775808", NO_INTEGER),
            ("SET a 4 EX 0", NO_LIFETIME),
            ("SET a 4 PX 0", NO_LIFETIME),
            ("SET a 4 EX -1", NO_LIFETIME),
            ("SET a 4 PXAT -9223372036854775808", NO_LIFETIME),
            ("GET a", "$1|3|"), // as it was: none of these did anything
            ("TTL a", ":-1|"),
            ("SET a 5 ex 100 xx", "+OK|"),
            ("TTL a", ":100|"),
            ("SET b 5 NX PX 100000", "+OK|"),
            ("TTL b", ":100|"),
        ]);
    }

    fn incr_counts_integers(backend) {
        assert_dialogue(backend, &[
            ("INCR a", ":1|"),
            ("INCR a", ":2|"),
            ("GET a", "$1|2|"),
            ("SET a -1", "+OK|"),
            ("INCR a", ":0|"),
            ("SET a -9223372036854775808", "+OK|"),
            ("INCR a", ":-9223372036854775807|"),
            ("SET a 9223372036854775806", "+OK|"),
            ("INCR a", ":9223372036854775807|"),
            ("INCR a", "-ERR increment or decrement would overflow|"),
            ("GET a", "$19|9223372036854775807|"),
        ]);
        for odd in ["9223372036854775808", "1.0", "+1", "01", "-0", "-01", "-", "x", "1x", ""] {
            assert_dialogue(backend, &[
                (&format!("SET a {odd}"), "+OK|"),
                ("INCR a", NO_INTEGER),
                ("GET a", &format!("${}|{odd}|", odd.len())),
            ]);
        }
    }

    fn lifetimes_are_checked(backend) {
        assert_dialogue(backend, &[
            ("TTL a", ":-2|"),
            ("EXPIRE a 10", ":0|"),
            ("EXPIRE a -1", ":0|"),
            ("SET a 1", "+OK|"),
            ("TTL a", ":-1|"),
            ("EXPIRE a 100", ":1|"),
            ("TTL a", ":100|"),
            ("EXPIRE a ten", NO_INTEGER),
            ("EXPIRE a 1.5", NO_INTEGER),
            ("TTL a", ":100|"),
            ("EXPIRE a 0", ":1|"),
            ("EXISTS a", ":0|"),
            ("SET a 1", "+OK|"),
            ("EXPIRE a -9223372036854775808", "-ERR invalid expire time in 'expire' command|"),
            ("EXPIRE a 9223372036854775807", "-ERR invalid expire time in 'expire' command|"),
            ("SET a 1 EX 9223372036854775", "-ERR invalid expire time in 'set' command|"),
            ("SET a 1 PX 9223372036854775807", "-ERR invalid expire time in 'set' command|"),
            ("TTL a", ":-1|"),
        ]);
    }

    fn databases_are_apart(backend) {
        let world = World::new(backend, &[]);
        let (one, two) = (world.connect(), world.connect());
        world.assert_dialogue(&one, &[("SET a 0", "+OK|"), ("SELECT 15", "+OK|"), ("GET a", "$-1|")]);
        world.assert_dialogue(&one, &[("SET a 15", "+OK|"), ("SET b 15", "+OK|"), ("DBSIZE", ":2|")]);
        world.assert_dialogue(&two, &[("GET a", "$1|0|"), ("DBSIZE", ":1|"), ("KEYS *", "*1|$1|a|")]);
        world.assert_dialogue(&two, &[
            ("SELECT 16", "-ERR DB index is out of range|"),
            ("SELECT -1", "-ERR DB index is out of range|"),
            ("SELECT one", NO_INTEGER),
            ("GET a", "$1|0|"),
            ("DEL a b", ":1|"),
        ]);
        world.assert_dialogue(&one, &[("GET a", "$2|15|"), ("FLUSHALL", "+OK|"), ("DBSIZE", ":0|")]);
        assert_eq!(world.info("used_memory_data"), "0");
    }

    fn a_word_about_oneself(backend) {
        let world = World::new(backend, &["--max-clients", "7", "--idle-timeout", "60"]);
        let (one, two) = (world.connect(), world.connect());
        world.assert_dialogue(&two, &[
            ("PING", "+PONG|"),
            ("PING hello", "$5|hello|"),
            ("ECHO hello", "$5|hello|"),
            ("CLIENT ID", ":2|"),
            ("CLIENT GETNAME", "$-1|"),
            ("CLIENT SETNAME two", "+OK|"),
            ("client getname", "$3|two|"),
            ("CLIENT SETNAME ", "+OK|"),
            ("CLIENT GETNAME", "$-1|"),
            ("CLIENT KILL", "-ERR unknown subcommand, or wrong use of it|"),
            ("CLIENT ID ID", "-ERR unknown subcommand, or wrong use of it|"),
            ("COMMAND", "*0|"),
            ("COMMAND DOCS", "*0|"),
            ("CONFIG GET maxclients", "*2|$10|maxclients|$1|7|"),
            ("CONFIG GET TimeOut", "*2|$7|timeout|$2|60|"),
            ("CONFIG GET save appendonly", "*4|$4|save|$0||$10|appendonly|$2|no|"),
            ("CONFIG GET port", "*0|"),
            ("CONFIG SET timeout 0", "-ERR unknown subcommand, or wrong use of it|"),
            ("BGSAVE", "-ERR there is no --dir to save to|"),
        ]);
        world.assert_dialogue(&one, &[("CLIENT ID", ":1|"), ("CLIENT GETNAME", "$-1|")]);
    }

    fn info_tells_what_there_is(backend) {
        let world = World::new(backend, &[]);
        let (one, two) = (world.connect(), world.connect());
        drop(two);
        world.turn();
        world.ask(&one, "SET a bc");
        let info = world.ask(&one, "INFO");
        let (length, text) = info.strip_prefix('$').unwrap().split_once('|').unwrap();
        assert_eq!(length.parse(), Ok(text.replace('|', "\r\n").len() - 2));
        for line in [
            "connected_clients:1", "total_connections_received:2", "rejected_connections:0",
            "used_memory_data:403", "snapshots_saved:0", "snapshot_last_error:",
        ] {
            assert!(text.split('|').any(|told| told == line), "no {line} in {text}");
        }
        assert!(world.ask(&one, "INFO server").contains("|connected_clients:1|"), "all of it, whatever was asked for");
    }

    fn wrong_numbers_of_arguments(backend) {
        let world = World::new(backend, &[]);
        let client = world.connect();
        for (name, wrong) in [
            ("get", &[0, 2][..]), ("set", &[0, 1]), ("incr", &[0, 2]), ("mget", &[0]), ("mset", &[0, 1, 3]),
            ("del", &[0]), ("exists", &[0]), ("expire", &[0, 1, 3]), ("ttl", &[0, 2]), ("keys", &[0, 2]),
            ("dbsize", &[1]), ("select", &[0, 2]), ("ping", &[2]), ("echo", &[0, 2]),
            ("client", &[0]), ("config", &[0]),
        ] {
            for count in wrong {
                let words = name.to_ascii_uppercase() + &" 1".repeat(*count);
                let reply = format!("-ERR wrong number of arguments for '{name}' command|");
                assert_eq!(world.ask(&client, &words), reply, "{words}");
            }
        }
        assert_eq!(world.ask(&client, "DBSIZE"), ":0|");
    }

    fn unknown_commands(backend) {
        let long = "x".repeat(200);
        assert_dialogue(backend, &[
            ("HELLO 3", "-ERR unknown command 'HELLO', with args beginning with: '3' |"),
            ("foo", "-ERR unknown command 'foo', with args beginning with: |"),
            ("", "-ERR unknown command '', with args beginning with: |"),
            ("gett a b", "-ERR unknown command 'gett', with args beginning with: 'a' 'b' |"),
            // No reply is torn by what it quotes, or grows with it.
            ("a\r\nb \nc", "-ERR unknown command 'a  b', with args beginning with: ' c' |"),
            (
                "f 1 2 3 4 5 6 7 8 9",
                "-ERR unknown command 'f', with args beginning with: '1' '2' '3' '4' '5' '6' '7' '8' |",
            ),
            (&long, &format!("-ERR unknown command '{}', with args beginning with: |", &long[..128])),
            ("PING", "+PONG|"),
        ]);
    }

    fn lines_as_a_person_types_them(backend) {
        let world = World::new(backend, &[]);
        let client = world.connect();
        let typed = |bytes: &[u8]| shown(&world.exchange(&client, bytes));
        assert_eq!(typed(b"PING\r\n"), "+PONG|");
        assert_eq!(typed(b"ping\n"), "+PONG|");
        assert_eq!(typed(b" set\ta  b \r\n"), "+OK|");
        assert_eq!(typed(b"get a\nget b\nnope\n"), "$1|b|$-1|-ERR unknown command 'nope', with args beginning with: |");
        assert_eq!(typed(b"\r\n\n  \r\n*0\r\n*-1\r\n"), "");
        assert_eq!(typed(b"\r\nPING\r\n*1\r\n$4\r\nPING\r\nPING x\r\n"), "+PONG|+PONG|$1|x|");
        assert_eq!((typed(b"PI"), typed(b"NG"), typed(b"\r"), typed(b"\n")), (
            String::new(), String::new(), String::new(), "+PONG|".to_owned(),
        ));
    }

    fn any_bytes_are_keys_and_values(backend) {
        let world = World::new(backend, &[]);
        let client = world.connect();
        let all: Vec<u8> = (0..=255).collect();
        let large = all.repeat(4096); // 1 MiB
        for (key, value) in [(&all, &all), (&all, &large), (&large, &all)] {
            assert_eq!(world.exchange(&client, &request([b"SET", &**key, value])), b"+OK\r\n");
            let mut reply = format!("${}\r\n", value.len()).into_bytes();
            reply.extend(value.iter().chain(b"\r\n"));
            assert!(world.exchange(&client, &request([b"GET", &**key])) == reply);
            assert!(world.exchange(&client, &request([b"ECHO", &**value])) == reply);
        }
        assert_eq!(world.ask(&client, "DBSIZE"), ":2|");
    }

    fn quit_is_the_last_reply(backend) {
        let world = World::new(backend, &[]);
        let client = world.connect();
        let (set, quit, again) =
            (request(["SET", "a", "1"]), request(["QUIT", "now"]), request(["SET", "a", "2"]));
        assert_eq!(shown(&world.exchange(&client, &[set, quit, again].concat())), "+OK|+OK|");
        assert!(client.is_closed());
        world.assert_dialogue(&world.connect(), &[("GET a", "$1|1|")]);
        assert_eq!(world.info("connected_clients"), "1");
    }
}
