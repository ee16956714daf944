//! The objects of most tests of `Gc`: they say when they are dropped, and then do what they were
//! told to.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Debug};
use std::panic::resume_unwind;
use std::thread;

use lastly::{Gc, Trace, collect, finalize};

use crate::Log;

type OnDrop = Box<dyn FnOnce(&Node)>;

/// An object that may hold others.
#[derive(Trace)]
pub(crate) struct Node {
    pub(crate) name: &'static str,
    #[trace(skip)]
    log: Log,
    pub(crate) links: RefCell<Vec<Gc<Node>>>,
    /// Links that the collector does not find.
    #[trace(skip)]
    pub(crate) hidden: RefCell<Vec<Gc<Node>>>,
    #[trace(skip)]
    on_drop: Cell<Option<OnDrop>>,
}

impl Node {
    pub(crate) fn new(log: &Log, name: &'static str) -> Gc<Self> {
        Gc::new(Self::alone(log, name))
    }

    /// One that is no object of its own.
    pub(crate) fn alone(log: &Log, name: &'static str) -> Self {
        Self {
            name,
            log: log.clone(),
            links: RefCell::default(),
            hidden: RefCell::default(),
            on_drop: Cell::new(None),
        }
    }

    /// Nodes with these names, each of which holds the next, and the last the first.
    pub(crate) fn ring(log: &Log, names: &[&'static str]) -> Vec<Gc<Self>> {
        let nodes: Vec<_> = names.iter().map(|name| Self::new(log, name)).collect();
        for (node, next) in nodes.iter().zip(nodes.iter().cycle().skip(1)) {
            node.link(next);
        }
        nodes
    }

    /// A ring of one.
    pub(crate) fn circle(log: &Log, name: &'static str) -> Gc<Self> {
        Self::ring(log, &[name]).remove(0)
    }

    pub(crate) fn link(&self, to: &Gc<Self>) {
        self.links.borrow_mut().push(to.clone());
    }

    /// What its `Drop` does, having said that it runs.
    pub(crate) fn on_drop(&self, work: impl FnOnce(&Self) + 'static) {
        self.on_drop.set(Some(Box::new(work)));
    }

    pub(crate) fn log(&self) -> Log {
        self.log.clone()
    }
}

impl Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({})", self.name)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.log.add(format!("drop {}", self.name));
        if let Some(work) = self.on_drop.take() {
            work(self);
        }
    }
}

/// Runs `work` on a thread of its own, where the collector is new, and gives what it gives, or its
/// panic.
pub(crate) fn alone<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| scope.spawn(work).join()).unwrap_or_else(|panic| resume_unwind(panic))
}

/// Nothing that came before keeps the next cycle of this thread from dying well.
pub(crate) fn check_still_working() {
    let log = Log::default();
    let node = Node::circle(&log, "fresh");
    let finalizer = finalize(&node, log.say("callback"), ());
    drop(node);
    collect();
    assert_eq!(log.take(), ["drop fresh", "callback"], "the collector still works");
    assert!(!finalizer.is_alive());
}
