//! dumpster, its `unsync` half: counts, and a search from suspects that it keeps in hash tables.

use std::cell::RefCell;

use dumpster::unsync::{Gc, collect, set_collect_condition};
use dumpster::{Trace, TraceWith, Visitor};

use crate::gc::heap::{Counted, Finalized, Heap, Hook, Hooks};

pub(crate) struct Dumpster;

#[derive(Trace)]
pub(crate) struct Node {
    next: RefCell<Option<Gc<Node>>>,
}

#[derive(Trace)]
pub(crate) struct Vertex {
    edges: RefCell<Vec<Gc<Vertex>>>,
    _counted: Counted,
}

#[derive(Trace)]
pub(crate) struct Hooked {
    next: RefCell<Option<Gc<Hooked>>>,
    _hook: Hook,
}

#[derive(Trace)]
pub(crate) struct Finalizing {
    next: RefCell<Option<Gc<Finalizing>>>,
    hooks: Hooks,
}

// SAFETY: there is no `Gc` in it.
unsafe impl<V: Visitor> TraceWith<V> for Counted {
    fn accept(&self, _: &mut V) -> Result<(), ()> {
        Ok(())
    }
}

// SAFETY: there is no `Gc` in it.
unsafe impl<V: Visitor> TraceWith<V> for Hook {
    fn accept(&self, _: &mut V) -> Result<(), ()> {
        Ok(())
    }
}

// SAFETY: there is no `Gc` in it.
unsafe impl<V: Visitor> TraceWith<V> for Hooks {
    fn accept(&self, _: &mut V) -> Result<(), ()> {
        Ok(())
    }
}

impl Heap for Dumpster {
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
        set_collect_condition(|_| false);
        true
    }
}

impl Finalized for Dumpster {
    type Heap = Self;
    type Node = Gc<Finalizing>;

    fn node() -> Self::Node {
        Gc::new(Finalizing { next: RefCell::new(None), hooks: Hooks::default() })
    }

    fn point(from: &Self::Node, to: Option<Self::Node>) {
        *from.next.borrow_mut() = to;
    }

    fn add(to: &Self::Node, number: u64) {
        to.hooks.add(number);
    }
}
