//! Random pipelines from several connections at a time, cut into random pieces, with narrow sockets and clients that read a random
//! number of bytes now and then: each gets the replies that a naive database gives, in order, and nothing else.

use std::cell::Cell;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use rustix::net::sockopt::set_socket_send_buffer_size;
use tevent::{Backend, Context, Req};

use crate::commands::Session;
use crate::connection::{Connection, connection_send};
use crate::naive::{Command, Naive, Reply, commands};
use crate::random::Random;
use crate::streams::narrow_pair;
use crate::support::{Kind, on_every_backend};
use crate::world::{Client, World, shown};

const CLIENTS: usize = 4;

/// What the clients ask for, and how much time goes by when they have their replies, in milliseconds.
type Phase = ([Vec<Command>; CLIENTS], u64);

fn phases() -> impl Strategy<Value = Vec<Phase>> {
    let pipelines = || prop::collection::vec(commands(), 0..25);
    let phase = ([pipelines(), pipelines(), pipelines(), pipelines()], 0..3000_u64);
    prop::collection::vec(phase, 1..4)
}

struct Peer {
    client: Client,
    _connection: Req<Connection>,
    naive: Naive,
    unsent: Vec<u8>,
    got: Vec<u8>,
    /// The last it has counted.
    count: usize,
}

impl Peer {
    fn new(world: &World, db: usize) -> Peer {
        let (near, far) = narrow_pair();
        set_socket_send_buffer_size(&far, 8 * 1024).unwrap();
        let session = Session { db, ..Session::default() };
        let connection = connection_send(&world.daemon, near, session);
        let (client, naive) = (Client::new(far), Naive::default());
        Peer { client, _connection: connection, naive, unsent: Vec::new(), got: Vec::new(), count: 0 }
    }

    /// Sends some, if there is room; says whether there was.
    fn send(&mut self, most: usize, seen: &Seen) -> bool {
        let piece = &self.unsent[..most.min(self.unsent.len())];
        let sent = self.client.send(piece);
        seen.refused.set(seen.refused.get() + usize::from(sent < piece.len()));
        self.unsent.drain(..sent);
        sent > 0
    }

    /// Takes the replies out of what it got; gives what it counted.
    fn check(&mut self, replies: &[Reply]) -> Result<Vec<usize>, TestCaseError> {
        let (mut rest, mut counted) = (&*self.got, Vec::new());
        for reply in replies {
            match reply {
                Reply::Bytes(bytes) => {
                    let after = rest.strip_prefix(&**bytes);
                    let begin = |bytes: &[u8]| shown(&bytes[..bytes.len().min(80)]);
                    prop_assert!(after.is_some(), "{} in place of {}", begin(rest), begin(bytes));
                    rest = after.unwrap();
                }
                Reply::Counted => {
                    let number = rest.strip_prefix(b"+OK\r\n:");
                    let end = number.and_then(|number| number.iter().position(|byte| *byte == b'\r'));
                    prop_assert!(end.is_some(), "{}", shown(rest));
                    let (number, after) = number.unwrap().split_at(end.unwrap());
                    counted.push(std::str::from_utf8(number).unwrap().parse().unwrap());
                    prop_assert!(after.starts_with(b"\r\n+OK\r\n"), "{}", shown(rest));
                    rest = &after[7..];
                }
            }
        }
        prop_assert!(rest.is_empty(), "{} is too much", shown(rest));
        self.got.clear();
        let increasing = counted.iter().all(|count| *count > std::mem::replace(&mut self.count, *count));
        prop_assert!(increasing, "{counted:?}");
        Ok(counted)
    }
}

/// What was seen in all cases.
#[derive(Default)]
struct Seen {
    replies: Cell<usize>,
    /// How often the daemon did not take it all at once.
    refused: Cell<usize>,
}

fn run(kind: Kind, phases: &[Phase], lot: u64, seen: &Seen) -> Result<(), TestCaseError> {
    let timed = kind.is_simulated();
    let ctx = if timed { simulated(lot) } else { kind.context() };
    ctx.set_wait_timeout(Duration::ZERO);
    let world = World::on(ctx, &["--idle-timeout", "0"]);
    let (mut peers, mut lot): (Vec<_>, _) =
        ((0..CLIENTS).map(|db| Peer::new(&world, db)).collect(), Random(lot));
    let mut counted: Vec<usize> = Vec::new();
    for (pipelines, passes) in phases {
        let pipelines = pipelines.iter().map(|pipeline| {
            pipeline.iter().filter(|command| timed || !command.is_timed()).collect::<Vec<_>>()
        });
        let pipelines: Vec<_> = pipelines.collect();
        for (db, (peer, pipeline)) in peers.iter_mut().zip(&pipelines).enumerate() {
            peer.unsent = pipeline.iter().flat_map(|command| command.written(db)).collect();
        }
        // At first a bit of this and that, in pieces as large as the lot will have it; then the rest.
        let most = [2, 50, 5_000, 200_000][lot.below(4)];
        for _ in 0..200 {
            let at = lot.below(CLIENTS);
            match lot.below(3) {
                0 => _ = peers[at].send(lot.below(most) + 1, seen),
                1 => {
                    let read = peers[at].client.read_up_to(lot.below(most) + 1);
                    peers[at].got.extend(read);
                }
                _ => drop(world.ctx.loop_once()),
            }
        }
        let mut moved = true;
        while std::mem::take(&mut moved) {
            for peer in &mut peers {
                world.turn();
                moved |= peer.send(usize::MAX, seen);
                world.turn();
                let read = peer.client.read();
                moved |= !read.is_empty();
                peer.got.extend(read);
            }
        }
        for (peer, pipeline) in peers.iter_mut().zip(&pipelines) {
            let replies: Vec<_> = pipeline.iter().map(|command| peer.naive.reply(command)).collect();
            counted.extend(peer.check(&replies)?);
            seen.replies.set(seen.replies.get() + replies.len());
            peer.naive.now += passes;
        }
        if timed {
            world.pass(*passes);
        }
    }
    counted.sort_unstable();
    prop_assert!(counted.iter().copied().eq(1..=counted.len()), "{counted:?}");
    Ok(())
}

/// An order of its own for each case.
fn simulated(seed: u64) -> Context {
    let batch = if seed.is_multiple_of(2) { 1 } else { 64 };
    Context::builder().backend(Backend::Simulated { seed }).batch(batch).build().unwrap()
}

#[track_caller]
fn assert_all_replies(kind: Kind, cases: u32) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
    let seen = Seen::default();
    let ran = runner.run(&(phases(), any::<u64>()), |(phases, lot)| run(kind, &phases, lot, &seen));
    ran.unwrap_or_else(|failure| panic!("{failure}"));
    let (replies, refused) = (seen.replies.get(), seen.refused.get());
    println!("{replies} replies; {refused} times a client could not send it all");
    assert!(replies > 50 * cases as usize && refused > 10, "{replies} {refused}");
}

on_every_backend! {
    fn each_client_gets_its_replies_in_order_and_nothing_else(backend) {
        assert_all_replies(backend, if backend.is_simulated() { 60 } else { 12 });
    }
}
