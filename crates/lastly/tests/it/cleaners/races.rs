//! What others do to a finalizer while it is handed over, waits and runs.

use std::sync::Barrier;

use super::*;

const ROUNDS: usize = if cfg!(any(miri, lastly_slow)) { 20 } else { 500 };

/// The object dies while other threads call, detach and look: it runs once, or is given back once.
#[test]
fn everybody_at_once() {
    for limit in [1, 1000] {
        let cleaner = Cleaner::new(limit);
        for _ in 0..ROUNDS {
            let count = Arc::new(AtomicUsize::new(0));
            let object = Watched::new(1);
            let counter = count.clone();
            let finalizer =
                cleaner.finalize(&object, move |()| _ = counter.fetch_add(1, SeqCst), ());
            let start = Barrier::new(4);
            let detached = thread::scope(|scope| {
                scope.spawn(|| {
                    start.wait();
                    finalizer.call();
                });
                scope.spawn(|| {
                    start.wait();
                    finalizer.peek(|(), _, ()| thread::yield_now());
                });
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    drop(object);
                });
                start.wait();
                finalizer.detach().is_some()
            });
            assert!(cleaner.drain(None));
            // What met a look was left to the peeker: a detach that did has dropped it.
            assert!(count.load(SeqCst) + usize::from(detached) <= 1);
            assert!(!finalizer.is_alive());
        }
    }
}

/// A look that goes on when its turn comes: the callback runs at its end, by the peeker.
#[test]
fn its_turn_comes_during_a_look() {
    let cleaner = Cleaner::new(10);
    let log = Log::default();
    let object = Watched::new(1);
    let inner = log.clone();
    let note = move |()| inner.add(format!("{:?}", thread::current().id()));
    let finalizer = cleaner.finalize(&object, note, ());
    finalizer.peek(|(), _, ()| {
        drop(object);
        assert!(cleaner.drain(None));
        assert!(!finalizer.is_alive(), "it is due");
        log.add("looked");
    });
    assert_eq!(log.take(), ["looked".to_owned(), format!("{:?}", thread::current().id())]);
}

/// A cleaner closes while threads hand over: each runs once, wherever.
#[test]
fn close_while_threads_hand_over() {
    for when_full in [WhenFull::Help, WhenFull::Block] {
        for _ in 0..ROUNDS / 20 {
            let cleaner = Cleaner::builder(2).when_full(when_full).build();
            let count = Arc::new(AtomicUsize::new(0));
            thread::scope(|scope| {
                for _ in 0..3 {
                    let (cleaner, count) = (cleaner.clone(), count.clone());
                    scope.spawn(move || {
                        for _ in 0..20 {
                            let object = Watched::new(1);
                            let count = count.clone();
                            cleaner.finalize(&object, move |()| count.fetch_add(1, SeqCst), ());
                        }
                    });
                }
                cleaner.close();
            });
            assert_eq!(count.load(SeqCst), 60);
        }
    }
}

/// Handles and finalizers come and go on all sides, so that threads begin and end.
#[test]
fn cleaners_come_and_go() {
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..ROUNDS / 10 {
                    let cleaner = Cleaner::new(2);
                    let (done, wait) = mpsc::channel();
                    for _ in 0..3 {
                        let object = Watched::new(1);
                        let done = done.clone();
                        cleaner.finalize(&object, move |()| done.send(()).unwrap(), ());
                    }
                    drop(cleaner);
                    (0..3).for_each(|_| wait.recv().unwrap());
                }
            });
        }
    });
}
