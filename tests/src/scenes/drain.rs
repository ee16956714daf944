//! What callbacks do while the program ends, and what holds after it.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;

use lastly::Finalizer;
use lastly::Watched;
use lastly::defer;
use lastly::finalize;
use lastly::report;

use crate::leak;
use crate::say;

pub(crate) const SCENES: &[(&str, fn())] = &[
    ("order-over-threads", order_over_threads),
    ("count-to-clock", count_to_clock),
    ("at-exit-off", at_exit_off),
    ("turned-off-in-drain", turned_off_in_drain),
    ("turned-on-in-drain", turned_on_in_drain),
    ("registers-in-drain", registers_in_drain),
    ("endless-registration", a_thousand_generations),
    ("calls-and-detaches-in-drain", calls_and_detaches_in_drain),
    ("object-dies-in-drain", object_dies_in_drain),
    ("spawns-and-joins-in-drain", spawns_and_joins_in_drain),
    ("failures-in-drain", failures_in_drain),
    ("hook-panics-in-drain", hook_panics_in_drain),
    ("door-shut", door_shut),
    ("drain-by-hand", drain_by_hand),
];

/// Newest first over all threads, in the order in which the threads took turns.
fn order_over_threads() {
    let (to_thread, turns) = mpsc::channel();
    let (done, answers) = mpsc::channel();
    let thread = thread::spawn(move || {
        for line in turns {
            leak(line);
            done.send(()).unwrap();
        }
    });
    for (mine, its) in [("1 main", "2 thread"), ("3 main", "4 thread"), ("5 main", "6 thread")] {
        leak(mine);
        to_thread.send(its).unwrap();
        answers.recv().unwrap();
    }
    leak("7 main");
    drop(to_thread);
    thread.join().unwrap();
    thread::spawn(|| leak("8 another thread")).join().unwrap();
}

/// The order holds where it passes from counting, on one thread, to the clock.
fn count_to_clock() {
    leak("oldest");
    for _ in 0..100_000 {
        std::mem::forget(defer(|()| (), ()));
    }
    leak("older");
    thread::spawn(|| leak("newer")).join().unwrap();
    leak("newest");
}

fn at_exit_off() {
    let object = Box::leak(Box::new(Watched::new(1)));
    leak("oldest");
    finalize(&*object, say, "never said").set_at_exit(false);
    leak("newest");
}

fn turned_off_in_drain() {
    let object = Box::leak(Box::new(Watched::new(1)));
    leak("oldest");
    let middle = finalize(&*object, say, "never said");
    finalize(&*object, move |()| middle.set_at_exit(false), ());
    leak("newest");
}

/// Newer ones that the drain has passed over run next when they are turned on.
fn turned_on_in_drain() {
    let object = Box::leak(Box::new(Watched::new(1)));
    leak("oldest");
    let newer: Arc<Mutex<Vec<Finalizer>>> = Arc::default();
    let inner = newer.clone();
    let turn_on = move |()| {
        say("turning on");
        inner.lock().unwrap().iter().for_each(|finalizer| finalizer.set_at_exit(true));
    };
    finalize(&*object, turn_on, ());
    for line in ["passed over, one", "passed over, two"] {
        let finalizer = finalize(&*object, say, line).erase();
        finalizer.set_at_exit(false);
        newer.lock().unwrap().push(finalizer);
    }
}

fn registers_in_drain() {
    leak("oldest");
    let object = Box::leak(Box::new(Watched::new(1)));
    let register = |()| {
        say("registering");
        leak("registered first");
        leak("registered second");
    };
    finalize(&*object, register, ());
    leak("newest");
}

/// Every callback registers another: each runs next, one after the other.
fn a_thousand_generations() {
    fn generation(left: u32) {
        match left {
            0 => say("the last generation"),
            _ => {
                let object = Box::leak(Box::new(Watched::new(left)));
                finalize(&*object, generation, left - 1);
            }
        }
    }
    leak("oldest");
    generation(1000);
}

fn calls_and_detaches_in_drain() {
    let object = Box::leak(Box::new(Watched::new(1)));
    let called = finalize(&*object, say, "called");
    let detached = finalize(&*object, say, "never said");
    let work = move |()| {
        called.call();
        detached.detach();
        say("done");
    };
    finalize(&*object, work, ());
}

fn object_dies_in_drain() {
    let object = Watched::new(1);
    finalize(&object, say, "died with its object");
    let owner = Box::leak(Box::new(Watched::new(2)));
    let kill = move |object| {
        drop(object);
        say("killed it");
    };
    finalize(&*owner, kill, object);
}

fn spawns_and_joins_in_drain() {
    leak("oldest");
    let object = Box::leak(Box::new(Watched::new(1)));
    let work = |()| {
        let work = || {
            let object = Watched::new(1);
            finalize(&object, say, "on a thread");
        };
        thread::spawn(work).join().unwrap();
    };
    finalize(&*object, work, ());
}

fn failures_in_drain() {
    leak("oldest");
    let object = Box::leak(Box::new(Watched::new(1)));
    finalize(&*object, |()| Err::<(), _>("no luck"), ());
    leak("middle");
    finalize(&*object, |()| -> () { panic!("oh") }, ());
    leak("newest");
}

fn hook_panics_in_drain() {
    report::set_hook(|_| panic!("in the hook"));
    leak("oldest");
    let object = Box::leak(Box::new(Watched::new(1)));
    finalize(&*object, |()| Err::<(), _>("no luck"), ());
}

/// The C library runs its hooks newest first: one that is older than the drain's runs after it.
fn door_shut() {
    static LEFT: Mutex<Option<(Watched<u8>, Finalizer)>> = Mutex::new(None);
    extern "C" fn after_the_drain() {
        let (object, finalizer) = LEFT.lock().unwrap().take().unwrap();
        say(&format!("alive: {}", finalizer.is_alive()));
        say(&format!("ran: {}", finalizer.call().is_some()));
        say(&format!("alive: {}", finalizer.is_alive()));
        drop(object);
        let late = Watched::new(1);
        let detached = finalize(&late, |()| (), ()).detach();
        say(&format!("detached: {}", detached.is_some()));
        finalize(&late, say, "never said");
        drop(late);
        drop(defer(say, "never said"));
        say("over");
    }
    // SAFETY: registers a function that lives as long as the program.
    assert_eq!(unsafe { libc::atexit(after_the_drain) }, 0);
    let object = Watched::new(1);
    finalize(&object, say, "never said").set_at_exit(false);
    let finalizer = finalize(&object, say, "never said").erase();
    finalizer.set_at_exit(false);
    *LEFT.lock().unwrap() = Some((object, finalizer));
    leak("drained");
}

fn drain_by_hand() {
    leak("first");
    lastly::exit::drain();
    say("drained");
    leak("never said");
    lastly::exit::drain();
    // SAFETY: ends the process; nothing is expected of it afterwards.
    unsafe { libc::_exit(0) };
}
