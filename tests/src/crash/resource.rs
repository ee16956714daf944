//! What is declared, and how it is made: trees, files, shared memory, groups of processes.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::system;

/// What sort of thing it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A directory with things in it.
    Tree,
    /// A file.
    File,
    /// POSIX shared memory.
    Shared,
    /// A process that leads a group, and another in that.
    Group,
}

/// One resource of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource {
    /// Unlike that of any other of the case.
    pub number: u32,
    /// What it is.
    pub kind: Kind,
}

/// What every tree has in it.
const FILLING: [&str; 8] = [
    "file",
    "with\nnewline",
    "below",
    "below/.hidden",
    "below/again",
    "below/again/file",
    "to a canary",
    "to all canaries",
];

/// How long the names above some of the resources are, together: a few dozen records are enough then for
/// a journal to be written anew.
const DEEP: (usize, usize) = (13, 240);

impl Kind {
    /// As the ledger names it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Tree => "tree",
            Self::File => "file",
            Self::Shared => "shared",
            Self::Group => "group",
        }
    }

    /// See [`word`](Self::word).
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Tree, Self::File, Self::Shared, Self::Group].into_iter().find(|it| it.word() == word)
    }
}

/// Where the resources of a case are.
#[must_use]
pub fn place(folder: &Path) -> PathBuf {
    folder.join("place")
}

/// A directory in that place with a very long path.
#[must_use]
pub fn deep_place(folder: &Path) -> PathBuf {
    let (depth, length) = DEEP;
    let room = 3_500_usize.saturating_sub(folder.as_os_str().len()) / (length + 1);
    (0..depth.min(room)).fold(place(folder), |above, _| above.join("d".repeat(length)))
}

impl Resource {
    /// Where it is, in the case with this folder.
    #[must_use]
    pub fn path(&self, folder: &Path) -> PathBuf {
        let Self { number, kind } = *self;
        if kind == Kind::Shared {
            return Path::new("/dev/shm").join(self.shared_name(folder));
        }
        let place = if number % 2 == 0 { place(folder) } else { deep_place(folder) };
        let mut name = format!("{number} {}", kind.word()).into_bytes();
        if number % 3 == 0 {
            name.extend_from_slice(b"\nand a name that is no text \xff");
        }
        place.join(OsString::from_vec(name))
    }

    /// The name that shared memory has in all the system.
    #[must_use]
    pub fn shared_name(&self, folder: &Path) -> String {
        format!("{}{}", shared_prefix(folder), self.number)
    }

    /// Makes it: the number of the process, where it is one.
    ///
    /// # Errors
    ///
    /// It is there already, or the system refuses.
    pub fn make(&self, folder: &Path, canaries: &Path) -> io::Result<Option<i32>> {
        let path = self.path(folder);
        match self.kind {
            Kind::Tree => fs::create_dir(&path).and_then(|()| fill(&path, canaries)),
            Kind::File | Kind::Shared => fs::write(&path, self.text()),
            Kind::Group => return Ok(Some(system::start_group(self.number))),
        }?;
        Ok(None)
    }

    /// Whether it is there, if it can be seen in the file system.
    #[must_use]
    pub fn is_there(&self, folder: &Path) -> bool {
        self.path(folder).symlink_metadata().is_ok()
    }

    /// What is missing in it, or has been changed.
    #[must_use]
    pub fn what_is_missing(&self, folder: &Path) -> Option<String> {
        let path = self.path(folder);
        match self.kind {
            Kind::Group => None,
            Kind::File | Kind::Shared => {
                let text = fs::read_to_string(path).unwrap_or_default();
                (text != self.text()).then(|| format!("it says {text:?}"))
            }
            Kind::Tree => {
                let missing = |it: &&&str| path.join(it).symlink_metadata().is_err();
                FILLING.iter().find(missing).map(|it| format!("{it:?} in it is gone"))
            }
        }
    }

    fn text(&self) -> String {
        format!("of resource {}", self.number)
    }
}

/// What the names of a case's shared memory begin with.
#[must_use]
pub fn shared_prefix(folder: &Path) -> String {
    // FNV-1a: cases go on at once.
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let bytes = folder.as_os_str().as_encoded_bytes();
    format!("lastly-crash-{:016x}-", bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix))
}

fn fill(tree: &Path, canaries: &Path) -> io::Result<()> {
    for name in FILLING {
        let path = tree.join(name);
        match name {
            "below" | "below/again" => fs::create_dir(path)?,
            "to a canary" => symlink(canaries.join("0"), path)?,
            "to all canaries" => symlink(canaries, path)?,
            _ => fs::write(path, "something")?,
        }
    }
    Ok(())
}
