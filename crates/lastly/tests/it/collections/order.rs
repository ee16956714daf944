//! The order within one collection: weak references first, then every value, then the callbacks,
//! newest first.

use std::cell::{Cell, RefCell};

use lastly::collector::Collected;
use lastly::{Gc, Trace, Weak, collect, finalize};

use crate::Log;
use crate::nodes::{Node, alone};

/// What happened, in two parts: the drops, sorted, as their order is nobody's business; then the
/// rest, in which no drop must be.
fn drops_and_rest(log: &Log) -> (Vec<String>, Vec<String>) {
    let mut drops = log.take();
    let first = drops.iter().position(|line| !line.starts_with("drop")).unwrap_or(drops.len());
    let rest = drops.split_off(first);
    drops.sort();
    (drops, rest)
}

#[test]
fn values_then_callbacks_newest_first() {
    alone(|| {
        let log = Log::default();
        let ring = Node::ring(&log, &["a", "b", "c"]);
        for (at, line) in [(1, "1"), (0, "2"), (2, "3"), (1, "4"), (1, "5"), (0, "6")] {
            finalize(&ring[at], log.say(line), ());
        }
        let [called, detached] = [0, 2].map(|at| finalize(&ring[at], log.say("once"), ()));
        called.call();
        detached.detach();
        assert_eq!(log.take(), ["once"]);
        drop(ring);
        let done = collect();
        assert_eq!((done.objects, done.callbacks), (3, 6));
        let (drops, callbacks) = drops_and_rest(&log);
        assert_eq!(drops, ["drop a", "drop b", "drop c"]);
        assert_eq!(callbacks, ["6", "5", "4", "3", "2", "1"]);
        assert_eq!(collect(), Collected::default());
    });
}

/// Before any code of what dies runs, no weak reference to any of it leads anywhere.
#[test]
fn weak_references_to_all_of_it_go_first() {
    alone(|| {
        let log = Log::default();
        let names = ["a", "b", "c", "d"];
        let ring = Node::ring(&log, &names);
        let weak: Vec<Weak<Node>> = ring.iter().map(Gc::downgrade).collect();
        for node in &ring {
            let (weak, to) = (weak.clone(), log.clone());
            node.on_drop(move |_| {
                let alive = weak.iter().filter(|weak| weak.upgrade().is_some()).count();
                let counted = weak.iter().map(|weak| weak.strong_count() + weak.weak_count());
                to.add(format!("drop: {alive} alive, {} counted", counted.sum::<usize>()));
            });
        }
        assert!(weak.iter().all(|weak| weak.upgrade().is_some()));
        drop(ring);
        assert_eq!(collect().objects, 4);
        let (lines, rest) = drops_and_rest(&log);
        assert_eq!(rest, [""; 0]);
        assert_eq!(lines[..4], ["drop a", "drop b", "drop c", "drop d"]);
        assert_eq!(lines[4..], ["drop: 0 alive, 0 counted"; 4]);
    });
}

/// A finalizer is alive until its turn: all of them while values drop, the older ones in the
/// callback of a newer one.
#[test]
fn callbacks_are_claimed_one_at_a_time() {
    alone(|| {
        let log = Log::default();
        let ring = Node::ring(&log, &["a", "b"]);
        let handles: std::sync::Arc<std::sync::Mutex<Vec<lastly::Finalizer>>> = Default::default();
        for at in [0, 1, 0, 1] {
            let (inner, to) = (handles.clone(), log.clone());
            let look = move |()| {
                let alive =
                    inner.lock().unwrap().iter().map(|it| it.is_alive()).collect::<Vec<_>>();
                to.add(format!("{alive:?}"));
            };
            let handle = finalize(&ring[at], look, ()).erase();
            handles.lock().unwrap().push(handle);
        }
        for node in &ring {
            let (inner, to) = (handles.clone(), log.clone());
            node.on_drop(move |_| {
                let alive = inner.lock().unwrap().iter().filter(|it| it.is_alive()).count();
                to.add(format!("drop: {alive} alive"));
            });
        }
        drop(ring);
        collect();
        let (drops, callbacks) = drops_and_rest(&log);
        assert_eq!(drops, ["drop a", "drop b", "drop: 4 alive", "drop: 4 alive"]);
        assert_eq!(
            callbacks,
            [
                "[true, true, true, false]",
                "[true, true, false, false]",
                "[true, false, false, false]",
                "[false, false, false, false]",
            ]
        );
    });
}

#[derive(Trace)]
struct Owner {
    own: RefCell<Option<Gc<Owner>>>,
    leaf: Gc<u8>,
    #[trace(skip)]
    _unseen: Gc<Node>,
    #[trace(skip)]
    log: Log,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.log.add("drop owner");
    }
}

/// What dies by count, because something in the collection held it, has its callbacks in order
/// with the others: a leaf, which the collector never looks at, and what it did not see.
#[test]
fn what_dies_along_has_its_callbacks_in_the_same_order() {
    alone(|| {
        let log = Log::default();
        let leaf = Gc::new(1);
        let unseen = Node::new(&log, "unseen");
        let owner = Gc::new(Owner {
            own: RefCell::default(),
            leaf: leaf.clone(),
            _unseen: unseen.clone(),
            log: log.clone(),
        });
        *owner.own.borrow_mut() = Some(owner.clone());
        finalize(&leaf, log.say("1: leaf"), ());
        finalize(&owner, log.say("2: owner"), ());
        finalize(&unseen, log.say("3: unseen"), ());
        finalize(&owner, log.say("4: owner"), ());
        finalize(&leaf, log.say("5: leaf"), ());
        finalize(&unseen, log.say("6: unseen"), ());
        drop((leaf, unseen, owner));
        let done = collect();
        assert_eq!((done.objects, done.callbacks), (1, 6), "found by tracing: the owner alone");
        let (drops, callbacks) = drops_and_rest(&log);
        assert_eq!(drops, ["drop owner", "drop unseen"]);
        assert_eq!(
            callbacks,
            ["6: unseen", "5: leaf", "4: owner", "3: unseen", "2: owner", "1: leaf"]
        );
    });
}

/// Also what is so deep in there that its drop has to wait.
#[test]
fn what_waits_drops_before_the_first_callback() {
    alone(|| {
        let log = Log::default();
        let owner = Node::circle(&log, "owner");
        let mut last = owner.clone();
        for _ in 0..100 {
            let next = Node::new(&log, "unseen");
            finalize(&next, log.say("callback"), ());
            last.hidden.borrow_mut().push(next.clone());
            last = next;
        }
        finalize(&owner, log.say("newest"), ());
        drop((owner, last));
        let done = collect();
        assert_eq!((done.objects, done.callbacks), (1, 101));
        let (drops, callbacks) = drops_and_rest(&log);
        assert_eq!(drops.len(), 101);
        assert_eq!(callbacks[0], "newest");
        assert_eq!(callbacks.len(), 101);
    });
}

/// A collection inside a `Drop` of another drops values at once; its callbacks join the others.
#[test]
fn a_collection_inside_the_drop_of_another() {
    alone(|| {
        let log = Log::default();
        let ring = Node::ring(&log, &["a", "b"]);
        finalize(&ring[0], log.say("1: outer"), ());
        let inner = Node::circle(&log, "inner");
        finalize(&inner, log.say("2: inner"), ());
        finalize(&ring[1], log.say("3: outer"), ());
        finalize(&inner, log.say("4: inner"), ());
        let to = log.clone();
        ring[0].on_drop(move |_| {
            drop(inner);
            let done = collect();
            to.add(format!("drop: {} object, {} callbacks", done.objects, done.callbacks));
        });
        drop(ring);
        let done = collect();
        assert_eq!((done.objects, done.callbacks), (2, 4));
        let (drops, callbacks) = drops_and_rest(&log);
        assert_eq!(drops, ["drop a", "drop b", "drop inner", "drop: 1 object, 0 callbacks"]);
        assert_eq!(callbacks, ["4: inner", "3: outer", "2: inner", "1: outer"]);
    });
}

thread_local! { static KEPT: RefCell<Vec<Gc<Node>>> = const { RefCell::new(Vec::new()) }; }

/// A collection inside a callback is one of its own: its callbacks run within that.
#[test]
fn a_collection_inside_a_callback() {
    alone(|| {
        let log = Log::default();
        let ring = Node::ring(&log, &["a", "b"]);
        let inner = Node::circle(&log, "inner");
        finalize(&inner, log.say("inner, the oldest"), ());
        KEPT.set(vec![inner]);
        finalize(&ring[0], log.say("outer"), ());
        let to = log.clone();
        let work = move |()| {
            KEPT.take();
            let done = collect();
            to.add(format!("{} object, {} callback", done.objects, done.callbacks));
        };
        finalize(&ring[1], work, ());
        drop(ring);
        let done = collect();
        assert_eq!((done.objects, done.callbacks), (2, 2));
        let rest = log.take().split_off(2);
        assert_eq!(rest, ["drop inner", "inner, the oldest", "1 object, 1 callback", "outer"]);
    });
}

/// A death by count inside a callback is one of its own as well.
#[test]
fn a_death_inside_a_callback() {
    alone(|| {
        let log = Log::default();
        let ring = Node::ring(&log, &["a", "b"]);
        let inner = Node::new(&log, "inner");
        finalize(&inner, log.say("inner, the oldest"), ());
        KEPT.set(vec![inner]);
        finalize(&ring[0], log.say("outer"), ());
        finalize(&ring[1], |()| drop(KEPT.take()), ());
        drop(ring);
        collect();
        assert_eq!(log.take().split_off(2), ["drop inner", "inner, the oldest", "outer"]);
    });
}

/// A report is made when every value has been dropped, or before any of it is known to be dead:
/// whatever its hook does, no callback comes before a drop.
#[test]
fn a_collection_inside_a_report() {
    struct Explosive(Cell<bool>);
    // SAFETY: finds nothing.
    unsafe impl Trace for Explosive {
        fn trace(&self, _: &mut lastly::Tracer) {
            if self.0.replace(false) {
                crate::explode("trace");
            }
        }
    }
    let _reports = crate::Reports::record();
    alone(|| {
        let me = std::thread::current().id();
        lastly::report::set_hook(move |_| {
            if std::thread::current().id() == me {
                collect();
            }
        });
        let log = Log::default();
        let explosive = Gc::new(Explosive(Cell::new(true)));
        drop(explosive.clone());
        let circle = Node::circle(&log, "circle");
        finalize(&circle, log.say("callback"), ());
        drop(circle);
        collect();
        assert_eq!(log.take(), ["drop circle", "callback"]);
    });
}

/// What lives is not touched: objects, weak references, finalizers.
#[test]
fn what_lives_is_left_alone() {
    alone(|| {
        let log = Log::default();
        let ring = Node::ring(&log, &["a", "b", "c"]);
        let finalizer = finalize(&ring[0], log.say("never"), ());
        let garbage = Node::circle(&log, "garbage");
        garbage.link(&ring[2]);
        let weak = Gc::downgrade(&ring[2]);
        let last = ring[1].clone();
        drop((ring, garbage));
        assert_eq!(collect().objects, 1);
        assert_eq!(log.take(), ["drop garbage"]);
        assert!(finalizer.is_alive());
        let c = weak.upgrade().expect("alive");
        assert_eq!((c.name, Gc::strong_count(&c)), ("c", 2), "held by `b`, and here");
        assert_eq!(last.links.borrow()[0].name, "c");
        finalizer.detach();
    });
}
