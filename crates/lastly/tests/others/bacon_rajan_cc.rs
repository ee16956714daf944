//! `bacon_rajan_cc`: has no derive; its `Trace` is written by hand, and leaves the field out.

use std::cell::RefCell;

use bacon_rajan_cc::{Cc, Trace, Tracer, collect_cycles};
use lastly::Watched;

use crate::{Collector, Value, in_a_callback, tie, what_holds};

struct Node {
    _object: Watched<Value>,
    next: RefCell<Option<Cc<Node>>>,
}

impl Trace for Node {
    fn trace(&self, tracer: &mut Tracer) {
        self.next.trace(tracer);
    }
}

fn node(object: Watched<Value>) -> Cc<Node> {
    Cc::new(Node { _object: object, next: RefCell::new(None) })
}

struct BaconRajan;

impl Collector for BaconRajan {
    fn leave(object: Watched<Value>) {
        node(object);
    }

    fn leave_ring(objects: Vec<Watched<Value>>) {
        let nodes = objects.into_iter().map(node).collect();
        tie(nodes, |node: &Cc<Node>, next| *node.next.borrow_mut() = Some(next));
    }

    fn collect() {
        collect_cycles();
    }
}

what_holds! {
    BaconRajan:
    fires_in_the_collection fires_with_the_last_pointer called_or_detached_before
    one_calls_another a_callback_panics fires_in_the_middle the_drop_of_a_value_panics
    outlives_its_thread
}

/// Holds: a callback may make and drop pointers. What it leaves is collected later.
#[test]
fn a_callback_leaves_a_ring() {
    let leave = || BaconRajan::leave_ring(crate::Log::default().objects(["x", "y"]).0);
    assert_eq!(in_a_callback::<BaconRajan>(leave), [""; 0]);
}

/// Holds: it may collect.
#[test]
fn a_callback_collects() {
    assert_eq!(in_a_callback::<BaconRajan>(collect_cycles), [""; 0]);
}
