//! `Gc` and `Weak` as pointers. Where `Rc` can do the same, both do it, with the same result.

mod finalizers;
mod lockstep;
mod shapes;
mod unique;
mod values;

use std::cell::{Cell, RefCell};
use std::panic::catch_unwind;

use lastly::{Gc, Trace, Weak, collect, collector};

use crate::nodes::{Node, alone, check_still_working};
use crate::{Log, panic_of};

/// Runs the same code with `Rc` and with `Gc`, which must come to the same, and gives that.
macro_rules! as_with_rc {
    (|$pointer:ident, $weak:ident| $body:block) => {{
        #[allow(unused_imports, reason = "not every body names both")]
        let expected = {
            use std::rc::{Rc as $pointer, Weak as $weak};
            $body
        };
        #[allow(unused_imports, reason = "not every body names both")]
        let found = {
            use lastly::{Gc as $pointer, Weak as $weak};
            $body
        };
        assert_eq!(found, expected, "as with `Rc`");
        found
    }};
}
use as_with_rc;

thread_local! { static DROPS: Cell<u32> = const { Cell::new(0) }; }

/// A value whose drops are counted.
#[derive(Clone, Debug, Default, Trace)]
struct Mortal(u8);

impl Drop for Mortal {
    fn drop(&mut self) {
        DROPS.set(DROPS.get() + 1);
    }
}

#[test]
fn counts() {
    let seen = as_with_rc!(|P, W| {
        let mut seen = Vec::new();
        let first = P::new(1);
        let mut see = |weak: &W<i32>| seen.push((weak.strong_count(), weak.weak_count()));
        let weak = P::downgrade(&first);
        see(&weak);
        let second = first.clone();
        see(&weak);
        let other = weak.clone();
        see(&weak);
        drop(first);
        see(&weak);
        let third = weak.upgrade();
        see(&weak);
        drop(other);
        see(&weak);
        let counts = (P::strong_count(&second), P::weak_count(&second));
        drop((second, third));
        see(&weak);
        (seen, counts, weak.upgrade().is_none())
    });
    assert_eq!(seen.0, [(1, 1), (2, 1), (2, 2), (1, 2), (2, 2), (2, 1), (0, 0)]);
    assert_eq!(seen.1, (2, 1));
}

#[test]
fn pointers_are_equal_if_their_object_is_one() {
    let equal = as_with_rc!(|P, W| {
        let (one, same, other) = (P::new(1), P::new(1), P::new(1));
        let (weak, clone) = (P::downgrade(&one), one.clone());
        let nothing: W<i32> = W::new();
        let dead = P::downgrade(&same);
        drop(same);
        [
            P::ptr_eq(&one, &clone),
            P::ptr_eq(&one, &other),
            weak.ptr_eq(&P::downgrade(&clone)),
            weak.ptr_eq(&P::downgrade(&other)),
            dead.ptr_eq(&dead.clone()),
            dead.ptr_eq(&weak),
            nothing.ptr_eq(&W::new()),
            nothing.ptr_eq(&weak),
            nothing.ptr_eq(&W::default()),
        ]
    });
    assert_eq!(equal, [true, false, true, false, true, false, true, false, true]);
}

#[test]
fn the_last_pointer_drops_the_value_once() {
    let drops = as_with_rc!(|P, W| {
        DROPS.set(0);
        let one = P::new(Mortal(1));
        let (weak, two) = (P::downgrade(&one), one.clone());
        drop(one);
        let between = (DROPS.get(), weak.upgrade().is_some());
        drop(two);
        (between, DROPS.get(), weak.upgrade().is_some())
    });
    assert_eq!(drops, ((0, true), 1, false));
}

#[test]
fn a_weak_reference_to_nothing() {
    let seen = as_with_rc!(|P, W| {
        let weak: W<String> = W::new();
        let clone = weak.clone();
        let counts = (weak.strong_count(), clone.weak_count());
        (counts, clone.upgrade().is_none(), format!("{weak:?}"))
    });
    assert_eq!(seen, ((0, 0), true, "(Weak)".to_owned()));
}

#[test]
fn a_pointer_points_to_its_value() {
    let same = as_with_rc!(|P, W| {
        let pointer = P::new(5_u64);
        let reference: &u64 = &pointer;
        let weak = P::downgrade(&pointer);
        let place = P::as_ptr(&pointer);
        let shown = format!("{pointer:p}") == format!("{:p}", &raw const *pointer);
        (std::ptr::eq(place, reference), weak.as_ptr() == place, shown, *pointer.as_ref())
    });
    assert_eq!(same, (true, true, true, 5));
}

#[test]
fn a_pointer_is_one_word_and_so_is_none() {
    assert_eq!(size_of::<Gc<u8>>(), size_of::<usize>());
    assert_eq!(size_of::<Option<Gc<u8>>>(), size_of::<usize>());
    assert_eq!(size_of::<Option<Weak<u8>>>(), size_of::<usize>());
    assert_eq!(size_of::<Option<Gc<dyn Send>>>(), 2 * size_of::<usize>());
    assert_eq!(size_of::<Option<Gc<[u8]>>>(), 2 * size_of::<usize>());
}

#[test]
fn a_weak_reference_to_an_object_of_its_own() {
    #[derive(Trace)]
    struct ThroughGc(Weak<ThroughGc>, u8);
    struct ThroughRc(std::rc::Weak<ThroughRc>, u8);

    let gc = Gc::new_cyclic(|me: &Weak<ThroughGc>| {
        assert!(me.upgrade().is_none(), "there is no value so far");
        assert_eq!((me.strong_count(), me.weak_count()), (0, 0));
        ThroughGc(me.clone(), 7)
    });
    let rc = std::rc::Rc::new_cyclic(|me: &std::rc::Weak<ThroughRc>| {
        assert!(me.upgrade().is_none());
        assert_eq!((me.strong_count(), me.weak_count()), (0, 0));
        ThroughRc(me.clone(), 7)
    });
    assert!(Gc::ptr_eq(&gc, &gc.0.upgrade().unwrap()));
    assert_eq!(gc.0.upgrade().unwrap().1, rc.0.upgrade().unwrap().1);
    let counts = (std::rc::Rc::strong_count(&rc), std::rc::Rc::weak_count(&rc));
    assert_eq!((Gc::strong_count(&gc), Gc::weak_count(&gc)), counts);
    let weak = Gc::downgrade(&gc);
    drop(gc);
    assert!(weak.upgrade().is_none(), "a weak reference keeps nothing alive");
}

#[test]
fn a_panic_where_an_object_would_make_itself() {
    let kept = RefCell::new(Weak::new());
    let make = || {
        Gc::new_cyclic(|me: &Weak<String>| -> String {
            kept.replace(me.clone());
            panic!("no value");
        })
    };
    assert_eq!(panic_of(make), "no value");
    let kept = kept.into_inner();
    assert!(kept.upgrade().is_none(), "there never was a value");
    assert_eq!((kept.strong_count(), kept.weak_count()), (0, 0));
    drop(kept.clone());
    check_still_working();
}

/// The collector does not look into what is not there.
#[test]
fn a_collection_while_an_object_makes_itself() {
    alone(|| {
        let log = Log::default();
        let object = Gc::new_cyclic(|me: &Weak<(Weak<()>, Gc<Node>)>| {
            let held = Node::new(&log, "held");
            drop(held.clone());
            drop(Node::circle(&log, "garbage"));
            let kept = me.clone();
            assert_eq!(collect().objects, 1);
            assert!(kept.upgrade().is_none());
            (Weak::new(), held)
        });
        assert_eq!(log.take(), ["drop garbage"]);
        assert_eq!(object.1.name, "held");
        drop(object);
        assert_eq!(log.take(), ["drop held"]);
    });
}

#[test]
fn a_million_clones() {
    let clones = if cfg!(any(miri, lastly_slow)) { 1 << 10 } else { 1 << 20 };
    let log = Log::default();
    let node = Node::new(&log, "node");
    let pointers = vec![node.clone(); clones];
    let weaks = vec![Gc::downgrade(&node); clones];
    assert_eq!(Gc::strong_count(&node), clones + 1);
    assert_eq!(Gc::weak_count(&node), clones);
    drop(pointers);
    drop(weaks);
    assert_eq!((Gc::strong_count(&node), Gc::weak_count(&node)), (1, 0));
    assert_eq!(log.take(), [""; 0]);
    drop(node);
    assert_eq!(log.take(), ["drop node"]);
}

/// A cycle with so many references is garbage all the same.
#[test]
fn a_million_references_from_within() {
    let clones = if cfg!(any(miri, lastly_slow)) { 1 << 10 } else { 1 << 20 };
    alone(|| {
        let log = Log::default();
        let node = Node::new(&log, "node");
        *node.links.borrow_mut() = vec![node.clone(); clones];
        drop(node);
        assert_eq!(collect().objects, 1);
        assert_eq!(log.take(), ["drop node"]);
    });
}

/// An object that owns no `Gc` is in no cycle: the collector has nothing to do with it.
#[test]
fn a_leaf_is_never_a_suspect() {
    alone(|| {
        let leaf = Gc::new(String::from("leaf"));
        drop(leaf.clone());
        assert_eq!(collector::statistics().suspects, 0);
        let node = Node::new(&Log::default(), "node");
        drop(node.clone());
        assert_eq!(collector::statistics().suspects, 1);
        drop(node.clone());
        assert_eq!(collector::statistics().suspects, 1, "once");
        drop(node);
        assert_eq!(collector::statistics().suspects, 0, "dead, and no longer one");
    });
}

#[test]
fn the_pointer_may_cross_a_panic() {
    let gc = Gc::new(Mortal(3));
    let inner = gc.clone();
    // Compiles without `AssertUnwindSafe`, as with `Rc`.
    assert!(catch_unwind(move || panic!("{}", inner.0)).is_err());
    assert_eq!(Gc::strong_count(&gc), 1);
}
