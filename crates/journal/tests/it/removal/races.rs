//! Somebody exchanges what is being removed for links and other directories, as fast as he can.

use super::*;
use rustix::fs::{CWD, Mode, OFlags, RenameFlags, openat, renameat_with};
use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// In each round a tree is removed while it, and the directories in it, are exchanged. A foreign directory, and
/// what the links lead to, have the same names in them as the tree.
struct Round {
    directory: PathBuf,
    /// They are held, so that whoever exchanges is not led astray himself.
    above: OwnedFd,
    tree: OwnedFd,
    inner: OwnedFd,
}

impl Round {
    fn make(scratch: &Scratch, number: u64) -> Self {
        let directory = scratch.work(number.to_string());
        fs::create_dir(&directory).unwrap();
        fill(&directory.join("tree"));
        fill(&directory.join("foreign"));
        link(&scratch.canary(), &directory.join("link"));
        link(&scratch.canary(), &directory.join("inner-link"));
        let hold = |path: &str| {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            openat(CWD, directory.join(path), flags, Mode::empty()).unwrap()
        };
        Self { above: hold(""), tree: hold("tree"), inner: hold("tree/inner"), directory }
    }

    fn exchange(&self, times: u64) {
        let swap = |directory: &OwnedFd, name: &str, other: &str| {
            renameat_with(directory, name, &self.above, other, RenameFlags::EXCHANGE).is_ok()
        };
        match times % 6 {
            0 => swap(&self.above, "tree", "link"),
            1 => swap(&self.above, "tree", "foreign"),
            2 => swap(&self.above, TRASH, "foreign"),
            3 => swap(&self.above, TRASH, "link"),
            4 => swap(&self.tree, "inner", "inner-link"),
            _ => swap(&self.inner, "deeper", "inner-link"),
        };
    }

    /// What was not to be removed is there, whatever its name is by now.
    fn assert_untouched(&self, scratch: &Scratch, foreign: Identity) {
        scratch.assert_untouched();
        let entries: Vec<PathBuf> =
            fs::read_dir(&self.directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        let found = entries
            .iter()
            .find(|path| place(path).look().unwrap().is_some_and(|it| it.identity == foreign));
        let found = found.unwrap_or_else(|| panic!("the foreign directory is gone: {entries:?}"));
        assert_eq!(names(found), ["a", "empty", "inner", "z"]);
        assert_eq!(names(&found.join("inner")), ["a", "deeper"]);
    }
}

/// Round after round until `enough`; how many of them removed the tree, and how often it was seen replaced.
fn race(scratch: &Scratch, enough: impl Fn(u64) -> bool) -> (u64, u64) {
    let (mut removed, mut replaced, mut number) = (0, 0, 0);
    let current: Turns<Option<Arc<Round>>> = Turns::default();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for times in 0.. {
                if let Some(round) = &*current.lock() {
                    round.exchange(times);
                }
                if stop.load(Relaxed) {
                    break;
                }
            }
        });
        let _stops = Stops(&stop);
        while !enough(number) {
            number += 1;
            // The identities are taken before the race.
            let next = Arc::new(Round::make(scratch, number));
            let identity =
                |name| place(&next.directory.join(name)).look().unwrap().unwrap().identity;
            let (old, foreign) = (identity("tree"), identity("foreign"));
            let place = place(&next.directory.join("tree"));
            *current.take() = Some(next.clone());
            for _ in 0..20 {
                match tree(&place, &only(old), OsStr::new(TRASH)) {
                    Ok(Outcome::Removed { .. }) => removed += 1,
                    Ok(Outcome::Replaced) => {
                        replaced += 1;
                        continue;
                    }
                    Ok(Outcome::Missing)
                    | Err(Failure::Left { .. } | Failure::Displaced { .. }) => continue,
                    Err(failure) => panic!("{failure}"),
                }
                break;
            }
            *current.take() = None;
            next.assert_untouched(scratch, foreign);
            fs::remove_dir_all(&next.directory).unwrap();
        }
    });
    scratch.assert_untouched();
    (removed, replaced)
}

/// A lock that the racer gives away when it is wanted: by itself it would take it again before anybody else can.
#[derive(Default)]
struct Turns<T> {
    lock: Mutex<T>,
    wanted: AtomicBool,
}

impl<T> Turns<T> {
    fn lock(&self) -> MutexGuard<'_, T> {
        while self.wanted.load(Relaxed) {
            std::thread::yield_now();
        }
        self.lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn take(&self) -> MutexGuard<'_, T> {
        self.wanted.store(true, Relaxed);
        let taken = self.lock.lock().unwrap();
        self.wanted.store(false, Relaxed);
        taken
    }
}

/// Stops the racer also when the test fails.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

#[test]
fn nothing_else_is_removed_in_a_race() {
    let (removed, replaced) = race(&Scratch::in_memory(), |round| round == 1000);
    println!("{removed} removed, {replaced} times replaced");
    assert!(
        removed > 0 && replaced > 0,
        "{removed} removed, {replaced} times replaced: that was no race"
    );
}

/// A file is removed while another is exchanged for it: only one of the two may go.
#[test]
fn no_other_file_is_removed_in_a_race() {
    let scratch = Scratch::in_memory();
    let (path, other) = (scratch.work("file"), scratch.work("other"));
    fs::write(&other, "other").unwrap();
    let foreign = place(&other).look().unwrap().unwrap().identity;
    let (stop, turn) = (AtomicBool::new(false), Turns::<()>::default());
    let (mut removed, mut replaced) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Relaxed) {
                let _turn = turn.lock();
                for _ in 0..20 {
                    let _ = renameat_with(CWD, &path, CWD, &other, RenameFlags::EXCHANGE);
                }
            }
        });
        let _stops = Stops(&stop);
        // On a busy machine it may take a while until the two meet.
        while removed < 400 || replaced == 0 && removed < 100_000 {
            let held = turn.take();
            fs::write(&path, "x").unwrap();
            let place = place(&path);
            let old = expected(&place);
            drop(held);
            loop {
                match file(&place, &old, OsStr::new(TRASH)) {
                    Ok(Outcome::Removed { .. }) => break removed += 1,
                    Ok(Outcome::Replaced | Outcome::Missing) => replaced += 1,
                    Err(failure) => panic!("{failure}"),
                }
            }
            let _held = turn.take();
            let left = names(&scratch.path.join("work"));
            assert_eq!(left.len(), 1, "{left:?}");
            let left = scratch.work(&left[0]);
            assert_eq!(self::place(&left).look().unwrap().unwrap().identity, foreign);
            assert!(!left.ends_with(TRASH), "it was moved, and not moved back");
            fs::rename(left, &other).unwrap();
        }
    });
    println!("{removed} removed, {replaced} times replaced");
    assert!(replaced > 0, "that was no race");
}

#[test]
#[ignore = "as long as LASTLY_RACE_SECONDS says"]
fn nothing_else_is_removed_in_a_long_race() {
    let seconds =
        std::env::var("LASTLY_RACE_SECONDS").map_or(60, |seconds| seconds.parse().unwrap());
    let end = Instant::now() + Duration::from_secs(seconds);
    for scratch in [Scratch::in_memory(), Scratch::new()] {
        let half = end - (end - Instant::now()) / 2;
        let until = if scratch.path.starts_with("/dev/shm") { half } else { end };
        let (removed, replaced) = race(&scratch, |_| Instant::now() >= until);
        println!("{}: {removed} removed, {replaced} times replaced", scratch.path.display());
        assert!(removed > 0 && replaced > 0);
    }
}
