//! What other processes have declared, who live, or may: that is theirs, whatever a dead one said of it.
//!
//! A service that was killed and started again uses the same names. What the first life declared, and
//! the second has taken over, must not go when somebody comes round to the first.
//!
//! Each entry asks anew: a sweep may take long, and whoever starts meanwhile declares before it uses. What was
//! read is kept, and read again where the file has changed: otherwise thousands of entries, beside thousands of
//! others, would be read millions of times.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use crate::actions::About;
use crate::descriptor::Descriptor;
use crate::directory::{Directory, ENDING};
use crate::identity::Identity;
use crate::log;
use crate::owner::{Life, Owner};
use crate::record::{Entry, Header, Reading};

pub(crate) struct Others<'a> {
    directory: &'a Directory,
    /// Whether a free lock is taken for proof that nobody lives who is not seen from here.
    trust_locks: bool,
    /// What was read so far, by the names of the journals. `None`: its owner is dead for certain, and
    /// remains so.
    read: RefCell<HashMap<String, Option<Other>>>,
}

/// What somebody else has declared, as it was read.
struct Other {
    of: Version,
    owner: Owner,
    /// With when they were declared. In this order what is in a directory comes right after it.
    paths: BTreeMap<PathBuf, i64>,
    /// Device and inode of what is known. Not births: some file systems change them.
    files: HashSet<(u64, u64)>,
    /// Number and start.
    processes: HashSet<(i32, u64)>,
}

/// What of a journal has changed when it says something else: records are only added, and it is written anew in
/// another file.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Version {
    inode: u64,
    length: u64,
    /// Seconds, and nanoseconds.
    modified: (i64, i64),
}

/// Who else has declared what an action is about. In the order of what is to be heeded first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Claimed {
    ByNobody,
    /// By a journal that cannot be read now, or not at all, and may be a living one's.
    Unknown,
    /// By somebody who may live: on another machine, in another container.
    PerhapsByLiving,
    /// A living one knows that file by another path: by a mount, or a hard link; or it has its number, as this one
    /// is gone.
    UnderAnotherPath,
    /// It is in something that a living one has declared since.
    Within,
    /// Something in it is a living one's.
    InPart,
    ByLiving,
}

impl<'a> Others<'a> {
    pub(crate) fn new(directory: &'a Directory, trust_locks: bool) -> Self {
        Self { directory, trust_locks, read: RefCell::default() }
    }

    /// Who has declared what this entry is about, in another journal than this.
    pub(crate) fn who_declared(&self, entry: &Entry, journal: &str) -> Claimed {
        let Ok(names) = self.directory.names(ENDING) else { return Claimed::Unknown };
        let others = names.iter().filter(|name| *name != journal);
        let claims = others.map(|name| match self.claim(name, entry) {
            Ok(claimed) => claimed,
            Err(error) if is_no_journal(&error) => Claimed::ByNobody,
            Err(_) => Claimed::Unknown,
        });
        claims.max().unwrap_or(Claimed::ByNobody)
    }

    /// What the journal of this name says of this. That only holds something up: so it need not be trusted.
    fn claim(&self, name: &str, entry: &Entry) -> io::Result<Claimed> {
        let mut read = self.read.borrow_mut();
        if let Some(None) = read.get(name) {
            return Ok(Claimed::ByNobody);
        }
        let file = Descriptor::open_private(|| self.directory.open_file(name, OFlags::RDONLY))?;
        let is_free = || flock(&*file, FlockOperation::NonBlockingLockShared).is_ok();
        // Before it is read: what is added meanwhile counts as a change.
        let version = Version::of(&file)?;
        if read.get(name).and_then(Option::as_ref).is_none_or(|other| other.of != version) {
            let Ok(reading) = log::read_journal(&file) else {
                return Ok(if is_free() { Claimed::ByNobody } else { Claimed::Unknown });
            };
            read.insert(name.to_owned(), Other::of(reading?.0, version));
        }
        let Some(Some(other)) = read.get(name) else { return Ok(Claimed::ByNobody) };
        let claimed = other.claims(entry);
        if claimed == Claimed::ByNobody {
            return Ok(claimed);
        }
        Ok(match other.owner.life() {
            life if life.is_dead() => Claimed::ByNobody,
            Life::Alive => claimed,
            // The numbers of processes mean something else there.
            _ if matches!(entry.action.about(), About::Process(..)) => Claimed::ByNobody,
            _ if self.trust_locks && is_free() => Claimed::ByNobody,
            _ => Claimed::PerhapsByLiving,
        })
    }
}

impl Claimed {
    /// Why it is left alone. What may be a living one's, somebody can force; not what is.
    pub(crate) fn doubt(self, is_forced: bool) -> Option<&'static str> {
        match self {
            Self::Unknown if !is_forced => {
                Some("it cannot be told whether a living process has declared it")
            }
            Self::PerhapsByLiving if !is_forced => Some(
                "somebody who may be alive elsewhere has declared it, or something in it, or what it is in",
            ),
            Self::UnderAnotherPath => Some("it is a living process's, under another path"),
            Self::Within => Some("it is in something that is a living process's"),
            Self::InPart => Some("something in it is a living process's"),
            Self::ByNobody | Self::Unknown | Self::PerhapsByLiving | Self::ByLiving => None,
        }
    }
}

impl Version {
    fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        Ok(Self { inode: metadata.ino(), length: metadata.len(), modified })
    }
}

impl Other {
    /// `None`: its owner is dead.
    fn of(reading: Reading, version: Version) -> Option<Self> {
        let Reading { header: Header { owner, .. }, entries, .. } = reading;
        if owner.life().is_dead() {
            return None;
        }
        let (paths, files, processes) = Default::default();
        let mut other = Self { of: version, owner, paths, files, processes };
        for entry in entries.values() {
            match entry.action.about() {
                About::File(path, identity) => {
                    other.paths.insert(path.to_owned(), entry.declared);
                    other.files.extend(identity.map(number));
                }
                About::Process(pid, started) => {
                    other.processes.insert((pid, started));
                }
                About::Nothing => {}
            }
        }
        Some(other)
    }

    /// What it is of that of a living one.
    fn claims(&self, entry: &Entry) -> Claimed {
        match entry.action.about() {
            About::File(path, identity) => self.claims_file(path, identity, entry),
            About::Process(pid, started) if self.processes.contains(&(pid, started)) => {
                Claimed::ByLiving
            }
            About::Process(..) | About::Nothing => Claimed::ByNobody,
        }
    }

    fn claims_file(&self, path: &Path, identity: Option<&Identity>, entry: &Entry) -> Claimed {
        let after = (Bound::Excluded(path), Bound::Unbounded);
        let next = self.paths.range::<Path, _>(after).next();
        // Whoever declared something in what was declared before, as workers do in their master's, had it for
        // itself.
        let is_later = |above| self.paths.get(above).is_some_and(|when| *when > entry.declared);
        if self.paths.contains_key(path) {
            Claimed::ByLiving
        } else if next.is_some_and(|(next, _)| next.starts_with(path)) {
            Claimed::InPart
        // Whatever a living one does in its own, it does not come upon such a name.
        } else if !entry.unguessable && path.ancestors().any(is_later) {
            Claimed::Within
        } else if identity.is_some_and(|it| self.files.contains(&number(it))) {
            Claimed::UnderAnotherPath
        } else {
            Claimed::ByNobody
        }
    }
}

/// Whether what has the name of a journal is none, or none of this user's: it is gone by now, a link, another user's.
/// What cannot be read for other reasons may be one.
fn is_no_journal(error: &io::Error) -> bool {
    let error = Errno::from_io_error(error);
    error.is_some_and(|it| [Errno::NOENT, Errno::LOOP, Errno::ACCESS].contains(&it))
}

/// What a file has in common under all its paths.
fn number(identity: &Identity) -> (u64, u64) {
    (identity.device, identity.inode)
}
