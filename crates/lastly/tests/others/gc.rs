//! `gc`: `#[unsafe_ignore_trace]` on the field. Its name says that a field that has pointers of the
//! collector's must not be passed over; a `Watched` that has none may.
#![expect(non_local_definitions, reason = "what `gc` derives")]

use gc::{Finalize, Gc, GcCell, Trace, force_collect};
use lastly::Watched;

use crate::{Collector, Value, in_a_callback, tie, what_holds};

#[derive(Trace, Finalize)]
struct Node {
    #[unsafe_ignore_trace]
    _object: Watched<Value>,
    next: GcCell<Option<Gc<Node>>>,
}

fn node(object: Watched<Value>) -> Gc<Node> {
    Gc::new(Node { _object: object, next: GcCell::new(None) })
}

struct OfGc;

impl Collector for OfGc {
    fn leave(object: Watched<Value>) {
        node(object);
    }

    fn leave_ring(objects: Vec<Watched<Value>>) {
        let nodes = objects.into_iter().map(node).collect();
        tie(nodes, |node: &Gc<Node>, next| *node.next.borrow_mut() = Some(next));
    }

    fn collect() {
        force_collect();
    }
}

what_holds! {
    OfGc:
    fires_in_the_collection fires_in_the_next_collection called_or_detached_before
    one_calls_another a_callback_panics fires_in_the_middle fires_at_the_end_of_the_thread
}

/// Does **not** hold: that a callback may make a pointer. The collector panics, and that is reported
/// as the callback's.
#[test]
fn a_callback_allocates() {
    let reports = in_a_callback::<OfGc>(|| drop(Gc::new(1)));
    assert_eq!(reports, ["object died: panicked: RefCell already borrowed"]);
}

/// Does **not** hold: that it may collect; the same.
#[test]
fn a_callback_collects() {
    let reports = in_a_callback::<OfGc>(force_collect);
    assert_eq!(reports, ["object died: panicked: RefCell already borrowed"]);
}
