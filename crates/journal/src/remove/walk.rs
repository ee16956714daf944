//! Emptying a directory, however deep and however large, with few descriptors and little memory.
//!
//! It keeps a stack of open directories, the one being emptied on top. Directories are read in portions: the files
//! of a portion are unlinked, its directories are remembered by name and entered one after the other before the
//! next portion is read. At a certain depth directories are not entered any more, but *moved up* into the root of
//! the tree, where they are found again later: so neither `..` nor a long path is ever needed.
//!
//! Whether a directory is empty is asked of `rmdir` alone. If it is not, somebody may still be writing, or the file
//! system left something out, as it may when names go while they are read: then it is read again, a few times.

#![forbid(unsafe_code)]

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::fs::{
    AtFlags, FileType, RawDir, RenameFlags, SeekFrom, renameat, renameat_with, seek, unlinkat,
};
use rustix::io::Errno;

use super::open::{directory, permit};
use super::{Failure, Outcome};
use crate::identity::Identity;
use crate::place::Found;

/// How many directories are open before deeper ones are moved up.
const DEEP: usize = 16;

/// How many are open at most, where they cannot be moved up: some file systems move no directories.
const DEEPEST: usize = 40;

/// How often one directory is read again because it is not empty, and all of them together.
const ROUNDS: u32 = 16;
const ALL_ROUNDS: u32 = 4096;

/// How much of a directory is read at once, in bytes.
const PORTION: usize = 32 * 1024;

/// The removal of one tree.
pub(super) struct Walk<'a> {
    /// Where the tree is.
    parent: BorrowedFd<'a>,
    identity: Identity,
    stack: Vec<Level>,
    /// The number of the next directory that is moved up.
    next: u64,
    /// Whether one was since the root was last read from its beginning.
    moved_up: bool,
    rounds: u32,
    removed: u64,
    left: u64,
    first: Option<(PathBuf, Errno)>,
}

/// A directory that is being emptied.
struct Level {
    directory: OwnedFd,
    name: CString,
    /// Directories in it that were read, and are to be entered.
    pending: Vec<CString>,
    /// Whether it was read to its end.
    read: bool,
    /// Whether something in it could not be removed since it was last read from its beginning.
    failed: bool,
    rounds: u32,
}

impl Level {
    fn new(directory: OwnedFd, name: CString) -> Self {
        Self { directory, name, pending: Vec::new(), read: false, failed: false, rounds: 0 }
    }

    fn again(&mut self) -> Result<(), Errno> {
        self.read = false;
        self.failed = false;
        seek(&self.directory, SeekFrom::Start(0)).map(drop)
    }
}

impl<'a> Walk<'a> {
    /// `root` is open, and has that name in `parent`.
    pub(super) fn new(parent: BorrowedFd<'a>, name: &OsStr, root: OwnedFd) -> Result<Self, Errno> {
        let name = CString::new(name.as_bytes()).map_err(|_| Errno::INVAL)?;
        Ok(Self {
            parent,
            identity: Found::open(root.as_fd())?.identity,
            stack: vec![Level::new(root, name)],
            next: 0,
            moved_up: false,
            rounds: 0,
            removed: 0,
            left: 0,
            first: None,
        })
    }

    pub(super) fn run(mut self) -> Result<Outcome, Failure> {
        while let Some(level) = self.stack.last_mut() {
            if let Some(name) = level.pending.pop() {
                self.enter(name);
            } else if level.read {
                self.leave();
            } else if let Err(error) = self.read() {
                let top = self.top();
                top.read = true;
                self.fail(None, error);
            }
        }
        match self.first {
            Some((first, error)) if self.left > 0 => {
                Err(Failure::Left { left: self.left, first, error: io::Error::from(error) })
            }
            _ => Ok(Outcome::Removed { files: self.removed }),
        }
    }

    fn top(&mut self) -> &mut Level {
        self.stack.last_mut().expect("the walk ends with its last directory")
    }

    /// Reads a portion of the directory on top.
    fn read(&mut self) -> Result<(), Errno> {
        let mut buffer = [MaybeUninit::<u8>::uninit(); PORTION];
        let depth = self.stack.len();
        let Some(level) = self.stack.last_mut() else { return Ok(()) };
        let mut failures = Vec::new();
        let mut entries = RawDir::new(level.directory.as_fd(), &mut buffer);
        let mut portion_is_over = false;
        while !portion_is_over {
            let Some(entry) = entries.next() else {
                level.read = true;
                break;
            };
            let entry = match entry {
                // It was removed by somebody else, and is empty.
                Err(Errno::NOENT) => {
                    level.read = true;
                    break;
                }
                entry => entry?,
            };
            let name = entry.file_name();
            if name != c"." && name != c".." {
                match unlink(level.directory.as_fd(), name, entry.file_type()) {
                    Ok(Unlinked::Gone) => {}
                    Ok(Unlinked::Now) => self.removed += 1,
                    Ok(Unlinked::Directory) => level.pending.push(name.to_owned()),
                    Err(error) => failures.push((name.to_owned(), error)),
                }
            }
            portion_is_over = entries.is_buffer_empty();
        }
        debug_assert_eq!(depth, self.stack.len());
        for (name, error) in failures {
            self.fail(Some(&name), error);
        }
        Ok(())
    }

    /// Enters a directory in the one on top.
    fn enter(&mut self, name: CString) {
        if self.stack.len() >= DEEP {
            match self.move_up(&name) {
                Err(Errno::XDEV) if self.stack.len() < DEEPEST => {}
                Err(error) => return self.fail(Some(&name), error),
                Ok(()) => return,
            }
        }
        let above = self.top().directory.as_fd();
        match directory(above, name.as_c_str()) {
            Ok(directory) => self.stack.push(Level::new(directory, name)),
            Err(Errno::NOENT) => {}
            // It is none any more.
            Err(Errno::NOTDIR | Errno::LOOP) => match unlink(above, &name, FileType::Unknown) {
                Ok(Unlinked::Gone) => {}
                Ok(Unlinked::Now) => self.removed += 1,
                Ok(Unlinked::Directory) => self.fail(Some(&name), Errno::NOTEMPTY),
                Err(error) => self.fail(Some(&name), error),
            },
            Err(Errno::MFILE | Errno::NFILE) if self.stack.len() > 1 => {
                if let Err(error) = self.move_up(&name) {
                    self.fail(Some(&name), error);
                }
            }
            Err(error) => self.fail(Some(&name), error),
        }
    }

    /// Moves a directory from the one on top into the root.
    fn move_up(&mut self, name: &CStr) -> Result<(), Errno> {
        let (root, top) =
            (self.stack[0].directory.as_fd(), self.stack[self.stack.len() - 1].directory.as_fd());
        let mut permitted = false;
        loop {
            let fresh = format!(".lastly-{:x}", self.next);
            let moved = match renameat_with(top, name, root, fresh.as_str(), RenameFlags::NOREPLACE)
            {
                // Where that is not to be had: what may be replaced here is an empty directory of this tree.
                Err(Errno::INVAL | Errno::NOSYS) => renameat(top, name, root, fresh.as_str()),
                moved => moved,
            };
            match moved {
                Ok(()) => break,
                Err(Errno::NOENT) => return Ok(()),
                Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => self.next += 1,
                // The directory itself must be writable too, as its `..` changes, or the one it is in must.
                Err(Errno::ACCESS) if !permitted => {
                    permitted = true;
                    permit(root)?;
                    permit(top)?;
                    // Opened and closed for that alone.
                    let held = super::open::hold(top, name)?;
                    if Found::open(held.as_fd())?.kind == crate::place::Kind::Directory {
                        permit(held.as_fd())?;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        self.next += 1;
        self.moved_up = true;
        Ok(())
    }

    /// Removes the directory on top, or says why it is left, or has it read again.
    fn leave(&mut self) {
        let depth = self.stack.len();
        let name = self.top().name.clone();
        let gone = if depth > 1 {
            let above = self.stack[depth - 2].directory.as_fd();
            rmdir(above, &name)
        } else {
            self.remove_root(&name)
        };
        match gone {
            Ok(now) => {
                self.removed += u64::from(now);
                self.stack.pop();
                if depth == 1 {
                    // Whatever went wrong before, nothing is left.
                    self.left = 0;
                }
            }
            Err(Errno::NOTEMPTY | Errno::EXIST) => self.leave_or_repeat(),
            Err(error) => {
                self.stack.pop();
                if depth > 1 {
                    self.fail(Some(&name), error);
                } else {
                    self.fail(None, error);
                }
            }
        }
    }

    fn remove_root(&self, name: &CStr) -> Result<bool, Errno> {
        // Another in its place would have to be empty to be removed, but it is not ours to remove.
        match Found::at(self.parent, OsStr::from_bytes(name.to_bytes()))? {
            Some(found) if found.identity.is_held(&self.identity) => {
                unlinkat(self.parent, name, AtFlags::REMOVEDIR).map(|()| true)
            }
            // By somebody else.
            _ if Found::open(self.stack[0].directory.as_fd())?.links == 0 => Ok(false),
            // It was moved elsewhere.
            _ => Err(Errno::NOENT),
        }
    }

    fn leave_or_repeat(&mut self) {
        let root = self.stack.len() == 1;
        let (rounds, moved_up) = (self.rounds, self.moved_up);
        let level = self.top();
        if root && moved_up {
            // What fails again is counted again.
            let again = level.again();
            self.moved_up = false;
            self.left = 0;
            if let Err(error) = again {
                self.stack.pop();
                self.fail(None, error);
            }
            return;
        }
        if !level.failed && level.rounds < ROUNDS && rounds < ALL_ROUNDS {
            level.rounds += 1;
            if level.again().is_ok() {
                self.rounds += 1;
                return;
            }
        }
        let told = level.failed;
        if !told {
            // Somebody fills it as fast as it is emptied.
            self.fail(None, Errno::NOTEMPTY);
        }
        self.stack.pop();
        if let Some(above) = self.stack.last_mut() {
            above.failed = true;
        }
    }

    /// Something in the directory on top, or that directory itself, could not be removed.
    fn fail(&mut self, name: Option<&CStr>, error: Errno) {
        self.left += 1;
        if self.first.is_none() {
            let below = self.stack.iter().skip(1).map(|level| level.name.as_c_str()).chain(name);
            let path = below.map(|name| OsStr::from_bytes(name.to_bytes())).collect();
            self.first = Some((path, error));
        }
        if let Some(top) = self.stack.last_mut() {
            top.failed = true;
        }
    }
}

enum Unlinked {
    Now,
    /// By somebody else.
    Gone,
    /// It is a directory.
    Directory,
}

fn unlink(directory: BorrowedFd<'_>, name: &CStr, kind: FileType) -> Result<Unlinked, Errno> {
    if kind == FileType::Directory {
        return Ok(Unlinked::Directory);
    }
    match permitted(directory, || unlinkat(directory, name, AtFlags::empty())) {
        Ok(()) => Ok(Unlinked::Now),
        Err(Errno::NOENT) => Ok(Unlinked::Gone),
        Err(Errno::ISDIR) => Ok(Unlinked::Directory),
        Err(error) => Err(error),
    }
}

/// Whether it was removed now, and not by somebody else.
fn rmdir(directory: BorrowedFd<'_>, name: &CStr) -> Result<bool, Errno> {
    match permitted(directory, || unlinkat(directory, name, AtFlags::REMOVEDIR)) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Changes something in a directory; where the directory does not permit it although it is ours, again after it
/// was made to.
fn permitted(
    directory: BorrowedFd<'_>,
    change: impl Fn() -> Result<(), Errno>,
) -> Result<(), Errno> {
    match change() {
        Err(Errno::ACCESS) if permit(directory)? => change(),
        changed => changed,
    }
}
