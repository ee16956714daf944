//! Objects that died in a collection, as others still see them: in the `Drop` of a sibling, and
//! where that has put a pointer to one.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lastly::{Gc, Weak, collect, finalize, unsize};

use crate::Log;
use crate::nodes::{Node, alone, check_still_working};

thread_local! { static KEPT: RefCell<Vec<Gc<Node>>> = const { RefCell::new(Vec::new()) }; }

/// The nodes of a ring, dead, by way of clones that their `Drop`s put aside.
fn resurrected(log: &Log, names: &[&'static str]) -> Vec<Gc<Node>> {
    let ring = Node::ring(log, names);
    for node in &ring {
        node.on_drop(|node| KEPT.with_borrow_mut(|kept| kept.push(node.links.borrow()[0].clone())));
    }
    drop(ring);
    assert_eq!(collect().objects, names.len());
    assert_eq!(log.take().len(), names.len(), "all of them were dropped");
    KEPT.take()
}

/// The message of a panic that says which `Gc` is dead.
fn message_of<R>(work: impl FnOnce() -> R) -> String {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(_) => panic!("no panic"),
        Err(payload) => *payload.downcast::<String>().expect("a message"),
    }
}

fn assert_says_that_a_node_is_dead<R>(work: impl FnOnce() -> R) {
    let message = message_of(work);
    assert!(message.contains("`Gc<it::nodes::Node>` is dead"), "{message}");
    assert!(message.contains("Gc::is_alive") && message.contains("Gc::try_deref"), "{message}");
}

/// Everything that can be asked of a pointer to a dead object, in the `Drop`s of both of two:
/// before the other's value was dropped, and after.
#[test]
fn seen_from_the_drop_of_a_sibling() {
    alone(|| {
        let log = Log::default();
        let ring = Node::ring(&log, &["a", "b"]);
        for node in &ring {
            node.on_drop(|node| {
                let sibling = node.links.borrow()[0].clone();
                node.log().add(format!(
                    "alive: {}, there: {}, shown: {sibling:?}",
                    Gc::is_alive(&sibling),
                    Gc::try_deref(&sibling).is_some(),
                ));
                assert_says_that_a_node_is_dead(|| sibling.name);
                assert!(Gc::ptr_eq(&sibling, &node.links.borrow()[0]));
            });
        }
        drop(ring);
        assert_eq!(collect().objects, 2);
        let mut lines = log.take();
        lines.sort();
        let seen = "alive: false, there: false, shown: (dead)";
        assert_eq!(lines, [seen, seen, "drop a", "drop b"]);
    });
}

#[test]
fn resurrected_it_stays_dead() {
    alone(|| {
        let log = Log::default();
        let mut dead = resurrected(&log, &["a", "b", "c"]);
        let mut one = dead.pop().expect("three");
        assert!(!Gc::is_alive(&one) && Gc::try_deref(&one).is_none());
        assert_eq!(format!("{one:?}"), "(dead)");
        assert_eq!((Gc::strong_count(&one), Gc::weak_count(&one)), (1, 0));
        let clone = one.clone();
        assert_eq!((Gc::strong_count(&one), Gc::ptr_eq(&one, &clone)), (2, true));
        assert!(!Gc::ptr_eq(&one, &dead[0]));
        assert_eq!(Gc::as_ptr(&one), Gc::as_ptr(&clone));
        drop(clone);
        assert_eq!(Gc::strong_count(&one), 1);

        let weak = Gc::downgrade(&one);
        assert!(weak.upgrade().is_none());
        assert_eq!((weak.strong_count(), weak.weak_count(), Gc::weak_count(&one)), (0, 0, 0));
        drop(weak);

        assert!(Gc::get_mut(&mut one).is_none());
        let one = Gc::try_unwrap(one).expect_err("there is no value to take out");
        assert!(Gc::into_inner(one).is_none());
        drop(dead);
        assert_eq!(log.take(), [""; 0], "no value is dropped twice");
    });
    check_still_working();
}

#[test]
fn every_way_to_the_value_says_that_it_is_dead() {
    alone(|| {
        let dead = resurrected(&Log::default(), &["a", "b"]);
        let one = &dead[0];
        assert_says_that_a_node_is_dead(|| one.name);
        assert_says_that_a_node_is_dead(|| one.as_ref().name);
        assert_says_that_a_node_is_dead(|| std::borrow::Borrow::<Node>::borrow(one).name);
        // What compares, shows and clones values needs them too.
        let number: Gc<Number> = resurrected_number();
        let says = |message: String| {
            assert!(
                message.contains("Number` is dead") || message.contains("Number>` is dead"),
                "{message}"
            )
        };
        says(message_of(|| number == number));
        says(message_of(|| number < number));
        says(message_of(|| format!("{number}")));
        says(message_of(|| Gc::make_mut(&mut number.clone()).0));
        says(message_of(|| Gc::unwrap_or_clone(number.clone()).0));
        assert_eq!(Gc::strong_count(&number), 1);
        let any = unsize!(number => dyn Any);
        says(message_of(|| any.downcast::<Number>().is_ok()));
    });
    check_still_working();
}

type Other = RefCell<Option<Gc<Number>>>;

#[derive(Clone, lastly::Trace)]
struct Number(u8, Other);

thread_local! { static NUMBER: Other = const { RefCell::new(None) }; }

impl Drop for Number {
    fn drop(&mut self) {
        NUMBER.set(self.1.take());
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.0.partial_cmp(&other.0)
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

fn resurrected_number() -> Gc<Number> {
    let number = Gc::new(Number(1, RefCell::default()));
    *number.1.borrow_mut() = Some(number.clone());
    drop(number);
    collect();
    NUMBER.take().expect("kept by its drop")
}

/// Dead objects in a living one are nothing to the collector; and die, for good, with that.
#[test]
fn a_living_object_may_hold_dead_ones() {
    alone(|| {
        let log = Log::default();
        let living = Node::circle(&log, "living");
        let dead = resurrected(&log, &["a", "b"]);
        let kept = Gc::downgrade(&dead[0]);
        living.links.borrow_mut().extend(dead);
        drop(living.clone());
        assert_eq!((collect().examined, log.take().len()), (1, 0));
        let other = living.links.borrow()[1].clone();
        drop(other);
        drop(living);
        let done = collect();
        assert_eq!((done.suspects, done.examined, done.objects), (1, 1, 1));
        assert_eq!(log.take(), ["drop living"]);
        assert!(kept.upgrade().is_none());
    });
}

/// What is tied to a dead object is tied to nothing but its pointers: it runs when the last goes.
#[test]
fn a_finalizer_of_a_dead_object() {
    alone(|| {
        let log = Log::default();
        let ring = Node::ring(&log, &["a", "b"]);
        finalize(&ring[0], log.say("of a, in time"), ());
        ring[1].on_drop(|b| {
            let a = &b.links.borrow()[0];
            finalize(a, b.log().say("of a, tied in the drop of b"), ());
        });
        drop(ring);
        collect();
        let mut lines = log.take();
        assert_eq!(lines.split_off(2), ["of a, tied in the drop of b", "of a, in time"]);

        let mut dead = resurrected(&log, &["a", "b"]);
        let handle = finalize(&dead[0], log.say("late"), ());
        assert!(handle.is_alive());
        assert!(handle.peek(|object, _, ()| object.is_none()).expect("alive"));
        let clone = dead[0].clone();
        dead.clear();
        assert!(handle.is_alive());
        drop(clone);
        assert_eq!(log.take(), ["late"]);
        assert!(!handle.is_alive());
    });
}

/// A `Drop` may keep a weak reference to a sibling, whose last pointer goes before its value does.
#[test]
fn a_weak_reference_that_was_made_too_late() {
    thread_local! { static WEAK: RefCell<Vec<Weak<Node>>> = const { RefCell::new(Vec::new()) }; }
    alone(|| {
        let log = Log::default();
        let ring = Node::ring(&log, &["a", "b", "c"]);
        for node in &ring {
            node.on_drop(|node| {
                let next = node.links.take().remove(0);
                WEAK.with_borrow_mut(|weak| weak.push(Gc::downgrade(&next)));
                finalize(&next, node.log().say("callback"), ());
            });
        }
        drop(ring);
        assert_eq!(collect().callbacks, 3, "all pointers went");
        let mut lines = log.take();
        assert_eq!(lines.split_off(3), ["callback"; 3]);
        let weak = WEAK.take();
        assert_eq!(weak.len(), 3);
        assert!(weak.iter().all(|weak| weak.upgrade().is_none() && weak.strong_count() == 0));
    });
    check_still_working();
}

/// A `Drop` may take its siblings out, drop them, swap them: each value is dropped once.
#[test]
fn siblings_are_dropped_by_each_other() {
    alone(|| {
        let log = Log::default();
        let ring = Node::ring(&log, &["a", "b", "c", "d"]);
        for (index, node) in ring.iter().enumerate() {
            for other in &ring {
                node.link(other);
            }
            node.on_drop(move |node| match index {
                0 => node.links.borrow_mut().clear(),
                1 => drop(node.links.take()),
                2 => KEPT.with_borrow_mut(|kept| kept.append(&mut node.links.borrow_mut())),
                _ => node.links.borrow_mut().reverse(),
            });
        }
        drop(ring);
        assert_eq!(collect().objects, 4);
        assert!(KEPT.take().iter().all(|node| !Gc::is_alive(node)));
        let mut lines = log.take();
        lines.sort();
        assert_eq!(lines, ["drop a", "drop b", "drop c", "drop d"]);
    });
}

/// Of an object that dies by count nobody has a pointer any more.
#[test]
fn nothing_is_dead_that_died_by_count() {
    let log = Log::default();
    let node = Node::new(&log, "node");
    let weak = Gc::downgrade(&node);
    let (seen, to) = (weak.clone(), log.clone());
    node.on_drop(move |_| to.add(format!("upgrades: {}", seen.upgrade().is_some())));
    drop(node);
    assert_eq!(log.take(), ["drop node", "upgrades: false"]);
    assert_eq!(weak.strong_count(), 0);
}
