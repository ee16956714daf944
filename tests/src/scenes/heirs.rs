//! The scenes in which a process ends without a drain, and leaves what it created to a child.
//!
//! They print to the output that all processes of a scene share, and that its test reads to the end
//! of the last.

use std::os::unix::process::CommandExt;
use std::process::{Command, exit};
use std::thread;

use lastly::{Watched, finalize};

use super::forks::in_child;
use crate::{leak, say};

pub(crate) const SCENES: &[(&str, fn())] = &[
    ("daemon", daemon),
    ("daemon-and-sigterm", daemon_and_sigterm),
    ("heir-of-killed", heir_of_a_killed_process),
    ("heir-with-own", heir_with_finalizers_of_its_own),
    ("several-children", several_children),
    ("owner-alive", owner_alive),
    ("owner-drained", owner_drained),
    ("owner-ran-one", owner_ran_one),
    ("owner-gave-one-back", owner_gave_one_back),
    ("owner-ran-a-newer-one", owner_ran_a_newer_one),
    ("child-ran-one", child_ran_one),
    ("grandchild-of-heir", grandchild_of_heir),
    ("grandchild-of-another", grandchild_of_another),
    ("last-child-execs", last_child_execs),
    ("stranger", stranger),
];

/// Ends this process without a word.
pub(super) fn end_at_once() -> ! {
    // SAFETY: ends the process; nothing is expected of it afterwards.
    unsafe { libc::_exit(0) }
}

pub(super) fn kill_itself(signal: i32) -> ! {
    let process = i32::try_from(std::process::id()).expect("a process number");
    // SAFETY: sends this very process a signal.
    unsafe { libc::kill(process, signal) };
    loop {
        thread::park();
    }
}

/// Forks. The child goes on when this process is dead, and then exits; this process goes on at once.
pub(super) fn leave_child(child: impl FnOnce()) {
    let parent = std::process::id();
    // SAFETY: the child runs code of this program; what it touches of other threads is guarded by
    // lastly's own handlers.
    match unsafe { libc::fork() } {
        -1 => panic!("fork: {}", std::io::Error::last_os_error()),
        0 => {
            while std::os::unix::process::parent_id() == parent {
                thread::yield_now();
            }
            child();
            exit(0);
        }
        _ => {}
    }
}

/// Fork, and the parent ends by `_exit`; once more, so that the daemon leads no session.
fn become_daemon(daemon: impl FnOnce()) {
    leave_child(|| {
        leave_child(daemon);
        end_at_once();
    });
    end_at_once();
}

/// The daemon cleans up, at its end, what was created before it was one.
fn daemon() {
    leak("created before");
    become_daemon(|| {
        leak("created by the daemon");
        say("the daemon works");
    });
}

fn daemon_and_sigterm() {
    lastly::signals::install().expect("signals can be taken over");
    leak("created before");
    become_daemon(|| {
        say("the daemon works");
        kill_itself(libc::SIGTERM);
    });
}

fn heir_of_a_killed_process() {
    leak("of the killed");
    leave_child(|| say("the heir works"));
    kill_itself(libc::SIGKILL);
}

/// Newest first, over both.
fn heir_with_finalizers_of_its_own() {
    leak("oldest, of the dead");
    leak("older, of the dead");
    leave_child(|| {
        leak("newer, of the heir");
        leak("newest, of the heir");
    });
    end_at_once();
}

/// The last one is the heir, whoever ends first.
fn several_children() {
    leak("of the dead, by the last child");
    let mut last = [0; 2];
    // SAFETY: room for two.
    assert_eq!(unsafe { libc::pipe(last.as_mut_ptr()) }, 0);
    let [wait, go] = last;
    leave_child(move || {
        say("the first child");
        // SAFETY: this process's own, and not used again.
        unsafe { libc::close(wait) };
        // The first one's end is the end of this.
    });
    leave_child(move || {
        // SAFETY: as above.
        unsafe { libc::close(go) };
        let mut byte = 0_u8;
        // SAFETY: room for one byte. It returns when the first child is gone.
        unsafe { libc::read(wait, (&raw mut byte).cast(), 1) };
        say("the last child");
    });
    end_at_once();
}

fn owner_alive() {
    leak("of the parent");
    in_child(|| say("the child ends first"));
}

fn owner_drained() {
    leak("of the parent");
    leave_child(|| say("the child ends last"));
    exit(0);
}

/// What a parent has done itself, and what it might yet have done: nobody knows, so nobody does it.
fn owner_ran_one() {
    let object = Watched::new(1);
    finalize(&object, say, "run by the parent");
    leak("run by nobody");
    leave_child(|| say("the child ends last"));
    drop(object);
    end_at_once();
}

fn owner_gave_one_back() {
    let object = Watched::new(1);
    let finalizer = finalize(&object, say, "run by nobody");
    leave_child(|| say("the child ends last"));
    assert!(finalizer.detach().is_some());
    end_at_once();
}

/// What came after the fork is no concern of the child's.
fn owner_ran_a_newer_one() {
    leak("of the parent, by the heir");
    leave_child(|| say("the heir works"));
    drop(lastly::defer(say, "of the parent, newer than the child"));
    end_at_once();
}

/// What it has run already, it does not run again.
fn child_ran_one() {
    let object = Watched::new(1);
    let called = finalize(&object, say, "called in the child").erase();
    leak("of the parent, by the heir");
    std::mem::forget(object);
    leave_child(|| {
        called.call();
    });
    end_at_once();
}

fn grandchild_of_heir() {
    leak("of the first");
    leave_child(|| {
        leak("of the second");
        leave_child(|| leak("of the third"));
        end_at_once();
    });
    end_at_once();
}

/// Its parent is no heir, so it inherits from that alone.
fn grandchild_of_another() {
    leak("of the first, by its last child");
    let mut pipe = [0; 2];
    // SAFETY: room for two.
    assert_eq!(unsafe { libc::pipe(pipe.as_mut_ptr()) }, 0);
    let [wait, go] = pipe;
    leave_child(move || {
        leak("of the second");
        leave_child(|| say("the grandchild works"));
        end_at_once();
    });
    leave_child(move || {
        // SAFETY: this process's own, and not used again.
        unsafe { libc::close(go) };
        let mut byte = 0_u8;
        // SAFETY: room for one byte. It returns when the other branch is gone.
        unsafe { libc::read(wait, (&raw mut byte).cast(), 1) };
        say("the last child works");
    });
    end_at_once();
}

/// What it becomes knows of no finalizers.
fn last_child_execs() {
    leak("run by nobody");
    leave_child(|| say("the first child"));
    leave_child(|| {
        let error = Command::new("/bin/true").exec();
        panic!("exec: {error}");
    });
    end_at_once();
}

/// A process that no handler of a fork has seen runs nothing that it finds.
fn stranger() {
    leak("run by the parent");
    // SAFETY: a fork past the C library; the child does next to nothing.
    let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    if child == 0 {
        lastly::exit::drain();
        end_at_once();
    }
    let mut status = 0;
    // SAFETY: waits for our own child.
    unsafe { libc::waitpid(i32::try_from(child).expect("a process number"), &raw mut status, 0) };
    say(&format!("the stranger ended with {status}"));
}
