//! Declared actions: what is done at the first two deaths, and what is written down for the third. A binary of its
//! own, as the environment says where the journals are.
#![cfg(not(loom))]

mod ends;
mod failures;
mod refusals;
mod temporary;
mod written;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, Once, OnceLock};

use lastly::report;
use lastly_journal::{Directory, sweep};

/// In which child processes find the directory that they share with the test.
const SHARED: &str = "LASTLY_TEST_DIRECTORY";

/// A directory for this process: for its journals, and for what it works on.
fn directory() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        if let Some(shared) = env::var_os(SHARED) {
            return shared.into();
        }
        let directory = env::temp_dir().join(format!("lastly-actions-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("writable");
        // SAFETY: a function that takes nothing.
        assert_eq!(unsafe { libc::atexit(remove_directory) }, 0);
        // SAFETY: it is done once, before anything is declared; nothing else in here sets variables, and
        // who reads them does so by way of the standard library, which has a lock.
        unsafe { env::set_var(lastly_journal::VARIABLE, directory.join("journals")) };
        // SAFETY: as above.
        unsafe { env::set_var(lastly_journal::guard::VARIABLE, "0") };
        directory
    })
}

extern "C" fn remove_directory() {
    _ = fs::remove_dir_all(directory());
}

/// A path in it that nobody has.
fn path(name: &str) -> PathBuf {
    let path = directory().join(name);
    assert!(!path.exists(), "each test has its own");
    path
}

/// A directory with something in it.
fn tree(name: &str) -> PathBuf {
    let path = path(name);
    fs::create_dir_all(path.join("a/b")).expect("writable");
    fs::write(path.join("a/file"), "content").expect("writable");
    path
}

fn file(name: &str) -> PathBuf {
    let path = path(name);
    fs::write(&path, "content").expect("writable");
    path
}

/// What all journals say of this path, in words.
fn written(path: &Path) -> Vec<String> {
    let subject = path.display().to_string();
    journals()
        .into_iter()
        .flat_map(|journal| journal.entries)
        .filter(|entry| entry.action.subject() == subject)
        .map(|entry| {
            let known = if entry.action.is_known() { "known" } else { "to be made" };
            let synced = if entry.synced { ", synced" } else { "" };
            let unguessable = if entry.unguessable { ", unguessable" } else { "" };
            format!("{}: {known}{synced}{unguessable}", entry.action.kind().name)
        })
        .collect()
}

fn journals() -> Vec<sweep::Journal> {
    let directory = Directory::open(&directory().join("journals")).expect("it is trusted");
    let found = sweep::look(&directory).expect("it is there");
    found.into_iter().map(|found| found.state.expect("it is readable")).collect()
}

const NOTHING: [String; 0] = [];

/// The reports made while this lives. There is one hook, so tests that need it take turns.
struct Reports(#[expect(dead_code, reason = "held")] MutexGuard<'static, ()>);

static REPORTS: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl Reports {
    fn record() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        hear_of_no_guard();
        report::set_hook(|report| REPORTS.lock().unwrap().push(report.to_string()));
        Self(turn)
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *REPORTS.lock().unwrap())
    }
}

impl Drop for Reports {
    fn drop(&mut self) {
        report::reset_hook();
    }
}

/// There is no guard here. That is told once in a process: not in the middle of a test.
fn hear_of_no_guard() {
    static HEARD: Once = Once::new();
    HEARD.call_once(|| {
        directory();
        report::set_hook(|_| ());
        drop(lastly::defer(lastly::actions::remove_file, path("is never made")));
        report::reset_hook();
    });
}
