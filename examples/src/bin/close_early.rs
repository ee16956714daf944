//! A lock file, released early by `close`, at the end of a scope, or at exit: once.
//!
//! A `close` beside a `Drop` is easily a cleanup that runs twice. The second time it takes away what
//! belongs to somebody else.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use lastly::{Deferred, defer};

/// Fails if somebody has it.
fn lock(path: &Path) -> io::Result<()> {
    File::options().write(true).create_new(true).open(path).map(drop)
}

struct LockWithDrop(PathBuf);

impl LockWithDrop {
    fn close(&self) -> io::Result<()> {
        fs::remove_file(&self.0)
    }
}

impl Drop for LockWithDrop {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

struct Lock(Deferred);

impl Lock {
    fn new(path: &Path) -> io::Result<Self> {
        lock(path)?;
        Ok(Self(defer(fs::remove_file, path.to_owned()).erase()))
    }

    fn close(&self) {
        self.0.call();
    }

    fn held(&self) -> bool {
        self.0.is_alive()
    }
}

fn main() -> io::Result<()> {
    if let Some(path) = std::env::args().nth(1) {
        let _mine = Lock::new(Path::new(&path))?;
        std::process::exit(0); // drops nothing
    }
    let path = std::env::temp_dir().join(format!("close-early-{}", std::process::id()));

    lock(&path)?;
    let mine = LockWithDrop(path.clone());
    mine.close()?;
    lock(&path)?; // now it is somebody else's
    drop(mine);
    println!("Drop: somebody else still has the lock: {}", path.exists());

    let mine = Lock::new(&path)?;
    mine.close();
    mine.close();
    lock(&path)?;
    drop(mine);
    println!("defer: somebody else still has the lock: {}", path.exists());
    fs::remove_file(&path)?;

    {
        let mine = Lock::new(&path)?;
        println!("in the scope: {} {}", mine.held(), path.exists());
    }
    println!("after the scope: {}", path.exists());

    Command::new(std::env::current_exe()?).arg(&path).status()?;
    println!("after an exit in the scope: {}", path.exists());
    Ok(())
}
