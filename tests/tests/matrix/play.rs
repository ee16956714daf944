//! Running the program of a cell, sending it the signals that it asks for, and seeing how it ends.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use wait_timeout::ChildExt;

use crate::table::Cell;

/// No cell takes long; a hang must not take the suite's time.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(30);

const SIGNALS: [(i32, &str); 6] = [
    (libc::SIGTERM, "SIGTERM"),
    (libc::SIGINT, "SIGINT"),
    (libc::SIGHUP, "SIGHUP"),
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGKILL, "SIGKILL"),
    (libc::SIGSEGV, "SIGSEGV"),
];

/// How a program ended: in the words of the table.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: String,
    pub(crate) status: String,
    pub(crate) left: Vec<String>,
}

pub(crate) fn play(cell: &Cell<'_>) -> Ended {
    let directory = empty_directory(&format!("{}, {}", cell.ending, cell.state));
    let mut child = Command::new(env!("CARGO_BIN_EXE_matrix"))
        .args([cell.ending, cell.state])
        .current_dir(&directory)
        .env("RUST_BACKTRACE", "0")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program was built with this test");
    let stdout = child.stdout.take().expect("piped");
    let mut stderr = child.stderr.take().expect("piped");
    let first = number(cell.signal());
    let listener = thread::spawn(move || listen(stdout, first));
    let complaints = thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).expect("text");
        text
    });
    let status = child.wait_timeout(WATCHDOG).expect("it is our child");
    // What hangs, and what it forked.
    let group = i32::try_from(child.id()).expect("a process number");
    // SAFETY: sends a signal to the group of our child, which was not waited for if it hangs.
    unsafe { libc::kill(-group, libc::SIGKILL) };
    child.wait().expect("it is our child");
    Ended {
        stdout: listener.join().expect("no panic"),
        stderr: complaints.join().expect("no panic"),
        status: status.map_or_else(|| "it hangs".to_owned(), in_words),
        left: files(&directory),
    }
}

pub(crate) fn empty_directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("matrix").join(name);
    if directory.exists() {
        fs::remove_dir_all(&directory).expect("what was left the last time");
    }
    fs::create_dir_all(&directory).expect("a directory for tests");
    directory
}

/// What it prints; and sends its process the signals when it is time for them.
fn listen(stdout: ChildStdout, first: Option<i32>) -> Vec<String> {
    let mut process = 0;
    let mut said = Vec::new();
    for line in BufReader::new(stdout).lines() {
        let line = line.expect("text");
        if let (Some(number), Some(first)) = (line.strip_prefix("ready "), first) {
            process = number.parse().expect("its process number");
            send(process, first);
            continue;
        }
        if line.ends_with(" hangs") && process != 0 {
            send(process, libc::SIGHUP);
        }
        said.push(line);
    }
    said
}

pub(crate) fn send(process: i32, signal: i32) {
    // SAFETY: sends a signal to a process of ours, or a group, that waits for it.
    let sent = unsafe { libc::kill(process, signal) };
    assert_eq!(sent, 0, "the process is there");
}

pub(crate) fn number(signal: &str) -> Option<i32> {
    SIGNALS.iter().find(|(_, name)| *name == signal).map(|(number, _)| *number)
}

pub(crate) fn in_words(status: ExitStatus) -> String {
    let Some(signal) = status.signal() else {
        return status.code().expect("no signal, so a status").to_string();
    };
    let known = SIGNALS.iter().find(|(number, _)| *number == signal);
    known.map_or_else(|| format!("signal {signal}"), |(_, name)| (*name).to_owned())
}

pub(crate) fn files(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("it is there");
    let names = entries.map(|entry| entry.expect("readable").file_name());
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
