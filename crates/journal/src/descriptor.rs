//! A descriptor that may not be ours any more.
//!
//! Some programs close all descriptors that they find, to become a daemon. What they open next has the same
//! numbers: who goes on to use them writes into the files of others, or closes them. So each is asked what it
//! is of before anything is done with it.
//!
//! And a lock that is taken by one is its forked child's, too. So those that are to be locked are *private*:
//! `fork` has the child close its copies.

use std::fs::File;
use std::io;
use std::mem::{self, ManuallyDrop};
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, RawFd};

use rustix::fs::{Stat, fstat};
use rustix::io::fcntl_dupfd_cloexec;

use crate::lock::Lock;

/// The last of those that every program takes for its standard streams.
const STANDARD: i32 = 2;

#[derive(Debug)]
pub(crate) struct Descriptor {
    file: ManuallyDrop<File>,
    /// Device and inode.
    of: (u64, u64),
    /// Whether it is among `PRIVATE`.
    is_private: bool,
}

/// The numbers of those of which a child has nothing, and what they are of.
static PRIVATE: Lock<Vec<(RawFd, (u64, u64))>> = Lock::new(Vec::new());

/// Until [`after_fork`], none that is private is opened or closed.
pub(crate) fn before_fork() {
    mem::forget(PRIVATE.lock());
}

/// In both processes.
pub(crate) fn after_fork() {
    PRIVATE.unlock();
}

/// In a forked child, before [`after_fork`].
pub(crate) fn close_private() {
    // SAFETY: taken by `before_fork`, by the thread that this one is a copy of; `after_fork` follows.
    let mut private = ManuallyDrop::new(unsafe { PRIVATE.taken() });
    for (number, of) in private.drain(..) {
        // SAFETY: it is this process's copy: whoever has the other end of it is a thread of the parent's. And if
        // the program has closed it, its drop finds that out.
        let file = ManuallyDrop::new(unsafe { File::from_raw_fd(number) });
        drop(Descriptor { file, of, is_private: false });
    }
}

impl Descriptor {
    /// Opens what is to be locked. No fork comes between that and its being private.
    pub(crate) fn open_private<E: From<io::Error>>(
        open: impl FnOnce() -> Result<File, E>,
    ) -> Result<Self, E> {
        let mut private = PRIVATE.lock();
        let mut this = Self::new(open()?)?;
        private.push((this.file.as_raw_fd(), this.of));
        this.is_private = true;
        Ok(this)
    }

    pub(crate) fn new(file: impl Into<File>) -> io::Result<Self> {
        let mut file = file.into();
        if file.as_raw_fd() <= STANDARD {
            // The program has closed one of those; but who writes an error message, does not know.
            file = fcntl_dupfd_cloexec(&file, STANDARD + 1)?.into();
        }
        let of = identity(&file)?;
        Ok(Self { file: ManuallyDrop::new(file), of, is_private: false })
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
        // Taken until it is closed: another may get its number then.
        let mut private = self.is_private.then(|| PRIVATE.lock());
        if let Some(private) = &mut private {
            let own = self.file.as_raw_fd();
            private.retain(|(number, _)| *number != own);
        }
        if self.is_open() {
            // SAFETY: this is its end, and it is dropped nowhere else.
            unsafe { ManuallyDrop::drop(&mut self.file) };
        }
    }
}
