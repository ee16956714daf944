//! The scenes in which callbacks wait for the end of a pause; and what pauses and cleaners are for.

use std::process::exit;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use lastly::{Watched, finalize, paused};

use super::cleaners::CLEANER;
use super::forks::in_child;
use super::signals;
use crate::{hang, leak, say};

pub(crate) const SCENES: &[(&str, fn())] = &[
    ("locked-and-dies", locked_and_dies),
    ("locked-and-dies-in-a-pause", locked_and_dies_in_a_pause),
    ("locked-and-dies-with-a-cleaner", locked_and_dies_with_a_cleaner),
    ("pause-and-exit", pause_and_exit),
    ("pause-and-flag-off", pause_and_flag_off),
    ("pause-and-panic", pause_and_panic),
    ("pause-forgotten", pause_forgotten),
    ("pause-and-signal", pause_and_signal),
    ("pause-and-fork", pause_and_fork),
    ("pause-and-exit-elsewhere", pause_and_exit_elsewhere),
    ("exit-at-the-end-of-a-pause", exit_at_the_end_of_a_pause),
];

static LOCK: Mutex<()> = Mutex::new(());

fn wants_the_lock(line: &'static str) {
    drop(LOCK.lock());
    say(line);
}

/// The thread waits for itself.
fn locked_and_dies() {
    let object = Watched::new(1);
    finalize(&object, wants_the_lock, "never said");
    let locked = LOCK.lock();
    say("locked");
    thread::spawn(|| {
        // As a program that hangs is ended.
        thread::sleep(Duration::from_millis(300));
        signals::raise(libc::SIGKILL);
    });
    drop(object);
    drop(locked);
}

fn locked_and_dies_in_a_pause() {
    let object = Watched::new(1);
    finalize(&object, wants_the_lock, "cleaned");
    let pause = paused();
    let locked = LOCK.lock();
    drop(object);
    say("died");
    drop(locked);
    drop(pause);
}

fn locked_and_dies_with_a_cleaner() {
    let object = Watched::new(1);
    CLEANER.finalize(&object, wants_the_lock, "cleaned");
    let locked = LOCK.lock();
    drop(object);
    say("died");
    drop(locked);
    CLEANER.drain(None);
}

fn pause_and_exit() {
    leak("oldest");
    let object = Watched::new(1);
    finalize(&object, say, "dies last, is older");
    let newer = Watched::new(1);
    finalize(&newer, say, "dies first, is newer");
    let _pause = paused();
    drop(newer);
    drop(object);
    leak("newest");
    exit(3);
}

fn pause_and_flag_off() {
    let pause = paused();
    let object = Watched::new(1);
    finalize(&object, say, "dead").set_at_exit(false);
    drop(object);
    std::mem::forget(pause);
}

/// The pause ends as the panic unwinds, before the drain; what it had wait runs in the order of death.
fn pause_and_panic() {
    leak("at exit");
    let _pause = paused();
    for line in ["first", "second"] {
        let object = Watched::new(1);
        finalize(&object, say, line);
    }
    say("panicking");
    panic!("in main");
}

fn pause_forgotten() {
    std::mem::forget(paused());
    leak("oldest");
    for line in ["older", "newer"] {
        let object = Watched::new(1);
        finalize(&object, say, line);
    }
    say("still paused");
}

fn pause_and_signal() {
    lastly::signals::install().expect("signals can be taken over");
    leak("oldest");
    let _pause = paused();
    let object = Watched::new(1);
    finalize(&object, say, "waits");
    drop(object);
    signals::raise(libc::SIGTERM);
    hang();
}

/// In the child the thread is still paused, but what waited in the parent is the parent's.
fn pause_and_fork() {
    let mut pause = Some(paused());
    let object = Watched::new(1);
    finalize(&object, say, "of the parent");
    drop(object);
    in_child(|| {
        let object = Watched::new(1);
        finalize(&object, say, "of the child");
        drop(object);
        say("the child is paused");
        pause = None;
        say("the child goes on");
    });
    say("the child is gone");
    drop(pause);
    say("over");
}

/// Another thread ends the program: the pause is this thread's, and the drain waits for nobody's.
fn pause_and_exit_elsewhere() {
    leak("oldest");
    let pause = paused();
    let object = Watched::new(1);
    finalize(&object, say, "waits");
    drop(object);
    thread::spawn(|| exit(4));
    hang();
    drop(pause);
}

/// What waited and has not run yet runs in the exit.
fn exit_at_the_end_of_a_pause() {
    let pause = paused();
    let objects = [(); 3].map(|()| Watched::new(1));
    finalize(&objects[0], say, "first");
    finalize(&objects[1], |()| -> () { exit(6) }, ());
    finalize(&objects[2], say, "second");
    drop(objects);
    drop(pause);
}
