//! What other collectors were found to fail at, one by one. None of it fails here.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread;

use lastly::{Finalizer, Gc, Weak, collect, collector, finalize};

use crate::nodes::{Node, alone, check_still_working};
use crate::{Log, Reports, explode};

/// Fewer where each step costs a hundred times as much.
const MANY: usize = if cfg!(any(miri, lastly_slow)) { 5_000 } else { 1_000_000 };

thread_local! { static KEPT: RefCell<Vec<Gc<Node>>> = const { RefCell::new(Vec::new()) }; }

const RING: [&str; 5] = ["a", "b", "c", "d", "e"];

/// A ring of five, of which each has a callback that says so, and then does this.
fn ring_with_callbacks(log: &Log, work: fn(&'static str)) -> Vec<Gc<Node>> {
    let ring = Node::ring(log, &RING);
    for node in &ring {
        let (name, to) = (node.name, log.clone());
        let say_and_work = move |()| {
            to.add(name);
            work(name);
        };
        finalize(node, say_and_work, ());
    }
    ring
}

/// The names that callbacks said, sorted.
fn said(log: &Log) -> Vec<String> {
    let mut said = log.take();
    said.retain(|line| line.len() == 1);
    said.sort();
    said
}

/// dumpster (on one thread): a panic in a destructor leaves its collector collecting for ever.
#[test]
fn a_panic_leaves_the_collector_stuck() {
    let _turn = Reports::record();
    alone(|| {
        let log = Log::default();
        let ring = Node::ring(&log, &RING);
        ring[2].on_drop(|_| explode("drop"));
        drop(ring);
        assert_eq!(collect().objects, 5);
        assert_eq!(log.take().len(), 5);
        check_still_working();
    });
}

/// All: of five callbacks of which one panics, some others never run; in gc, some run again.
#[test]
fn a_panic_loses_the_other_callbacks_or_repeats_them() {
    let _turn = Reports::record();
    for panics in RING {
        alone(|| {
            thread_local! { static PANICS: Cell<&'static str> = const { Cell::new("") }; }
            PANICS.set(panics);
            let log = Log::default();
            drop(ring_with_callbacks(&log, |name| {
                if name == PANICS.get() {
                    explode("callback");
                }
            }));
            collect();
            assert_eq!(said(&log), RING);
            collect();
            drop(Node::circle(&log, "other"));
            collect();
            assert_eq!(said(&log), [""; 0], "none runs again");
            check_still_working();
        });
    }
}

/// gc: a callback that makes objects panics, `RefCell already borrowed`. rust-cc: what is made
/// there is never finalized.
#[test]
fn a_callback_makes_cyclic_objects() {
    alone(|| {
        thread_local! { static LOG: RefCell<Option<Log>> = const { RefCell::new(None) }; }
        let log = Log::default();
        LOG.set(Some(log.clone()));
        drop(ring_with_callbacks(&log, |_| {
            let log = LOG.with_borrow(|log| log.clone().expect("set"));
            let made = Node::ring(&log, &["one", "other"]);
            finalize(&made[0], log.say("m"), ());
        }));
        assert_eq!((collect().objects, said(&log)), (5, RING.map(str::to_owned).to_vec()));
        assert_eq!((collect().objects, said(&log)), (10, vec!["m".to_owned(); 5]));
    });
}

/// dumpster (for many threads): a deadlock.
#[test]
fn a_callback_collects() {
    alone(|| {
        let log = Log::default();
        drop(ring_with_callbacks(&log, |_| _ = collect()));
        assert_eq!(collect().objects, 5);
        assert_eq!(said(&log), RING);
    });
}

/// dumpster (for many threads): a deadlock.
#[test]
fn a_callback_drops_two_hundred_pointers() {
    alone(|| {
        let log = Log::default();
        collector::set_threshold(1);
        let node = Node::circle(&log, "kept");
        KEPT.set(vec![node.clone(); 1_000]);
        drop(ring_with_callbacks(&log, |_| {
            KEPT.with_borrow_mut(|kept| kept.truncate(kept.len() - 200));
        }));
        collect();
        assert_eq!(said(&log), RING);
        assert_eq!((KEPT.take().len(), Gc::strong_count(&node)), (0, 2));
    });
}

/// jrsonnet-gcmodule: gives a pointer to what is dropped next, a use after free from safe code.
#[test]
fn a_weak_reference_is_upgraded_in_the_destructor_of_a_sibling() {
    alone(|| {
        let log = Log::default();
        let ring = Node::ring(&log, &RING);
        let upgraded: Rc<RefCell<Vec<Gc<Node>>>> = Rc::default();
        for index in 0..5 {
            let weak: Vec<Weak<Node>> = ring.iter().map(Gc::downgrade).collect();
            let upgraded = upgraded.clone();
            ring[index].on_drop(move |_| {
                upgraded.borrow_mut().extend(weak.iter().filter_map(Weak::upgrade));
            });
        }
        drop(ring);
        assert_eq!(collect().objects, 5);
        assert_eq!(upgraded.borrow().len(), 0);
    });
}

/// gc (#124): a destructor gives a sibling away, which is used after it was freed.
#[test]
fn a_destructor_resurrects_a_sibling() {
    alone(|| {
        let log = Log::default();
        let ring = Node::ring(&log, &RING);
        for node in &ring {
            node.on_drop(|node| KEPT.with_borrow_mut(|kept| kept.append(&mut node.links.take())));
        }
        drop(ring);
        collect();
        let kept = KEPT.take();
        assert_eq!((kept.len(), log.take().len()), (5, 5));
        assert!(kept.iter().all(|node| Gc::try_deref(node).is_none()));
        drop(kept);
        assert_eq!(log.take(), [""; 0]);
    });
}

/// rust-cc: a callback that calls another finalizer of the same moment finds nothing done.
#[test]
fn a_callback_calls_the_callback_of_another() {
    thread_local! { static OTHER: RefCell<Option<Finalizer>> = const { RefCell::new(None) }; }
    for call_older in [true, false] {
        alone(|| {
            let log = Log::default();
            let ring = Node::ring(&log, &["one", "other"]);
            let (older, newer) = (log.say("older"), log.say("newer"));
            let (to, then) = (log.clone(), log.clone());
            let call = move |()| {
                let ran = OTHER.take().expect("set").call().is_some();
                to.add(format!("ran: {ran}"));
            };
            let other = if call_older {
                let other = finalize(&ring[0], older, ());
                finalize(&ring[1], call, ());
                other.erase()
            } else {
                finalize(&ring[1], call, ());
                finalize(&ring[0], newer, ()).erase()
            };
            OTHER.set(Some(other));
            drop(ring);
            collect();
            let expected =
                if call_older { ["older", "ran: true"] } else { ["newer", "ran: false"] };
            assert_eq!(then.take().split_off(2), expected);
        });
    }
}

/// rust-cc: ten rounds of what finalizers make, and no more.
#[test]
fn more_generations_than_a_collection_has_passes() {
    fn generation(log: Log, left: u32) {
        let circle = Node::circle(&log, "circle");
        finalize(
            &circle,
            move |log: Log| {
                if left > 0 {
                    generation(log, left - 1)
                }
            },
            log,
        );
        drop(circle);
        collect();
    }
    alone(|| {
        let log = Log::default();
        generation(log.clone(), 30);
        assert_eq!(log.take().len(), 31);
    });
}

/// rust-cc: at most 16,382 references to one object.
#[test]
fn more_references_than_fourteen_bits_count() {
    alone(|| {
        let log = Log::default();
        let node = Node::new(&log, "node");
        *node.links.borrow_mut() = vec![node.clone(); 40_000];
        let weak = vec![Gc::downgrade(&node); 40_000];
        assert_eq!((Gc::strong_count(&node), Gc::weak_count(&node)), (40_001, 40_000));
        drop(node);
        assert_eq!(collect().objects, 1);
        assert!(weak.iter().all(|weak| weak.upgrade().is_none()));
    });
}

fn on_a_usual_stack(work: impl FnOnce(&Log) + Send + 'static) -> usize {
    let log = Log::default();
    let to = log.clone();
    let thread = thread::Builder::new().stack_size(2 * 1024 * 1024);
    thread.spawn(move || work(&to)).unwrap().join().expect("no panic");
    log.take().len()
}

/// dumpster, bacon_rajan_cc: the stack overflows.
#[test]
fn a_ring_of_a_million() {
    let drops = on_a_usual_stack(|log| {
        drop(Node::ring(log, &vec!["node"; MANY]));
        collect();
    });
    assert_eq!(drops, MANY);
}

/// dumpster, rust-cc: the stack overflows where nothing has to be collected.
#[test]
fn a_list_of_a_million() {
    let drops = on_a_usual_stack(|log| {
        let mut list = Node::new(log, "node");
        for _ in 1..MANY {
            let next = Node::new(log, "node");
            next.links.borrow_mut().push(list);
            list = next;
        }
        drop(list);
    });
    assert_eq!(drops, MANY);
}

/// dumpster (for many threads): a `Gc` in a thread-local aborts.
#[test]
fn a_pointer_in_a_thread_local() {
    let log = Log::default();
    alone(|| KEPT.set(ring_with_callbacks(&log, |_| ())));
    assert_eq!(said(&log), RING);
}

/// A first try of ours: a collection that began by itself panicked where a `RefCell` was borrowed.
#[test]
fn a_collection_meets_a_borrowed_cell() {
    let reports = Reports::record();
    alone(|| {
        let log = Log::default();
        collector::set_threshold(1);
        let node = Node::circle(&log, "node");
        let mut links = node.links.borrow_mut();
        drop(Node::circle(&log, "other"));
        links.push(node.clone());
        drop(node.clone());
        links.clear();
        drop(links);
        assert_eq!(log.take(), ["drop other"]);
    });
    assert!(!reports.take().iter().any(|line| line.contains("nodes::Node")), "nobody failed");
}

/// gc, boa_gc: each collection walks through the whole heap.
#[test]
fn a_collection_costs_as_much_as_the_heap() {
    alone(|| {
        let log = Log::default();
        let heap: Vec<_> = (0..10_000).map(|_| Node::circle(&log, "heap")).collect();
        drop(Node::ring(&log, &["one", "other"]));
        assert_eq!(collect().examined, 2);
        drop(heap);
    });
}

/// All that run callbacks from a destructor: the values they are about are still there, in part.
#[test]
fn callbacks_run_while_values_are_being_dropped() {
    alone(|| {
        let log = Log::default();
        let ring = ring_with_callbacks(&log, |_| ());
        drop(ring);
        collect();
        let lines = log.take();
        assert!(lines[..5].iter().all(|line| line.starts_with("drop")), "{lines:?}");
        assert_eq!(lines[5..], ["e", "d", "c", "b", "a"]);
    });
}

/// shredder: finalizers run at some time, on some other thread.
#[test]
fn callbacks_run_on_another_thread() {
    alone(|| {
        let seen = Arc::new(Mutex::new(None));
        let to = seen.clone();
        let circle = Node::circle(&Log::default(), "circle");
        finalize(&circle, move |()| *to.lock().unwrap() = Some(thread::current().id()), ());
        drop(circle);
        collect();
        assert_eq!(*seen.lock().unwrap(), Some(thread::current().id()));
    });
}
