//! `rust-cc`: `#[rust_cc(ignore)]` on the field. A cycle that is alive when the program ends is
//! never collected; its callbacks run at exit all the same (scene `rust-cc-cycle`).

use std::cell::RefCell;

use lastly::Watched;
use rust_cc::{Cc, Finalize, Trace, collect_cycles};

use crate::{Collector, Value, in_a_callback, tie, what_holds};

#[derive(Trace, Finalize)]
struct Node {
    #[rust_cc(ignore)]
    _object: Watched<Value>,
    next: RefCell<Option<Cc<Node>>>,
}

fn node(object: Watched<Value>) -> Cc<Node> {
    Cc::new(Node { _object: object, next: RefCell::new(None) })
}

struct RustCc;

impl Collector for RustCc {
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
    RustCc:
    fires_in_the_collection fires_with_the_last_pointer called_or_detached_before
    one_calls_another a_callback_panics fires_in_the_middle the_drop_of_a_value_panics
    outlives_its_thread
}

/// Holds: a callback may make and drop pointers. What it leaves is collected later.
#[test]
fn a_callback_leaves_a_ring() {
    let leave = || RustCc::leave_ring(crate::Log::default().objects(["x", "y"]).0);
    assert_eq!(in_a_callback::<RustCc>(leave), [""; 0]);
}

/// Does **not** hold: that it may collect. That does nothing.
#[test]
fn a_callback_collects() {
    assert_eq!(in_a_callback::<RustCc>(collect_cycles), [""; 0]);
}
