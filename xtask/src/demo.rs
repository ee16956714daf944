//! `cargo xtask demo`: temporary directories, each held by an object, shown before and after.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use crate::shell::{cargo, run};

/// The endings of `examples/src/bin/workspace.rs`, and what each shows.
const ENDINGS: [(&str, &str); 5] = [
    ("drop", "the last reference is dropped"),
    ("call", "the finalizer is called early"),
    ("panic", "an uncaught panic in main"),
    ("exit", "std::process::exit"),
    ("thread", "std::process::exit on another thread"),
];

/// The program that the demo runs.
const PROGRAM: [&str; 4] = ["--package", "lastly-examples", "--bin", "workspace"];

pub(crate) fn demo() -> Result<()> {
    run(cargo(&["build", "--quiet"]).args(PROGRAM))?;
    println!("A temporary directory is tied to an object. It goes when …\n");
    for (ending, words) in ENDINGS {
        let path = play(ending)?;
        println!("  {words:<38} {path}  there before, gone after");
    }
    println!("\nThe program: examples/src/bin/workspace.rs");
    Ok(())
}

/// Lets the program make its directory, looks, lets it end, looks again.
fn play(ending: &str) -> Result<String> {
    let mut child = cargo(&["run", "--quiet"])
        .args(PROGRAM)
        .args(["--", ending])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start the example")?;
    let mut lines = BufReader::new(child.stdout.take().context("piped")?).lines();
    let path = lines.next().context("the program says where it works")??;
    ensure!(Path::new(&path).is_dir(), "{ending}: {path} is not there before");
    // The program goes on when it reads a line.
    child.stdin.take().context("piped")?.write_all(b"\n")?;
    // Where the program lives on, it has looked itself.
    if let Some(line) = lines.next() {
        ensure!(line? == "still there: false", "{ending}: {path} is still there");
    }
    let status = child.wait()?;
    ensure!(!Path::new(&path).exists(), "{ending}: {path} is still there after ({status})");
    Ok(path)
}
