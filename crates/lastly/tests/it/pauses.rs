//! Pauses: callbacks that wait.

use std::sync::{Arc, Mutex};
use std::thread;

use lastly::{Pause, Watched, collect, collector, defer, finalize, paused};

use crate::nodes::{Node, alone};
use crate::{Log, Reports, explode, panic_of};

/// An object that dies at once, which callback says `event`.
fn die(log: &Log, event: &'static str) {
    let object = Watched::new(1);
    finalize(&object, log.say(event), ());
}

#[test]
fn callbacks_wait_and_run_in_the_order_of_death() {
    let log = Log::default();
    let (first, second) = (Watched::new(1), Watched::new(2));
    let kept = finalize(&first, log.say("oldest of the first"), ());
    finalize(&first, log.say("newest of the first"), ());
    finalize(&second, log.say("of the second"), ());
    let pause = paused();
    drop(second);
    drop(first);
    assert_eq!(log.take(), [""; 0]);
    assert!(kept.is_alive());
    drop(pause);
    assert_eq!(log.take(), ["of the second", "newest of the first", "oldest of the first"]);
    assert!(!kept.is_alive());
    die(&log, "at once");
    assert_eq!(log.take(), ["at once"]);
}

/// The lock that the callback wants is held where the object dies. Without a pause the thread would wait
/// for itself, which `try_lock` tells.
#[test]
fn a_callback_that_wants_a_lock() {
    let log = Log::default();
    let table = Arc::new(Mutex::new(()));
    let die_with_the_lock_held = || {
        let object = Watched::new(1);
        let (table, log) = (table.clone(), log.clone());
        let locked = table.clone();
        let work = move |()| log.add(if table.try_lock().is_ok() { "has it" } else { "deadlock" });
        finalize(&object, work, ());
        let _locked = locked.lock().unwrap();
        drop(object);
    };
    die_with_the_lock_held();
    assert_eq!(log.take(), ["deadlock"]);
    let pause = paused();
    die_with_the_lock_held();
    drop(pause);
    assert_eq!(log.take(), ["has it"]);
}

#[test]
fn nested() {
    let log = Log::default();
    let outer = paused();
    let inner = paused();
    die(&log, "first");
    drop(inner);
    die(&log, "second");
    assert_eq!(log.take(), [""; 0]);
    drop(outer);
    assert_eq!(log.take(), ["first", "second"]);
}

/// The order in which the guards go does not matter.
#[test]
fn not_nested_well() {
    let log = Log::default();
    let first = paused();
    let second = paused();
    drop(first);
    die(&log, "waits");
    assert_eq!(log.take(), [""; 0]);
    drop(second);
    assert_eq!(log.take(), ["waits"]);
}

#[test]
fn what_does_not_wait() {
    let log = Log::default();
    let pause = paused();
    drop(defer(log.say("defer"), ()));
    let object = Watched::new(1);
    let called = finalize(&object, log.say("called"), ());
    let detached = finalize(&object, log.say("never"), ());
    drop(object);
    assert!(called.is_alive() && detached.is_alive());
    called.call();
    assert!(detached.detach().is_some());
    thread::scope(|scope| scope.spawn(|| die(&log, "elsewhere")).join().unwrap());
    assert_eq!(log.take(), ["defer", "called", "elsewhere"]);
    drop(pause);
    assert_eq!(log.take(), [""; 0], "what was called does not run again");
}

/// An object dies on another thread than the one that is paused, and the other way round.
#[test]
fn it_is_the_thread_that_drops_that_counts() {
    let log = Log::default();
    let (there, here) = (Watched::new(1), Watched::new(1));
    finalize(&there, log.say("there"), ());
    finalize(&here, log.say("here"), ());
    let pause = paused();
    thread::spawn(move || drop(there)).join().unwrap();
    assert_eq!(log.take(), ["there"]);
    drop(here);
    assert_eq!(log.take(), [""; 0]);
    drop(pause);
    assert_eq!(log.take(), ["here"]);
}

#[test]
fn values_are_dropped_at_once() {
    let log = Log::default();
    alone(|| {
        let node = Node::new(&log, "node");
        finalize(&node, log.say("callback"), ());
        let pause = paused();
        drop(node);
        assert_eq!(log.take(), ["drop node"]);
        drop(pause);
        assert_eq!(log.take(), ["callback"]);
    });
}

#[test]
fn collections_in_a_pause() {
    let log = Log::default();
    alone(|| {
        let ring = Node::ring(&log, &["a", "b"]);
        finalize(&ring[0], log.say("of a"), ());
        finalize(&ring[1], log.say("of b"), ());
        let pause = paused();
        drop(ring);
        let done = collect();
        assert_eq!((done.objects, done.callbacks), (2, 0));
        assert_eq!(log.take(), ["drop a", "drop b"]);
        drop(pause);
        assert_eq!(log.take(), ["of b", "of a"]);
    });
}

/// Both kinds of pause, in one another.
#[test]
fn with_a_pause_of_the_collector() {
    let log = Log::default();
    alone(|| {
        collector::set_threshold(1);
        let of_the_collector = collector::pause();
        let pause = paused();
        let node = Node::circle(&log, "node");
        finalize(&node, log.say("callback"), ());
        drop(node);
        assert_eq!(log.take(), [""; 0]);
        drop(of_the_collector);
        drop(Node::circle(&log, "another"));
        assert_eq!(log.take(), ["drop node", "drop another"]);
        drop(pause);
        assert_eq!(log.take(), ["callback"]);
    });
}

/// What dies in the callbacks at the end of a pause is not paused any more.
#[test]
fn deaths_at_the_end() {
    let log = Log::default();
    let pause = paused();
    let (object, inner) = (Watched::new(1), log.clone());
    let work = move |()| {
        inner.add("begins");
        die(&inner, "within");
        let pause = paused();
        die(&inner, "within, in a pause");
        inner.add("ends the inner pause");
        drop(pause);
        inner.add("ends");
    };
    finalize(&object, work, ());
    drop(object);
    die(&log, "next");
    drop(pause);
    let expected =
        ["begins", "within", "ends the inner pause", "within, in a pause", "ends", "next"];
    assert_eq!(log.take(), expected);
}

#[test]
fn failures_are_contained_one_by_one() {
    let reports = Reports::record();
    let log = Log::default();
    let pause = paused();
    let object = Watched::new(1);
    finalize(&object, log.say("oldest"), ());
    finalize(&object, |()| Err::<(), _>("no luck"), ());
    finalize(&object, |()| explode("callback"), ());
    drop(object);
    assert_eq!(reports.take(), [""; 0]);
    drop(pause);
    assert_eq!(log.take(), ["oldest"]);
    let expected = [
        "i32 (object died): panicked: callback",
        "i32 (object died): returned an error: \"no luck\"",
    ];
    assert_eq!(reports.take(), expected);
}

#[test]
fn ended_by_a_panic() {
    let reports = Reports::record();
    let log = Log::default();
    let message = panic_of(|| {
        let _outer = paused();
        let _inner = paused();
        let object = Watched::new(1);
        finalize(&object, log.say("oldest"), ());
        finalize(&object, |()| explode("callback"), ());
        drop(object);
        log.add("panicking");
        explode("scope");
    });
    assert_eq!(message, "scope");
    assert_eq!(log.take(), ["panicking", "oldest"]);
    assert_eq!(reports.take(), ["i32 (object died): panicked: callback"]);
    die(&log, "at once");
    assert_eq!(log.take(), ["at once"], "the pauses are over");
}

/// The value's drop panics in a pause: the callbacks wait all the same.
#[test]
fn the_drop_of_a_value_panics() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            explode("value");
        }
    }
    let log = Log::default();
    let pause = paused();
    let object = Watched::new(Bomb);
    finalize(&object, log.say("callback"), ());
    assert_eq!(panic_of(|| drop(object)), "value");
    assert_eq!(log.take(), [""; 0]);
    drop(pause);
    assert_eq!(log.take(), ["callback"]);
}

/// A look that meets the end of the pause.
#[test]
fn a_look_at_what_waits() {
    let log = Log::default();
    let object = Watched::new(1);
    let finalizer = finalize(&object, log.say("callback"), ());
    let pause = paused();
    drop(object);
    finalizer.peek(|(), _, ()| {
        drop(pause);
        assert!(!finalizer.is_alive(), "it is due");
        assert_eq!(log.take(), [""; 0]);
    });
    assert_eq!(log.take(), ["callback"]);
}

/// Another thread calls and detaches what waits here.
#[test]
fn calls_from_elsewhere() {
    let log = Log::default();
    let object = Watched::new(1);
    let called = finalize(&object, log.say("called"), ()).erase();
    let detached = finalize(&object, log.say("never"), ()).erase();
    let pause = paused();
    drop(object);
    thread::spawn(move || (called.call().unwrap().unwrap(), assert!(detached.detach())).0)
        .join()
        .unwrap();
    assert_eq!(log.take(), ["called"]);
    drop(pause);
    assert_eq!(log.take(), [""; 0]);
}

/// A guard that lives in a thread-local, and so ends with its thread.
#[test]
fn ended_by_the_end_of_the_thread() {
    thread_local! { static KEPT: std::cell::Cell<Option<Pause>> = const { std::cell::Cell::new(None) }; }
    let log = Log::default();
    let inner = log.clone();
    let work = move || {
        KEPT.set(Some(paused()));
        die(&inner, "at the end of the thread");
        inner.add("ends");
    };
    thread::spawn(work).join().unwrap();
    assert_eq!(log.take(), ["ends", "at the end of the thread"]);
}

#[test]
fn a_hundred_thousand_wait() {
    const COUNT: usize = if cfg!(any(miri, lastly_slow)) { 200 } else { 100_000 };
    let log = Log::default();
    let pause = paused();
    (0..COUNT).for_each(|_| die(&log, "ran"));
    assert_eq!(log.take().len(), 0);
    drop(pause);
    assert_eq!(log.take().len(), COUNT);
}
