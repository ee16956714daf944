//! The scenes that a signal ends, and those whose time runs out.

use std::io::{Read, Write};
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
    ("ignored-stays-ignored", ignored_stays_ignored),
    ("handler-stays", handler_stays),
    ("later-handler-replaces", later_handler_replaces),
    ("pre-forking-server", pre_forking_server),
    ("child-of-signal-drain", child_of_signal_drain),
    ("budget-between", budget_between),
    ("budget-and-hang", budget_and_hang),
    ("hang-in-drain", hang_in_drain),
    ("hook-hangs", hook_hangs),
];

pub(super) fn raise(signal: i32) {
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

fn set_action(signal: i32, action: libc::sighandler_t) {
    // SAFETY: an action that may be taken at any time.
    assert_ne!(unsafe { libc::signal(signal, action) }, libc::SIG_ERR);
}

extern "C" fn note(_: i32) {
    let text = b"its own handler\n";
    // SAFETY: so many bytes.
    unsafe { libc::write(1, text.as_ptr().cast(), text.len()) };
}

/// As `nohup` has it.
fn ignored_stays_ignored() {
    set_action(libc::SIGHUP, libc::SIG_IGN);
    let taken = lastly::signals::install().expect("signals can be taken over");
    assert_eq!(taken, [libc::SIGTERM, libc::SIGINT]);
    raise(libc::SIGHUP);
    leak("at exit");
}

fn handler_stays() {
    set_action(libc::SIGTERM, note as *const () as libc::sighandler_t);
    let taken = lastly::signals::install().expect("signals can be taken over");
    assert_eq!(taken, [libc::SIGINT, libc::SIGHUP]);
    // Asked for twice, nothing changes.
    assert_eq!(lastly::signals::install().expect("there is nothing to do"), taken);
    raise(libc::SIGTERM);
    leak("at exit");
}

fn later_handler_replaces() {
    install();
    set_action(libc::SIGTERM, note as *const () as libc::sighandler_t);
    raise(libc::SIGTERM);
    leak("at exit");
}

/// Each worker has its own, and the master ends them one by one.
fn pre_forking_server() {
    install();
    leak("of the master");
    let (mut ready, tell) = std::io::pipe().expect("a pipe");
    let workers = [(); 3].map(|()| {
        // SAFETY: the child runs code of this program; what it touches of other threads is guarded by
        // lastly's own handlers.
        match unsafe { libc::fork() } {
            -1 => panic!("fork: {}", std::io::Error::last_os_error()),
            0 => {
                leak("of a worker");
                (&tell).write_all(b"!").expect("the master listens");
                hang();
                unreachable!()
            }
            worker => worker,
        }
    });
    ready.read_exact(&mut [0; 3]).expect("three workers");
    for worker in workers {
        // SAFETY: sends our own child a signal.
        unsafe { libc::kill(worker, libc::SIGTERM) };
        let mut status = 0;
        // SAFETY: waits for our own child.
        assert_eq!(unsafe { libc::waitpid(worker, &raw mut status, 0) }, worker);
        say(&format!("a worker ended with {status}"));
    }
    raise(libc::SIGTERM);
    hang();
}

/// A callback of the drain forks: the child goes on with its copy of the drain, in which it has
/// nothing but its own to do, and dies of the signal as well.
fn child_of_signal_drain() {
    install();
    leak("of the parent");
    let fork = |()| {
        // SAFETY: as above.
        match unsafe { libc::fork() } {
            0 => leak("of the child"),
            child => {
                let mut status = 0;
                // SAFETY: waits for our own child.
                assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
                say(&format!("the child ended with {status}"));
            }
        }
    };
    std::mem::forget(lastly::defer(fork, ()));
    raise(libc::SIGTERM);
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

fn hang_in_drain() {
    leak("never said");
    let object = Box::leak(Box::new(Watched::new(1_u8)));
    finalize(&*object, |()| hang(), ());
    exit(3);
}

/// A report that never comes through does not keep the process either.
fn hook_hangs() {
    lastly::exit::set_budget(Some(Duration::from_millis(100)));
    lastly::report::set_hook(|_| hang());
    hang_in_drain();
}
