//! The scenes of declared actions, but for those that the matrix has. Each begins in an empty directory; its test
//! looks at what is left there when it is over.

use std::env;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio, exit};

use lastly::{Cleaner, Watched, actions, finalize, paused};

use super::heirs::{end_at_once, kill_itself, leave_child};
use crate::{arrive, hang, leak, say, wait_for_arrival};

pub(crate) const SCENES: &[(&str, fn())] = &[
    ("declared-order", order),
    ("declared-writer", writer),
    ("declared-in-a-pause", in_a_pause),
    ("declared-in-a-backlog", in_a_backlog),
    ("declared-flag-off", flag_off),
    ("declared-flag-off-and-killed", flag_off_and_killed),
    ("declared-flag-on-again", flag_on_again),
    ("declared-given-up", given_up),
    ("declared-died", died),
    ("declared-stuck", stuck),
    ("declared-and-exec", and_exec),
    ("declared-and-daemon", and_daemon),
    ("declared-late", late),
    ("declared-synced", synced),
];

/// A tree of this name, in the directory that the scene began in.
fn tree(name: &str) -> PathBuf {
    let path = env::current_dir().expect("it is there").join(name);
    fs::create_dir(&path).expect("it is new");
    fs::write(path.join("file"), "").expect("it is ours");
    path
}

/// One that is tied to an object which lives to the end.
fn declare(name: &str) {
    finalize(leak_number(), actions::remove_tree, tree(name));
}

fn leak_number() -> &'static Watched<i32> {
    Box::leak(Box::new(Watched::new(0)))
}

/// Starts a process that leads a group. Its number.
#[allow(clippy::zombie_processes, reason = "this one is killed before it could wait")]
fn start(script: &str) -> u32 {
    let mut command = Command::new("sh");
    command.args(["-c", script]).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("there is a shell").id()
}

fn die() -> ! {
    kill_itself(libc::SIGKILL)
}

fn order() {
    declare("1");
    let sleeper = start("sleep 60");
    say(&format!("the process: {}", sleeper));
    finalize(leak_number(), actions::kill_process, sleeper);
    let file = env::current_dir().expect("it is there").join("3");
    fs::write(&file, "").expect("it is ours");
    finalize(leak_number(), actions::remove_file, file);
    declare("4");
    die();
}

/// It writes into a tree until it is killed: if that is removed before, there is one again.
fn writer() {
    let script = "for i in $(seq 100000); do mkdir -p tree/$i && rmdir tree/$i; done";
    let writer = start(script);
    finalize(leak_number(), actions::kill_process, writer);
    while !fs::exists("tree").expect("it can be looked for") {
        std::thread::yield_now();
    }
    let path = env::current_dir().expect("it is there").join("tree");
    finalize(leak_number(), actions::remove_tree, path);
    die();
}

/// The object is dead; what it declared waits for the end of the pause.
fn in_a_pause() {
    let _pause = paused();
    let object = Watched::new(0);
    finalize(&object, actions::remove_tree, tree("tree"));
    drop(object);
    die();
}

/// The same for a cleaner's thread, which does not come back.
fn in_a_backlog() {
    let cleaner = Cleaner::new(10);
    let busy = Watched::new(0);
    let work = |()| {
        arrive();
        hang();
    };
    cleaner.finalize(&busy, work, ());
    drop(busy);
    wait_for_arrival();
    let object = Watched::new(0);
    cleaner.finalize(&object, actions::remove_tree, tree("tree"));
    drop(object);
    die();
}

fn flag_off() {
    finalize(leak_number(), actions::remove_tree, tree("left")).set_at_exit(false);
    declare("removed");
    exit(3);
}

fn flag_off_and_killed() {
    finalize(leak_number(), actions::remove_tree, tree("left")).set_at_exit(false);
    declare("removed");
    die();
}

fn flag_on_again() {
    let cleanup = finalize(leak_number(), actions::remove_tree, tree("removed"));
    cleanup.set_at_exit(false);
    cleanup.set_at_exit(true);
    die();
}

fn given_up() {
    finalize(leak_number(), actions::remove_tree, tree("left")).detach();
    declare("removed");
    die();
}

/// What was done is not done again: there may be another of that name by then.
fn died() {
    let object = Watched::new(0);
    finalize(&object, actions::remove_tree, tree("dead"));
    let called = finalize(leak_number(), actions::remove_tree, tree("called"));
    drop(object);
    called.call().expect("it is alive").expect("it can be removed");
    tree("dead");
    tree("called");
    declare("removed");
    die();
}

/// What it declared cannot be moved away, as the name that it would be given is taken.
fn stuck() {
    declare("tree");
    let journals = env::var_os("LASTLY_JOURNALS").expect("the test says where");
    let mut journals = fs::read_dir(journals).expect("it is there").flatten();
    let journal = journals.find(|it| it.path().extension().is_some_and(|it| it == "journal"));
    let said = fs::read(journal.expect("there is one").path()).expect("it is ours");
    // It stands in the second record, behind its head, a time and a byte.
    let length = u32::from_le_bytes(*said.first_chunk().expect("a length"));
    let (_, number) = said.split_at(length as usize + 28 + 8 + 1);
    let number = u128::from_le_bytes(*number.first_chunk().expect("a number"));
    fs::write(format!(".lastly-{number:032x}"), "").expect("it is new");
    die();
}

/// It becomes another program, which is killed.
fn and_exec() {
    declare("tree");
    let script = "test -d tree && echo it is there; kill -KILL $$";
    panic!("{}", Command::new("sh").args(["-c", script]).exec());
}

/// What was declared before is the parent's, and is done when that ends; the daemon, its heir, does the rest.
fn and_daemon() {
    declare("of the parent");
    leak("said by the heir");
    leave_child(|| {
        declare("of the daemon");
        say("the daemon works");
    });
    end_at_once();
}

/// In a callback of the drain: that goes on, and does it.
fn late() {
    finalize(leak_number(), |()| declare("late"), ());
}

/// What survives a boot of the machine: what is on the disk.
fn synced() {
    declare("unsynced");
    finalize(leak_number(), actions::synced::remove_tree, tree("synced"));
    let sleeper = start("sleep 60");
    say(&format!("the process: {}", sleeper));
    finalize(leak_number(), actions::kill_process, sleeper);
    die();
}
