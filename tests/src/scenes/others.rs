//! Cycles in other people's collectors that are alive when the program ends.

use std::cell::RefCell;

use lastly::{Watched, finalize};

use crate::{leak, say};

pub(crate) const SCENES: &[(&str, fn())] =
    &[("rust-cc-cycle", rust_cc_cycle), ("dumpster-cycle", dumpster_cycle)];

/// Never collected.
fn rust_cc_cycle() {
    use rust_cc::{Cc, Finalize, Trace};

    #[derive(Trace, Finalize)]
    struct Node {
        #[rust_cc(ignore)]
        object: Watched<u8>,
        next: RefCell<Option<Cc<Node>>>,
    }

    let node = Cc::new(Node { object: Watched::new(1), next: RefCell::new(None) });
    *node.next.borrow_mut() = Some(node.clone());
    finalize(&node.object, say, "of the cycle");
    leak("newer");
}

/// Collected when the main thread's thread-locals die, which is before the drain.
fn dumpster_cycle() {
    use dumpster::unsync::Gc;
    use dumpster::{Trace, TraceWith, Visitor};

    struct Object(Watched<u8>);

    // SAFETY: there is no `Gc` in it.
    unsafe impl<V: Visitor> TraceWith<V> for Object {
        fn accept(&self, _: &mut V) -> Result<(), ()> {
            Ok(())
        }
    }

    #[derive(Trace)]
    struct Node {
        object: Object,
        next: RefCell<Option<Gc<Node>>>,
    }

    dumpster::unsync::set_collect_condition(|_| false);
    let node = Gc::new(Node { object: Object(Watched::new(1)), next: RefCell::new(None) });
    *node.next.borrow_mut() = Some(node.clone());
    finalize(&node.object.0, say, "of the cycle");
    leak("newer, but later");
}
