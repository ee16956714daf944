//! Where something is, said so that it cannot be turned into another place.
//!
//! A path is looked up anew each time, and whoever may rename a directory on the way decides what it
//! means. So a place is a directory that is held open, and one name in it. The symbolic links above it
//! are followed once, at the declaration; when it is opened again none is followed, and the directory
//! must be the very one.

#![forbid(unsafe_code)]

use std::cell::OnceCell;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Stat, Statx, StatxAttributes, StatxFlags, Timespec, Timestamps, UTIME_OMIT,
    fstatfs, major, makedev, statat, statx, utimensat,
};
use rustix::io::Errno;

use crate::identity::{Identity, nanoseconds};
use crate::remove::open;

/// A name in a directory that is held open: what it means cannot be changed by renaming what is above it.
#[derive(Debug)]
pub struct Place {
    directory: OwnedFd,
    /// What that was when it was opened.
    above: Found,
    name: OsString,
    path: PathBuf,
    /// See [`Place::system`].
    system: OnceCell<u64>,
}

impl Place {
    /// A place to declare. Symbolic links above the last component are followed now, and never later; the
    /// last component is kept as it is, and need not exist.
    ///
    /// # Errors
    ///
    /// The path names no entry of a directory, or its directory cannot be opened.
    pub fn declare(path: &Path) -> io::Result<Self> {
        let bad = |why: &str| {
            let text = format!("{}: {why}", path.display());
            Err(io::Error::new(io::ErrorKind::InvalidInput, text))
        };
        if path.as_os_str().is_empty() {
            return bad("the path is empty; give the path of what is to be removed");
        }
        if path.as_os_str().as_bytes().contains(&0) {
            return bad("the path has a zero byte in it; no file has such a name");
        }
        let absolute = std::path::absolute(path)?;
        let (parent, name) = match (absolute.parent(), absolute.file_name()) {
            (Some(parent), Some(name)) => (parent, name),
            (None, _) => {
                return bad(
                    "this is the root directory, which is in no other; give a path below it",
                );
            }
            (_, None) => {
                return bad("the path ends in `..`; give the name of the directory that is meant");
            }
        };
        let (directory, parent) = resolve(parent).map_err(|error| {
            let text =
                format!("{}: the directory it is in cannot be opened: {error}", path.display());
            io::Error::new(error.kind(), text)
        })?;
        let above = Found::open(directory.as_fd())?;
        Ok(Self::at(directory, above, parent.join(name), name))
    }

    /// A place that was declared before, perhaps by another process: no symbolic link is followed, and the
    /// directory must be the one it was.
    ///
    /// # Errors
    ///
    /// There is no such directory any more, there is another, or it cannot be told.
    pub fn reopen(path: &Path, parent: &Identity, same_boot: bool) -> Result<Self, Unreachable> {
        let mut components = path.components();
        let rooted = components.next() == Some(Component::RootDir);
        let plain = components.all(|component| matches!(component, Component::Normal(_)));
        let (true, true, Some(above), Some(name)) =
            (rooted, plain, path.parent(), path.file_name())
        else {
            return Err(Unreachable::Unknown(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{}: not a path that was declared", path.display()),
            )));
        };
        let unless_unseen = |why| match same_boot && is_on(parent.device, above) {
            true => Err(why),
            false => Err(Unreachable::Unseen),
        };
        let directory = match open::absolute(above) {
            Ok(directory) => directory,
            Err(Errno::NOENT) => return unless_unseen(Unreachable::Gone),
            Err(Errno::LOOP | Errno::NOTDIR) => return unless_unseen(Unreachable::Replaced),
            Err(error) => return Err(Unreachable::Unknown(error.into())),
        };
        let above =
            Found::open(directory.as_fd()).map_err(|error| Unreachable::Unknown(error.into()))?;
        let found = &above.identity;
        let is_same = match same_boot {
            true => parent.is(found) || parent.inode == found.inode && is_copied(directory.as_fd()),
            false => parent.is_across_boots(found),
        };
        if !is_same {
            return unless_unseen(Unreachable::Replaced);
        }
        Ok(Self::at(directory, above, path.to_owned(), name))
    }

    fn at(directory: OwnedFd, above: Found, path: PathBuf, name: &OsStr) -> Self {
        Self { directory, above, name: name.to_owned(), path, system: OnceCell::new() }
    }

    /// The path of the directory, without symbolic links, and the name.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name in the directory.
    #[must_use]
    pub fn name(&self) -> &OsStr {
        &self.name
    }

    /// Which directory it is in.
    #[must_use]
    pub fn parent(&self) -> Identity {
        self.above.identity
    }

    /// The same, and what was seen of it when it was opened.
    pub(crate) fn above(&self) -> &Found {
        &self.above
    }

    /// Has what is there be what it stays, if it comes from an image, and is copied when it is first written to.
    /// True: it may be another file by now, to all that can be seen of it.
    pub(crate) fn settle(&self) -> bool {
        if self.system() != OVERLAYFS {
            return false;
        }
        let Ok(stat) = statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW) else {
            return false;
        };
        // It is written to, and nothing of it changes. Not the time of its modification: that may be another by now.
        let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        let accessed = Timespec { tv_sec: stat.st_atime, tv_nsec: stat.st_atime_nsec as _ };
        let same = Timestamps { last_access: accessed, last_modification: omit };
        utimensat(&self.directory, &self.name, &same, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Whether what is there is gone with the next boot of the machine, as it is in memory.
    pub(crate) fn ends_with_boot(&self) -> bool {
        const TMPFS: u64 = 0x0102_1994;
        const RAMFS: u64 = 0x8584_58f6;
        [TMPFS, RAMFS].contains(&self.system())
    }

    /// Of which kind its file system is, if it is on no device; those that are need not be asked.
    fn system(&self) -> u64 {
        let is_on_none = || major(self.above.identity.device) == 0;
        let asked = || if is_on_none() { kind_of_system(self.directory()) } else { 0 };
        *self.system.get_or_init(asked)
    }

    /// What is there now, if anything is. A symbolic link is not followed.
    ///
    /// # Errors
    ///
    /// It cannot be looked at.
    pub fn look(&self) -> io::Result<Option<Found>> {
        self.look_at(&self.name)
    }

    /// The same under another name in the directory.
    pub(crate) fn look_at(&self, name: &OsStr) -> io::Result<Option<Found>> {
        Ok(Found::at(self.directory(), name)?)
    }

    pub(crate) fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

/// Why a declared place cannot be opened again.
#[derive(Debug)]
pub enum Unreachable {
    /// The directory it was in is gone, and what was there with it: there is nothing left to do.
    Gone,
    /// Its path leads to another directory by now, or over a symbolic link: nothing may be touched.
    Replaced,
    /// What its path leads to is not where it was: it may be mounted elsewhere, or not just now.
    Unseen,
    /// It cannot be told. Worth another try, unless the error says otherwise.
    Unknown(io::Error),
}

impl fmt::Display for Unreachable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => formatter.write_str("the directory it was in is gone"),
            Self::Replaced => formatter.write_str("its path leads to another directory by now"),
            Self::Unseen => {
                formatter.write_str("the directory it was in is not to be seen: is it mounted?")
            }
            Self::Unknown(error) => {
                write!(formatter, "the directory it was in cannot be opened: {error}")
            }
        }
    }
}

impl std::error::Error for Unreachable {}

/// Opens a directory, and tells its path without links. Mostly there are none, and the path is that already.
fn resolve(path: &Path) -> io::Result<(OwnedFd, PathBuf)> {
    let goes_up = path.components().any(|component| component == Component::ParentDir);
    match open::absolute(path) {
        Ok(directory) if !goes_up => Ok((directory, path.to_owned())),
        _ => {
            let path = path.canonicalize()?;
            Ok((open::absolute(&path)?, path))
        }
    }
}

/// Whether this path, as far as there are directories, ends on that device.
fn is_on(device: u64, path: &Path) -> bool {
    let mut ways = path.ancestors().map(open::absolute);
    // What cannot be opened for other reasons may be there.
    let is_none = |error| matches!(error, Errno::NOENT | Errno::NOTDIR | Errno::LOOP);
    let deepest = ways.find(|opened| !opened.as_ref().is_err_and(|error| is_none(*error)));
    let found = deepest.and_then(|opened| Found::open(opened.ok()?.as_fd()).ok());
    found.is_some_and(|found| found.identity.device == device)
}

/// Whether this is on overlayfs, the file system of most containers. What comes from the image is copied there
/// when it is first changed, a directory when something is made in it; and has another birth from then on.
fn is_copied(file: BorrowedFd<'_>) -> bool {
    kind_of_system(file) == OVERLAYFS
}

const OVERLAYFS: u64 = 0x794c_7630;

/// The number by which the kernel knows this kind of file system; 0 where it does not tell.
fn kind_of_system(file: BorrowedFd<'_>) -> u64 {
    #[allow(clippy::cast_sign_loss, reason = "the type is not the same on all machines")]
    fstatfs(file).map_or(0, |found| found.f_type as u64)
}

/// What sort of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A symbolic link, whatever it leads to.
    Symlink,
    /// A regular file, a socket, a pipe, a device.
    Other,
}

/// What is at a place.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Which file it is.
    pub identity: Identity,
    /// What sort of file.
    pub kind: Kind,
    /// The number of the user it belongs to.
    pub owner: u32,
    /// Its permissions.
    pub mode: u32,
    /// How many names it has.
    pub links: u64,
    /// The number of the mount it is on, where the kernel says.
    pub mount: Option<u64>,
    /// Whether something is mounted there, where the kernel says.
    pub mount_point: Option<bool>,
}

impl Found {
    /// What is under that name, if anything is.
    pub(crate) fn at(directory: BorrowedFd<'_>, name: &OsStr) -> Result<Option<Self>, Errno> {
        match Self::read(directory, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT) {
            Ok(found) => Ok(Some(found)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is open.
    pub(crate) fn open(file: BorrowedFd<'_>) -> Result<Self, Errno> {
        Self::read(file, OsStr::new(""), AtFlags::EMPTY_PATH)
    }

    /// Whether both are on one mount, as far as the kernel tells mounts from each other.
    pub(crate) fn shares_mount(&self, other: &Self) -> bool {
        match (self.mount, other.mount) {
            (Some(one), Some(another)) => one == another,
            _ => self.identity.device == other.identity.device,
        }
    }

    fn read(directory: BorrowedFd<'_>, name: &OsStr, flags: AtFlags) -> Result<Self, Errno> {
        let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME | StatxFlags::MNT_ID;
        match statx(directory, name, flags, wanted) {
            Ok(known) => Ok(Self::from_statx(&known)),
            // A kernel of before 4.11, or a sandbox of its time.
            Err(Errno::NOSYS) => Ok(Self::from_stat(&statat(directory, name, flags)?)),
            Err(error) => Err(error),
        }
    }

    fn from_statx(known: &Statx) -> Self {
        let says = |flag: StatxFlags| known.stx_mask & flag.bits() != 0;
        let born = nanoseconds(known.stx_btime.tv_sec, known.stx_btime.tv_nsec.into());
        let mode = u32::from(known.stx_mode);
        let knows_mounts = known.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT);
        Self {
            identity: Identity {
                device: makedev(known.stx_dev_major, known.stx_dev_minor),
                inode: known.stx_ino,
                // Some say that they know, and have nothing but zeroes.
                born: (says(StatxFlags::BTIME) && born != 0).then_some(born),
            },
            kind: kind(mode),
            owner: known.stx_uid,
            mode: mode & 0o7777,
            links: known.stx_nlink.into(),
            mount: says(StatxFlags::MNT_ID).then_some(known.stx_mnt_id),
            mount_point: knows_mounts
                .then(|| known.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)),
        }
    }

    #[allow(clippy::unnecessary_cast, reason = "the types are not the same on all machines")]
    fn from_stat(known: &Stat) -> Self {
        Self {
            identity: Identity { device: known.st_dev, inode: known.st_ino, born: None },
            kind: kind(known.st_mode),
            owner: known.st_uid,
            mode: known.st_mode & 0o7777,
            links: known.st_nlink as u64,
            mount: None,
            mount_point: None,
        }
    }
}

fn kind(mode: u32) -> Kind {
    match FileType::from_raw_mode(mode) {
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        _ => Kind::Other,
    }
}
