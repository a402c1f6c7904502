//! What the clients of the example `daemon` cost in memory: little while they are idle, and never more than its head says.
//!
//! One test: what the process holds is looked at.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

#[path = "daemon/world.rs"]
mod world;

// The example's own modules; their `crate` is this one.
#[allow(dead_code, reason = "the tests listen elsewhere")]
#[path = "../examples/daemon/args.rs"]
mod args;
#[path = "../examples/daemon/commands.rs"]
mod commands;
#[path = "../examples/daemon/connection.rs"]
mod connection;
#[path = "../examples/daemon/daemon.rs"]
mod daemon;
#[path = "../examples/daemon/resp.rs"]
mod resp;
#[path = "../examples/daemon/server.rs"]
mod server;
#[allow(dead_code, reason = "nothing is loaded")]
#[path = "../examples/daemon/snapshot.rs"]
mod snapshot;
#[path = "../examples/daemon/store.rs"]
mod store;

use peak_alloc::PeakAlloc;

use support::Kind;
use world::{Client, World, request};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// How much more the process holds after that.
fn growth<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = ALLOCATOR.current_usage();
    let result = work();
    (ALLOCATOR.current_usage().saturating_sub(before), result)
}

/// How much more than before it ever held meanwhile.
fn peak(work: impl FnOnce()) -> usize {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    work();
    ALLOCATOR.peak_usage().saturating_sub(before)
}

/// Sends it all, or until the daemon takes no more, and reads nothing.
fn send(world: &World, client: &Client, mut bytes: &[u8]) {
    loop {
        let sent = client.send(bytes);
        bytes = &bytes[sent..];
        world.turn();
        if sent == 0 {
            return;
        }
    }
}

#[test]
fn clients_cost_little_while_idle_and_no_more_than_is_said() {
    let world = World::new(Kind::Simulated, &[]);
    let warm = world.connect();
    let large = request(["SET", "a", &"x".repeat(1 << 20)]);
    world.exchange(&warm, &large);

    idle_clients_hold_no_buffers(&world, &large);
    what_is_only_announced_costs_nothing(&world);
    half_a_request_is_kept_and_no_more(&world, &large);
    requests_without_end_cost_no_more_than_the_largest(&world);
    replies_that_nobody_reads_are_few(&world);
    a_key_that_ends_takes_what_it_counts_for(&world);
}

fn idle_clients_hold_no_buffers(world: &World, large: &[u8]) {
    let (fresh, clients) = growth(|| [(); 100].map(|()| world.connect()));
    assert!(fresh / 100 < 3000, "{} bytes for each", fresh / 100);
    // Each has been given much, in pieces, and has got much.
    let (used, ()) = growth(|| {
        for client in &clients {
            world.exchange(client, &[large, &*request(["GET", "a"]), &*request(["ECHO", "b"])].concat());
        }
    });
    assert!(used / 100 < 500, "{} bytes more for each", used / 100);
    println!("an idle client: {} bytes, {} more when it was busy once", fresh / 100, used / 100);
}

fn what_is_only_announced_costs_nothing(world: &World) {
    let client = world.connect();
    let (announced, ()) = growth(|| send(world, &client, b"*4096\r\n$1048576\r\n"));
    assert!(announced < 1000, "{announced}");
}

fn half_a_request_is_kept_and_no_more(world: &World, large: &[u8]) {
    let client = world.connect();
    let half = &large[..large.len() / 2];
    let (kept, ()) = growth(|| send(world, &client, half));
    assert!((half.len()..3 * half.len()).contains(&kept), "{kept}");
    // Room for it is not kept for what comes behind.
    let (rest, ()) = growth(|| send(world, &client, &large[half.len()..]));
    assert_eq!(rest, 0);
}

fn requests_without_end_cost_no_more_than_the_largest(world: &World) {
    let arg = [&b"$1048576\r\n"[..], &vec![b'x'; 1 << 20], b"\r\n"].concat();
    let begin = [&b"*4096\r\n"[..], &arg].concat();
    let small = b"$0\r\n\r\n".repeat(4095);
    for rest in [&arg, &small, &vec![b'1'; 3 << 20]] {
        let client = world.connect();
        let peak = peak(|| {
            send(world, &client, &begin);
            (0..10).for_each(|_| send(world, &client, rest));
        });
        // A vector that grows has twice the room, and its old self for a moment.
        assert!(peak < 7 << 20, "{peak}");
    }
}

fn replies_that_nobody_reads_are_few(world: &World) {
    let client = world.connect();
    let gets = request(["GET", "a"]).repeat(10_000);
    let (unread, ()) = growth(|| send(world, &client, &gets));
    // One reply beyond the bound; a vector that grows has up to twice the room.
    assert!(unread < 5 << 19, "{unread}");
    let mget = request(std::iter::once("MGET").chain(std::iter::repeat_n("a", 16)));
    let (unread, _client) = growth(|| {
        let client = world.connect();
        send(world, &client, &mget.repeat(100));
        client
    });
    assert!(unread < 33 << 20, "{unread}");
    println!("16 MiB of a reply: {unread} bytes");
}

fn a_key_that_ends_takes_what_it_counts_for(world: &World) {
    let (client, key) = (world.connect(), "k".repeat(1 << 20));
    let before = world.daemon.store.borrow().size;
    let (taken, ()) = growth(|| drop(world.exchange(&client, &request(["SET", &key, "v", "EX", "1000"]))));
    let counted = world.daemon.store.borrow().size - before;
    assert!(taken <= counted + 4096, "{taken} bytes count as {counted}");
}
