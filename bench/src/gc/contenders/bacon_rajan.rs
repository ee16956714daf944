//! bacon_rajan_cc: the synchronous algorithm of the paper; collects only when told to.

use std::cell::RefCell;

use bacon_rajan_cc::{Cc, Trace, Tracer, collect_cycles};

use crate::gc::heap::{Counted, Finalized, Heap, Hook, Hooks};

pub(crate) struct BaconRajan;

pub(crate) struct Node {
    next: RefCell<Option<Cc<Node>>>,
}

impl Trace for Node {
    fn trace(&self, tracer: &mut Tracer) {
        self.next.trace(tracer);
    }
}

pub(crate) struct Vertex {
    edges: RefCell<Vec<Cc<Vertex>>>,
    _counted: Counted,
}

impl Trace for Vertex {
    fn trace(&self, tracer: &mut Tracer) {
        self.edges.trace(tracer);
    }
}

pub(crate) struct Hooked {
    next: RefCell<Option<Cc<Hooked>>>,
    _hook: Hook,
}

pub(crate) struct Finalizing {
    next: RefCell<Option<Cc<Finalizing>>>,
    hooks: Hooks,
}

impl Trace for Hooked {
    fn trace(&self, tracer: &mut Tracer) {
        self.next.trace(tracer);
    }
}

impl Trace for Finalizing {
    fn trace(&self, tracer: &mut Tracer) {
        self.next.trace(tracer);
    }
}

impl Heap for BaconRajan {
    type Leaf = Cc<(u64, u64)>;
    type Node = Cc<Node>;
    type Hooked = Cc<Hooked>;
    type Vertex = Cc<Vertex>;

    fn leaf(words: (u64, u64)) -> Self::Leaf {
        Cc::new(words)
    }

    fn node() -> Self::Node {
        Cc::new(Node { next: RefCell::new(None) })
    }

    fn point(from: &Self::Node, to: Option<Self::Node>) {
        *from.next.borrow_mut() = to;
    }

    fn hooked(hook: Hook) -> Self::Hooked {
        Cc::new(Hooked { next: RefCell::new(None), _hook: hook })
    }

    fn point_hooked(from: &Self::Hooked, to: Option<Self::Hooked>) {
        *from.next.borrow_mut() = to;
    }

    fn vertex() -> Self::Vertex {
        Cc::new(Vertex { edges: RefCell::new(Vec::new()), _counted: Counted::new() })
    }

    fn edges<R>(of: &Self::Vertex, change: impl FnOnce(&mut Vec<Self::Vertex>) -> R) -> R {
        change(&mut of.edges.borrow_mut())
    }

    fn collect() {
        collect_cycles();
    }

    fn only_when_told() -> bool {
        true
    }
}

impl Finalized for BaconRajan {
    type Heap = Self;
    type Node = Cc<Finalizing>;

    fn node() -> Self::Node {
        Cc::new(Finalizing { next: RefCell::new(None), hooks: Hooks::default() })
    }

    fn point(from: &Self::Node, to: Option<Self::Node>) {
        *from.next.borrow_mut() = to;
    }

    fn add(to: &Self::Node, number: u64) {
        to.hooks.add(number);
    }
}
