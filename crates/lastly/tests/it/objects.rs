//! What can be watched, and in which order it dies.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use lastly::{Watched, finalize};

use crate::Log;

/// A value that says when it is dropped.
struct Says(Log, &'static str);

impl Drop for Says {
    fn drop(&mut self) {
        self.0.add(self.1);
    }
}

#[test]
fn the_value_drops_first_wherever_it_lives() {
    let log = Log::default();
    let value = || Watched::new(Says(log.clone(), "value"));
    let expected = ["value", "callback"];

    let alone = value();
    finalize(&alone, log.say("callback"), ());
    drop(alone);
    assert_eq!(log.take(), expected);

    let boxed = Box::new(value());
    finalize(&boxed, log.say("callback"), ());
    drop(boxed);
    assert_eq!(log.take(), expected);

    let rc = Rc::new(value());
    finalize(&rc, log.say("callback"), ());
    drop((rc.clone(), rc));
    assert_eq!(log.take(), expected);

    let arc = Arc::new(value());
    finalize(&arc, log.say("callback"), ());
    drop((arc.clone(), arc));
    assert_eq!(log.take(), expected);
}

#[test]
fn a_moved_object_is_the_same_object() {
    let log = Log::default();
    let object = Watched::new(1);
    finalize(&object, log.say("first"), ());
    let mut moved = vec![object];
    finalize(&moved[0], log.say("second"), ());
    let moved = Box::new(moved.pop().unwrap());
    finalize(&moved, log.say("third"), ());
    drop(moved);
    assert_eq!(log.take(), ["third", "second", "first"]);
}

#[test]
fn a_field_of_a_struct_dies_with_it() {
    struct Server {
        _socket: Watched<Says>,
        _name: Says,
    }
    let log = Log::default();
    let socket = Watched::new(Says(log.clone(), "socket"));
    finalize(&socket, log.say("callback"), ());
    drop(Server { _socket: socket, _name: Says(log.clone(), "name") });
    assert_eq!(log.take(), ["socket", "callback", "name"]);
}

#[test]
fn trait_objects_and_slices_can_be_watched() {
    let log = Log::default();
    let object: Rc<Watched<dyn std::fmt::Debug>> = Rc::new(Watched::new(5));
    let finalizer = finalize(&object, log.say("debug"), ());
    assert!(format!("{finalizer:?}").contains("dyn core::fmt::Debug"));
    assert_eq!(format!("{:?}", finalizer.detach().unwrap().0.unwrap()), "Watched(5)");
    let slice: Box<Watched<[u8]>> = Box::new(Watched::new([1, 2, 3]));
    finalize(&slice, log.say("slice"), ());
    assert_eq!(slice.len(), 3);
    drop(slice);
    assert_eq!(log.take(), ["slice"]);
}

#[test]
fn weak_pointers_are_dead_in_the_callback() {
    let log = Log::default();
    let object = Arc::new(Watched::new(1));
    let (weak, inner) = (Arc::downgrade(&object), log.clone());
    finalize(&object, move |()| inner.add(weak.upgrade().is_none()), ());
    drop(object);
    assert_eq!(log.take(), ["true"]);
}

#[test]
fn into_inner_is_the_objects_death() {
    let log = Log::default();
    let object = Watched::new(Says(log.clone(), "value"));
    finalize(&object, log.say("callback"), ());
    let value = object.into_inner();
    assert_eq!(log.take(), ["callback"]);
    drop(value);
    assert_eq!(log.take(), ["value"]);

    let shared = Rc::new(Watched::new(4));
    finalize(&shared, log.say("callback"), ());
    let value = Rc::try_unwrap(shared).unwrap().into_inner();
    assert_eq!((value, log.take()), (4, vec!["callback".to_owned()]));
}

#[test]
fn a_static_can_be_watched() {
    static PLAIN: Watched<u8> = Watched::new_static(3);
    static LAZY: LazyLock<Watched<String>> = LazyLock::new(|| Watched::new("lazy".to_owned()));
    let log = Log::default();
    let plain = finalize(&PLAIN, log.say("plain"), ());
    let lazy = finalize(&*LAZY, log.say("lazy"), ());
    plain.set_at_exit(false);
    lazy.set_at_exit(false);
    assert!(plain.is_alive() && lazy.is_alive());
    plain.call();
    lazy.call();
    assert_eq!(log.take(), ["plain", "lazy"]);
}

#[test]
fn an_object_may_hold_what_is_not_send() {
    let log = Log::default();
    let object = Watched::new(Rc::new(RefCell::new(1)));
    finalize(&object, log.say("callback"), ());
    *object.borrow_mut() += 1;
    assert_eq!(*object.borrow(), 2);
    drop(object);
    assert_eq!(log.take(), ["callback"]);
}

#[test]
fn a_watched_value_is_used_like_the_value() {
    let mut object: Watched<Vec<u8>> = Watched::default();
    object.push(1);
    object.as_mut_slice()[0] = 2;
    assert_eq!(format!("{object:?}"), "Watched([2])");
    assert_eq!(Watched::from("text").to_string(), "text");
    assert_eq!(Watched::new(5).as_ref(), &5);
}

/// The object is the `Watched`, not the value in it.
#[test]
fn replacing_the_value_is_not_the_objects_death() {
    let log = Log::default();
    let mut object = Watched::new(Says(log.clone(), "first value"));
    finalize(&object, log.say("callback"), ());
    *object = Says(log.clone(), "second value");
    assert_eq!(log.take(), ["first value"]);
    let mut other = Watched::new(Says(log.clone(), "other value"));
    std::mem::swap(&mut object, &mut other);
    drop(other);
    assert_eq!(log.take(), ["second value", "callback"]);
}

/// The handle keeps no object alive.
#[test]
fn a_handle_keeps_nothing_alive() {
    let value = Arc::new(());
    let object = Rc::new(Watched::new(value.clone()));
    let finalizer = finalize(&object, |()| (), ());
    drop(object);
    assert_eq!(Arc::strong_count(&value), 1);
    drop(finalizer);
}
