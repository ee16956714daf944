//! `std::rc::Rc`: the floor, as it does not look for cycles at all.

use std::cell::RefCell;
use std::rc::Rc;

use crate::gc::heap::{Counted, Finalized, Heap, Hook, Hooks};

pub(crate) struct Counting;

pub(crate) struct Node {
    next: RefCell<Option<Rc<Node>>>,
}

pub(crate) struct Vertex {
    edges: RefCell<Vec<Rc<Vertex>>>,
    _counted: Counted,
}

pub(crate) struct Hooked {
    next: RefCell<Option<Rc<Hooked>>>,
    _hook: Hook,
}

pub(crate) struct Finalizing {
    next: RefCell<Option<Rc<Finalizing>>>,
    hooks: Hooks,
}

impl Heap for Counting {
    type Leaf = Rc<(u64, u64)>;
    type Node = Rc<Node>;
    type Hooked = Rc<Hooked>;
    type Vertex = Rc<Vertex>;

    const BY_HAND: bool = true;

    fn leaf(words: (u64, u64)) -> Self::Leaf {
        Rc::new(words)
    }

    fn node() -> Self::Node {
        Rc::new(Node { next: RefCell::new(None) })
    }

    fn point(from: &Self::Node, to: Option<Self::Node>) {
        *from.next.borrow_mut() = to;
    }

    fn hooked(hook: Hook) -> Self::Hooked {
        Rc::new(Hooked { next: RefCell::new(None), _hook: hook })
    }

    fn point_hooked(from: &Self::Hooked, to: Option<Self::Hooked>) {
        *from.next.borrow_mut() = to;
    }

    fn vertex() -> Self::Vertex {
        Rc::new(Vertex { edges: RefCell::new(Vec::new()), _counted: Counted::new() })
    }

    fn edges<R>(of: &Self::Vertex, change: impl FnOnce(&mut Vec<Self::Vertex>) -> R) -> R {
        change(&mut of.edges.borrow_mut())
    }

    fn collect() {}

    fn only_when_told() -> bool {
        true
    }
}

impl Finalized for Counting {
    type Heap = Self;
    type Node = Rc<Finalizing>;

    fn node() -> Self::Node {
        Rc::new(Finalizing { next: RefCell::new(None), hooks: Hooks::default() })
    }

    fn point(from: &Self::Node, to: Option<Self::Node>) {
        *from.next.borrow_mut() = to;
    }

    fn add(to: &Self::Node, number: u64) {
        to.hooks.add(number);
    }
}
