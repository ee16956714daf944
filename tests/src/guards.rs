//! The guards that are there, and what tests do with them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use crate::program;

/// What others do takes milliseconds; a hang must not take the suite's time.
const PATIENCE: Duration = Duration::from_secs(30);

/// The guards of the journals in this directory, by their process numbers: of those whose names begin so. The
/// number of the owner comes first in it.
///
/// # Panics
///
/// There is no `/proc`.
#[must_use]
pub fn of(journals: &Path, begin: &str) -> Vec<i32> {
    let words = format!("lastly-guard\0guard\0{begin}");
    let is_guard = |process: &i32| {
        let process = Path::new("/proc").join(process.to_string());
        fs::read(process.join("cmdline")).is_ok_and(|it| it.starts_with(words.as_bytes()))
            && fs::read_link(process.join("fd/0")).is_ok_and(|it| it == journals)
    };
    let processes = fs::read_dir("/proc").expect("it is Linux").flatten();
    let numbers = processes.filter_map(|it| it.file_name().to_str()?.parse().ok());
    numbers.filter(is_guard).collect()
}

/// Waits until they have done what is theirs to do.
pub fn await_end(journals: &Path, begin: &str) {
    await_that(|| of(journals, begin).is_empty());
}

/// Has it do nothing any more, though it is there.
pub fn stop(guard: i32) {
    send(guard, libc::SIGSTOP);
    await_that(|| state_of(guard) == Some('T'));
}

/// Kills it, and waits for its death.
pub fn kill(guard: i32) {
    send(guard, libc::SIGKILL);
    await_that(|| state_of(guard).is_none_or(|it| it == 'Z'));
}

fn send(guard: i32, signal: i32) {
    // SAFETY: sends a signal to a guard of a process of ours.
    let sent = unsafe { libc::kill(guard, signal) };
    assert_eq!(sent, 0, "the guard is there");
}

/// `None`: there is no such process.
fn state_of(process: i32) -> Option<char> {
    let told = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    told.rsplit_once(") ")?.1.chars().next()
}

/// Waits for what another process is about to do.
///
/// # Panics
///
/// It does not do it.
pub fn await_that(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it does not come");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Calls the command.
///
/// # Panics
///
/// It does not start.
#[must_use]
pub fn call(journals: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program::lastly());
    command.args(arguments).env("LASTLY_JOURNALS", journals);
    command.output().expect("it was built")
}
