//! The ways to the value that ask for the only pointer: `get_mut`, `make_mut`, `try_unwrap`,
//! `into_inner`, `unwrap_or_clone`.

use super::*;

/// A value that counts how often it is looked into.
struct Looked(&'static str, std::rc::Rc<Cell<u32>>, RefCell<Option<Gc<Node>>>);

// SAFETY: finds what the cell holds, once.
unsafe impl Trace for Looked {
    fn trace(&self, tracer: &mut lastly::Tracer) {
        self.1.set(self.1.get() + 1);
        self.2.trace(tracer);
    }
}

#[test]
fn get_mut_asks_for_the_only_pointer() {
    let seen = as_with_rc!(|P, W| {
        let mut pointer = P::new(1);
        let mut seen = Vec::new();
        let mut try_it = |pointer: &mut P<i32>| {
            let value = P::get_mut(pointer);
            seen.push(value.map(|value| {
                *value += 1;
                *value
            }));
        };
        try_it(&mut pointer);
        let clone = pointer.clone();
        try_it(&mut pointer);
        drop(clone);
        try_it(&mut pointer);
        let weak = P::downgrade(&pointer);
        try_it(&mut pointer);
        drop(weak);
        try_it(&mut pointer);
        seen
    });
    assert_eq!(seen, [Some(2), None, Some(3), None, Some(4)]);
}

/// Nobody looks into a value while it can be changed, also if it was a suspect just now.
#[test]
fn a_collection_while_a_suspect_is_being_changed() {
    alone(|| {
        let log = Log::default();
        let looks = std::rc::Rc::new(Cell::new(0));
        let held = Node::new(&log, "held");
        let mut object = Gc::new(Looked("before", looks.clone(), RefCell::new(Some(held.clone()))));
        drop(object.clone());
        drop(held);
        collect();
        assert_eq!(looks.get(), 1, "a suspect is looked into");
        drop(object.clone());
        assert_eq!(collector::statistics().suspects, 1);

        let value = Gc::get_mut(&mut object).expect("the only pointer");
        assert_eq!(collector::statistics().suspects, 0);
        drop(Node::circle(&log, "garbage"));
        assert_eq!(collect().objects, 1);
        assert_eq!(looks.get(), 1, "what may be changing is not looked into");
        value.0 = "after";
        value.2 = RefCell::default();
        assert_eq!(log.take(), ["drop garbage", "drop held"]);
        assert_eq!(object.0, "after");

        // From here on it is an object like others.
        drop(object.clone());
        collect();
        assert_eq!(looks.get(), 2);
    });
}

/// What a value holds that is being changed counts as held from outside.
#[test]
fn a_collection_meets_what_a_changing_value_holds() {
    alone(|| {
        let log = Log::default();
        let mut owner = Node::new(&log, "owner");
        let inner = Node::circle(&log, "inner");
        owner.link(&inner);
        drop(inner);
        drop(owner.clone());
        let value = Gc::get_mut(&mut owner).expect("the only pointer");
        assert_eq!(collect().objects, 0, "`inner` is a suspect, and held");
        assert_eq!(value.links.get_mut()[0].name, "inner");
        value.links.get_mut().clear();
        assert_eq!(collect().objects, 1);
        assert_eq!(log.take(), ["drop inner"]);
    });
}

#[test]
fn a_suspect_that_is_taken_apart_is_none() {
    alone(|| {
        let suspects = || collector::statistics().suspects;
        let suspicious = || {
            let object = Gc::new(RefCell::new(Vec::<Gc<Node>>::new()));
            drop(object.clone());
            assert_eq!(suspects(), 1);
            object
        };
        assert!(Gc::try_unwrap(suspicious()).is_ok());
        assert_eq!(suspects(), 0);
        assert!(Gc::into_inner(suspicious()).is_some());
        assert_eq!(suspects(), 0);
        Gc::unwrap_or_clone(suspicious());
        assert_eq!(suspects(), 0);
        let mut object = suspicious();
        Gc::make_mut(&mut object);
        assert_eq!(suspects(), 0);
        assert_eq!(collect().suspects, 0);
    });
}

/// Of several suspects the right one leaves, wherever it is among them: the others are collected.
#[test]
fn suspects_leave_from_anywhere_in_their_list() {
    const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
    for (index, name) in NAMES.into_iter().enumerate() {
        alone(|| {
            let log = Log::default();
            let mut nodes = NAMES.map(|name| Node::circle(&log, name)).to_vec();
            drop(nodes.clone());
            let node = nodes.remove(index);
            node.links.borrow_mut().clear();
            drop(node);
            assert_eq!(log.take(), [format!("drop {name}")]);
            assert_eq!(collector::statistics().suspects, 4);
            drop(nodes);
            let done = collect();
            assert_eq!((done.suspects, done.examined, done.objects), (4, 4, 4));
            let mut lines = log.take();
            lines.sort();
            let left = NAMES.iter().filter(|name| **name != NAMES[index]);
            assert!(lines.into_iter().eq(left.map(|name| format!("drop {name}"))));
        });
    }
}

#[test]
fn make_mut_clones_what_others_see() {
    let seen = as_with_rc!(|P, W| {
        DROPS.set(0);
        let mut pointer = P::new(Mortal(1));
        P::make_mut(&mut pointer).0 = 2;
        let alone = DROPS.get();
        let other = pointer.clone();
        P::make_mut(&mut pointer).0 = 3;
        let shared = (DROPS.get(), pointer.0, other.0, P::ptr_eq(&pointer, &other));
        drop(other);
        let place = P::as_ptr(&pointer);
        P::make_mut(&mut pointer).0 = 4;
        (alone, shared, P::as_ptr(&pointer) == place, pointer.0)
    });
    assert_eq!(seen, (0, (0, 3, 2, false), true, 4));
}

/// To a `Weak` the object is gone then. (`Rc` moves the value into a new place; a finalizer's
/// object does not move.)
#[test]
fn make_mut_leaves_weak_references_behind() {
    let seen = as_with_rc!(|P, W| {
        let mut pointer = P::new(1);
        let weak = P::downgrade(&pointer);
        *P::make_mut(&mut pointer) = 2;
        (*pointer, weak.upgrade().is_none(), P::weak_count(&pointer), weak.strong_count())
    });
    assert_eq!(seen, (2, true, 0, 0));
}

#[test]
fn the_value_can_be_taken_out_of_the_only_pointer() {
    let seen = as_with_rc!(|P, W| {
        DROPS.set(0);
        let (pointer, other) = {
            let pointer = P::new(Mortal(1));
            let other = pointer.clone();
            (P::try_unwrap(pointer).expect_err("there is another"), other)
        };
        let weak = P::downgrade(&pointer);
        drop(other);
        let value = P::try_unwrap(pointer).expect("the only one; a `Weak` is none");
        (value.0, weak.upgrade().is_none(), weak.strong_count(), DROPS.get())
    });
    assert_eq!(seen, (1, true, 0, 0));
}

#[test]
fn into_inner_gives_the_value_to_the_last() {
    let seen = as_with_rc!(|P, W| {
        DROPS.set(0);
        let pointer = P::new(Mortal(1));
        let other = pointer.clone();
        let first = P::into_inner(pointer).is_some();
        let counts = P::strong_count(&other);
        let last = P::into_inner(other).is_some();
        (first, counts, last, DROPS.get())
    });
    assert_eq!(seen, (false, 1, true, 1));
}

#[test]
fn unwrap_or_clone_clones_only_what_others_have() {
    let seen = as_with_rc!(|P, W| {
        DROPS.set(0);
        let pointer = P::new(Mortal(1));
        let other = pointer.clone();
        let clone = P::unwrap_or_clone(pointer);
        let counts = P::strong_count(&other);
        let value = P::unwrap_or_clone(other);
        (clone.0, counts, value.0, DROPS.get())
    });
    assert_eq!(seen, (1, 1, 1, 0));
}

/// What was taken out takes what it holds along.
#[test]
fn what_a_value_holds_outlives_the_object() {
    alone(|| {
        let log = Log::default();
        let owner = Gc::new(RefCell::new(vec![Node::new(&log, "held")]));
        let held = owner.borrow()[0].clone();
        let value = Gc::try_unwrap(owner).expect("the only one");
        drop(held);
        assert_eq!(collect().objects, 0, "a suspect, held by a value that is no object");
        drop(value);
        assert_eq!(log.take(), ["drop held"]);
    });
}
