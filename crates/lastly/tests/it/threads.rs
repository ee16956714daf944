//! Objects, handles and callbacks across threads.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::thread;

use lastly::{Finalizer, Watched, finalize};

use crate::Log;

/// Fewer rounds where each step costs a hundred times as much (sanitizers, valgrind, Miri).
const ROUNDS: usize = if cfg!(any(miri, lastly_slow)) { 20 } else { 2_000 };

#[test]
fn an_object_may_die_on_another_thread() {
    let log = Log::default();
    let object = Watched::new(1);
    finalize(&object, log.say("ran"), ());
    thread::spawn(move || drop(object)).join().unwrap();
    assert_eq!(log.take(), ["ran"]);
}

#[test]
fn a_shared_object_takes_finalizers_from_all_threads() {
    let count = Arc::new(AtomicUsize::new(0));
    let object = Arc::new(Watched::new(1));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for round in 0..ROUNDS {
                    let count = count.clone();
                    let finalizer = finalize(&object, move |()| count.fetch_add(1, SeqCst), ());
                    match round % 4 {
                        0 => _ = finalizer.call(),
                        1 => _ = finalizer.detach(),
                        _ => {}
                    }
                }
            });
        }
    });
    assert_eq!(count.load(SeqCst), ROUNDS, "called: one in four");
    drop(object);
    assert_eq!(count.load(SeqCst), 3 * ROUNDS, "fired: the rest that was not detached");
}

/// Several threads and the object's death want the same finalizer: it runs once.
#[test]
fn everybody_at_once_runs_it_once() {
    for _ in 0..ROUNDS / 10 {
        let count = Arc::new(AtomicUsize::new(0));
        let object = Arc::new(Watched::new(1));
        let counter = count.clone();
        let finalizer = finalize(&object, move |()| counter.fetch_add(1, SeqCst), ()).erase();
        let start = Barrier::new(4);
        let detached = thread::scope(|scope| {
            let call = |finalizer: Finalizer| {
                start.wait();
                finalizer.call();
            };
            let (first, second, third) = (finalizer.clone(), finalizer.clone(), finalizer.clone());
            scope.spawn(move || call(first));
            scope.spawn(move || call(second));
            let start = &start;
            scope.spawn(move || {
                start.wait();
                drop(object);
            });
            start.wait();
            third.detach()
        });
        assert_eq!(count.load(SeqCst), usize::from(!detached));
        assert!(!finalizer.is_alive());
    }
}

/// Each thread creates and kills its own, while all look at one that they share.
#[test]
fn many_threads_create_peek_and_kill() {
    let shared = Arc::new(Watched::new(1));
    let seen = finalize(&shared, |text: String| text.len(), "abc".to_owned());
    thread::scope(|scope| {
        for _ in 0..4 {
            let seen = seen.clone();
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    let count = Arc::new(AtomicUsize::new(0));
                    let object = Watched::new(1);
                    for _ in 0..3 {
                        let count = count.clone();
                        finalize(&object, move |()| count.fetch_add(1, SeqCst), ());
                    }
                    seen.peek(|_, _, text| assert_eq!(text, "abc"));
                    drop(object);
                    assert_eq!(count.load(SeqCst), 3);
                }
            });
        }
    });
    assert_eq!(seen.call(), Some(3));
}
