//! Objects of the garbage-collected pointer when the program ends.

use std::cell::{Cell, RefCell};
use std::process::exit;
use std::sync::atomic::{AtomicPtr, Ordering::SeqCst};
use std::thread;

use lastly::{Gc, Trace, collect, collector, finalize};

use super::forks::in_child;
use crate::{hang, leak, say};

pub(crate) const SCENES: &[(&str, fn())] = &[
    ("gc-exit-in-drop", exit_in_a_drop),
    ("gc-exit-in-callback", exit_in_a_callback),
    ("gc-exit-in-both", exit_in_what_died_in_both),
    ("gc-exit-in-death", exit_in_a_death_by_count),
    ("gc-exit-where-deaths-wait", exit_where_deaths_wait),
    ("gc-exit-on-thread", exit_in_a_callback_on_a_thread),
    ("gc-exit-at-thread-end", exit_at_the_end_of_a_thread),
    ("gc-reachable", reachable),
    ("gc-garbage-and-return", garbage_and_return),
    ("gc-garbage-and-exit", garbage_and_exit),
    ("gc-garbage-and-exit-elsewhere", garbage_and_exit_elsewhere),
    ("gc-garbage-and-panic", garbage_and_panic),
    ("gc-thread-local", thread_local_cycle),
    ("gc-leaked-by-a-thread", leaked_by_a_thread),
    ("gc-in-drain", made_in_the_drain),
    ("gc-fork-in-callback", fork_in_a_callback),
    ("gc-fork-in-drop", fork_in_a_drop),
    ("gc-child-goes-on", child_goes_on),
];

pub(super) type OnDrop = Box<dyn FnOnce(&Node)>;

#[derive(Trace)]
pub(super) struct Node {
    pub(super) next: RefCell<Vec<Gc<Node>>>,
    #[trace(skip)]
    pub(super) on_drop: Cell<Option<OnDrop>>,
}

impl Node {
    pub(super) fn new(on_drop: impl FnOnce(&Node) + 'static) -> Gc<Self> {
        let on_drop: OnDrop = Box::new(on_drop);
        Gc::new(Self { next: RefCell::default(), on_drop: Cell::new(Some(on_drop)) })
    }

    /// One that holds itself, and says when it is dropped.
    fn circle(line: &'static str) -> Gc<Self> {
        let node = Self::new(move |_| say(line));
        node.next.borrow_mut().push(node.clone());
        node
    }

    /// A list of so many; the last of them does `work` in its drop.
    pub(super) fn list(length: usize, work: fn()) -> Gc<Self> {
        let mut first = Self::new(move |_| work());
        for _ in 1..length {
            let next = Self::new(|_| ());
            next.next.borrow_mut().push(first);
            first = next;
        }
        first
    }

    /// Ties a callback that says `line` to each of a list.
    fn watch_list(first: &Gc<Self>, line: &'static str) {
        let mut next = vec![first.clone()];
        while let Some(node) = next.pop() {
            finalize(&node, say, line);
            next.extend(node.next.borrow().iter().cloned());
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(work) = self.on_drop.take() {
            work(self);
        }
    }
}

/// What was due, and what was not, runs in one order: that of creation, backwards.
fn exit_in_a_drop() {
    leak("oldest, elsewhere");
    let one = Node::new(|_| {
        say("exiting");
        exit(7);
    });
    let other = Node::new(|_| ());
    finalize(&one, say, "2, due");
    finalize(&other, say, "3, due");
    leak("4, elsewhere");
    finalize(&one, say, "5, due");
    one.next.borrow_mut().push(other.clone());
    other.next.borrow_mut().push(one.clone());
    drop((one, other));
    collect();
}

fn exit_in_a_callback() {
    leak("oldest, elsewhere");
    let node = Node::circle("dropped");
    finalize(&node, say, "2, due");
    leak("3, elsewhere");
    finalize(&node, say, "4, due");
    finalize(&node, |()| -> () { exit(6) }, ());
    leak("6, elsewhere");
    finalize(&node, say, "newest of the node");
    drop(node);
    collect();
}

/// In a collection inside the drop of another, all of both are due.
fn exit_in_what_died_in_both() {
    let inner = Node::new(|_| {
        say("exiting");
        exit(7);
    });
    inner.next.borrow_mut().push(inner.clone());
    finalize(&inner, say, "1, of the inner");
    let inner_of = Cell::new(Some(inner.clone()));
    let outer = Node::new(move |_| {
        inner_of.take();
        collect();
    });
    outer.next.borrow_mut().push(outer.clone());
    finalize(&outer, say, "2, of the outer");
    finalize(&inner, say, "3, of the inner");
    drop((inner, outer));
    collect();
}

fn exit_in_a_death_by_count() {
    leak("elsewhere");
    let list = Node::list(3, || exit(8));
    Node::watch_list(&list, "of the list");
    drop(list);
}

/// Also of those that were not dropped so far.
fn exit_where_deaths_wait() {
    let both = Node::new(|_| ());
    both.next.borrow_mut().push(Node::list(50, || exit(8)));
    both.next.borrow_mut().push(Node::list(50, || ()));
    Node::watch_list(&both, "of the lists");
    drop(both);
}

/// On a thread that is not the main one.
fn exit_in_a_callback_on_a_thread() {
    leak("of main");
    thread::spawn(|| {
        let node = Node::circle("dropped");
        finalize(&node, say, "due");
        finalize(&node, |()| -> () { exit(6) }, ());
        collector::set_threshold(1);
        drop(node);
        say("never said");
    });
    hang();
}

/// In the collection at the end of a thread.
fn exit_at_the_end_of_a_thread() {
    leak("of main");
    thread::spawn(|| {
        let node = Node::circle("dropped");
        finalize(&node, say, "due");
        finalize(&node, |()| -> () { exit(6) }, ());
        drop(node);
    });
    hang();
}

/// Alive to the end: its callback runs in order, and its value is not dropped.
fn reachable() {
    leak("oldest");
    let node = Box::leak(Box::new(Node::circle("never said")));
    finalize(&*node, say, "of the circle");
    drop(node.clone());
    leak("newest");
}

fn garbage() {
    leak("older than the circle");
    let node = Node::circle("dropped");
    finalize(&node, say, "of the circle");
    leak("newer than the circle");
}

/// Thread-locals of the main thread, the collector among them, go before the drain.
fn garbage_and_return() {
    garbage();
}

fn garbage_and_exit() {
    garbage();
    exit(3);
}

/// Main's collector never hears of it.
fn garbage_and_exit_elsewhere() {
    garbage();
    thread::spawn(|| exit(3));
    hang();
}

fn garbage_and_panic() {
    let held = Node::list(2, || say("the held one dropped"));
    finalize(&held, say, "of the held one");
    garbage();
    panic!("in main");
}

fn thread_local_cycle() {
    thread_local! { static KEPT: RefCell<Vec<Gc<Node>>> = const { RefCell::new(Vec::new()) }; }
    // Older than the collector's own.
    KEPT.with(|_| drop(Node::circle("first")));
    collect();
    let node = Node::circle("dropped");
    finalize(&node, say, "of the thread-local");
    KEPT.set(vec![node]);
    leak("newer, but later");
}

/// The thread is gone, its object is not: nobody has dropped it.
fn leaked_by_a_thread() {
    static LEAKED: AtomicPtr<Node> = AtomicPtr::new(std::ptr::null_mut());
    leak("oldest");
    let thread = thread::spawn(|| {
        let node = Node::circle("never said");
        let finalizer = finalize(&node, say, "of the thread").erase();
        LEAKED.store(Gc::as_ptr(&node).cast_mut(), SeqCst);
        drop(node.clone());
        std::mem::forget(node);
        finalizer
    });
    let finalizer = thread.join().unwrap();
    say(&format!("alive: {}", finalizer.is_alive()));
    leak("newest");
}

/// `Gc` works in the drain, on a thread whose thread-locals are gone.
fn made_in_the_drain() {
    drop(Node::circle("first"));
    let object = Box::leak(Box::new(Gc::new(1)));
    let make = |()| {
        let node = Node::circle("dropped in the drain");
        finalize(&node, say, "older of the drain");
        finalize(&node, say, "newer of the drain");
        let weak = Gc::downgrade(&node);
        drop(node);
        say(&format!("upgrades: {}", weak.upgrade().is_some()));
        drop(Node::list(100_000, || say("end of the list")));
    };
    finalize(&*object, make, ());
    leak("newest");
}

/// The child ends in there: what was due belongs to the parent.
fn fork_in_a_callback() {
    leak("of the parent");
    let node = Node::circle("dropped");
    finalize(&node, say, "oldest of the circle");
    finalize(&node, |()| in_child(|| leak("of the child")), ());
    finalize(&node, say, "newest of the circle");
    drop(node);
    collect();
}

fn fork_in_a_drop() {
    let node = Node::new(|_| {
        in_child(|| leak("of the child"));
        say("the child is gone");
    });
    node.next.borrow_mut().push(node.clone());
    finalize(&node, say, "of the circle");
    drop(node);
    collect();
}

/// A child that does not exit at once has objects, and a collector, like any other process.
fn child_goes_on() {
    let node = Node::circle("dropped");
    finalize(&node, say, "of the circle");
    in_child(move || {
        drop(node);
        say(&format!("collected in the child: {}", collect().objects));
        let own = Node::circle("own dropped");
        finalize(&own, say, "own");
    });
}
