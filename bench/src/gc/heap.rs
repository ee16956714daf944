//! What the tables ask of a contender, and the things all of them share.

use std::cell::{Cell, RefCell};
use std::hint::black_box;

/// A kind of pointer whose objects are shared, and whatever collects their cycles.
///
/// The object types are written as the users of that crate would write them, with its derives and
/// its cells.
pub(crate) trait Heap: 'static {
    /// To two words, and no pointer.
    type Leaf: Clone;
    /// To an object that points to one other, or to none.
    type Node: Clone;
    /// To one that does, and has a closure that is run when it is dropped.
    type Hooked: Clone;
    /// To an object that points to any number of others, with a [`Counted`] in it.
    type Vertex: Clone;

    /// Whether a cycle has to be taken apart by whoever lets go of it.
    const BY_HAND: bool = false;

    fn leaf(words: (u64, u64)) -> Self::Leaf;

    fn node() -> Self::Node;
    fn point(from: &Self::Node, to: Option<Self::Node>);

    fn hooked(hook: Hook) -> Self::Hooked;
    fn point_hooked(from: &Self::Hooked, to: Option<Self::Hooked>);

    fn vertex() -> Self::Vertex;
    fn edges<R>(of: &Self::Vertex, change: impl FnOnce(&mut Vec<Self::Vertex>) -> R) -> R;

    fn collect();

    /// From now on this thread collects when told to and at no other time; whether the crate lets
    /// one say so. A collector that cannot be held back has its defaults in all tables.
    fn only_when_told() -> bool;
}

/// A way to have callbacks run when an object dies.
pub(crate) trait Finalized: 'static {
    type Heap: Heap;
    /// To an object that points to one other, or to none.
    type Node: Clone;

    fn node() -> Self::Node;
    fn point(from: &Self::Node, to: Option<Self::Node>);

    /// Has [`fired`] called when the object dies.
    fn add(to: &Self::Node, number: u64);
}

thread_local! {
    static ALIVE: Cell<u64> = const { Cell::new(0) };
    static FIRED: Cell<u64> = const { Cell::new(0) };
}

/// In each vertex: how many there are tells whether a contender did the work.
pub(crate) struct Counted(());

impl Counted {
    pub(crate) fn new() -> Counted {
        ALIVE.set(ALIVE.get() + 1);
        Counted(())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        ALIVE.set(ALIVE.get() - 1);
    }
}

/// How many vertices there are on this thread.
pub(crate) fn alive() -> u64 {
    ALIVE.get()
}

/// The callback of all finalizers.
pub(crate) fn fired(number: u64) {
    FIRED.set(FIRED.get() + 1);
    black_box(number);
}

/// How often [`fired`] was called on this thread.
pub(crate) fn count_fired() -> u64 {
    FIRED.get()
}

/// What one writes where there are no finalizers: a field whose `Drop` runs a closure...
pub(crate) struct Hook(Option<Box<dyn FnOnce()>>);

/// ... or any number of them, added when it has long been in an object.
#[derive(Default)]
pub(crate) struct Hooks(RefCell<Vec<Box<dyn FnOnce()>>>);

impl Hook {
    pub(crate) fn new(number: u64) -> Hook {
        Hook(Some(Box::new(move || fired(number))))
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        if let Some(callback) = self.0.take() {
            callback();
        }
    }
}

impl Hooks {
    pub(crate) fn add(&self, number: u64) {
        self.0.borrow_mut().push(Box::new(move || fired(number)));
    }
}

impl Drop for Hooks {
    fn drop(&mut self) {
        while let Some(callback) = self.0.get_mut().pop() {
            callback();
        }
    }
}
