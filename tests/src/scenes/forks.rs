//! The scenes with children.

use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

use lastly::{Watched, finalize};

use crate::{leak, say};

pub(crate) const SCENES: &[(&str, fn())] = &[
    ("fork", fork_and_exit),
    ("fork-object-dies", object_dies_in_child),
    ("fork-busy-survivor", busy_survivor),
    ("fork-in-drain", fork_in_drain),
    ("fork-while-creating", fork_while_creating),
    ("fork-while-draining", fork_while_another_thread_drains),
    ("fork-in-first-finalize", fork_in_first_finalize),
];

/// Forks, runs `child` in the child, which then exits, and waits for it.
pub(super) fn in_child(child: impl FnOnce()) {
    // SAFETY: the child runs code of this program; what it touches of other threads is guarded by
    // lastly's own handlers.
    match unsafe { libc::fork() } {
        -1 => panic!("fork: {}", std::io::Error::last_os_error()),
        0 => {
            child();
            exit(0);
        }
        pid => {
            let mut status = 0;
            // SAFETY: waits for our own child.
            assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
            assert_eq!(status, 0, "the child ended with {status:#x}");
        }
    }
}

/// Each process runs its own, and only its own.
fn fork_and_exit() {
    leak("of the parent");
    in_child(|| leak("of the child"));
    say("the child is gone");
}

/// The death of an inherited object, and an explicit call, act in the child as well.
fn object_dies_in_child() {
    let mut object = Some(Watched::new(1));
    let called = finalize(object.as_ref().unwrap(), say, "called");
    finalize(object.as_ref().unwrap(), say, "object died");
    in_child(|| {
        called.call();
        object = None;
    });
    say("the child is gone");
    called.call();
    drop(object);
}

/// In a child, the thread that forked is a thread like others: its callback is waited for.
fn busy_survivor() {
    static EXITING: AtomicBool = AtomicBool::new(false);
    extern "C" fn exiting() {
        EXITING.store(true, SeqCst);
    }
    leak("of the parent");
    in_child(|| {
        let object = Watched::new(1);
        let slow = |()| {
            // Newer than lastly's hook, this one runs before that.
            // SAFETY: registers a function that lives as long as the program.
            assert_eq!(unsafe { libc::atexit(exiting) }, 0);
            thread::spawn(|| exit(0));
            while !EXITING.load(SeqCst) {
                thread::yield_now();
            }
            say("done in the child");
        };
        finalize(&object, slow, ()).call();
        crate::hang();
    });
}

fn fork_in_drain() {
    leak("oldest, of the parent");
    let object = Box::leak(Box::new(Watched::new(1)));
    finalize(&*object, |()| in_child_of_drain(), ());
    leak("newest, of the parent");
}

/// `exit` inside the drain would abort, in a child too.
pub(super) fn in_child_of_drain() {
    // SAFETY: as in `in_child`.
    match unsafe { libc::fork() } {
        0 => {
            leak("of the child");
            lastly::exit::drain(); // has begun before the fork: does nothing
        }
        pid => {
            let mut status = 0;
            // SAFETY: waits for our own child.
            unsafe { libc::waitpid(pid, &raw mut status, 0) };
            say(&format!("the child ended with {status}"));
        }
    }
}

/// Forks while other threads are inside every lock there is; the children use them all.
fn fork_while_creating() {
    static STOP: AtomicBool = AtomicBool::new(false);
    let busy = || {
        while !STOP.load(SeqCst) {
            let object = Watched::new(1);
            finalize(&object, |()| (), ()).set_at_exit(false);
            finalize(&object, |()| (), ());
        }
    };
    let threads: Vec<_> = (0..3).map(|_| thread::spawn(busy)).collect();
    for _ in 0..200 {
        in_child(|| {
            let object = Watched::new(1);
            finalize(&object, |()| (), ());
            thread::spawn(move || drop(object)).join().unwrap();
        });
    }
    STOP.store(true, SeqCst);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    say("200 children");
}

/// A child that was forked while another thread of the parent drains has its own end.
fn fork_while_another_thread_drains() {
    let object = Box::leak(Box::new(Watched::new(1)));
    let work = |()| {
        let child = || in_child(|| leak("of the child"));
        thread::spawn(child).join().unwrap();
        say("the child is gone");
    };
    finalize(&*object, work, ());
    lastly::exit::drain();
}

/// Forks while another thread is inside the very first `finalize` of the program: the child does not
/// wait for that thread, which it has not.
fn fork_in_first_finalize() {
    for round in 0..300 {
        in_child_that_ends_at_once(|| {
            static GO: AtomicBool = AtomicBool::new(false);
            thread::spawn(|| {
                while !GO.load(SeqCst) {
                    std::hint::spin_loop();
                }
                leak("never said");
            });
            thread::yield_now();
            GO.store(true, SeqCst);
            (0..round * 20).for_each(|_| std::hint::spin_loop());
            in_child_that_ends_at_once(|| drop(lastly::defer(|()| (), ())));
        });
    }
    say("300 children");
}

fn in_child_that_ends_at_once(child: impl FnOnce()) {
    in_child(|| {
        child();
        // SAFETY: ends the process; nothing is expected of it afterwards.
        unsafe { libc::_exit(0) };
    });
}
