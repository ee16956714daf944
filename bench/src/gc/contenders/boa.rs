//! boa_gc: marks from the roots, which it finds by counting, and sweeps the heap.

use boa_gc::{Finalize, Gc, GcRefCell, Trace, force_collect};

use crate::gc::heap::{Counted, Finalized, Heap, Hook, Hooks};

pub(crate) struct Boa;

#[derive(Trace, Finalize)]
pub(crate) struct Node {
    next: GcRefCell<Option<Gc<Node>>>,
}

#[derive(Trace, Finalize)]
pub(crate) struct Vertex {
    edges: GcRefCell<Vec<Gc<Vertex>>>,
    #[unsafe_ignore_trace]
    _counted: Counted,
}

#[derive(Trace, Finalize)]
pub(crate) struct Hooked {
    next: GcRefCell<Option<Gc<Hooked>>>,
    #[unsafe_ignore_trace]
    _hook: Hook,
}

#[derive(Trace, Finalize)]
pub(crate) struct Finalizing {
    next: GcRefCell<Option<Gc<Finalizing>>>,
    #[unsafe_ignore_trace]
    hooks: Hooks,
}

impl Heap for Boa {
    type Leaf = Gc<(u64, u64)>;
    type Node = Gc<Node>;
    type Hooked = Gc<Hooked>;
    type Vertex = Gc<Vertex>;

    fn leaf(words: (u64, u64)) -> Self::Leaf {
        Gc::new(words)
    }

    fn node() -> Self::Node {
        Gc::new(Node { next: GcRefCell::new(None) })
    }

    fn point(from: &Self::Node, to: Option<Self::Node>) {
        *from.next.borrow_mut() = to;
    }

    fn hooked(hook: Hook) -> Self::Hooked {
        Gc::new(Hooked { next: GcRefCell::new(None), _hook: hook })
    }

    fn point_hooked(from: &Self::Hooked, to: Option<Self::Hooked>) {
        *from.next.borrow_mut() = to;
    }

    fn vertex() -> Self::Vertex {
        Gc::new(Vertex { edges: GcRefCell::new(Vec::new()), _counted: Counted::new() })
    }

    fn edges<R>(of: &Self::Vertex, change: impl FnOnce(&mut Vec<Self::Vertex>) -> R) -> R {
        change(&mut of.edges.borrow_mut())
    }

    fn collect() {
        force_collect();
    }

    /// Its threshold, which begins at a megabyte, cannot be set.
    fn only_when_told() -> bool {
        false
    }
}

impl Finalized for Boa {
    type Heap = Self;
    type Node = Gc<Finalizing>;

    fn node() -> Self::Node {
        Gc::new(Finalizing { next: GcRefCell::new(None), hooks: Hooks::default() })
    }

    fn point(from: &Self::Node, to: Option<Self::Node>) {
        *from.next.borrow_mut() = to;
    }

    fn add(to: &Self::Node, number: u64) {
        to.hooks.add(number);
    }
}
