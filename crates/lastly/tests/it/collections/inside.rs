//! What `Drop`s and callbacks may do inside a collection.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

use lastly::{Finalizer, Gc, collect, collector, finalize};

use crate::Log;
use crate::nodes::{Node, alone, check_still_working};

/// Fewer rounds where each step costs a hundred times as much.
const ROUNDS: usize = if cfg!(any(miri, lastly_slow)) { 10 } else { 1_000 };

thread_local! { static KEPT: RefCell<Vec<Gc<Node>>> = const { RefCell::new(Vec::new()) }; }

/// Handles that callbacks and `Drop`s share.
type Handles = Arc<Mutex<Vec<Finalizer>>>;

/// A ring of three, with finalizers "oldest" of the first and "newest" of the last; the middle one
/// does `work` in its `Drop`, or in a callback of its own, while "oldest" is due.
fn with_work(in_drop: bool, work: impl FnOnce(&Finalizer) + Send + 'static) -> Vec<String> {
    alone(move || {
        let log = Log::default();
        let ring = Node::ring(&log, &["a", "b", "c"]);
        let oldest = finalize(&ring[0], log.say("oldest"), ()).erase();
        if in_drop {
            ring[1].on_drop(move |_| work(&oldest));
        } else {
            finalize(&ring[1], move |()| work(&oldest), ());
        }
        finalize(&ring[2], log.say("newest"), ());
        drop(ring);
        collect();
        check_still_working();
        log.take().into_iter().filter(|line| !line.starts_with("drop ")).collect()
    })
}

#[test]
fn called_while_it_is_due() {
    let call = |oldest: &Finalizer| {
        assert!(oldest.is_alive());
        assert!(oldest.call().expect("alive").is_ok());
        assert!(!oldest.is_alive() && oldest.call().is_none());
    };
    assert_eq!(with_work(true, call), ["oldest", "newest"]);
    assert_eq!(with_work(false, call), ["newest", "oldest"]);
}

#[test]
fn detached_while_it_is_due() {
    let detach = |oldest: &Finalizer| assert!(oldest.detach() && !oldest.is_alive());
    assert_eq!(with_work(true, detach), ["newest"]);
    assert_eq!(with_work(false, detach), ["newest"]);
}

/// The exit flag is about the end of the program only.
#[test]
fn turned_off_while_it_is_due() {
    let turn_off = |oldest: &Finalizer| oldest.set_at_exit(false);
    assert_eq!(with_work(true, turn_off), ["newest", "oldest"]);
    assert_eq!(with_work(false, turn_off), ["newest", "oldest"]);
}

#[test]
fn called_on_another_thread_while_it_is_due() {
    let call = |oldest: &Finalizer| {
        let oldest = oldest.clone();
        let ran = thread::spawn(move || oldest.call().is_some()).join().unwrap();
        assert!(ran);
    };
    assert_eq!(with_work(true, call), ["oldest", "newest"]);
    assert_eq!(with_work(false, call), ["newest", "oldest"]);
}

/// A look shows what is due; the object is dead.
#[test]
fn peeked_at_while_it_is_due() {
    alone(|| {
        let log = Log::default();
        let ring = Node::ring(&log, &["a", "b"]);
        let due = finalize(&ring[0], log.say("due"), ());
        ring[1].on_drop(move |b| {
            let seen = due.peek(|object, _, ()| object.is_none());
            b.log().add(format!("dead: {seen:?}, alive: {}", due.is_alive()));
            let (object, function, ()) = due.detach().expect("alive");
            assert!(object.is_none());
            function(());
        });
        drop(ring);
        collect();
        let mut lines = log.take();
        lines.retain(|line| !line.starts_with("drop "));
        assert_eq!(lines, ["dead: Some(true), alive: true", "due"]);
    });
}

/// A finalizer that comes due while somebody looks at it is run by the one who looks.
#[test]
fn due_while_somebody_looks() {
    alone(|| {
        let log = Log::default();
        let node = Node::circle(&log, "node");
        let peeked = finalize(&node, log.say("run by the peeker"), ());
        finalize(&node, log.say("newest"), ());
        let node = RefCell::new(Some(node));
        peeked.peek(|object, _, ()| {
            drop(object);
            node.take();
            let done = collect();
            assert_eq!((done.objects, done.callbacks), (1, 1));
            log.add("looked");
        });
        assert_eq!(log.take(), ["drop node", "newest", "looked", "run by the peeker"]);
    });
}

/// Other threads call what a collection is about to run: each callback runs once.
#[test]
fn called_by_other_threads_all_the_time() {
    alone(|| {
        let log = Log::default();
        let (ran, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let handles = Handles::default();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while stop.load(SeqCst) == 0 {
                        let handle = handles.lock().unwrap().pop();
                        handle.map(|handle| handle.call());
                        thread::yield_now();
                    }
                });
            }
            for _ in 0..ROUNDS {
                let ring = Node::ring(&log, &["a", "b", "c"]);
                for node in &ring {
                    let ran = ran.clone();
                    let count = move |()| ran.fetch_add(1, SeqCst);
                    handles.lock().unwrap().push(finalize(node, count, ()).erase());
                }
                drop(ring);
                collect();
            }
            stop.store(1, SeqCst);
        });
        drop(handles);
        assert_eq!(ran.load(SeqCst), 3 * ROUNDS);
    });
}

/// New objects, in cycles or not, made by `Drop`s and callbacks: they live and die like others.
#[test]
fn new_objects() {
    alone(|| {
        let log = Log::default();
        let make = |log: &Log, circle, kept| {
            let circle = Node::circle(log, circle);
            finalize(&circle, log.say("callback"), ());
            KEPT.with_borrow_mut(|nodes| nodes.push(Node::new(log, kept)));
        };
        let ring = Node::ring(&log, &["a", "b"]);
        ring[0].on_drop(move |node| make(&node.log(), "of the drop", "kept by the drop"));
        let to = log.clone();
        finalize(&ring[1], move |()| make(&to, "of the callback", "kept by the callback"), ());
        drop(ring);
        assert_eq!(collect().objects, 2);
        let mut first = log.take();
        first.sort();
        assert_eq!(first, ["drop a", "drop b"]);
        assert_eq!(collector::statistics().suspects, 2);
        let done = collect();
        assert_eq!((done.objects, done.callbacks), (2, 2));
        let mut second = log.take();
        assert_eq!(second.split_off(2), ["callback", "callback"]);
        assert_eq!(KEPT.take().len(), 2);
        assert_eq!(log.take(), ["drop kept by the drop", "drop kept by the callback"]);
    });
}

/// Finalizers that `Drop`s and callbacks tie to objects that live.
#[test]
fn new_finalizers() {
    alone(|| {
        let log = Log::default();
        let living = Node::new(&log, "living");
        let ring = Node::ring(&log, &["a", "b"]);
        ring[0].link(&living);
        ring[0].on_drop(|a| {
            let living = &a.links.borrow()[1];
            assert!(Gc::is_alive(living));
            finalize(living, a.log().say("tied by the drop"), ());
        });
        KEPT.set(vec![living.clone()]);
        let to = log.clone();
        let tie = move |()| {
            KEPT.with_borrow(|kept| finalize(&kept[0], to.say("tied by the callback"), ()));
        };
        finalize(&ring[1], tie, ());
        drop(ring);
        assert_eq!(collect().callbacks, 1);
        log.take();
        KEPT.take();
        drop(living);
        assert_eq!(log.take(), ["drop living", "tied by the callback", "tied by the drop"]);
    });
}

/// What dies of it outside of the garbage: by count, in the middle of everything.
#[test]
fn others_die_along() {
    alone(|| {
        let log = Log::default();
        let others: Vec<_> = (0..200).map(|_| Node::new(&log, "other")).collect();
        let ring = Node::ring(&log, &["a", "b"]);
        let (in_drop, in_callback) = (others[..100].to_vec(), others[100..].to_vec());
        drop(others);
        ring[0].on_drop(move |_| drop(in_drop));
        KEPT.set(in_callback);
        finalize(&ring[1], |()| drop(KEPT.take()), ());
        drop(ring);
        assert_eq!(collect().objects, 2);
        assert_eq!(log.take().iter().filter(|line| *line == "drop other").count(), 200);
    });
    check_still_working();
}

/// What a `Drop` takes out of its object is there at once; the callbacks join those that are due.
#[test]
fn values_are_taken_out() {
    alone(|| {
        let log = Log::default();
        let (taken, replaced) = (Node::new(&log, "taken"), Gc::new(1));
        let circle = Node::circle(&log, "circle");
        finalize(&taken, log.say("1: taken"), ());
        finalize(&circle, log.say("2: circle"), ());
        finalize(&replaced, log.say("3: replaced"), ());
        let weak = Gc::downgrade(&replaced);
        let work = Cell::new(Some((taken, replaced)));
        circle.on_drop(move |node| {
            let (taken, mut replaced) = work.take().expect("once");
            let taken = Gc::try_unwrap(taken).expect("the only pointer");
            *Gc::make_mut(&mut replaced) += 1;
            node.log().add(format!("{} {replaced} {}", taken.name, weak.upgrade().is_none()));
        });
        drop(circle);
        assert_eq!(collect().callbacks, 3);
        let expected = ["drop circle", "taken 2 true", "drop taken"];
        let mut lines = log.take();
        assert_eq!(lines.split_off(3), ["3: replaced", "2: circle", "1: taken"]);
        assert_eq!(lines, expected);
    });
}

/// `collect` inside `collect` inside … : from some depth on it waits, and nothing is lost.
#[test]
fn collections_inside_collections() {
    thread_local! { static LEFT: Cell<u32> = const { Cell::new(0) }; }
    fn nested(node: &Node) {
        let left = LEFT.get();
        if left > 0 {
            LEFT.set(left - 1);
            let circle = Node::circle(&node.log(), "circle");
            finalize(&circle, node.log().say("callback"), ());
            circle.on_drop(nested);
            drop(circle);
            collect();
        }
    }
    for depth in [1, 10, 30, 31, 32, 33, 34, 100, 1_000] {
        alone(|| {
            let log = Log::default();
            LEFT.set(depth);
            let first = Node::circle(&log, "circle");
            first.on_drop(nested);
            drop(first);
            collect();
            let lines = log.take();
            let drops = lines.iter().filter(|line| *line == "drop circle").count();
            assert_eq!((drops, lines.len() - drops), (depth as usize + 1, depth as usize));
            assert_eq!(collector::statistics().suspects, 0);
            check_still_working();
        });
    }
}

/// The same by way of callbacks.
#[test]
fn collections_inside_callbacks() {
    fn nested(left: u32, log: Log) {
        let circle = Node::circle(&log, "circle");
        if left > 0 {
            finalize(&circle, move |log| nested(left - 1, log), log);
        }
        drop(circle);
        collect();
    }
    for depth in [1, 31, 32, 33, 200] {
        alone(|| {
            let log = Log::default();
            nested(depth, log.clone());
            assert_eq!(log.take().len(), depth as usize + 1);
            assert_eq!(collector::statistics().suspects, 0);
            check_still_working();
        });
    }
}

/// A `Drop` by count that collects, at every depth, also where deaths have to wait.
#[test]
fn collections_inside_a_chain_of_deaths() {
    alone(|| {
        let log = Log::default();
        let mut chain = Node::new(&log, "last");
        for _ in 0..100 {
            let next = Node::new(&log, "link");
            let circle = Node::circle(&log, "circle");
            finalize(&circle, log.say("callback"), ());
            next.on_drop(move |_| {
                drop(circle);
                collect();
            });
            next.link(&chain);
            chain = next;
        }
        drop(chain);
        let lines = log.take();
        for (line, times) in
            [("drop link", 100), ("drop circle", 100), ("callback", 100), ("drop last", 1)]
        {
            assert_eq!(lines.iter().filter(|it| *it == line).count(), times, "{line}");
        }
        assert_eq!(collector::statistics().suspects, 0);
    });
}
