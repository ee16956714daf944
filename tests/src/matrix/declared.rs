//! The second table: what becomes of what was declared, when the process that declared it ends. The program is
//! called with `declared`, the ending, and in which process that comes.

use std::env;
use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::process;
use std::time::Duration;

use lastly::{actions, exit, finalize};

use crate::endings::{self, Ending, status_of};
use crate::{hang, leak, say};

/// What hangs at the end is given so long.
const BUDGET: Duration = Duration::from_secs(1);

pub(crate) fn play(ending: &str, which_process: &str) {
    let ending = Ending::named(ending);
    endings::begin(ending);
    match which_process {
        "creator" => {
            declare_all(ending, "");
            end(ending);
        }
        "child" => in_a_child(ending, || hang_if_asked(ending)),
        "child of its own" => in_a_child(ending, || declare_all(ending, "child's ")),
        _ => panic!("no process `{which_process}`"),
    }
}

/// Two trees; between them what hangs, if there is to be an end of that.
fn declare_all(ending: Ending, whose: &str) {
    declare(&format!("{whose}older"));
    hang_if_asked(ending);
    declare(&format!("{whose}newer"));
}

/// Makes a tree, with a way out of it, and declares its removal.
fn declare(name: &str) {
    let tree = env::current_dir().expect("it is there").join(name);
    fs::create_dir_all(tree.join("inner")).expect("the program began where there is none");
    fs::write(tree.join("inner/file"), "").expect("it is there");
    symlink("../../canary", tree.join("inner/link")).expect("it is there");
    finalize(leak(0), actions::remove_tree, tree);
}

fn hang_if_asked(ending: Ending) {
    if matches!(ending, Ending::SecondSignal | Ending::Budget) {
        finalize(leak(0), hangs, ());
    }
}

fn hangs((): ()) {
    say(&format!("hangs {}", process::id()));
    hang();
}

/// Ends this process so, when the parent says.
fn end(ending: Ending) {
    if ending == Ending::Budget {
        exit::set_budget(Some(BUDGET));
    }
    say(&format!("ready {}", process::id()));
    await_go();
    if ending.is_signal() {
        hang();
    }
    ending.happen();
}

/// The parent sends a byte for each process that is to go on.
fn await_go() {
    std::io::stdin().read_exact(&mut [0]).expect("the parent says when");
}

/// It is a forked child that ends so. Its parent, which has declared something too, then returns.
fn in_a_child(ending: Ending, declare: impl FnOnce()) {
    declare_all(Ending::Return, "");
    // SAFETY: the child goes on as a copy of this thread; no other holds what it needs.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "a process can be had");
    if child == 0 {
        declare();
        return end(ending);
    }
    let mut status = 0;
    // SAFETY: a number to write to.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(waited, child);
    say(&format!("the child's end: {}", status_of(status)));
    await_go();
}
