//! The main job: a thousand writers, one narrow socket, and a tenth of them leave before their turn.
#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/random.rs"]
mod random;
#[path = "support/streams.rs"]
mod streams;
mod support;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use random::Random;
use rustix::net::sockopt::set_socket_send_buffer_size;
use streams::impatient;
use support::{on_every_backend, pair};
use tevent::io::{Stream, Writev, writev_recv, writev_send};
use tevent::{FdFlags, Queue, Req};

const FRAMES: u32 = 1000;
const DROPPED: usize = 100;
/// Header and body.
const FRAME: usize = 256 * 1024;
const HEADER: usize = 4;
/// Neighbouring frames have different bodies.
const BODIES: usize = 7;
const SEED: u64 = 2;

type Writer = Req<Writev<Rc<[u8]>>>;

/// What each frame consists of. No part of a body is found at another place of it or in another body, so that a torn
/// frame cannot pass for a whole one.
struct Frames {
    bodies: Vec<Rc<[u8]>>,
}

impl Frames {
    fn new(random: &mut Random) -> Self {
        Frames { bodies: (0..BODIES).map(|_| random.bytes(FRAME - HEADER).into()).collect() }
    }

    fn header(number: u32) -> [u8; HEADER] {
        number.to_le_bytes()
    }

    fn body(&self, number: u32) -> Rc<[u8]> {
        Rc::clone(&self.bodies[number as usize % BODIES])
    }
}

/// The reading end: it knows frame by frame what may come next.
struct Reader {
    socket: UnixStream,
    frames: Rc<Frames>,
    header: [u8; HEADER],
    /// How much of the current frame has been read.
    at: usize,
    arrived: Vec<u32>,
}

impl Reader {
    /// Reads once, and compares.
    fn read(&mut self) {
        let mut buffer = [0; 16 * 1024];
        let (n, _) = rustix::net::recv(&self.socket, &mut buffer, rustix::net::RecvFlags::DONTWAIT).unwrap();
        let mut rest = &buffer[..n];
        while !rest.is_empty() {
            rest = self.take_part(rest);
        }
    }

    fn take_part<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let end = if self.at < HEADER { HEADER } else { FRAME };
        let (part, rest) = bytes.split_at(bytes.len().min(end - self.at));
        if self.at < HEADER {
            self.header[self.at..][..part.len()].copy_from_slice(part);
        } else {
            let (number, at) = (u32::from_le_bytes(self.header), self.at - HEADER);
            let body = self.frames.body(number);
            assert!(body[at..][..part.len()] == *part, "frame {number} is torn at byte {}", self.at);
        }
        self.at += part.len();
        if self.at == FRAME {
            self.at = 0;
            self.arrived.push(u32::from_le_bytes(self.header));
        }
        rest
    }
}

/// Who is to be dropped, and when: after so many frames were written that it still waits, or is just about to begin.
fn doomed(random: &mut Random) -> Vec<(usize, u32)> {
    let mut numbers: Vec<u32> = (1..FRAMES).collect(); // the first begins at once
    let mut chosen: Vec<u32> =
        (0..DROPPED).map(|_| numbers.swap_remove(random.below(numbers.len()))).collect();
    chosen.sort_unstable();
    let with_moment = chosen.iter().enumerate().map(|(dropped_before, number)| {
        let survivors_before = *number as usize - dropped_before;
        (random.below(survivors_before + 1), *number)
    });
    with_moment.collect()
}

on_every_backend! {
    fn io_1_whole_frames_arrive_in_order_and_exactly_those_not_dropped(backend) {
        println!("seed {SEED}");
        let random = &mut Random(SEED);
        let (frames, doomed) = (Rc::new(Frames::new(random)), doomed(random));
        let ctx = impatient(backend);
        let (near, far) = pair();
        set_socket_send_buffer_size(&near, 16 * 1024).unwrap();
        let (stream, queue) = (Stream::new(near), Queue::create("near"));
        let send = |number| {
            let buffers = vec![Rc::from(Frames::header(number)), frames.body(number)];
            (number, writev_send(&ctx, Some(&queue), &stream, false, buffers))
        };
        let mut waiting: VecDeque<(u32, Writer)> = (0..FRAMES).map(send).collect();
        let source = far.try_clone().unwrap();
        let reader = Reader { socket: far, frames: Rc::clone(&frames), header: [0; HEADER], at: 0, arrived: Vec::new() };
        let reader = Rc::new(RefCell::new(reader));
        let reading = Rc::clone(&reader);
        let reading = ctx.add_fd(&source, FdFlags::READ, move |_ev, _fde, _flags| reading.borrow_mut().read());
        let _reading = reading.unwrap();

        let mut written = Vec::new();
        while !waiting.is_empty() {
            // Where two wait for the same moment the order of the drops does not matter.
            let leaves = |number: u32| doomed.contains(&(written.len(), number));
            waiting.retain(|(number, _req)| !leaves(*number));
            assert_eq!(queue.len(), waiting.len());
            let Some((number, head)) = waiting.pop_front() else { break };
            head.poll(&ctx).unwrap();
            assert_eq!(writev_recv(head), Ok(FRAME));
            written.push(number);
        }
        let survivors: Vec<u32> =
            (0..FRAMES).filter(|number| doomed.iter().all(|(_, other)| other != number)).collect();
        assert_eq!(survivors.len(), FRAMES as usize - DROPPED);
        assert_eq!(written, survivors);
        ctx.loop_until(|| reader.borrow().arrived.len() == written.len()).unwrap();
        assert_eq!((&reader.borrow().arrived, reader.borrow().at), (&survivors, 0));
        assert!(stream.partial_writes() > u64::from(FRAMES), "{stream:?}");
        assert_eq!(stream.broken(), None);
    }
}
