//! Child processes that end with the object that owns them, or with the program.
//!
//! The standard library leaves a child running when its handle is dropped, and a `Drop` of your own
//! is not run by `exit`.

use std::io;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use lastly::{Watched, finalize};

struct ChildWithDrop(Child);

impl Drop for ChildWithDrop {
    fn drop(&mut self) {
        let _ = stop(&mut self.0);
    }
}

fn start() -> io::Result<Child> {
    Command::new("sleep").arg("1000").stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

fn stop(child: &mut Child) -> io::Result<()> {
    child.kill()?;
    child.wait().map(drop)
}

/// Three children, and the numbers of their processes. Each has a finalizer of its own.
fn workers() -> io::Result<Arc<Watched<Vec<u32>>>> {
    let children: Vec<Child> = (0..3).map(|_| start()).collect::<io::Result<_>>()?;
    let object = Arc::new(Watched::new(children.iter().map(Child::id).collect()));
    for child in children {
        finalize(&object, |mut child| stop(&mut child), child);
    }
    Ok(object)
}

/// The program of the two children below: it ends with children of its own.
fn exit_with(kind: &str) -> io::Result<()> {
    if kind == "drop" {
        let child = ChildWithDrop(start()?);
        println!("{}", child.0.id());
        std::process::exit(0);
    }
    let workers = workers()?;
    println!("{}", text(&workers));
    std::process::exit(0);
}

fn text(processes: &[u32]) -> String {
    processes.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")
}

/// How many of these processes run, and an end of them.
fn left_running(processes: &str) -> io::Result<usize> {
    let kill = |signal, process| {
        let mut kill = Command::new("kill");
        kill.args([signal, process]).stderr(Stdio::null()).status().map(|it| it.success())
    };
    let mut running = 0;
    for process in processes.split_whitespace() {
        if kill("-0", process)? {
            kill("-9", process)?;
            running += 1;
        }
    }
    Ok(running)
}

fn after_the_end_of(kind: &str) -> io::Result<usize> {
    let child = Command::new(std::env::current_exe()?).arg(kind).output()?;
    left_running(&String::from_utf8_lossy(&child.stdout))
}

fn main() -> io::Result<()> {
    if let Some(kind) = std::env::args().nth(1) {
        return exit_with(&kind);
    }
    println!("Drop, at exit: of 1 child {} is left running", after_the_end_of("drop")?);
    println!("finalize, at exit: of 3 children {}", after_the_end_of("finalize")?);

    let owner = workers()?;
    let processes = text(&owner);
    let other_owner = Arc::clone(&owner);
    drop(owner);
    drop(other_owner);
    println!("finalize, the owners died: of 3 children {}", left_running(&processes)?);
    Ok(())
}
