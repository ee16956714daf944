//! A working directory that is removed even if the program is killed by `kill -9`.
//!
//! No code of a program runs then. So the removal is declared: written down, and done by the guard, the program
//! `lastly`, for which this looks beside itself and in `PATH`; or, where there is none, by the next sweep.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lastly::actions::{self, Protection, TemporaryDirectory};
use lastly::{Watched, finalize};

/// The program of the children below: it works until it is killed.
fn work(kind: &str) -> io::Result<()> {
    let parent = std::env::temp_dir().join("crash-safe");
    let workspace = Watched::new(());
    let path = match kind {
        // Rust's own way: a value whose drop removes it.
        "drop" | "finalize" => {
            let path = parent.join(kind);
            std::fs::create_dir_all(&path)?;
            if kind == "finalize" {
                finalize(&workspace, std::fs::remove_dir_all, path.clone());
            }
            path
        }
        "declared" => {
            let path = parent.join(kind);
            // Declared before it is made, there is no moment at which it could be left behind.
            let cleanup = finalize(&workspace, actions::remove_tree, path.clone());
            std::fs::create_dir_all(&path)?;
            actions::confirm(&cleanup)?;
            path
        }
        // The same, in one.
        _ => {
            let directory = TemporaryDirectory::builder().inside(&parent).build()?;
            let path = directory.path().to_owned();
            std::mem::forget(directory);
            path
        }
    };
    std::fs::write(path.join("half-done"), "…")?;
    println!("{}", path.display());
    io::stdout().flush()?;
    // Until somebody kills it.
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn start(kind: &str) -> io::Result<(Child, String)> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg(kind)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    let stdout = child.stdout.as_mut().expect("piped");
    BufReader::new(stdout).read_line(&mut line)?;
    Ok((child, line.trim().to_owned()))
}

/// What is left of a directory when the program that works in it is killed.
fn after_kill(kind: &str, is_guarded: bool) -> io::Result<()> {
    let (mut child, path) = start(kind)?;
    child.kill()?; // SIGKILL
    let signal = child.wait()?.signal();
    assert_eq!(signal, Some(9), "it did not end by itself");
    let path = Path::new(&path);
    let is_declared = !matches!(kind, "drop" | "finalize");
    if is_declared && is_guarded {
        wait_until_gone(path);
    }
    let word = if path.exists() { "left behind" } else { "removed" };
    println!("{kind}, killed by SIGKILL: {word}");
    Ok(())
}

/// The guard takes a few milliseconds.
fn wait_until_gone(path: &Path) {
    let begun = Instant::now();
    while path.exists() && begun.elapsed() < Duration::from_secs(30) {
        sleep(Duration::from_millis(1));
    }
}

fn main() -> io::Result<()> {
    if let Some(kind) = std::env::args().nth(1) {
        return work(&kind);
    }
    let protection = actions::protection();
    match &protection {
        Protection::Guard => println!("there is a guard"),
        Protection::Sweep(why) => println!("no guard, so it is for `lastly sweep`: {why}"),
        Protection::Nothing(why) => println!("no journal: {why}"),
    }
    let parent = std::env::temp_dir().join("crash-safe");
    std::fs::create_dir_all(&parent)?;
    for kind in ["drop", "finalize", "declared", "TemporaryDirectory"] {
        after_kill(kind, protection == Protection::Guard)?;
    }
    std::fs::remove_dir_all(parent)
}
