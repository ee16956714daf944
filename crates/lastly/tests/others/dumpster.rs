//! `dumpster`: has no attribute for fields. A type around the `Watched` gets an empty `TraceWith`.
//!
//! In `dumpster::sync` a callback may neither collect nor drop a pointer: the collection holds its
//! lock, and the program **hangs**. (No test: it would hang too.)

use std::cell::RefCell;
use std::sync::Mutex;

use dumpster::{Trace, TraceWith, Visitor, sync, unsync};
use lastly::Watched;

use crate::{Collector, Value, in_a_callback, tie, what_holds};

struct Object(#[expect(dead_code, reason = "it is here to die")] Watched<Value>);

// SAFETY: there is no `Gc` in it that the collector would have to know of.
unsafe impl<V: Visitor> TraceWith<V> for Object {
    fn accept(&self, _: &mut V) -> Result<(), ()> {
        Ok(())
    }
}

mod of_one_thread {
    use super::*;

    #[derive(Trace)]
    struct Node {
        object: Object,
        next: RefCell<Option<unsync::Gc<Node>>>,
    }

    fn node(object: Watched<Value>) -> unsync::Gc<Node> {
        unsync::Gc::new(Node { object: Object(object), next: RefCell::new(None) })
    }

    struct Unsync;

    impl Collector for Unsync {
        fn leave(object: Watched<Value>) {
            node(object);
        }

        fn leave_ring(objects: Vec<Watched<Value>>) {
            let nodes = objects.into_iter().map(node).collect();
            // Otherwise it would collect when it sees fit.
            unsync::set_collect_condition(|_| false);
            tie(nodes, |node: &unsync::Gc<Node>, next| *node.next.borrow_mut() = Some(next));
        }

        fn collect() {
            unsync::collect();
        }
    }

    what_holds! {
        Unsync:
        fires_in_the_collection fires_with_the_last_pointer called_or_detached_before
        one_calls_another a_callback_panics fires_in_the_middle the_drop_of_a_value_panics
        fires_at_the_end_of_the_thread
    }

    /// Holds: a callback may make and drop pointers. What it leaves is collected later.
    #[test]
    fn a_callback_leaves_a_ring() {
        let leave = || Unsync::leave_ring(crate::Log::default().objects(["x", "y"]).0);
        assert_eq!(in_a_callback::<Unsync>(leave), [""; 0]);
    }

    /// Does **not** hold: that it may collect. That does nothing.
    #[test]
    fn a_callback_collects() {
        assert_eq!(in_a_callback::<Unsync>(unsync::collect), [""; 0]);
    }

    /// Does **not** hold: that a value's `Drop` may panic. The collector of that thread never works
    /// again, and the callbacks wait for the exit.
    #[test]
    fn after_a_panic_nothing_is_collected() {
        crate::the_drop_of_a_value_panics::<Unsync>();
        let log = crate::Log::default();
        let (objects, finalizers) = log.objects(["a", "b"]);
        Unsync::leave_ring(objects);
        Unsync::collect();
        assert!(finalizers.iter().all(|it| it.is_alive()));
        assert!(finalizers.iter().all(|it| it.detach()));
    }
}

mod of_many_threads {
    use super::*;

    #[derive(Trace)]
    struct Node {
        object: Object,
        next: Mutex<Option<sync::Gc<Node>>>,
    }

    fn node(object: Watched<Value>) -> sync::Gc<Node> {
        sync::Gc::new(Node { object: Object(object), next: Mutex::new(None) })
    }

    struct Sync;

    impl Collector for Sync {
        fn leave(object: Watched<Value>) {
            node(object);
        }

        fn leave_ring(objects: Vec<Watched<Value>>) {
            let nodes = objects.into_iter().map(node).collect();
            tie(nodes, |node: &sync::Gc<Node>, next| *node.next.lock().unwrap() = Some(next));
        }

        fn collect() {
            sync::collect();
        }
    }

    // It drops values in the order of a hash table, which is the newest first now and then.
    what_holds! {
        Sync:
        fires_in_the_collection fires_with_the_last_pointer called_or_detached_before
        one_calls_another a_callback_panics
    }
}
