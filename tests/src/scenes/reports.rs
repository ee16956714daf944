//! What a process tells of its finalizers at its end, where asked for: `LASTLY_REPORT=1`.

use std::process::exit;
use std::thread;
use std::time::Duration;

use lastly::{Watched, finalize};

use super::forks::{in_child, in_child_of_drain};
use crate::{arrive, hang, leak, say, wait_for_arrival};

pub(crate) const SCENES: &[(&str, fn())] = &[
    ("report", every_fate),
    ("report-nothing", nothing),
    ("report-hand-drain", hand_drain_and_exit),
    ("report-signal", signal),
    ("report-fork", fork),
    ("report-fork-in-drain", fork_in_drain),
    ("report-heir", heir),
    ("report-budget-and-hang", budget_and_hang),
    ("report-running-elsewhere", running_elsewhere),
];

fn an_object() -> &'static Watched<u8> {
    Box::leak(Box::new(Watched::new(1)))
}

fn every_fate() {
    finalize(&Watched::new("dead before"), say, "died");
    finalize(an_object(), say, "called").call();
    for line in ["second", "first"] {
        leak(line);
    }
    finalize(an_object(), say, "left out").set_at_exit(false);
    let called = finalize(an_object(), say, "called in the drain");
    let detached = finalize(an_object(), say, "never said");
    let dies = Watched::new(2_u16);
    finalize(&dies, say, "died in the drain");
    let ends_others = move |()| {
        called.call();
        detached.detach();
        drop(dies);
        leak("registered in the drain");
    };
    finalize(an_object(), ends_others, ());
    finalize(an_object(), |()| Err::<(), _>("no luck"), ());
}

/// Not even a finalizer.
fn nothing() {
    drop(lastly::live());
}

/// Once.
fn hand_drain_and_exit() {
    leak("ran");
    lastly::exit::drain();
    exit(3);
}

fn signal() {
    lastly::signals::install().expect("signals can be taken over");
    leak("ran");
    // SAFETY: sends a signal to this thread.
    unsafe { libc::raise(libc::SIGTERM) };
    hang();
}

fn fork() {
    leak("of the parent");
    in_child(|| leak("of the child"));
    // That has had none of its own.
    in_child(|| ());
}

fn fork_in_drain() {
    leak("oldest");
    finalize(an_object(), |()| in_child_of_drain(), ());
}

/// The child that does what its parent left undone.
fn heir() {
    leak("of the parent");
    // SAFETY: it only tells a number.
    let parent = unsafe { libc::getpid() };
    // SAFETY: the child runs code of this program.
    if unsafe { libc::fork() } != 0 {
        // SAFETY: it ends the process.
        unsafe { libc::_exit(0) };
    }
    // SAFETY: it only tells a number.
    while unsafe { libc::getppid() } == parent {
        thread::yield_now();
    }
}

fn budget_and_hang() {
    lastly::exit::set_budget(Some(Duration::from_millis(100)));
    leak("never said");
    finalize(an_object(), |()| hang(), ());
    leak("ran");
    exit(3);
}

fn running_elsewhere() {
    lastly::exit::set_wait(Duration::ZERO);
    let running = |()| {
        arrive();
        hang();
    };
    thread::spawn(move || {
        let object = Watched::new(1);
        finalize(&object, running, ());
    });
    wait_for_arrival();
    leak("ran");
}
