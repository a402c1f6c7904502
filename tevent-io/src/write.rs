//! A write that does not wait, whatever the file and its mode.

use std::io::IoSlice;
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{FileType, OFlags};
use rustix::io::{Errno, ReadWriteFlags};
use rustix::net::{SendAncillaryBuffer, SendFlags};

/// Writes what can be written now; `AGAIN` when that is nothing. On a socket no signal is raised.
pub(crate) fn write_now(file: impl AsFd, slices: &[IoSlice<'_>]) -> rustix::io::Result<usize> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    let sent = match slices {
        [whole] => rustix::net::send(&file, whole, flags), // the kernel has less to do
        _ => rustix::net::sendmsg(&file, slices, &mut SendAncillaryBuffer::default(), flags),
    };
    match sent {
        Err(Errno::NOTSOCK) => write_to_pipe(&file, slices),
        sent => sent,
    }
}

fn write_to_pipe(file: impl AsFd, slices: &[IoSlice<'_>]) -> rustix::io::Result<usize> {
    let where_it_stands = u64::MAX;
    match rustix::io::pwritev2(&file, slices, where_it_stands, ReadWriteFlags::NOWAIT) {
        Err(Errno::OPNOTSUPP) => write_if_ready(&file, slices),
        written => written,
    }
}

/// For files that know no write that does not wait: pipes with a name and terminals among them.
fn write_if_ready(file: impl AsFd, slices: &[IoSlice<'_>]) -> rustix::io::Result<usize> {
    let never_waits = rustix::fs::fcntl_getfl(&file)?.contains(OFlags::NONBLOCK)
        || FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode).is_file();
    if never_waits {
        return rustix::io::writev(&file, slices);
    }
    let mut files = [PollFd::new(&file, PollFlags::OUT)];
    if rustix::event::poll(&mut files, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? == 0 {
        return Err(Errno::AGAIN);
    }
    let Some(first) = slices.iter().find(|slice| !slice.is_empty()) else { return Ok(0) };
    rustix::io::write(&file, &first[..first.len().min(ROOM_WHEN_READY)])
}

/// A pipe that is ready has room for that many bytes at least (`PIPE_BUF`).
const ROOM_WHEN_READY: usize = 4096;
