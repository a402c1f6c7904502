//! `eventfd`: what wakes a sleeping loop.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

/// Rung from any thread, heard by the loop that watches it.
pub(crate) struct Bell(File);

impl Bell {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: takes no pointer.
        let number = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just opened this number for us, and nobody else knows it.
        let file = unsafe { OwnedFd::from_raw_fd(number) };
        Ok(Bell(File::from(file)))
    }

    /// A bell that is full is ringing already.
    pub(crate) fn ring(&self) {
        while matches!((&self.0).write(&1_u64.to_ne_bytes()), Err(e) if e.kind() == io::ErrorKind::Interrupted)
        {
        }
    }

    pub(crate) fn silence(&self) {
        while matches!((&self.0).read(&mut [0; 8]), Err(e) if e.kind() == io::ErrorKind::Interrupted) {}
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
