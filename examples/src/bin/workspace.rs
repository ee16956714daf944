//! A temporary directory that is tied to an object, and goes with it however the program ends.
//!
//! `cargo run --bin workspace -- drop` (or `cycle`, `call`, `panic`, `exit`, `thread`), then press
//! Enter; or with `signal`, then press Ctrl-C; or with `kill`, then kill it by `kill -9`.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};

use lastly::{Finalizer, Gc, Trace, actions, collect, finalize};

/// A directory to work in. Clones share it; with the last one it goes.
#[derive(Clone)]
struct Workspace {
    directory: Gc<Directory>,
    cleanup: Finalizer,
}

#[derive(Trace)]
struct Directory {
    path: PathBuf,
    /// Others that this one needs; which may need this one.
    needs: RefCell<Vec<Gc<Directory>>>,
}

impl Workspace {
    /// `survive`: the directory goes also when this process is killed.
    fn new(survive: bool) -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("workspace-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        let directory = Gc::new(Directory { path: path.clone(), needs: RefCell::default() });
        let cleanup = if survive {
            finalize(&directory, actions::remove_tree, path).erase()
        } else {
            finalize(&directory, std::fs::remove_dir_all, path).erase()
        };
        Ok(Self { directory, cleanup })
    }

    fn path(&self) -> &Path {
        &self.directory.path
    }

    fn need(&self, other: &Workspace) {
        self.directory.needs.borrow_mut().push(other.directory.clone());
    }

    /// Removes it now; later nothing happens.
    fn remove(&self) {
        self.cleanup.call();
    }
}

fn main() -> io::Result<()> {
    let ending = std::env::args().nth(1).unwrap_or_default();
    let endings = ["drop", "cycle", "call", "panic", "exit", "thread", "signal", "kill"];
    if !endings.contains(&ending.as_str()) {
        eprintln!("how shall it end? {}", endings.join(", "));
        std::process::exit(2);
    }
    if ending == "signal" {
        lastly::signals::install()?;
    }
    let workspace = Workspace::new(ending == "kill")?;
    std::fs::write(workspace.path().join("data"), "half a result")?;
    println!("{}", workspace.path().display());
    io::stdin().read_line(&mut String::new())?;
    let path = workspace.path().to_owned();
    match ending.as_str() {
        "drop" => {
            let shared = workspace.clone();
            drop(workspace);
            drop(shared);
        }
        "cycle" => {
            workspace.need(&workspace);
            drop(workspace);
            collect(); // sooner or later it would come by itself
        }
        "call" => {
            workspace.remove();
            workspace.remove();
        }
        "panic" => panic!("something went wrong"),
        "exit" => std::process::exit(1), // runs no destructor
        _ => _ = std::thread::spawn(|| std::process::exit(1)).join(),
    }
    println!("still there: {}", path.exists());
    Ok(())
}
