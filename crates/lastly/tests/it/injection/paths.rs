//! Every place, in a collection that comes about in every way.

use lastly::collect;

use super::*;
use crate::nodes::{Node, alone, check_still_working};

/// Makes garbage of what is kept, and collects it, in its own way.
type Path = (&'static str, fn());

const PATHS: &[Path] = &[
    ("explicit", release_and_collect),
    ("automatic", || {
        collector::set_threshold(collector::statistics().suspects + 4);
        let before = collector::statistics().collections;
        release();
        assert!(collector::statistics().collections > before);
    }),
    ("in a drop", || {
        let node = Node::new(&Log::default(), "runner");
        node.on_drop(|_| release_and_collect());
        drop(node);
    }),
    ("in a drop of a collection", || {
        let node = Node::circle(&Log::default(), "runner");
        node.on_drop(|_| release_and_collect());
        drop(node);
        collect();
    }),
    ("in a callback", || {
        finalize(&Gc::new(1), |()| release_and_collect(), ());
    }),
    ("in a callback of a collection", || {
        let node = Node::circle(&Log::default(), "runner");
        finalize(&node, |()| release_and_collect(), ());
        drop(node);
        collect();
    }),
    ("where deaths have to wait", || drop(chain(40))),
    ("where collections have to wait", || drop(chain(32))),
    ("where deaths have to wait in a collection", || {
        let node = Node::circle(&Log::default(), "first");
        node.hidden.borrow_mut().push(chain(40));
        drop(node);
        collect();
    }),
    ("after a death, by itself", || {
        let node = Node::new(&Log::default(), "runner");
        node.on_drop(|_| {
            release();
            collector::set_threshold(1);
        });
        drop(node);
    }),
];

/// The thread ends after these, and does the rest.
const ENDS: &[Path] =
    &[("at the end of the thread", release), ("when thread-locals go after that", || ())];

thread_local! {
    // Made in this order, and destroyed in the other.
    static LAST: Last = const { Last };
    static LIVES: RefCell<Option<Gc<Part>>> = const { RefCell::new(None) };
    static KEPT: RefCell<Vec<Gc<Part>>> = const { RefCell::new(Vec::new()) };
}

struct Last;

impl std::ops::Drop for Last {
    fn drop(&mut self) {
        check_still_working();
    }
}

fn release() {
    drop(KEPT.take());
}

fn release_and_collect() {
    release();
    collect();
}

/// A list of so many, of which the last collects in its drop.
fn chain(length: usize) -> Gc<Node> {
    let log = Log::default();
    let mut first = Node::new(&log, "last");
    first.on_drop(|_| release_and_collect());
    for _ in 1..length {
        let next = Node::new(&log, "link");
        next.hidden.borrow_mut().push(first);
        first = next;
    }
    first
}

/// Takes a path, on this thread.
fn take(fault: Fault, path: fn(), log: &Log) {
    LAST.with(|_| ());
    let living = Part::new(log, LIVING);
    LIVES.set(Some(living.clone()));
    KEPT.set(ring(log, &living, fault.place));
    // A suspect, the first one.
    drop(living);
    FAULT.set(Some(fault));
    path();
}

/// And the thread ends.
fn alone_to_the_end(fault: Fault, path: fn(), log: &Log) {
    alone(|| take(fault, path, log));
}

/// And collects, as some of it may have been passed over, that one time.
fn and_collect(fault: Fault, path: fn(), log: &Log) {
    alone(|| {
        take(fault, path, log);
        check_still_working();
        collect();
        let lives = LIVES.take().expect("alive");
        assert_eq!((lives.index, Gc::strong_count(&lives)), (LIVING, 1), "all others are gone");
    });
}

fn every_place(path: &Path, play: fn(Fault, fn(), &Log)) {
    let reports = PartReports::record();
    for place in PLACES {
        for payload in PAYLOADS {
            let what = format!("{place:?}, {payload:?}, {}", path.0);
            RAISED.store(0, SeqCst);
            let log = Log::default();
            play(Fault { place, payload }, path.1, &log);
            assert_ne!(RAISED.load(SeqCst), 0, "{what}: it did not panic at all");
            assert_each_once(log.take(), &what);
            reports.assert_one(payload, &what);
        }
    }
}

#[test]
fn every_place_on_every_path() {
    for path in PATHS {
        every_place(path, and_collect);
    }
}

#[test]
fn every_place_where_a_thread_ends() {
    for path in ENDS {
        every_place(path, alone_to_the_end);
    }
}
