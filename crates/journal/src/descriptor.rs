//! A descriptor that may not be ours any more.
//!
//! Some programs close all descriptors that they find, to become a daemon. What they open next has the same
//! numbers: who goes on to use them writes into the files of others, or closes them. So each is asked what it
//! is of before anything is done with it.

use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::fs::{Stat, fstat};
use rustix::io::fcntl_dupfd_cloexec;

/// The last of those that every program takes for its standard streams.
const STANDARD: i32 = 2;

#[derive(Debug)]
pub(crate) struct Descriptor {
    file: ManuallyDrop<File>,
    /// Device and inode.
    of: (u64, u64),
}

impl Descriptor {
    pub(crate) fn new(file: impl Into<File>) -> io::Result<Self> {
        let mut file = file.into();
        if file.as_raw_fd() <= STANDARD {
            // The program has closed one of those; but who writes an error message, does not know.
            file = fcntl_dupfd_cloexec(&file, STANDARD + 1)?.into();
        }
        let of = identity(&file)?;
        Ok(Self { file: ManuallyDrop::new(file), of })
    }

    /// Whether it is still what it was.
    pub(crate) fn is_open(&self) -> bool {
        identity(&*self.file).is_ok_and(|of| of == self.of)
    }

    /// Whether it is, and the file has no name any more.
    pub(crate) fn is_removed(&self) -> bool {
        let is_own = |stat: &Stat| (stat.st_dev, stat.st_ino) == self.of;
        fstat(&*self.file).is_ok_and(|stat| is_own(&stat) && stat.st_nlink == 0)
    }

    /// Whether both are of the same file.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.of == other.of
    }
}

/// Device and inode of what is behind a descriptor.
fn identity(of: impl AsFd) -> io::Result<(u64, u64)> {
    let stat = fstat(of)?;
    Ok((stat.st_dev, stat.st_ino))
}

impl Deref for Descriptor {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        if self.is_open() {
            // SAFETY: this is its end, and it is dropped nowhere else.
            unsafe { ManuallyDrop::drop(&mut self.file) };
        }
    }
}
