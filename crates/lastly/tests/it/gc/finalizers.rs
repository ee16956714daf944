//! Finalizers of a `Gc`'s object, where no collection is needed.

use lastly::{finalize, unsize};

use super::*;

#[test]
fn the_value_drops_first_then_the_newest_callback() {
    let log = Log::default();
    let node = Node::new(&log, "node");
    finalize(&node, log.say("oldest"), ());
    let dead = finalize(&node, log.say("never"), ());
    finalize(&node, log.say("newest"), ());
    assert!(dead.detach().is_some());
    let last = node.clone();
    drop(node);
    assert_eq!(log.take(), [""; 0]);
    drop(last);
    assert_eq!(log.take(), ["drop node", "newest", "oldest"]);
}

/// What an object owns dies within its drop: its callbacks come before those of the owner.
#[test]
fn an_owner_dies_around_what_it_owns() {
    let log = Log::default();
    let (outer, inner) = (Node::new(&log, "outer"), Node::new(&log, "inner"));
    finalize(&inner, log.say("callback of inner"), ());
    finalize(&outer, log.say("callback of outer"), ());
    outer.link(&inner);
    drop(inner);
    drop(outer);
    assert_eq!(log.take(), ["drop outer", "drop inner", "callback of inner", "callback of outer"]);
}

#[test]
fn the_handle_leads_back_to_the_object() {
    let log = Log::default();
    let node = Node::new(&log, "node");
    let finalizer = finalize(&node, |name: &str| name.len(), "four");
    let seen = finalizer.peek(|object, _, name| (object.unwrap().name, *name));
    assert_eq!(seen, Some(("node", "four")));
    let (object, function, arguments) = finalizer.detach().expect("alive");
    assert!(Gc::ptr_eq(&object.expect("alive"), &node));
    assert_eq!(function(arguments), 4);
    assert!(finalizer.detach().is_none() && finalizer.call().is_none());
    let other = finalize(&node, |name: &str| name.len(), "three");
    assert_eq!((other.call(), other.call()), (Some(5), None));
}

/// A handle is a weak reference: seen by `weak_count`, and in the way of `get_mut`.
#[test]
fn a_handle_counts_as_a_weak_reference() {
    let mut object = Gc::new(1);
    let handle = finalize(&object, |()| (), ());
    assert_eq!(Gc::weak_count(&object), 1);
    let clone = handle.clone();
    assert_eq!(Gc::weak_count(&object), 2);
    assert!(Gc::get_mut(&mut object).is_none());
    let erased = clone.erase();
    assert_eq!(Gc::weak_count(&object), 1);
    drop(handle);
    assert_eq!(Gc::weak_count(&object), 0);
    *Gc::get_mut(&mut object).expect("the finalizer itself is no reference") = 2;
    assert!(erased.is_alive());
    drop(object);
    assert!(!erased.is_alive());
}

/// In its own callback the object is dead for every weak reference.
#[test]
fn weak_references_are_dead_in_the_callback() {
    thread_local! { static WEAK: RefCell<Weak<u8>> = const { RefCell::new(Weak::new()) }; }
    let log = Log::default();
    let object = Gc::new(1);
    WEAK.set(Gc::downgrade(&object));
    let to = log.clone();
    finalize(&object, move |()| to.add(WEAK.take().upgrade().is_none()), ());
    drop(object);
    assert_eq!(log.take(), ["true"]);
}

#[test]
fn a_value_that_is_taken_out_is_the_objects_death() {
    let log = Log::default();
    let dying = || {
        let node = Node::new(&log, "node");
        finalize(&node, log.say("older"), ());
        finalize(&node, log.say("newer"), ());
        (finalize(&node, |()| (), ()), node)
    };
    let (finalizer, node) = dying();
    let value = Gc::try_unwrap(node).expect("the handle is only weak");
    assert_eq!(log.take(), ["newer", "older"], "before the value is anywhere else");
    assert!(!finalizer.is_alive());
    drop(value);
    assert_eq!(log.take(), ["drop node"]);

    let (_, node) = dying();
    drop(Gc::into_inner(node));
    assert_eq!(log.take(), ["newer", "older", "drop node"]);

    let (finalizer, node) = dying();
    let other = node.clone();
    assert!(Gc::into_inner(node).is_none());
    assert!(finalizer.is_alive() && log.take().is_empty(), "there is another");
    drop(other);
}

#[test]
fn a_value_that_is_cloned_away_is_the_objects_death() {
    let log = Log::default();
    let mut object = Gc::new(1);
    finalize(&object, log.say("callback"), ());
    *Gc::make_mut(&mut object) = 2;
    assert_eq!(log.take(), [""; 0], "nobody else sees it: the same object");
    let weak = Gc::downgrade(&object);
    *Gc::make_mut(&mut object) = 3;
    assert_eq!(log.take(), ["callback"], "left behind, as a `Weak` sees it");
    assert!(weak.upgrade().is_none());
    assert_eq!(*object, 3);
}

#[test]
fn finalizers_go_with_an_object_by_any_name() {
    let log = Log::default();
    let object = Gc::new(Mortal(1));
    finalize(&object, log.say("of the type"), ());
    let any = unsize!(object => dyn std::any::Any);
    let finalizer = finalize(&any, log.say("of any"), ());
    assert!(format!("{finalizer:?}").contains("dyn core::any::Any"), "{finalizer:?}");
    assert!(finalizer.peek(|object, _, ()| object.unwrap().is::<Mortal>()).unwrap());
    let object = any.downcast::<Mortal>().unwrap();
    finalize(&object, log.say("of the type again"), ());
    drop(object);
    assert_eq!(log.take(), ["of the type again", "of any", "of the type"]);

    let slice: Gc<[u8]> = Gc::from([1, 2]);
    let text: Gc<str> = "a".into();
    assert!(format!("{:?}", finalize(&slice, log.say("slice"), ())).contains("object: [u8]"));
    assert!(format!("{:?}", finalize(&text, log.say("text"), ())).contains("object: str"));
    drop((slice, text));
    assert_eq!(log.take(), ["slice", "text"]);
}

/// What failed is reported under the name of the object's type, once.
#[test]
fn a_callback_that_fails_is_reported() {
    struct OnlyHere;
    // SAFETY: owns nothing.
    unsafe impl Trace for OnlyHere {
        fn trace(&self, _: &mut lastly::Tracer) {}
    }
    let reports = crate::Reports::record();
    let log = Log::default();
    let object = Gc::new(OnlyHere);
    finalize(&object, log.say("oldest"), ());
    finalize(&object, |()| Err::<(), _>("no luck"), ());
    drop(object);
    assert_eq!(log.take(), ["oldest"]);
    let of_this = |line: &String| line.contains("OnlyHere (object died): returned an error");
    assert_eq!(reports.take().into_iter().filter(of_this).count(), 1);
}
