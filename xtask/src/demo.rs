//! `cargo xtask demo`: temporary directories, each held by an object, shown before and after.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::shell::{cargo, root, run};
use crate::venv::Venv;
use crate::{interpreters, python};

/// What each ending shows, and its name in the Rust example and in the Python one.
const ENDINGS: [(&str, &str, &str); 8] = [
    ("the last reference is dropped", "drop", "drop"),
    ("the finalizer is called early", "call", "call"),
    ("nobody catches a panic, an exception", "panic", "exception"),
    ("process::exit, sys.exit", "exit", "exit"),
    ("process::exit on another thread", "thread", ""),
    ("a reference cycle is collected", "cycle", "cycle"),
    ("SIGTERM comes, where that is asked for", "signal", "signal"),
    ("kill -9: the guard does it", "kill", "kill"),
];

const RUST: [&str; 4] = ["--package", "lastly-examples", "--bin", "workspace"];
const PYTHON: &str = "examples/python/workspace.py";

pub(crate) fn demo() -> Result<()> {
    run(cargo(&["build", "--quiet"]).args(RUST))?;
    // Beside the example, where that looks for it; the Python package has its own.
    run(&mut cargo(&["build", "--quiet", "--package", "lastly-guard"]))?;
    let venv = interpreters::default().map(python::installed).transpose()?;
    println!("A temporary directory is tied to an object. It goes when …\n");
    println!("  {:<40}{:<28}Python", "", "Rust");
    for (words, rust, python) in ENDINGS {
        let rust = in_rust(rust)?;
        let python = venv.as_ref().map(|venv| in_python(venv, python)).transpose()?;
        println!("  {words:<40}{rust:<28}{}", python.as_deref().unwrap_or("not shown"));
    }
    println!("\nEach was there before, and gone after.");
    if venv.is_none() {
        println!("Python is not shown: {}.", interpreters::summary());
    }
    println!("The programs: examples/src/bin/workspace.rs, {PYTHON}");
    Ok(())
}

fn in_rust(ending: &str) -> Result<String> {
    play(cargo(&["run", "--quiet"]).args(RUST).arg("--"), ending)
}

fn in_python(venv: &Venv, ending: &str) -> Result<String> {
    play(venv.python()?.arg(root().join(PYTHON)), ending)
}

/// Lets the program make its directory, looks, lets it end, looks again.
fn play(program: &mut Command, ending: &str) -> Result<String> {
    if ending.is_empty() {
        return Ok("–".to_owned());
    }
    let mut child = program
        .arg(ending)
        .env("LASTLY_JOURNALS", root().join("target/demo-journals"))
        .env_remove("LASTLY_GUARD")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start the example")?;
    let mut lines = BufReader::new(child.stdout.take().context("piped")?).lines();
    let path = lines.next().context("the program says where it works")??;
    ensure!(Path::new(&path).is_dir(), "{ending}: {path} is not there before");
    let pid = child.id().to_string();
    if ending == "signal" {
        run(Command::new("kill").arg(pid))?;
    } else if ending == "kill" {
        run(Command::new("kill").args(["-9", &pid]))?;
    } else {
        // The program goes on when it reads a line.
        child.stdin.take().context("piped")?.write_all(b"\n")?;
    }
    // Where the program lives on, it has looked itself.
    if let Some(line) = lines.next() {
        let is_gone = line?.eq_ignore_ascii_case("still there: false");
        ensure!(is_gone, "{ending}: {path} is still there");
    }
    let status = child.wait()?;
    if ending == "kill" {
        await_guard(&path)?;
    }
    ensure!(!Path::new(&path).exists(), "{ending}: {path} is still there after ({status})");
    Ok(path)
}

/// The guard is another process: it is done when it is done, some milliseconds later.
fn await_guard(path: &str) -> Result<()> {
    let begin = Instant::now();
    while Path::new(path).exists() {
        ensure!(begin.elapsed() < Duration::from_secs(30), "the guard has left {path}");
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
