//! What is removed, and above all what is not.

mod children;
mod files;
mod killed;
mod large;
mod mounts;
mod permissions;
mod places;
mod races;
mod refusals;
mod trees;
mod without;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::SystemTime;

use lastly_journal::remove::{Expected, Failure, Outcome, file, tree};
use lastly_journal::{Identity, Place, birth_clock};

const TRASH: &str = ".lastly-trash-0123456789abcdef";

/// A directory for one test, with files in it that must never be touched. What is to be removed goes into `work`.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn new() -> Self {
        Self::on(&std::env::temp_dir())
    }

    /// In memory, where there is such a place: for what makes very many files.
    fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        let writable = rustix::fs::access(memory, rustix::fs::Access::WRITE_OK).is_ok();
        if writable { Self::on(memory) } else { Self::new() }
    }

    fn on(directory: &Path) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("lastly-removal-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let path = directory.canonicalize().unwrap().join(name);
        fs::create_dir(&path).unwrap();
        for directory in ["work", "canary", "canary/inner"] {
            fs::create_dir(path.join(directory)).unwrap();
        }
        for canary in CANARIES {
            fs::write(path.join(canary), canary).unwrap();
        }
        Self { path }
    }

    fn work(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join("work").join(name)
    }

    /// A directory with that name in `work`, with files in it.
    fn tree(&self, name: impl AsRef<Path>) -> PathBuf {
        let path = self.work(name);
        fill(&path);
        path
    }

    fn canary(&self) -> PathBuf {
        self.path.join("canary")
    }

    #[track_caller]
    fn assert_untouched(&self) {
        for canary in CANARIES {
            let content = fs::read_to_string(self.path.join(canary));
            assert_eq!(
                content.ok().as_deref(),
                Some(canary),
                "a file was touched that has nothing to do with it"
            );
        }
    }

    /// Nothing is left in `work`, and the canaries are as they were.
    #[track_caller]
    fn assert_all_gone(&self) {
        assert_eq!(names(&self.path.join("work")), [] as [String; 0]);
        self.assert_untouched();
    }
}

const CANARIES: [&str; 4] = ["canary/a", "canary/z", "canary/inner/a", "work-canary"];

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = Command::new("rm").arg("-rf").arg(&self.path).status();
    }
}

/// Seven entries and itself.
const FILLED: u64 = 8;

fn fill(path: &Path) {
    fs::create_dir(path).unwrap();
    fs::create_dir_all(path.join("inner/deeper")).unwrap();
    fs::create_dir(path.join("empty")).unwrap();
    for name in ["a", "z", "inner/a", "inner/deeper/a"] {
        fs::write(path.join(name), "x").unwrap();
    }
}

#[track_caller]
fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[track_caller]
fn place(path: &Path) -> Place {
    Place::declare(path).unwrap()
}

/// What is there now.
#[track_caller]
fn expected(place: &Place) -> Expected {
    only(place.look().unwrap().expect("it is there").identity)
}

fn only(identity: Identity) -> Expected {
    Expected {
        identity: Some(identity),
        same_boot: true,
        not_before: None,
        not_after: None,
        was_ours: false,
        begun_only: false,
    }
}

const ANY: Expected = Expected {
    identity: None,
    same_boot: true,
    not_before: None,
    not_after: None,
    was_ours: false,
    begun_only: false,
};

/// Removes the tree that is there now.
#[track_caller]
fn remove_tree(path: &Path) -> Result<Outcome, Failure> {
    let place = place(path);
    tree(&place, &expected(&place), OsStr::new(TRASH))
}

#[track_caller]
fn remove_file(path: &Path) -> Result<Outcome, Failure> {
    let place = place(path);
    file(&place, &expected(&place), OsStr::new(TRASH))
}

/// Waits until what is made from now on is younger than what was made before; a moment between the two.
fn next_birth() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let now = since.as_nanos() as i64;
    while birth_clock() <= now {
        std::thread::yield_now();
    }
    now
}

fn link(to: &Path, at: &Path) {
    symlink(to, at).unwrap();
}
