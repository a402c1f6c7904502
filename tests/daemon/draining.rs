//! How connections end, one by one, and all when the daemon stops: what has arrived whole is answered before.

use tevent::ReqError;

use crate::support::{Kind, on_every_backend};
use crate::world::{Client, World, request, shown};

on_every_backend! {
    fn a_daemon_without_clients_ends_at_once(backend) {
        let world = World::new(backend, &[]);
        world.stop();
        assert!(world.has_ended());
        assert_eq!(world.end(), Ok(()));
    }

    fn idle_clients_are_sent_away(backend) {
        let world = World::new(backend, &[]);
        let clients = [(); 20].map(|()| world.connect());
        world.stop();
        world.turn();
        assert!(world.has_ended());
        assert_eq!(world.info("connected_clients"), "0");
        assert!(clients.iter().all(Client::is_closed));
        assert_eq!(world.end(), Ok(()));
    }

    fn what_is_not_whole_is_dropped(backend) {
        let world = World::new(backend, &[]);
        let client = world.connect();
        assert_eq!(shown(&world.exchange(&client, b"PING\r\n*2\r\n$4\r\nECHO\r\n$4\r\nab")), "+PONG|");
        world.stop();
        world.turn();
        assert!(client.is_closed() && world.has_ended());
        assert_eq!(world.end(), Ok(()));
    }

    fn what_arrives_with_the_end_is_answered(backend) {
        let world = World::new(backend, &[]);
        let client = world.connect();
        client.send(b"SET a 1\r\nGET a\r\nGE");
        world.stop();
        world.turn();
        assert_eq!(shown(&client.read()), "+OK|$1|1|");
        assert!(client.is_closed() && world.has_ended());
    }

    fn requests_that_had_to_wait_are_answered(backend) {
        let world = World::new(backend, &[]);
        let client = world.connect();
        world.ask(&client, &format!("SET a {}", "x".repeat(100_000)));
        let gets = request(["GET", "a"]).repeat(50);
        assert_eq!(client.send(&gets), gets.len());
        world.turn();
        world.stop();
        world.stop(); // once more does nothing more
        world.turn();
        assert!(!world.has_ended(), "the client has read nothing yet");
        let late = world.connect();
        assert_eq!(shown(&late.read()), "-ERR max number of clients reached|");
        assert!(late.is_closed());
        assert_eq!(world.exchange(&client, b"").len(), 50 * 100_011);
        assert!(client.is_closed() && world.has_ended());
        assert_eq!(world.end(), Ok(()));
    }

    fn a_client_that_sends_no_more_gets_its_replies(backend) {
        let world = World::new(backend, &[]);
        let client = world.connect();
        client.send(&request(["INCR", "a"]).repeat(9));
        client.send(b"GET ");
        client.shut_down();
        world.turn();
        assert_eq!(shown(&client.read()), ":1|:2|:3|:4|:5|:6|:7|:8|:9|");
        assert!(client.is_closed());
        assert_eq!(world.info("connected_clients"), "0");
    }

    fn a_client_that_goes_leaves_nothing(backend) {
        let world = World::new(backend, &[]);
        let (client, other) = (world.connect(), world.connect());
        world.ask(&client, &format!("SET a {}", "x".repeat(100_000)));
        client.send(&request(["GET", "a"]).repeat(50));
        world.turn();
        drop(client);
        world.turn();
        assert_eq!(world.info("connected_clients"), "1");
        assert_eq!(world.ask(&other, "EXISTS a"), ":1|");
    }
}

#[test]
fn a_client_that_reads_nothing_does_not_hold_up_the_end() {
    let world = World::new(Kind::Simulated, &[]);
    let (client, good) = (world.connect(), world.connect());
    world.ask(&client, &format!("SET a {}", "x".repeat(100_000)));
    client.send(&request(["GET", "a"]).repeat(50));
    world.turn();
    world.stop();
    world.turn();
    assert!(good.is_closed());
    world.pass(4_999);
    assert!(!world.has_ended());
    world.pass(1);
    assert!(world.has_ended());
    assert_eq!(world.end(), Err(ReqError::TIMED_OUT));
    assert!(!client.read().is_empty());
    assert!(client.is_closed());
}
