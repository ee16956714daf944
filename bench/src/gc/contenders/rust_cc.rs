//! rust-cc: counts, and trial deletion from suspects; unmaintained since 2024.

use std::cell::RefCell;

use rust_cc::cleaners::Cleaner;
use rust_cc::config::config;
use rust_cc::{Cc, Finalize, Trace, collect_cycles};

use crate::gc::heap::{Counted, Finalized, Heap, Hook, Hooks, fired};

pub(crate) struct RustCc;

#[derive(Trace, Finalize)]
pub(crate) struct Node {
    next: RefCell<Option<Cc<Node>>>,
}

#[derive(Trace, Finalize)]
pub(crate) struct Vertex {
    edges: RefCell<Vec<Cc<Vertex>>>,
    #[rust_cc(ignore)]
    _counted: Counted,
}

#[derive(Trace, Finalize)]
pub(crate) struct Cleaned {
    next: RefCell<Option<Cc<Cleaned>>>,
    cleaner: Cleaner,
}

#[derive(Trace, Finalize)]
pub(crate) struct Hooked {
    next: RefCell<Option<Cc<Hooked>>>,
    #[rust_cc(ignore)]
    _hook: Hook,
}

#[derive(Trace, Finalize)]
pub(crate) struct Finalizing {
    next: RefCell<Option<Cc<Finalizing>>>,
    #[rust_cc(ignore)]
    hooks: Hooks,
}

impl Heap for RustCc {
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
        config(|config| config.set_auto_collect(false)).is_ok()
    }
}

impl Finalized for RustCc {
    type Heap = Self;
    type Node = Cc<Cleaned>;

    fn node() -> Self::Node {
        Cc::new(Cleaned { next: RefCell::new(None), cleaner: Cleaner::new() })
    }

    fn point(from: &Self::Node, to: Option<Self::Node>) {
        *from.next.borrow_mut() = to;
    }

    fn add(to: &Self::Node, number: u64) {
        to.cleaner.register(move || fired(number));
    }
}

/// Without its cleaners.
pub(crate) struct ByHooks;

impl Finalized for ByHooks {
    type Heap = RustCc;
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
