//! A panic in somebody's `Trace` runs the program's panic hook, which is anybody's safe code, in
//! the middle of a search for garbage. A binary of its own, as there is one hook per process.
#![cfg(not(loom))]

use std::cell::{Cell, RefCell};
use std::panic;
use std::rc::Rc;

use lastly::{Gc, Trace, Tracer, Weak, collect, collector, report};

/// A bomb panics when it is looked into, once.
struct Node {
    edges: RefCell<Vec<Gc<Node>>>,
    bomb: Cell<bool>,
    dropped: Rc<Cell<u32>>,
}

// SAFETY: each edge is owned, and visited once.
unsafe impl Trace for Node {
    fn trace(&self, tracer: &mut Tracer) {
        if self.bomb.take() {
            panic!("bomb");
        }
        self.edges.trace(tracer);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.dropped.set(self.dropped.get() + 1);
    }
}

type Action = Box<dyn FnOnce()>;

thread_local! {
    static ACTION: RefCell<Option<Action>> = const { RefCell::new(None) };
}

/// Two nodes that hold each other, and from which a bomb can be reached.
struct Scene {
    first: Gc<Node>,
    second: Gc<Node>,
    dropped: Rc<Cell<u32>>,
}

impl Scene {
    fn new() -> Self {
        let dropped = Rc::new(Cell::new(0));
        let node = |bomb| {
            let (edges, bomb) = (RefCell::default(), Cell::new(bomb));
            Gc::new(Node { edges, bomb, dropped: Rc::clone(&dropped) })
        };
        let (first, second) = (node(false), node(false));
        first.edges.borrow_mut().extend([second.clone(), node(true)]);
        second.edges.borrow_mut().push(first.clone());
        Self { first, second, dropped }
    }
}

/// Collects, with a hook that does this, and once more without.
fn collect_with(action: impl FnOnce() + 'static) {
    ACTION.set(Some(Box::new(action)));
    collect();
    assert!(ACTION.take().is_none(), "the bomb went off");
    collect();
}

#[test]
fn a_panic_hook_may_do_anything_while_garbage_is_searched() {
    panic::set_hook(Box::new(|info| match ACTION.take() {
        Some(action) => action(),
        None => eprintln!("{info}"),
    }));
    report::set_hook(|_| ());
    let _paused = collector::pause();
    it_drops_the_last_pointers();
    it_takes_a_pointer();
    it_frees_a_lone_suspect();
    it_moves_an_edge();
    it_wants_it_alone();
    it_collects();
}

/// What was visited already dies of it.
fn it_drops_the_last_pointers() {
    let Scene { first, second, dropped } = Scene::new();
    drop(first.clone());
    collect_with(move || {
        first.edges.borrow_mut().clear();
        second.edges.borrow_mut().clear();
        drop((first, second));
    });
    assert_eq!(dropped.get(), 3);
}

/// What was counted as garbage is held again.
fn it_takes_a_pointer() {
    let Scene { first, second, dropped } = Scene::new();
    let weak = Gc::downgrade(&first);
    let kept: Rc<Cell<Option<Gc<Node>>>> = Rc::default();
    let keep = Rc::clone(&kept);
    drop((first, second));
    collect_with(move || keep.set(weak.upgrade()));
    let first = kept.take().expect("alive");
    assert!(Gc::is_alive(&first) && Gc::is_alive(&first.edges.borrow()[0]));
    assert_eq!(dropped.get(), 0);
    drop(first);
    assert_eq!(collect().objects, 3);
    assert_eq!(dropped.get(), 3);
}

/// A suspect that is yet to be visited dies.
fn it_frees_a_lone_suspect() {
    let Scene { first, second, dropped } = Scene::new();
    let lone = Gc::new(Node {
        edges: RefCell::default(),
        bomb: Cell::new(false),
        dropped: Rc::clone(&dropped),
    });
    drop(first.clone());
    drop(lone.clone());
    drop((first, second));
    collect_with(move || drop(lone));
    assert_eq!(dropped.get(), 4);
}

/// A pointer goes from an object that was counted to one that was not, and no count changes.
fn it_moves_an_edge() {
    let Scene { first, second, dropped } = Scene::new();
    let held = Scene::new();
    drop(first.clone());
    drop(held.first.clone());
    let (from, to) = (held.second.clone(), first.clone());
    drop((first, second));
    collect_with(move || {
        let edge = from.edges.borrow_mut().pop().expect("it holds the first");
        to.edges.borrow_mut().push(edge);
    });
    assert_eq!(dropped.get(), 3);
    assert_eq!(held.dropped.get(), 0);
    assert!(Gc::is_alive(&held.first) && Gc::is_alive(&held.second));
}

/// A value that is being looked at cannot be had, nor changed.
fn it_wants_it_alone() {
    let Scene { first, second, dropped } = Scene::new();
    let mut lone = Gc::new(Node {
        edges: RefCell::new(vec![first.clone()]),
        bomb: Cell::new(false),
        dropped: Rc::clone(&dropped),
    });
    drop(lone.clone());
    drop((first, second));
    let back: Rc<Cell<Option<Gc<Node>>>> = Rc::default();
    let give = Rc::clone(&back);
    collect_with(move || {
        assert!(Gc::get_mut(&mut lone).is_none());
        give.set(Gc::try_unwrap(lone).err());
    });
    let mut lone = back.take().expect("it was not unwrapped");
    assert!(Gc::get_mut(&mut lone).is_some());
    drop(lone);
    collect();
    assert_eq!(dropped.get(), 4);
}

/// A collection in the middle of a search comes after it.
fn it_collects() {
    let Scene { first, second, dropped } = Scene::new();
    let other = Scene::new();
    let weak: Weak<Node> = Gc::downgrade(&other.first);
    let others = Rc::clone(&other.dropped);
    drop((first, second));
    collect_with(move || {
        drop(other);
        assert_eq!(collect().objects, 0);
        assert!(weak.upgrade().is_some());
    });
    assert_eq!((dropped.get(), others.get()), (3, 3));
}
