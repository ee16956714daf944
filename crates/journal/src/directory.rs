//! Where the journals are: one directory for each user, which nobody else can write to.
//!
//! Who can write there can have files removed with the user's rights. So it, and all that is
//! above it, must belong to the user or to root, and must not be writable by others; and it must be on a
//! disk of this machine, where locks and the names of processes mean what they say.
//!
//! Where it is, says the environment; and that may be another user's, as after `sudo -E`. So what is there of
//! the way is trusted first, and only then the rest of it made: nothing is ever made in another user's
//! directory, nor where a link of another's leads.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, Metadata};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags, fstatfs, fsync, lgetxattr_query, open, openat};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid, getgid, getuid};

use crate::descriptor::Descriptor;
use crate::failure::Failure;
use crate::fork;

/// The variable that names another place than `$XDG_STATE_HOME/lastly/journals`.
pub const VARIABLE: &str = "LASTLY_JOURNALS";

/// What journals end in; and what is not one yet.
pub(crate) const ENDING: &str = ".journal";
pub(crate) const NEW: &str = ".new";

/// File systems whose locks, or whose files, other machines have a part in: as `statfs` names them.
const SHARED: [(i64, &str); 13] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB2"),
    (0x0102_1997, "9p"),
    (0x6573_5546, "FUSE"),
    (0x00C3_6400, "Ceph"),
    (0x5346_414F, "AFS"),
    (0x6B41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x0116_1970, "GFS2"),
    (0x7461_636F, "OCFS2"),
    (0x0BD0_0BD0, "Lustre"),
];

/// So many links may be on the way to the journals, as for the system.
const LINKS: u32 = 40;

/// The directory of the journals, held open.
#[derive(Debug)]
pub struct Directory {
    file: Descriptor,
    path: PathBuf,
}

impl Directory {
    /// That of this user, made if it is not there.
    ///
    /// # Errors
    ///
    /// There is none, or it cannot be trusted.
    pub fn of_user() -> Result<Self, Failure> {
        Self::reach(&Self::path_of_user()?, true)
    }

    /// That of this user, or `None` if it has never been made: then there are no journals.
    ///
    /// # Errors
    ///
    /// It cannot be trusted.
    pub fn of_user_if_there() -> Result<Option<Self>, Failure> {
        let path = Self::path_of_user()?;
        if path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Ok(None);
        }
        Self::open(&path).map(Some)
    }

    fn path_of_user() -> Result<PathBuf, Failure> {
        // Also if it has given up the difference: who runs it has chosen the environment.
        if fork::is_secure() || getuid() != geteuid() || getgid() != getegid() {
            return Err(Failure::refusal(
                "a program that has more rights than who runs it keeps no journal",
            ));
        }
        let path = |name| env::var_os(name).filter(|it| !it.is_empty()).map(PathBuf::from);
        let place = if let Some(journals) = path(VARIABLE) {
            journals
        } else if let Some(state) = path("XDG_STATE_HOME") {
            state.join("lastly/journals")
        } else {
            let home = path("HOME").ok_or_else(|| {
                Failure::refusal(format!("no place for journals: set HOME or {VARIABLE}"))
            })?;
            home.join(".local/state/lastly/journals")
        };
        if place.is_absolute() {
            return Ok(place);
        }
        Err(Failure::refusal(format!(
            "{}: the place for journals must be absolute",
            place.display()
        )))
    }

    /// This directory, if it can be trusted.
    ///
    /// # Errors
    ///
    /// It is not there, or cannot be trusted.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        Self::reach(path, false)
    }

    fn reach(path: &Path, make: bool) -> Result<Self, Failure> {
        let path = follow(path, make)?;
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = open(&path, flags, Mode::empty());
        let file = opened.map_err(|error| Failure::with(&error.into(), path.display()))?;
        Self::trusted(file.into(), path)
    }

    /// A directory that is open already.
    ///
    /// # Errors
    ///
    /// It cannot be trusted.
    pub fn of_descriptor(file: File) -> Result<Self, Failure> {
        let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
        let path = fs::read_link(link)?;
        Self::trusted(file, path)
    }

    fn trusted(file: File, path: PathBuf) -> Result<Self, Failure> {
        let failed = |error: &io::Error| Failure::with(error, path.display());
        let metadata = file.metadata().map_err(|error| failed(&error))?;
        if !metadata.is_dir() {
            return Err(refuse(&path, "is no directory"));
        }
        if metadata.uid() != geteuid().as_raw() {
            return Err(refuse(&path, "belongs to another user"));
        }
        if metadata.mode() & 0o077 != 0 {
            return Err(refuse(&path, "is open to others: `chmod 700` it"));
        }
        let system = fstatfs(&file).map_err(|error| failed(&error.into()))?;
        let kind = system.f_type as i64;
        if let Some((_, name)) = SHARED.iter().find(|(number, _)| *number == kind) {
            let reason = format!("is on {name}, where locks are not those of this machine alone");
            return Err(refuse(&path, &reason));
        }
        Ok(Self { file: Descriptor::new(file)?, path })
    }

    /// Opens it again if somebody has closed it.
    pub(crate) fn keep_open(&mut self) -> Result<(), Failure> {
        if !self.file.is_open() {
            let again = Self::open(&self.path)?;
            if !again.file.is_same(&self.file) {
                return Err(refuse(&self.path, "is another by now"));
            }
            *self = again;
        }
        Ok(())
    }

    /// Has the names in it be on the disk; its own too, and those of what it is in, as they may be new.
    pub(crate) fn sync(&self) -> io::Result<()> {
        fsync(&*self.file)?;
        for above in self.path.ancestors().skip(1) {
            // Where that may not be read, it was there before.
            _ = File::open(above).map(fsync);
        }
        Ok(())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names in it that are journals'; with `ending`, those that end so.
    pub(crate) fn names(&self, ending: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(format!("/proc/self/fd/{}", self.number()))? {
            if let Some(name) = entry?.file_name().to_str() {
                if name.ends_with(ending) {
                    names.push(name.to_owned());
                }
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Opens a file in it, which is no link.
    pub(crate) fn open_file(&self, name: &str, flags: OFlags) -> io::Result<File> {
        debug_assert!(is_plain(name) || name == ".", "a name, not a path");
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        Ok(openat(&*self.file, name, flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    fn number(&self) -> i32 {
        std::os::fd::AsRawFd::as_raw_fd(&*self.file)
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Whether it is a name, and no path.
pub(crate) fn is_plain(name: &str) -> bool {
    Path::new(name).file_name() == Some(OsStr::new(name))
}

/// Where an absolute path leads, without links. Each directory is trusted before anything is looked up in it, or
/// made: what is missing, if `make` says so. So nobody else can put another in the place of what was looked at.
fn follow(path: &Path, make: bool) -> Result<PathBuf, Failure> {
    debug_assert!(path.is_absolute(), "it begins at the root");
    let (mut way, mut rest, mut links) = (PathBuf::new(), path.to_owned(), 0);
    loop {
        let mut components = rest.components();
        match components.next() {
            None => return Ok(way),
            Some(Component::Normal(name)) => {
                trust(&way, path)?;
                way.push(name);
            }
            Some(Component::ParentDir) => drop(way.pop()),
            Some(Component::CurDir) => {}
            Some(root) => way.push(root),
        }
        let after = components.as_path().to_owned();
        let failed = |error: io::Error| Failure::with(&error, way.display());
        let there = look_or_make(&way, make).map_err(failed)?;
        if !there.is_symlink() {
            rest = after;
            continue;
        }
        if !is_ours(&there) {
            return Err(refuse_way(path, &format!("{} belongs to another user", way.display())));
        }
        links += 1;
        if links > LINKS {
            return Err(failed(Errno::LOOP.into()));
        }
        rest = fs::read_link(&way).map_err(failed)?.join(after);
        way.pop();
    }
}

fn look_or_make(path: &Path, make: bool) -> io::Result<Metadata> {
    match path.symlink_metadata() {
        Err(error) if make && error.kind() == io::ErrorKind::NotFound => {}
        looked => return looked,
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        // Whoever has made it meanwhile: it is looked at.
        _ => path.symlink_metadata(),
    }
}

/// Trusts a directory on the way to `path`, if all above it is trusted.
fn trust(above: &Path, path: &Path) -> Result<(), Failure> {
    let metadata =
        fs::symlink_metadata(above).map_err(|error| Failure::with(&error, above.display()))?;
    let name = above.display();
    if !is_ours(&metadata) {
        return Err(refuse_way(path, &format!("{name} belongs to another user")));
    }
    // In a sticky one others can make files, but not replace those of the user.
    let is_sticky = metadata.mode() & 0o1000 != 0;
    let is_by_group = metadata.mode() & 0o020 != 0;
    let by_group = is_by_group && !(is_of_one(metadata.gid()) && has_no_list(above));
    if (by_group || metadata.mode() & 0o002 != 0) && !is_sticky {
        return Err(refuse_way(path, &format!("others can write to {name}: `chmod go-w {name}`")));
    }
    Ok(())
}

/// Whether it is the user's, or root's.
fn is_ours(metadata: &Metadata) -> bool {
    [0, geteuid().as_raw()].contains(&metadata.uid())
}

/// Whether this is the group of the user alone, as many systems give to each: nobody else is in it.
fn is_of_one(group: u32) -> bool {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let (groups, users) = (read("/etc/group"), read("/etc/passwd"));
    let field = |line: &str, index: usize| line.split(':').nth(index).map(str::to_owned);
    let number = |line: &str, index| field(line, index).and_then(|it| it.parse::<u32>().ok());
    let has_members = groups
        .lines()
        .filter(|line| number(line, 2) == Some(group))
        .any(|line| field(line, 3).is_none_or(|members| !members.is_empty()));
    let whose: Vec<_> = users.lines().filter(|line| number(line, 3) == Some(group)).collect();
    let user = Some(geteuid().as_raw());
    !has_members && whose.len() == 1 && whose.iter().all(|line| number(line, 2) == user)
}

/// Whether there is no access control list: with one, the rights of the group are the most that anybody in the list
/// may have, whoever that is.
fn has_no_list(path: &Path) -> bool {
    let list = lgetxattr_query(path, c"system.posix_acl_access");
    matches!(list, Err(Errno::NODATA | Errno::NOTSUP))
}

fn refuse_way(path: &Path, reason: &str) -> Failure {
    refuse(path, &format!("is not safe: {reason}"))
}

fn refuse(path: &Path, reason: &str) -> Failure {
    Failure::refusal(format!("{} {reason}", path.display()))
}
