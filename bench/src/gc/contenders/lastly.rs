//! lastly's `Gc`.

use std::cell::RefCell;

use lastly::{Gc, Trace, collect, collector, finalize};

use crate::gc::heap::{Counted, Finalized, Heap, Hook, fired};

pub(crate) struct Lastly;

#[derive(Trace)]
pub(crate) struct Node {
    next: RefCell<Option<Gc<Node>>>,
}

#[derive(Trace)]
pub(crate) struct Hooked {
    next: RefCell<Option<Gc<Hooked>>>,
    #[trace(skip)]
    _hook: Hook,
}

#[derive(Trace)]
pub(crate) struct Vertex {
    edges: RefCell<Vec<Gc<Vertex>>>,
    #[trace(skip)]
    _counted: Counted,
}

impl Heap for Lastly {
    type Leaf = Gc<(u64, u64)>;
    type Node = Gc<Node>;
    type Hooked = Gc<Hooked>;
    type Vertex = Gc<Vertex>;

    fn leaf(words: (u64, u64)) -> Self::Leaf {
        Gc::new(words)
    }

    fn node() -> Self::Node {
        Gc::new(Node { next: RefCell::new(None) })
    }

    fn point(from: &Self::Node, to: Option<Self::Node>) {
        *from.next.borrow_mut() = to;
    }

    fn hooked(hook: Hook) -> Self::Hooked {
        Gc::new(Hooked { next: RefCell::new(None), _hook: hook })
    }

    fn point_hooked(from: &Self::Hooked, to: Option<Self::Hooked>) {
        *from.next.borrow_mut() = to;
    }

    fn vertex() -> Self::Vertex {
        Gc::new(Vertex { edges: RefCell::new(Vec::new()), _counted: Counted::new() })
    }

    fn edges<R>(of: &Self::Vertex, change: impl FnOnce(&mut Vec<Self::Vertex>) -> R) -> R {
        change(&mut of.edges.borrow_mut())
    }

    fn collect() {
        collect();
    }

    fn only_when_told() -> bool {
        std::mem::forget(collector::pause());
        true
    }
}

impl Finalized for Lastly {
    type Heap = Self;
    type Node = Gc<Node>;

    fn node() -> Self::Node {
        <Self as Heap>::node()
    }

    fn point(from: &Self::Node, to: Option<Self::Node>) {
        <Self as Heap>::point(from, to);
    }

    fn add(to: &Self::Node, number: u64) {
        finalize(to, fired, number);
    }
}
