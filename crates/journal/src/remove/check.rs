//! What may be removed at all. It is asked when a removal is declared, so that a mistake is told to whoever makes
//! it, and again before the removal.
//!
//! A removal that runs when nobody looks needs more than one permission: so what no program means to remove is
//! refused, even where the system would allow it.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::process::geteuid;

use crate::identity::Identity;
use crate::place::{Found, Kind, Place};

/// Whether the tree there may be declared to be removed. Its identity, if it is there already.
///
/// # Errors
///
/// It may not.
pub fn check_tree(place: &Place) -> Result<Option<Identity>, Refusal> {
    check(place, Target::Tree)
}

/// The same for a file: whatever is no directory. A symbolic link is one, and is not followed.
///
/// # Errors
///
/// It may not.
pub fn check_file(place: &Place) -> Result<Option<Identity>, Refusal> {
    check(place, Target::File)
}

/// What is to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Tree,
    File,
}

/// Something may not be removed.
#[derive(Debug)]
pub struct Refusal {
    /// What it is.
    pub path: PathBuf,
    /// Why not.
    pub reason: Reason,
}

/// Why something may not be removed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reason {
    /// It is a home directory.
    Home,
    /// A home directory is inside it.
    AboveHome(PathBuf),
    /// It is a directory of the system, or directly in one.
    System,
    /// Something is mounted there.
    MountPoint,
    /// It is a directory that all users share.
    Shared,
    /// It belongs to another user.
    Owner {
        /// Whom it belongs to.
        owner: u32,
        /// Who we are.
        user: u32,
    },
    /// It is a symbolic link, not a tree.
    Symlink,
    /// It is a file, not a tree.
    File,
    /// It is a directory, not a file.
    Directory,
    /// It cannot be looked at.
    Unknown(io::Error),
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} cannot be removed: ", self.path.display())?;
        match &self.reason {
            Reason::Home => formatter.write_str("it is a home directory; name something inside it"),
            Reason::AboveHome(home) => {
                write!(formatter, "the home directory {} is in it; name something that holds none", home.display())
            }
            Reason::System => formatter.write_str("it is a part of the system; name something that you have made"),
            Reason::MountPoint => {
                formatter.write_str("a file system is mounted there; name something inside it, or unmount it first")
            }
            Reason::Shared => formatter.write_str("all users share this directory; name something inside it"),
            Reason::Owner { owner, user } => write!(
                formatter,
                "it belongs to user {owner}, and this program runs as user {user}; name something that is its own"
            ),
            Reason::Symlink => formatter.write_str(
                "it is a symbolic link, not a directory; remove the link as a file, or name what it leads to",
            ),
            Reason::File => formatter.write_str("it is not a directory; remove it as a file"),
            Reason::Directory => formatter.write_str("it is a directory; remove it as a tree"),
            Reason::Unknown(error) => write!(formatter, "it cannot be looked at: {error}"),
        }
    }
}

impl std::error::Error for Refusal {}

fn check(place: &Place, target: Target) -> Result<Option<Identity>, Refusal> {
    let refusal = |reason| Refusal { path: place.path().to_owned(), reason };
    // What is not there yet must not be given a name that would be refused later.
    check_path(place)?;
    match place.look() {
        Ok(Some(found)) => {
            check_kind(place, &found, target).and_then(|()| check_right(place, &found))?;
            Ok(Some(found.identity))
        }
        Ok(None) => Ok(None),
        Err(error) => Err(refusal(Reason::Unknown(error))),
    }
}

/// What may not be removed because of where it is.
fn check_path(place: &Place) -> Result<(), Refusal> {
    let path = place.path();
    let refuse = |reason| Err(Refusal { path: path.to_owned(), reason });
    let is_in = |above: &str| path.parent() == Some(Path::new(above));
    if ["/usr", "/usr/local", "/var"].into_iter().any(is_in) {
        return refuse(Reason::System);
    }
    match untouchable().get(path) {
        None => Ok(()),
        Some(Untouchable::System) => refuse(Reason::System),
        Some(Untouchable::Home) => refuse(Reason::Home),
        Some(Untouchable::AboveHome(home)) => refuse(Reason::AboveHome(home.clone())),
    }
}

/// What may not be removed because of what it is. `was_ours`: when it was declared; what its maker has done with it
/// since, to whom it was given, is its maker's business.
pub(super) fn check_found(
    place: &Place,
    found: &Found,
    target: Target,
    was_ours: bool,
) -> Result<(), Refusal> {
    check_path(place)?;
    check_kind(place, found, target)?;
    if was_ours { Ok(()) } else { check_right(place, found) }
}

fn check_kind(place: &Place, found: &Found, target: Target) -> Result<(), Refusal> {
    let refuse = |reason| Err(Refusal { path: place.path().to_owned(), reason });
    match (target, found.kind) {
        (Target::Tree, Kind::Directory) | (Target::File, Kind::Symlink | Kind::Other) => {}
        (Target::Tree, Kind::Symlink) => return refuse(Reason::Symlink),
        (Target::Tree, Kind::Other) => return refuse(Reason::File),
        (Target::File, Kind::Directory) => return refuse(Reason::Directory),
    }
    check_mount(place, found)?;
    let number = (found.identity.device, found.identity.inode);
    if homes().iter().any(|home| home.number == Some(number)) {
        return refuse(Reason::Home);
    }
    Ok(())
}

/// Whether something is mounted there. Then it is that which is seen, not what was declared.
pub(super) fn check_mount(place: &Place, found: &Found) -> Result<(), Refusal> {
    if is_mount_point(place, found) {
        return Err(Refusal { path: place.path().to_owned(), reason: Reason::MountPoint });
    }
    Ok(())
}

/// Whether it is ours, and ours alone.
fn check_right(place: &Place, found: &Found) -> Result<(), Refusal> {
    let refuse = |reason| Err(Refusal { path: place.path().to_owned(), reason });
    let user = geteuid().as_raw();
    // Sticky, and writable for all.
    if found.kind == Kind::Directory && found.mode & 0o1002 == 0o1002 {
        return refuse(Reason::Shared);
    }
    if found.owner != user {
        return refuse(Reason::Owner { owner: found.owner, user });
    }
    Ok(())
}

fn is_mount_point(place: &Place, found: &Found) -> bool {
    let known = match found.mount_point {
        // A mount point that is looked at by its name is that of what is mounted there: its number differs too.
        Some(true) => return true,
        Some(false) if found.mount.is_some() => found.mount,
        _ => None,
    };
    let above = place.above();
    match known {
        Some(_) => above.mount.is_some_and(|mount| Some(mount) != known),
        None => !found.shares_mount(above),
    }
}

/// Directories that a system cannot be without, or that belong to all its programs.
const SYSTEM: [&str; 32] = [
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/dev/mqueue",
    "/dev/pts",
    "/dev/shm",
    "/etc",
    "/home",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/lost+found",
    "/media",
    "/mnt",
    "/nix",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/run/lock",
    "/run/user",
    "/sbin",
    "/snap",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/var",
    "/nix/store",
    "/var/lib/systemd",
];

/// Why a path is nothing to remove, whatever is there.
enum Untouchable {
    System,
    Home,
    AboveHome(PathBuf),
}

/// All of them: a removal that is declared is one look, not a walk over all users.
fn untouchable() -> &'static HashMap<PathBuf, Untouchable> {
    static UNTOUCHABLE: OnceLock<HashMap<PathBuf, Untouchable>> = OnceLock::new();
    UNTOUCHABLE.get_or_init(|| {
        let mut all = HashMap::new();
        for home in homes() {
            for above in home.path.ancestors().skip(1) {
                all.insert(above.to_owned(), Untouchable::AboveHome(home.path.clone()));
            }
        }
        // What is more than one of them is told as the last.
        all.extend(homes().iter().map(|home| (home.path.clone(), Untouchable::Home)));
        all.extend(SYSTEM.map(|system| (system.into(), Untouchable::System)));
        all
    })
}

struct Home {
    path: PathBuf,
    number: Option<(u64, u64)>,
}

/// The home directories of the users of this machine. They are read once: a program that makes a directory and
/// then has `$HOME` lead there, as test suites do, may still remove it.
fn homes() -> &'static [Home] {
    static HOMES: OnceLock<Vec<Home>> = OnceLock::new();
    HOMES.get_or_init(|| {
        let users = fs::read("/etc/passwd").unwrap_or_default();
        let mut paths: Vec<PathBuf> = users
            .split(|byte| *byte == b'\n')
            .filter_map(|line| line.split(|byte| *byte == b':').nth(5))
            .map(|home| PathBuf::from(OsStr::from_bytes(home)))
            .collect();
        paths.extend(std::env::var_os("HOME").map(PathBuf::from));
        paths.retain(|path| path.is_absolute());
        // Where a link is on the way, both the path with it and the one it leads to.
        let real: Vec<PathBuf> = paths.iter().filter_map(|path| path.canonicalize().ok()).collect();
        paths.extend(real);
        paths.sort_unstable();
        paths.dedup();
        let number = |path: &Path| path.metadata().ok().map(|found| (found.dev(), found.ino()));
        paths.into_iter().map(|path| Home { number: number(&path), path }).collect()
    })
}
