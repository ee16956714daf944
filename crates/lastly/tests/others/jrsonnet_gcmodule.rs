//! `jrsonnet-gcmodule`: `#[trace(skip)]` on the field.

use std::cell::RefCell;

use jrsonnet_gcmodule::{Cc, Trace, Weak, collect_thread_cycles};
use lastly::{Watched, finalize};

use crate::{Collector, Log, Value, in_a_callback, tie, what_holds};

#[derive(Trace)]
struct Node {
    #[trace(skip)]
    _object: Watched<Value>,
    // A type that holds itself has to say that it is to be tracked.
    #[trace(tracking(force))]
    next: RefCell<Option<Cc<Node>>>,
}

fn node(object: Watched<Value>) -> Cc<Node> {
    Cc::new(Node { _object: object, next: RefCell::new(None) })
}

struct Gcmodule;

impl Collector for Gcmodule {
    fn leave(object: Watched<Value>) {
        node(object);
    }

    fn leave_ring(objects: Vec<Watched<Value>>) {
        let nodes = objects.into_iter().map(node).collect();
        tie(nodes, |node: &Cc<Node>, next| *node.next.borrow_mut() = Some(next));
    }

    fn collect() {
        let _ = collect_thread_cycles();
    }
}

what_holds! {
    Gcmodule:
    fires_in_the_collection fires_with_the_last_pointer called_or_detached_before
    one_calls_another a_callback_panics fires_in_the_middle the_drop_of_a_value_panics
    fires_at_the_end_of_the_thread
}

/// Holds: a callback may make and drop pointers. What it leaves is collected later.
#[test]
fn a_callback_leaves_a_ring() {
    let leave = || Gcmodule::leave_ring(crate::Log::default().objects(["x", "y"]).0);
    assert_eq!(in_a_callback::<Gcmodule>(leave), [""; 0]);
}

/// Holds: it may collect.
#[test]
fn a_callback_collects() {
    assert_eq!(in_a_callback::<Gcmodule>(Gcmodule::collect), [""; 0]);
}

/// Does **not** hold: that weak references to garbage are dead when a callback runs. One that it
/// reaches through a thread-local gives a sibling that is about to be dropped: whoever keeps that,
/// and looks into it later, has a use after free.
#[test]
fn a_weak_reference_to_garbage_is_alive() {
    thread_local! {
        static WEAK: RefCell<Vec<Weak<Node>>> = const { RefCell::new(Vec::new()) };
    }
    let log = Log::default();
    let node = |name| {
        let object = log.bare_object(name);
        let count = |log: Log| {
            let alive = WEAK.with_borrow(|all| all.iter().filter_map(Weak::upgrade).count());
            log.add(format!("{alive} alive"));
        };
        finalize(&object, count, log.clone());
        node(object)
    };
    let nodes = vec![node("a"), node("b")];
    WEAK.set(nodes.iter().map(|node| node.downgrade()).collect());
    tie(nodes, |node, next| *node.next.borrow_mut() = Some(next));
    Gcmodule::collect();
    let events = log.take();
    assert_eq!([&events[1], &events[3]], ["1 alive", "0 alive"]);
    WEAK.take();
}
