//! The examples, run: what they print, exactly, and that they leave nothing behind.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// No example takes long; a hang must not take the suite's time.
const WATCHDOG: Duration = Duration::from_secs(60);

fn check(program: &str, expected: &[&str]) {
    check_with(program, "", expected);
}

/// With this program as the guard, none if it is empty.
fn check_with(program: &str, guard: &str, expected: &[&str]) {
    let name = Path::new(program).file_name().expect("a program").to_string_lossy();
    // Its directory for temporary files.
    let directory = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
    std::fs::create_dir(&directory).expect("it is new");
    // Not in it: what others do when the program has ended may take a moment.
    let journals = directory.with_extension("journals");
    let mut child = Command::new(program)
        .env("TMPDIR", &directory)
        .env("LASTLY_JOURNALS", &journals)
        .env("LASTLY_GUARD", guard)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the example was built with this test");
    let mut stdout = child.stdout.take().expect("piped");
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).expect("text");
        let _ = sender.send(text);
    });
    let Ok(text) = receiver.recv_timeout(WATCHDOG) else {
        child.kill().expect("it is our child");
        panic!("{program} hangs");
    };
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    assert!(child.wait().expect("it is our child").success());
    std::fs::remove_dir(&directory).expect("nothing is left in it");
    if journals.exists() {
        std::fs::remove_dir_all(&journals).expect("it is ours");
    }
}

#[test]
fn temp_dir() {
    check(
        env!("CARGO_BIN_EXE_temp_dir"),
        &[
            "Drop, at exit: left behind",
            "finalize, at exit: removed",
            "finalize, the object died: removed",
            "finalize, by remove: removed",
            "and it knows: true",
        ],
    );
}

#[test]
fn resource_pool() {
    check(
        env!("CARGO_BIN_EXE_resource_pool"),
        &[
            "Drop: of 3 buffers, lent to users in cycles, 0 came back",
            "finalize: after 1000 users, 500 in cycles, 3 came back",
            "3 users at work, none idle: true",
            "taken back from them: 3",
            "and they know: true",
        ],
    );
}

#[test]
fn child_processes() {
    check(
        env!("CARGO_BIN_EXE_child_processes"),
        &[
            "Drop, at exit: of 1 child 1 is left running",
            "finalize, at exit: of 3 children 0",
            "finalize, the owners died: of 3 children 0",
        ],
    );
}

#[test]
fn close_early() {
    check(
        env!("CARGO_BIN_EXE_close_early"),
        &[
            "Drop: somebody else still has the lock: false",
            "defer: somebody else still has the lock: true",
            "in the scope: true true",
            "after the scope: false",
            "after an exit in the scope: false",
        ],
    );
}

#[test]
fn service() {
    check(
        env!("CARGO_BIN_EXE_service"),
        &[
            "by default: the socket is there, signal: 15 (SIGTERM)",
            "with signals: the socket is gone, signal: 15 (SIGTERM)",
            "as a daemon, when its starter has ended: the socket is there, exit status: 0",
            "as a daemon, when it has ended: the socket is gone",
        ],
    );
}

#[test]
fn video_segments() {
    check(
        env!("CARGO_BIN_EXE_video_segments"),
        &[
            "Drop, the collector is off: 1000 files",
            "when it was called: 0",
            "finalize, closed early: 1 file at most",
            "finalize, every fifth forgotten: 100 files at most",
            "collections for that: 2",
            "in the end: 0",
        ],
    );
}

#[test]
fn crash_safe() {
    let program = env!("CARGO_BIN_EXE_crash_safe");
    check_with(
        program,
        "",
        &[
            "no guard, so it is for `lastly sweep`: LASTLY_GUARD says that there is to be none",
            "drop, killed by SIGKILL: left behind",
            "finalize, killed by SIGKILL: left behind",
            "declared, killed by SIGKILL: left behind",
            "TemporaryDirectory, killed by SIGKILL: left behind",
        ],
    );
    check_with(
        program,
        &guard(program),
        &[
            "there is a guard",
            "drop, killed by SIGKILL: left behind",
            "finalize, killed by SIGKILL: left behind",
            "declared, killed by SIGKILL: removed",
            "TemporaryDirectory, killed by SIGKILL: removed",
        ],
    );
}

/// The guard's program, built where the examples are: it belongs to another package.
fn guard(example: &str) -> String {
    let target = Path::new(example).ancestors().nth(2).expect("in a directory of a target");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "lastly-guard", "--target-dir"])
        .arg(target)
        .status()
        .expect("cargo runs this test");
    assert!(built.success());
    target.join("debug/lastly").to_str().expect("the path is text").to_owned()
}
