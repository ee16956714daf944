//! Which `Gc`s the collector finds, and which it does not.

use std::any::type_name;
use std::borrow::Cow;
use std::cell::{Cell, LazyCell, OnceCell, RefCell, UnsafeCell};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::io::{self, BufReader, BufWriter, Cursor, Read, Write};
use std::mem::ManuallyDrop;
use std::num::Wrapping;
use std::ops::{Bound, ControlFlow};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError, RwLock, mpsc};
use std::task::Poll;

use lastly::{Gc, Trace, Tracer, Watched, Weak, collect, unsize};

use crate::{Reports, panic_of};

mod derived;
mod leaves;

/// An object that can own anything.
#[derive(Trace, Default)]
struct Node {
    content: RefCell<Option<Box<dyn Trace>>>,
    /// For what has to be in an order.
    name: u8,
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Node {}

impl PartialOrd for Node {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Node {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.name.cmp(&other.name)
    }
}

impl std::hash::Hash for Node {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// A node that owns itself, by what `wrap` makes of it.
fn ring<C: Trace + 'static>(wrap: impl FnOnce(Gc<Node>) -> C) -> Gc<Node> {
    let node = Gc::new(Node::default());
    let content = wrap(node.clone());
    *node.content.borrow_mut() = Some(Box::new(content));
    node
}

/// It is found. And each `Gc` but once: else the one from outside would count as found too.
#[track_caller]
fn dies<C: Trace + 'static>(wrap: impl FnOnce(Gc<Node>) -> C) {
    assert!(!C::is_leaf(), "{}", type_name::<C>());
    let node = ring(wrap);
    let weak = Gc::downgrade(&node);
    drop(node.clone());
    assert_eq!(collect().objects, 0, "{} is held from outside", type_name::<C>());
    drop(node);
    assert_eq!(collect().objects, 1, "{}", type_name::<C>());
    assert!(weak.upgrade().is_none());
}

/// It is not found.
#[track_caller]
fn leaks<C: Trace + 'static>(wrap: impl FnOnce(Gc<Node>) -> C) {
    let weak = Gc::downgrade(&ring(wrap));
    assert_eq!(collect().objects, 0, "{}", type_name::<C>());
    let node = weak.upgrade().expect("it leaked");
    drop(node.content.take());
    drop(node);
    assert!(weak.upgrade().is_none());
}

#[test]
fn containers_in_place_are_looked_into() {
    dies(|gc| gc);
    dies(|gc| [gc.clone(), gc]);
    dies(|gc| (1, gc.clone(), gc));
    dies(|gc| (gc, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
    dies(|gc| (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, gc));
    dies(Some);
    dies(Ok::<_, ()>);
    dies(Err::<(), _>);
    dies(Poll::Ready);
    dies(ControlFlow::<_, ()>::Break);
    dies(ControlFlow::<(), _>::Continue);
    dies(Bound::Included);
    dies(Bound::Excluded);
    dies(|gc| gc.clone()..gc);
    dies(|gc| gc.clone()..=gc);
    dies(|gc| gc..);
    dies(|gc| ..gc);
    dies(|gc| ..=gc);
    dies(Reverse);
    dies(Wrapping);
    dies(AssertUnwindSafe);
    dies(Cursor::new);
    dies(Watched::new);
}

#[derive(Trace)]
struct Reader(Gc<Node>);

impl Read for Reader {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
}

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn containers_by_a_pointer_are_looked_into() {
    dies(Box::new);
    dies(|gc| Box::new([gc.clone(), gc]) as Box<[_]>);
    dies(|gc| Box::new(gc) as Box<dyn Trace>);
    dies(|gc| Box::new(RefCell::new(gc)) as Box<RefCell<dyn Trace>>);
    dies(Box::pin);
    dies(|gc| Box::pin(gc) as Pin<Box<dyn Trace>>);
    dies(|gc| vec![gc.clone(), gc.clone(), gc]);
    dies(|gc| VecDeque::from([gc.clone(), gc]));
    dies(|gc| LinkedList::from([gc.clone(), gc]));
    dies(|gc| BinaryHeap::from([gc.clone(), gc]));
    dies(|gc| BTreeSet::from([gc]));
    dies(|gc| BTreeMap::from([(gc.clone(), gc)]));
    dies(|gc| HashSet::from([gc]));
    dies(|gc| HashMap::from([(gc.clone(), gc)]));
    dies(|gc| Cow::<[Gc<Node>]>::Owned(vec![gc]));
    dies(|gc| BufReader::new(Reader(gc)));
    dies(|gc| BufWriter::new(Reader(gc)));
    dies(|gc| vec![BTreeMap::from([(1, VecDeque::from([Some(Box::new((2, gc)))]))])]);
}

#[test]
fn cells_are_looked_into() {
    dies(Cell::new);
    dies(|gc| Cell::new(Some(vec![gc.clone(), gc])));
    dies(RefCell::new);
    dies(Mutex::new);
    dies(RwLock::new);
    dies(OnceCell::from);
    dies(OnceLock::from);
}

#[test]
fn what_is_shared_or_closed_leaks() {
    leaks(Rc::new);
    leaks(Arc::new);
    leaks(UnsafeCell::new);
    leaks(|gc| {
        let lazy = LazyCell::new(move || gc);
        assert!(Gc::is_alive(&lazy));
        lazy
    });
    leaks(|gc| LazyCell::new(move || gc));
    leaks(|gc| LazyLock::new(move || gc));
    leaks(|gc| {
        let (sender, receiver) = mpsc::channel();
        sender.send(gc).unwrap();
        (sender, receiver)
    });
}

#[test]
fn a_mutably_borrowed_cell_is_passed_over_and_nothing_is_lost() {
    let node = ring(|gc| vec![gc]);
    let weak = Gc::downgrade(&node);
    drop(node.clone());
    let borrowed = node.content.borrow_mut();
    assert_eq!(collect().objects, 0);
    drop(borrowed);
    assert_eq!(collect().objects, 0, "held by `node`");
    drop(node);
    assert_eq!(collect().objects, 1);
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_shared_borrow_does_not_hinder() {
    let node = ring(|gc| RefCell::new(Some(gc)));
    std::mem::forget(node.content.borrow());
    drop(node);
    assert_eq!(collect().objects, 1);
}

/// Holds itself, and something by a lock.
#[derive(Trace)]
struct Locked<L> {
    lock: L,
    own: RefCell<Option<Gc<Self>>>,
}

fn locked<L: Trace + 'static>(lock: L) -> Gc<Locked<L>> {
    let object = Gc::new(Locked { lock, own: RefCell::default() });
    *object.own.borrow_mut() = Some(object.clone());
    object
}

/// Some object, to whom knows no more.
type Any = Gc<dyn Trace>;

fn any<T: Trace + 'static>(object: &Gc<T>) -> Any {
    unsize!(object.clone() => dyn Trace)
}

#[test]
fn what_is_locked_is_passed_over() {
    let outer = locked(Mutex::new(None::<Any>));
    let inner = locked(RwLock::new(None::<Any>));
    *outer.lock.lock().unwrap() = Some(any(&inner));
    *inner.lock.write().unwrap() = Some(any(&outer));
    {
        let _taken = outer.lock.lock().unwrap();
        drop(inner.clone());
        assert_eq!(collect().objects, 0);
    }
    {
        let _taken = inner.lock.write().unwrap();
        drop(outer.clone());
        assert_eq!(collect().objects, 0);
    }
    let reading = inner.clone();
    std::mem::forget(reading.lock.read().unwrap());
    drop((outer, inner, reading));
    assert_eq!(collect().objects, 2, "to read together is no problem");
}

#[test]
fn a_poisoned_lock_is_looked_into_and_stays_poisoned() {
    let object = locked((Mutex::new(None::<Any>), RwLock::new(None::<Any>)));
    let poisoned = panic_of(|| {
        let _taken = (object.lock.0.lock().unwrap(), object.lock.1.write().unwrap());
        crate::explode("poisoned");
    });
    assert_eq!(poisoned, "poisoned");
    *object.lock.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(any(&object));
    *object.lock.1.write().unwrap_or_else(PoisonError::into_inner) = Some(any(&object));
    drop(object.clone());
    assert_eq!(collect().objects, 0);
    assert!(object.lock.0.is_poisoned() && object.lock.1.is_poisoned());
    drop(object);
    assert_eq!(collect().objects, 1);
}

/// What nobody drops is not owned.
#[test]
fn what_is_only_dropped_by_hand_leaks() {
    let object = locked(RefCell::new(None));
    let text = String::from("something that is dropped");
    *object.lock.borrow_mut() = Some((ManuallyDrop::new(any(&object)), text));
    let weak = Gc::downgrade(&object);
    drop(object);
    assert_eq!(collect().objects, 0);
    let object = weak.upgrade().expect("it leaked");
    drop(object.lock.take().map(|(own, _)| ManuallyDrop::into_inner(own)));
    drop(object);
    assert_eq!(collect().objects, 1);
}

/// Panics when it is looked into.
struct Bomb;

// SAFETY: finds nothing.
unsafe impl Trace for Bomb {
    fn trace(&self, _: &mut Tracer) {
        crate::explode("bomb");
    }
}

// So that it might own something.
impl Drop for Bomb {
    fn drop(&mut self) {}
}

#[test]
fn a_panic_in_a_lock_does_not_poison_it() {
    let reports = Reports::record();
    let object = locked((Mutex::new(Bomb), RwLock::new(())));
    drop(object.clone());
    assert_eq!(collect().objects, 0);
    assert!(reports.take().iter().any(|report| report.ends_with("bomb")));
    assert!(!object.lock.0.is_poisoned());
    drop(object.own.take());
}

/// In the middle of what other code does to a container, it is in no state to be looked into.
#[test]
fn a_collection_in_the_middle_of_a_change() {
    let list = locked(RefCell::new(Vec::new()));
    let items = (0..8).map(|number| (number, locked(any(&list))));
    *list.lock.borrow_mut() = items.collect();
    let suspect = || {
        drop(list.clone());
        assert_eq!(collect().objects, 0);
    };
    list.lock.borrow_mut().retain(|(_, item)| {
        drop(item.clone());
        suspect();
        true
    });
    // While it moves one, another is there twice.
    list.lock.borrow_mut().sort_by(|(one, _), (other, _)| {
        suspect();
        other.cmp(one)
    });
    assert_eq!(list.lock.borrow()[0].0, 7);
    let drained: Vec<_> = list.lock.borrow_mut().drain(2..).inspect(|_| suspect()).collect();
    drop(drained);
    assert_eq!(collect().objects, 6, "each holds itself, and the list as well");
    drop(list);
    assert_eq!(collect().objects, 3);
}

#[test]
fn a_collection_in_the_middle_of_get_mut() {
    let mut owner = Gc::new(vec![ring(Some), ring(Some)]);
    drop(owner.clone());
    Gc::get_mut(&mut owner).unwrap().retain(|item| {
        drop(item.clone());
        assert_eq!(collect().objects, 0);
        true
    });
    drop(owner);
    assert_eq!(collect().objects, 2);
}

/// Collects when it is dropped.
#[derive(Trace)]
struct Collects(Weak<Locked<Cell<Option<Any>>>>);

impl Drop for Collects {
    fn drop(&mut self) {
        drop(self.0.upgrade());
        collect();
    }
}

#[test]
fn a_collection_while_a_cell_is_set() {
    let cell = locked(Cell::new(None));
    for _ in 0..3 {
        cell.lock.set(Some(any(&Gc::new(Collects(Gc::downgrade(&cell))))));
    }
    assert!(cell.lock.take().is_some());
    drop(cell);
    assert_eq!(collect().objects, 1);
}
