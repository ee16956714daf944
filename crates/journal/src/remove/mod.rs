//! Removing what was declared, and nothing else.
//!
//! It happens when nobody looks, perhaps days later, perhaps while somebody tries to turn it against other files.
//! So three things hold. What is removed is what was declared, by its identity, not what has its name by now. It is
//! first moved to a name of its own in the same directory (*the trash*), and looked at there: what was exchanged
//! for it at the last moment is put back. And below it nothing is found by a path: every step is a name in an open
//! directory.
//!
//! Whoever removes may be killed, and somebody else tries again: it goes on where the first one stopped, as the
//! name of the trash is written down.

#![forbid(unsafe_code)]

mod check;
pub(crate) mod open;
mod walk;

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, RenameFlags, renameat_with, unlinkat};
use rustix::io::Errno;

use crate::identity::Identity;
use crate::place::{Found, Place};
pub use check::{Reason, Refusal, check_file, check_tree};
use check::{Target, check_found, check_mount};
use walk::Walk;

/// Whose removal is expected. What does not match in every respect that is given is left alone.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// Which file it is. `None` for what was declared before it was made.
    pub identity: Option<Identity>,
    /// Whether the machine was not booted since the identity was taken.
    pub same_boot: bool,
    /// When it was born at the earliest, by [`birth_clock`](crate::birth_clock).
    pub not_before: Option<i64>,
    /// When it was born at the latest, by the usual clock (`CLOCK_REALTIME`), which births are never ahead of. They
    /// may be ahead of the other one.
    pub not_after: Option<i64>,
    /// Whether it was ours when it was declared, and is known to be just that.
    pub was_ours: bool,
    /// Whether only what is in the trash is meant, not what has the name by now.
    pub begun_only: bool,
}

impl Expected {
    /// Whether this is it. In doubt, not.
    #[must_use]
    pub fn is(&self, found: &Identity) -> bool {
        let same = |identity: Identity| match self.same_boot {
            true => identity.is(found),
            false => identity.is_across_boots(found),
        };
        let born = |right: &dyn Fn(i64) -> bool| found.born.is_some_and(right);
        self.identity.is_none_or(same)
            && self.not_before.is_none_or(|earliest| born(&|born| born >= earliest))
            && self.not_after.is_none_or(|latest| born(&|born| born <= latest))
    }
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is gone.
    Removed {
        /// How many files and directories that were.
        files: u64,
    },
    /// It was gone already.
    Missing,
    /// Another is in its place by now, and was not touched.
    Replaced,
}

/// It is not gone.
#[derive(Debug)]
pub enum Failure {
    /// It may not be removed: trying again is of no use.
    Refused(Refusal),
    /// Something could not be removed. Trying again goes on with what is left.
    Left {
        /// How many files and directories could not be removed, not counting the directories they are in.
        left: u64,
        /// The first of them, below the tree; empty if it is the tree, or the file, itself.
        first: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// At the last moment another was exchanged for it, which was moved instead and could not be moved back.
    Displaced {
        /// Where it was.
        from: PathBuf,
        /// Where it is now, unharmed.
        to: PathBuf,
        /// Why it could not be moved back.
        error: io::Error,
    },
}

impl Failure {
    fn left(error: impl Into<io::Error>) -> Self {
        Self::Left { left: 1, first: PathBuf::new(), error: error.into() }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Errno> for Failure {
    fn from(error: Errno) -> Self {
        Self::left(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(formatter),
            Self::Left { left: 1, first, error } if first.as_os_str().is_empty() => {
                write!(formatter, "it could not be removed: {error}")
            }
            Self::Left { left: 1, first, error } => {
                write!(formatter, "{} in it could not be removed: {error}", first.display())
            }
            Self::Left { left, first, error } => {
                write!(
                    formatter,
                    "{left} files in it could not be removed, first {}: {error}",
                    first.display()
                )
            }
            Self::Displaced { from, to, error } => write!(
                formatter,
                "{} was exchanged for another while it was to be removed; that is unharmed, but is now {} \
                 and could not be moved back: {error}",
                from.display(),
                to.display()
            ),
        }
    }
}

impl std::error::Error for Failure {}

/// Removes a directory and all that is in it. `trash` is the name it is moved to first, in its own directory: one
/// that nobody can guess, and always the same for the same removal.
///
/// Symbolic links in it are removed and never followed, mounts in it are not entered. What cannot be removed does
/// not keep the rest from being removed.
///
/// # Errors
///
/// It may not be removed, or something of it is left.
pub fn tree(place: &Place, expected: &Expected, trash: &OsStr) -> Result<Outcome, Failure> {
    remove(place, expected, trash, Target::Tree)
}

/// Removes one name of a file: whatever is no directory. `trash` as in [`tree`].
///
/// # Errors
///
/// It may not be removed, or it cannot.
pub fn file(place: &Place, expected: &Expected, trash: &OsStr) -> Result<Outcome, Failure> {
    remove(place, expected, trash, Target::File)
}

fn remove(
    place: &Place,
    expected: &Expected,
    trash: &OsStr,
    target: Target,
) -> Result<Outcome, Failure> {
    let one_name = matches!(
        (Path::new(trash).components().next(), Path::new(trash).components().nth(1)),
        (Some(Component::Normal(name)), None) if name == trash
    );
    if !one_name || trash == place.name() {
        let text =
            format!("{}: not a name that something can be moved to", Path::new(trash).display());
        return Err(Failure::left(io::Error::new(io::ErrorKind::InvalidInput, text)));
    }
    // If an earlier try got as far as the trash, what is at the place by now came later.
    if let At::Expected(held, _) = at(place, trash, expected, target)? {
        let disposed = dispose(place, trash, &held, target);
        // The name may be another's by now, though nothing has it yet.
        return if expected.begun_only { disposed } else { or_put_back(disposed, place, trash) };
    }
    if expected.begun_only {
        return Ok(Outcome::Missing);
    }
    match at(place, place.name(), expected, target)? {
        At::Missing => Ok(Outcome::Missing),
        At::Another => Ok(Outcome::Replaced),
        At::Expected(held, found) => match move_away(place, &found, trash)? {
            Moved::ToTrash => or_put_back(dispose(place, trash, &held, target), place, trash),
            Moved::Not => dispose(place, place.name(), &held, target),
            Moved::Another => Ok(Outcome::Replaced),
            Moved::Gone => Ok(Outcome::Missing),
        },
    }
}

enum At {
    Missing,
    Another,
    /// It is held, so that nothing else can get its inode.
    Expected(OwnedFd, Found),
}

fn at(place: &Place, name: &OsStr, expected: &Expected, target: Target) -> Result<At, Failure> {
    let Some(seen) = Found::at(place.directory(), name)? else { return Ok(At::Missing) };
    if !expected.is(&seen.identity) {
        check_mount(place, &seen)?;
        return Ok(At::Another);
    }
    let held = match open::hold(place.directory(), name) {
        Ok(held) => held,
        Err(Errno::NOENT) => return Ok(At::Missing),
        Err(Errno::XDEV) => {
            return Err(
                Refusal { path: place.path().to_owned(), reason: Reason::MountPoint }.into()
            );
        }
        Err(error) => return Err(error.into()),
    };
    let found = Found::open(held.as_fd())?;
    if !found.identity.is_held(&seen.identity) || !expected.is(&found.identity) {
        return Ok(At::Another);
    }
    check_found(place, &found, target, expected.was_ours)?;
    Ok(At::Expected(held, found))
}

enum Moved {
    ToTrash,
    /// It cannot be moved.
    Not,
    /// Another was there by then; it is back in its place.
    Another,
    /// Nothing was there by then.
    Gone,
}

fn move_away(place: &Place, held: &Found, trash: &OsStr) -> Result<Moved, Failure> {
    match rename(place, place.name(), trash) {
        Ok(()) => {}
        Err(Errno::NOENT) => return Ok(Moved::Gone),
        Err(error @ Errno::EXIST) => return Err(error.into()),
        // A file system that cannot, a kernel of before 3.15, no right to write in the directory: what is inside
        // can still be removed.
        Err(_) => return Ok(Moved::Not),
    }
    if Found::at(place.directory(), trash)?
        .is_some_and(|found| found.identity.is_held(&held.identity))
    {
        return Ok(Moved::ToTrash);
    }
    match rename(place, trash, place.name()) {
        Ok(()) | Err(Errno::NOENT) => Ok(Moved::Another),
        Err(error) => Err(Failure::Displaced {
            from: place.path().to_owned(),
            to: place.path().with_file_name(trash),
            error: error.into(),
        }),
    }
}

/// Moves something to a name that nothing has.
fn rename(place: &Place, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
    renameat_with(place.directory(), from, place.directory(), to, RenameFlags::NOREPLACE)
}

/// What could not be removed altogether is moved back to where its owner knows it to be, who may try again. If that
/// does not work, who comes next finds it in the trash.
fn or_put_back(
    disposed: Result<Outcome, Failure>,
    place: &Place,
    trash: &OsStr,
) -> Result<Outcome, Failure> {
    if disposed.is_err() {
        _ = rename(place, trash, place.name());
    }
    disposed
}

/// Removes what is held, and has that name.
fn dispose(
    place: &Place,
    name: &OsStr,
    held: &OwnedFd,
    target: Target,
) -> Result<Outcome, Failure> {
    match target {
        Target::Tree => {
            let directory = open::held_directory(held.as_fd())?;
            Walk::new(place.directory(), name, directory)?.run()
        }
        Target::File => match unlinkat(place.directory(), name, AtFlags::empty()) {
            Ok(()) => Ok(Outcome::Removed { files: 1 }),
            Err(Errno::NOENT) => Ok(Outcome::Missing),
            Err(error) => Err(error.into()),
        },
    }
}
