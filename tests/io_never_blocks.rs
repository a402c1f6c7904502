//! IO-1, last part: whatever the stream is, and whatever its mode, a write never blocks the loop.
#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/media.rs"]
mod media;
#[path = "support/streams.rs"]
mod streams;
mod support;

use std::fs::File;
use std::io::{ErrorKind, Read, Seek};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use media::Medium;
use rustix::fs::{MemfdFlags, memfd_create};
use streams::{collect, full_pair, impatient, is_blocking, pattern, set_blocking};
use support::{Kind, drain, on_every_backend, run_ready};
use tevent::Queue;
use tevent::io::{Stream, writev_recv, writev_send};

/// Reads on behalf of a test that hangs in a write, so that it fails instead.
struct Rescuer {
    alive: Sender<()>,
    thread: JoinHandle<bool>,
}

impl Rescuer {
    fn new(mut reader: File) -> Self {
        let (alive, test) = channel();
        let thread = thread::spawn(move || {
            let mut rescued = false;
            while test.recv_timeout(Duration::from_secs(2)) == Err(RecvTimeoutError::Timeout) {
                rescued = true;
                let read = reader.read_to_end(&mut Vec::new());
                assert_eq!(read.unwrap_err().kind(), ErrorKind::WouldBlock);
            }
            rescued
        });
        Rescuer { alive, thread }
    }

    /// Whether it had to read. It does not from now on.
    fn had_to_act(self) -> bool {
        drop(self.alive);
        self.thread.join().unwrap()
    }
}

/// Writes more than fits to a blocking file, and reads it only when the loop has nothing to do any more.
fn writes_all_without_blocking(backend: Kind, medium: Medium) {
    let ctx = backend.context();
    for queue in [None, Some(Queue::create("queue"))] {
        let (stream, reader) = medium.writing();
        let reader = File::from(reader);
        assert!(is_blocking(&stream));
        let rescuer = Rescuer::new(reader.try_clone().unwrap());
        let bytes = pattern(500_001);
        let req = writev_send(&ctx, queue.as_deref(), &stream, false, vec![bytes.clone()]);
        run_ready(&ctx);
        assert!(!rescuer.had_to_act(), "a write has blocked");
        assert!(req.is_in_progress() && is_blocking(&stream));
        let (_reading, got) = collect(&ctx, reader);
        ctx.loop_until(|| got.borrow().len() == bytes.len()).unwrap();
        assert_eq!(writev_recv(req), Ok(bytes.len()));
        assert!(*got.borrow() == bytes);
    }
}

on_every_backend! {
    fn io_1_never_blocks_on_a_blocking_tcp_socket(backend) {
        writes_all_without_blocking(backend, Medium::Tcp);
    }

    fn io_1_never_blocks_on_a_blocking_unix_socket(backend) {
        writes_all_without_blocking(backend, Medium::Unix);
    }

    fn io_1_never_blocks_on_a_blocking_pipe(backend) {
        writes_all_without_blocking(backend, Medium::Pipe);
    }

    /// To one with a name the kernel does not offer writes that do not wait (`RWF_NOWAIT`).
    fn io_1_never_blocks_on_a_blocking_pipe_with_a_name(backend) {
        writes_all_without_blocking(backend, Medium::Fifo);
    }

    fn io_1_a_full_stream_is_waited_for(backend) {
        let ctx = impatient(backend);
        for blocking in [true, false] {
            let (stream, far) = full_pair();
            set_blocking(&stream, blocking);
            let queue = Queue::create("near");
            let req = writev_send(&ctx, Some(&queue), &stream, false, vec!["frame"]);
            assert!(req.is_in_progress() && stream.writes() == 0, "EAGAIN is no error");
            drain(&far);
            req.poll(&ctx).unwrap();
            assert_eq!((writev_recv(req), drain(&far)), (Ok(5), 5));
        }
    }

    fn io_1_a_regular_file_takes_all_bytes(backend) {
        let ctx = impatient(backend);
        for queue in [None, Some(Queue::create("file"))] {
            let mut file = File::from(memfd_create("frame", MemfdFlags::CLOEXEC).unwrap());
            let stream = Stream::new(file.try_clone().unwrap());
            let bytes = pattern(300_000);
            let buffers: Vec<Vec<u8>> = bytes.chunks(7_001).map(Vec::from).collect();
            let req = writev_send(&ctx, queue.as_deref(), &stream, false, buffers);
            req.poll(&ctx).unwrap();
            assert_eq!(writev_recv(req), Ok(bytes.len()));
            let mut got = Vec::new();
            file.rewind().unwrap();
            file.read_to_end(&mut got).unwrap();
            assert!(got == bytes);
        }
    }
}
