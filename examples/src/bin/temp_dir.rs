//! A temporary directory, removed when its object dies, by `remove`, or at exit.
//!
//! `Drop` loses it when the program ends by `exit`, which drops nothing.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use lastly::{Finalizer, Watched, finalize};

struct DirWithDrop(PathBuf);

impl Drop for DirWithDrop {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct TempDir {
    path: Watched<PathBuf>,
    cleanup: Finalizer,
}

impl TempDir {
    fn new(name: &str) -> io::Result<Self> {
        let path = create(name)?;
        let object = Watched::new(path.clone());
        let cleanup = finalize(&object, std::fs::remove_dir_all, path).erase();
        Ok(Self { path: object, cleanup })
    }

    fn remove(&self) {
        self.cleanup.call();
    }

    fn removed(&self) -> bool {
        !self.cleanup.is_alive()
    }
}

fn create(name: &str) -> io::Result<PathBuf> {
    let path = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
    std::fs::create_dir(&path)?;
    Ok(path)
}

/// The program of the two children below: it ends with the directory in use.
fn exit_with(kind: &str) -> io::Result<()> {
    if kind == "drop" {
        let directory = DirWithDrop(create(kind)?);
        println!("{}", directory.0.display());
        std::process::exit(0);
    }
    let directory = TempDir::new(kind)?;
    println!("{}", directory.path.display());
    std::process::exit(0);
}

/// What is left of a directory when a program that had it has ended.
fn after_the_end_of(kind: &str) -> io::Result<&'static str> {
    let child = Command::new(std::env::current_exe()?).arg(kind).output()?;
    let path = PathBuf::from(String::from_utf8_lossy(&child.stdout).trim());
    let word = what_is_left(&path);
    if path.exists() {
        std::fs::remove_dir(path)?;
    }
    Ok(word)
}

fn what_is_left(path: &Path) -> &'static str {
    if path.exists() { "left behind" } else { "removed" }
}

fn main() -> io::Result<()> {
    if let Some(kind) = std::env::args().nth(1) {
        return exit_with(&kind);
    }
    println!("Drop, at exit: {}", after_the_end_of("drop")?);
    println!("finalize, at exit: {}", after_the_end_of("finalize")?);

    let directory = TempDir::new("dies")?;
    let path = directory.path.to_path_buf();
    drop(directory);
    println!("finalize, the object died: {}", what_is_left(&path));

    let directory = TempDir::new("removed")?;
    directory.remove();
    directory.remove(); // nothing is left to do, and nothing is done
    println!("finalize, by remove: {}", what_is_left(&directory.path));
    println!("and it knows: {}", directory.removed());
    Ok(())
}
