//! Threads: each has its own collector, and at its end what cannot be reached dies.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicPtr, Ordering::SeqCst};
use std::thread;

use lastly::{Finalizer, Gc, collect, collector, finalize};

use crate::nodes::{Node, alone, check_still_working};
use crate::{Log, panic_of};

thread_local! { static KEPT: RefCell<Vec<Gc<Node>>> = const { RefCell::new(Vec::new()) }; }

/// Does something when the thread-local that it is in is destroyed.
struct AtEnd(Cell<Option<Box<dyn FnOnce()>>>);

impl AtEnd {
    const fn new() -> Self {
        Self(Cell::new(None))
    }

    fn set(&self, work: impl FnOnce() + 'static) {
        self.0.set(Some(Box::new(work)));
    }
}

impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some(work) = self.0.take() {
            work();
        }
    }
}

/// Makes a suspect, so that the collector knows of this thread.
fn begin() {
    drop(Node::circle(&Log::default(), "first"));
    collect();
}

#[test]
fn what_cannot_be_reached_dies_with_its_thread() {
    let log = Log::default();
    let thread = alone(|| {
        let ring = Node::ring(&log, &["a", "b"]);
        let to = log.clone();
        finalize(&ring[0], move |()| to.add(format!("{:?}", thread::current().id())), ());
        finalize(&ring[1], log.say("newest"), ());
        drop(ring);
        assert_eq!(log.take(), [""; 0]);
        format!("{:?}", thread::current().id())
    });
    let mut lines = log.take();
    assert_eq!(lines.split_off(2), ["newest".to_owned(), thread], "on the thread itself");
}

/// However the collector was set, and whether or not it ever ran.
#[test]
fn whatever_was_set_before() {
    let log = Log::default();
    alone(|| {
        collector::set_threshold(usize::MAX);
        drop(Node::circle(&log, "never enough"));
    });
    assert_eq!(log.take(), ["drop never enough"]);
    alone(|| {
        let _paused = collector::pause();
        drop(Node::circle(&log, "paused"));
    });
    assert_eq!(log.take(), ["drop paused"]);
    alone(|| {
        std::mem::forget(collector::pause());
        drop(Node::circle(&log, "paused for good"));
    });
    assert_eq!(log.take(), ["drop paused for good"]);
    alone(|| {
        begin();
        let _paused = collector::pause();
        drop(Node::circle(&log, "paused later"));
    });
    assert_eq!(log.take(), ["drop paused later"]);
}

#[test]
fn a_thread_that_panics() {
    let log = Log::default();
    let in_panic = |inside: bool| {
        let work = || {
            alone(|| {
                let circle = Node::circle(&log, "circle");
                finalize(&circle, log.say("callback"), ());
                if !inside {
                    drop(circle);
                }
                panic!("in the thread")
            })
        };
        panic_of(work)
    };
    for inside in [true, false] {
        assert_eq!(in_panic(inside), "in the thread");
        assert_eq!(log.take(), ["drop circle", "callback"]);
    }
}

/// Thread-locals hold cyclic garbage until they are destroyed: those that are older than the
/// collector's own after that, the newer ones before.
#[test]
fn thread_locals_with_cycles() {
    thread_local! {
        static OLDER: RefCell<Vec<Gc<Node>>> = const { RefCell::new(Vec::new()) };
        static NEWER: RefCell<Vec<Gc<Node>>> = const { RefCell::new(Vec::new()) };
    }
    let log = Log::default();
    let keep = |name| {
        let ring = Node::ring(&log, &[name, name]);
        finalize(&ring[0], log.say("callback"), ());
        ring
    };
    alone(|| {
        OLDER.with(|_| begin());
        NEWER.set(keep("newer"));
        OLDER.set(keep("older"));
    });
    let mut lines = log.take();
    lines.sort();
    let expected = ["callback", "callback", "drop newer", "drop newer", "drop older", "drop older"];
    assert_eq!(lines, expected);
}

/// A thread that never used the collector before its thread-locals are destroyed.
#[test]
fn the_first_cycle_at_the_end() {
    thread_local! { static END: AtEnd = const { AtEnd::new() }; }
    let log = Log::default();
    let to = log.clone();
    alone(move || END.with(|end| end.set(move || drop(Node::circle(&to, "circle")))));
    assert_eq!(log.take(), ["drop circle"]);
}

/// Everything goes on working while a thread ends: what is made then, and dies then.
#[test]
fn the_collector_after_its_end() {
    thread_local! { static END: AtEnd = const { AtEnd::new() }; }
    let log = Log::default();
    let to = log.clone();
    alone(move || {
        END.with(|end| {
            end.set(move || {
                check_still_working();
                let ring = Node::ring(&to, &["a", "b"]);
                finalize(&ring[0], to.say("older"), ());
                finalize(&ring[1], to.say("newer"), ());
                assert_eq!(collect().objects, 0);
                drop(ring);
                to.add("end of the last");
            });
        });
        begin();
    });
    let mut lines = log.take();
    assert_eq!(lines.split_off(3), ["newer", "older"]);
    assert_eq!(lines[0], "end of the last");
}

/// What `Drop`s and callbacks leave behind at the end dies as well.
#[test]
fn garbage_of_garbage() {
    fn generation(log: Log, left: u32) {
        let circle = Node::circle(&log, "circle");
        if left > 0 {
            finalize(&circle, move |log| generation(log, left - 1), log);
        }
    }
    let log = Log::default();
    alone(|| generation(log.clone(), 20));
    assert_eq!(log.take().len(), 21);
}

/// What is still reached from somewhere when its thread ends is alive, as far as its finalizers
/// go: they can be called from anywhere, and run at exit.
#[test]
fn leaked_objects_keep_their_finalizers() {
    static LEAKED: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
    let log = Log::default();
    let finalizers = alone(|| {
        let ring = Node::ring(&log, &["a", "b"]);
        let finalizers: Vec<Finalizer> =
            ring.iter().map(|node| finalize(node, log.say("called"), ()).erase()).collect();
        drop(ring[1].clone());
        // Where tools that look for leaks find it.
        let leaked: &[Gc<Node>] = ring.leak();
        LEAKED.store(leaked.as_ptr().cast_mut().cast(), SeqCst);
        finalizers
    });
    assert_eq!(log.take(), [""; 0]);
    assert!(finalizers.iter().all(Finalizer::is_alive));
    assert!(finalizers[0].call().is_some());
    assert!(finalizers[1].detach());
    assert_eq!(log.take(), ["called"]);
}

#[test]
fn threads_collect_each_for_itself() {
    alone(|| {
        let log = Log::default();
        drop(Node::circle(&log, "of this thread"));
        collector::set_threshold(7);
        alone(|| {
            assert_eq!((collector::threshold(), collector::statistics().suspects), (1_000, 0));
            drop(Node::circle(&log, "of the other"));
            assert_eq!(collect().objects, 1);
            assert_eq!(collector::statistics().collections, 1);
        });
        assert_eq!(log.take(), ["drop of the other"]);
        let statistics = collector::statistics();
        assert_eq!((statistics.collections, statistics.suspects), (0, 1));
    });
}

/// Nothing is left of a thread's collector: many threads one after the other, with all of it.
#[test]
fn many_threads() {
    let rounds = if cfg!(any(miri, lastly_slow)) { 10 } else { 300 };
    let log = Log::default();
    for _ in 0..rounds {
        alone(|| {
            let ring = Node::ring(&log, &["a", "b"]);
            finalize(&ring[0], log.say("callback"), ());
            KEPT.set(ring.clone());
        });
        assert_eq!(log.take().len(), 3);
    }
}
