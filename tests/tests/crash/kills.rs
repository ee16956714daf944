//! The crash run, shortly: at random moments, and before every so manieth system call of all who take part.
//! `cargo xtask crash` does it before each, and again in what comes after.

use std::path::Path;
use std::process::Command;

use crate::fixture::lastly;

/// How many random kills.
const KILLS: &str = "100";

/// Before each so manieth call: a number that divides nothing.
const STRIDES: [(&str, &str); 6] = [
    ("owner", "7"),
    ("compaction", "7"),
    ("launcher", "23"),
    ("guard", "7"),
    ("sweep", "11"),
    ("owner-guard", "97"),
];

fn crash(what: &[&str]) {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("crash-{}", what[..2].join("-")));
    let output = Command::new(env!("CARGO_BIN_EXE_crash"))
        .arg("run")
        .args([&folder, lastly()])
        .args(["quiet", "40"])
        .args(what)
        .output()
        .expect("it was built with this test");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn at_random_moments() {
    crash(&["kills", "1", KILLS]);
}

#[test]
fn before_system_calls() {
    for (course, stride) in STRIDES {
        crash(&["calls", course, stride]);
    }
}
