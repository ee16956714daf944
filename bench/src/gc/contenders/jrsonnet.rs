//! jrsonnet-gcmodule: CPython's algorithm, over all objects; collects only when told to.

use std::cell::RefCell;

use jrsonnet_gcmodule::{Cc, Trace, collect_thread_cycles};

use crate::gc::heap::{Counted, Finalized, Heap, Hook, Hooks};

pub(crate) struct Jrsonnet;

// What refers to its own type has to say that it is tracked.

#[derive(Trace)]
pub(crate) struct Node {
    #[trace(tracking(force))]
    next: RefCell<Option<Cc<Node>>>,
}

#[derive(Trace)]
pub(crate) struct Vertex {
    #[trace(tracking(force))]
    edges: RefCell<Vec<Cc<Vertex>>>,
    #[trace(skip)]
    _counted: Counted,
}

#[derive(Trace)]
pub(crate) struct Hooked {
    #[trace(tracking(force))]
    next: RefCell<Option<Cc<Hooked>>>,
    #[trace(skip)]
    _hook: Hook,
}

#[derive(Trace)]
pub(crate) struct Finalizing {
    #[trace(tracking(force))]
    next: RefCell<Option<Cc<Finalizing>>>,
    #[trace(skip)]
    hooks: Hooks,
}

impl Heap for Jrsonnet {
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
        _ = collect_thread_cycles();
    }

    fn only_when_told() -> bool {
        true
    }
}

impl Finalized for Jrsonnet {
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
