//! Opening without being led astray: no symbolic link is followed, and no mount is entered.
//!
//! `openat2` does that in one call. Where a kernel of before 5.6 or a sandbox does not have it, the same is
//! done one component at a time, and by comparing mounts.

#![forbid(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::AtFlags;
use rustix::fs::{
    CWD, Mode, OFlags, PROC_SUPER_MAGIC, ResolveFlags, chmodat, fchmod, fstatfs, openat, openat2,
};
use rustix::io::Errno;
use rustix::path::Arg;
use rustix::process::geteuid;

use crate::place::Found;

/// A directory to look things up in, by its absolute path: mounts on the way are entered, links are not followed.
pub(crate) fn absolute(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match openat2(CWD, path, flags, Mode::empty(), resolve) {
        Err(Errno::NOSYS | Errno::PERM) => component_by_component(path, flags),
        opened => opened,
    }
}

fn component_by_component(path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut directory = openat(CWD, "/", flags, Mode::empty())?;
    for component in path.components() {
        match component {
            Component::RootDir => {}
            Component::Normal(name) => directory = openat(&directory, name, flags, Mode::empty())?,
            _ => return Err(Errno::INVAL),
        }
    }
    Ok(directory)
}

/// Holds what is under that name, whatever sort of file it is, and opens nothing. [`Errno::XDEV`] if something is
/// mounted there.
pub(crate) fn hold<N: Arg + Copy>(directory: BorrowedFd<'_>, name: N) -> Result<OwnedFd, Errno> {
    beneath(directory, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC)
}

/// Opens the directory of that name for reading. Where its permissions forbid it, or those of the one it is in,
/// although they are ours, they are changed.
pub(super) fn directory<N: Arg + Copy>(parent: BorrowedFd<'_>, name: N) -> Result<OwnedFd, Errno> {
    match beneath(parent, name, FOR_READING) {
        Err(Errno::ACCESS) => {
            permit(parent)?;
            held_directory(hold(parent, name)?.as_fd())
        }
        opened => opened,
    }
}

/// Opens for reading the very directory that is held.
pub(super) fn held_directory(held: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    match openat(held, ".", FOR_READING, Mode::empty()) {
        Err(Errno::ACCESS) if permit(held)? => openat(held, ".", FOR_READING, Mode::empty()),
        opened => opened,
    }
}

const FOR_READING: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn beneath<N: Arg + Copy>(
    directory: BorrowedFd<'_>,
    name: N,
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV;
    match openat2(directory, name, flags, Mode::empty(), resolve) {
        Err(Errno::NOSYS | Errno::PERM) => {
            let opened = openat(directory, name, flags, Mode::empty())?;
            let crossed = !Found::open(opened.as_fd())?.shares_mount(&Found::open(directory)?);
            if crossed { Err(Errno::XDEV) } else { Ok(opened) }
        }
        opened => opened,
    }
}

/// Gives ourselves all permissions on a directory that is held, if it is ours and does not grant them; whether
/// anything was changed.
///
/// It is done by the descriptor, so that it cannot fall upon another file. What is only held has no call for that,
/// but its entry in `/proc` has.
pub(super) fn permit(directory: BorrowedFd<'_>) -> Result<bool, Errno> {
    let found = Found::open(directory)?;
    let all = Mode::RWXU.bits();
    if found.owner != geteuid().as_raw() || found.mode & all == all {
        return Ok(false);
    }
    let mode = Mode::from_bits_truncate(found.mode | all);
    match fchmod(directory, mode) {
        Err(Errno::BADF) => {
            let descriptors =
                openat(CWD, "/proc/self/fd", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
            if fstatfs(&descriptors)?.f_type != PROC_SUPER_MAGIC {
                return Ok(false);
            }
            chmodat(&descriptors, directory.as_raw_fd().to_string(), mode, AtFlags::empty())?;
        }
        changed => changed?,
    }
    Ok(true)
}
