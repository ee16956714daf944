//! When a collection begins by itself, and what it says that it did.

use std::cell::Cell;

use lastly::collector::{self, Collected};
use lastly::{Gc, collect, finalize};

use crate::Log;
use crate::nodes::{Node, alone};

fn collections() -> u64 {
    collector::statistics().collections
}

/// Makes a suspect of a live node.
fn touch(node: &Gc<Node>) {
    drop(node.clone());
}

#[test]
fn so_many_suspects_begin_a_collection() {
    alone(|| {
        assert_eq!(collector::threshold(), 1_000);
        let log = Log::default();
        for count in 1..1_000 {
            drop(Node::circle(&log, "node"));
            assert_eq!((collections(), collector::statistics().suspects), (0, count));
        }
        drop(Node::circle(&log, "node"));
        assert_eq!((collections(), collector::statistics().suspects), (1, 0));
        assert_eq!(log.take().len(), 1_000);

        collector::set_threshold(3);
        assert_eq!(collector::threshold(), 3);
        drop((Node::circle(&log, "node"), Node::circle(&log, "node")));
        assert_eq!((collections(), log.take().len()), (1, 0));
        drop(Node::circle(&log, "node"));
        assert_eq!((collections(), log.take().len()), (2, 3));
    });
}

#[test]
fn one_suspect_is_enough_where_that_was_set() {
    alone(|| {
        let log = Log::default();
        for (asked, set) in [(1, 1), (0, 1)] {
            collector::set_threshold(asked);
            assert_eq!(collector::threshold(), set);
            let node = Node::circle(&log, "node");
            finalize(&node, log.say("callback"), ());
            let other = node.clone();
            drop(node);
            assert_eq!(log.take(), [""; 0], "looked at, and alive");
            drop(other);
            assert_eq!(log.take(), ["drop node", "callback"]);
        }
        assert_eq!(collections(), 4);
    });
}

/// The threshold may be lowered when there are more suspects already.
#[test]
fn a_threshold_below_what_there_is() {
    alone(|| {
        let log = Log::default();
        (0..10).for_each(|_| drop(Node::circle(&log, "node")));
        collector::set_threshold(5);
        assert_eq!(collections(), 0, "nobody's `Drop` runs in a setting");
        drop(Node::circle(&log, "node"));
        assert_eq!((collections(), log.take().len()), (1, 11));
    });
}

#[test]
fn paused_until_the_last_guard_goes() {
    alone(|| {
        let log = Log::default();
        collector::set_threshold(1);
        let outer = collector::pause();
        let inner = collector::pause();
        drop(Node::circle(&log, "one"));
        drop(outer);
        drop(Node::circle(&log, "two"));
        collector::set_threshold(2);
        drop(Node::circle(&log, "three"));
        assert_eq!((collections(), log.take().len()), (0, 0));
        assert_eq!(collect().objects, 3, "who asks for one gets one");
        drop(Node::circle(&log, "four"));
        drop(Node::circle(&log, "five"));
        drop(inner);
        assert_eq!(log.take(), ["drop one", "drop two", "drop three"], "in no guard's drop");
        drop(Node::circle(&log, "six"));
        assert_eq!((collections(), log.take().len()), (2, 3));
    });
}

/// What pauses does so also for what comes at the end of a death.
#[test]
fn paused_where_a_death_ends() {
    alone(|| {
        let log = Log::default();
        collector::set_threshold(1);
        let paused = collector::pause();
        let owner = Node::new(&log, "owner");
        owner.link(&Node::circle(&log, "circle"));
        drop(owner);
        assert_eq!((log.take(), collections()), (vec!["drop owner".to_owned()], 0));
        drop(paused);
        drop(Node::new(&log, "plain"));
        assert_eq!(log.take(), ["drop plain", "drop circle"], "the end of a death is a time");
    });
}

#[test]
fn what_a_collection_says_that_it_did() {
    alone(|| {
        let log = Log::default();
        let said = |suspects, examined, objects, callbacks| {
            let done = collect();
            let found = (done.suspects, done.examined, done.objects, done.callbacks);
            assert_eq!(found, (suspects, examined, objects, callbacks));
        };
        said(0, 0, 0, 0);
        assert_eq!(collect(), Collected::default());

        // A ring, and what it holds; of two suspects one is reached from the other.
        let ring = Node::ring(&log, &["a", "b", "c"]);
        let (held, kept) = (Node::new(&log, "held"), Node::new(&log, "kept"));
        ring[0].link(&held);
        ring[0].link(&kept);
        let (called, _) = (finalize(&held, |()| (), ()), finalize(&ring[1], |()| (), ()));
        called.call();
        drop((ring, held));
        said(4, 5, 4, 1);
        drop(kept);

        // Live ones, in vain.
        let ring = Node::ring(&log, &["a", "b", "c"]);
        touch(&ring[1]);
        said(1, 3, 0, 0);
        said(0, 0, 0, 0);
        let statistics = collector::statistics();
        assert_eq!((statistics.collections, statistics.examined), (5, 8));
        assert_eq!((statistics.objects, statistics.suspects), (4, 0));
        drop(ring);
        assert_eq!(collector::statistics().suspects, 3);
    });
}

/// A collection costs what can be reached from its suspects, however much else there is.
#[test]
fn the_rest_of_the_heap_is_not_looked_at() {
    alone(|| {
        let log = Log::default();
        let heap = Node::ring(&log, &["live"; 10_000]);
        collect();
        drop(Node::circle(&log, "garbage"));
        let node = Node::new(&log, "alone");
        touch(&node);
        let done = collect();
        assert_eq!((done.suspects, done.examined, done.objects), (2, 2, 1));
        drop(heap);
    });
}

/// A large structure that lives is not walked through at every thousandth touch.
#[test]
fn what_was_in_vain_makes_the_next_one_wait() {
    alone(|| {
        let log = Log::default();
        let heap = Node::ring(&log, &["live"; 200]);
        collector::set_threshold(30);
        let touch_until_collected = |limit| {
            let before = collections();
            let touched = heap.iter().cycle().take(limit).take_while(|node| {
                touch(node);
                collections() == before
            });
            touched.count()
        };
        assert_eq!(touch_until_collected(200), 29, "with the thirtieth");
        assert_eq!(touch_until_collected(200), 199, "200 objects in vain are worth 200 suspects");
        collector::set_threshold(3);
        assert_eq!(touch_until_collected(200), 2, "set anew");
        assert_eq!(touch_until_collected(200), 29, "but not more than ten times the threshold");
        drop(heap);
    });
}

/// A `RefCell` that is mutably borrowed is in nobody's way, and what it holds is held.
#[test]
fn a_collection_in_the_middle_of_a_change() {
    let reports = crate::Reports::record();
    alone(|| {
        let log = Log::default();
        collector::set_threshold(1);
        let node = Node::circle(&log, "node");
        let inner = Node::circle(&log, "inner");
        let before = collections();
        {
            let mut links = node.links.borrow_mut();
            links.push(inner);
            touch(&links[1]);
            touch(&node);
            links.remove(0);
        }
        assert!(collections() > before);
        assert_eq!(log.take(), [""; 0]);
        assert_eq!(node.links.borrow()[0].name, "inner");
        let shared = node.links.borrow();
        touch(&node);
        drop(shared);
        drop(node);
        assert_eq!(log.take(), ["drop node", "drop inner"]);
    });
    assert!(!reports.take().iter().any(|line| line.contains("nodes::Node")), "nobody failed");
}

/// None begins by itself in the middle of a death, whoever's code is running; afterwards one does.
#[test]
fn none_begins_inside_a_death() {
    alone(|| {
        let log = Log::default();
        collector::set_threshold(1);
        let make = |log: &Log, circle, line: &'static str| {
            let before = collections();
            drop(Node::circle(log, circle));
            log.add(format!("{line}, {} collections", collections() - before));
        };
        let node = Node::new(&log, "node");
        node.on_drop(move |node| make(&node.log(), "one", "drop"));
        let to = log.clone();
        finalize(&node, move |()| make(&to, "two", "callback"), ());
        drop(node);
        let lines = log.take();
        assert_eq!(lines[..3], ["drop node", "drop, 0 collections", "callback, 0 collections"]);
        assert_eq!((lines.len(), collections()), (5, 1), "both circles, at once: {lines:?}");
    });
}

/// Nor in the death of what has no `Drop` of its own.
#[test]
fn none_begins_inside_the_callback_of_a_plain_value() {
    alone(|| {
        let log = Log::default();
        collector::set_threshold(1);
        let make = |log: &Log, line: &'static str| {
            drop(Node::circle(log, "circle"));
            log.add(line);
        };
        let plain = Gc::new(1);
        let to = log.clone();
        finalize(&plain, move |()| make(&to, "callback ends"), ());
        drop(plain);
        assert_eq!(log.take(), ["callback ends", "drop circle"]);

        let taken = Node::new(&log, "taken");
        let to = log.clone();
        finalize(&taken, move |()| make(&to, "callback ends"), ());
        let value = Gc::try_unwrap(taken).expect("the only pointer");
        assert_eq!(log.take(), ["callback ends", "drop circle"]);
        drop(value);
    });
}

/// None begins by itself inside another; afterwards one does.
#[test]
fn none_begins_inside_another() {
    alone(|| {
        let log = Log::default();
        let ring = Node::ring(&log, &["a", "b"]);
        let make = |log: &Log, line: &'static str| {
            drop(Node::circle(log, "circle"));
            log.add(format!("{line}, {} collections", collections()));
        };
        ring[0].on_drop(move |node| make(&node.log(), "drop"));
        let to = log.clone();
        finalize(&ring[1], move |()| make(&to, "callback"), ());
        drop(ring);
        collector::set_threshold(1);
        assert_eq!(collect().objects, 2, "its own");
        let mut lines = log.take();
        let circles = lines.split_off(lines.len() - 2);
        assert_eq!(circles, ["drop circle", "drop circle"]);
        assert!(lines.contains(&"drop, 0 collections".to_owned()), "{lines:?}");
        assert_eq!(lines.last().unwrap(), "callback, 1 collections");
        assert_eq!(collections(), 2);
    });
}

/// An end is reached also where every collection leaves new suspects.
#[test]
fn suspects_without_end() {
    thread_local! { static GOES_ON: Cell<bool> = const { Cell::new(true) }; }
    fn again(node: &Node) {
        if GOES_ON.get() {
            Node::circle(&node.log(), "next").on_drop(again);
        }
    }
    alone(|| {
        let log = Log::default();
        collector::set_threshold(1);
        let first = Node::circle(&log, "first");
        first.on_drop(again);
        drop(first);
        assert_eq!(log.take(), ["drop first", "drop next"], "one more, at the end");
        drop(Node::circle(&log, "other"));
        assert!(log.take().contains(&"drop other".to_owned()));
        GOES_ON.set(false);
    });
}
