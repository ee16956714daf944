//! The scenes that a signal ends, and those whose time runs out.

use std::process::exit;
use std::thread;
use std::time::Duration;

use lastly::{Watched, finalize};

use crate::{arrive, hang, leak, say, wait_for_arrival};

pub(crate) const SCENES: &[(&str, fn())] = &[
    ("signal-to-itself", signal_to_itself),
    ("second-signal", second_signal),
    ("signal-in-drain", signal_in_drain),
    ("exit-in-signal-drain", exit_in_signal_drain),
    ("budget-between", budget_between),
    ("budget-and-hang", budget_and_hang),
];

fn raise(signal: i32) {
    let process = i32::try_from(std::process::id()).expect("a process number");
    // SAFETY: sends this very process a signal.
    unsafe { libc::kill(process, signal) };
}

fn install() {
    lastly::signals::install().expect("signals can be taken over");
}

fn signal_to_itself() {
    install();
    leak("oldest");
    leak("newest");
    raise(libc::SIGTERM);
    hang();
}

fn second_signal() {
    install();
    leak("never said");
    let object = Box::leak(Box::new(Watched::new(1_u8)));
    let hangs = |()| {
        say("hangs");
        raise(libc::SIGINT);
        hang();
    };
    finalize(&*object, hangs, ());
    leak("newest");
    raise(libc::SIGTERM);
    hang();
}

/// The drain goes on to its end, and then it is the signal that ends the process.
fn signal_in_drain() {
    install();
    leak("oldest");
    let object = Box::leak(Box::new(Watched::new(1_u8)));
    finalize(&*object, |()| raise(libc::SIGTERM), ());
    exit(3);
}

/// What is due still runs.
fn exit_in_signal_drain() {
    install();
    leak("oldest");
    let object = Box::leak(Box::new(Watched::new(1_u8)));
    finalize(&*object, |()| -> () { exit(3) }, ());
    raise(libc::SIGHUP);
    hang();
}

/// Once the time is spent, the rest is skipped.
fn budget_between() {
    lastly::exit::set_budget(Some(Duration::ZERO));
    leak("never said");
    exit(3);
}

/// ... also when a callback never returns; and the status is what it was.
fn budget_and_hang() {
    lastly::exit::set_budget(Some(Duration::from_millis(200)));
    leak("never said");
    let object = Box::leak(Box::new(Watched::new(1_u8)));
    finalize(&*object, |()| hang(), ());
    leak("newest");
    let object = Watched::new(1_u8);
    let elsewhere = |()| {
        arrive();
        hang();
    };
    finalize(&object, elsewhere, ());
    thread::spawn(move || drop(object));
    wait_for_arrival();
    exit(3);
}
