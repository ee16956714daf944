//! The handle: call, detach, peek, alive, the exit flag, and all of it from inside a callback.

use std::rc::Rc;
use std::sync::{Arc, Mutex};

use lastly::{Deferred, Finalizer, Watched, finalize};

use crate::Log;

#[test]
fn fires_when_the_object_dies_without_a_handle() {
    let log = Log::default();
    let object = Watched::new(1);
    finalize(&object, log.say("gone"), ());
    assert!(log.take().is_empty());
    drop(object);
    assert_eq!(log.take(), ["gone"]);
}

#[test]
fn call_gives_the_result_once() {
    let object = Watched::new(1);
    let double = finalize(&object, |number: u32| number * 2, 21);
    assert!(double.is_alive());
    assert_eq!(double.call(), Some(42));
    assert!(!double.is_alive());
    assert_eq!(double.call(), None);
    drop(object);
    assert_eq!(double.call(), None);
}

#[test]
fn a_called_finalizer_does_not_fire() {
    let log = Log::default();
    let object = Watched::new(1);
    let finalizer = finalize(&object, log.say("ran"), ());
    finalizer.call();
    drop(object);
    assert_eq!(log.take(), ["ran"]);
}

#[test]
fn several_fire_newest_first() {
    let log = Log::default();
    let object = Rc::new(Watched::new(1));
    for name in ["first", "second", "third"] {
        finalize(&object, log.say(name), ());
    }
    drop(object);
    assert_eq!(log.take(), ["third", "second", "first"]);
}

#[test]
fn detach_gives_back_what_it_held() {
    let object = Rc::new(Watched::new(7));
    let finalizer = finalize(&object, |text: String| text.len(), String::from("abc"));
    let (watched, function, arguments) = finalizer.detach().unwrap();
    assert!(Rc::ptr_eq(&watched.unwrap(), &object));
    assert_eq!(function(arguments), 3);
    assert!(!finalizer.is_alive());
    assert!(finalizer.detach().is_none() && finalizer.call().is_none());
}

#[test]
fn detach_from_an_arc_and_from_what_is_not_shared() {
    let shared = Arc::new(Watched::new(7));
    let (object, _, ()) = finalize(&shared, |()| (), ()).detach().unwrap();
    assert_eq!(**object.unwrap(), 7);
    let alone = Watched::new(7);
    let ((), _, number) = finalize(&alone, |_| (), 1).detach().unwrap();
    assert_eq!(number, 1);
    let boxed = Box::new(Watched::new(7));
    let ((), _, number) = finalize(&boxed, |_| (), 2).detach().unwrap();
    assert_eq!(number, 2);
}

/// A finalizer that is detached while its object dies has no object to give back, but gives back
/// the rest, and does not fire.
#[test]
fn detach_in_the_drop_of_the_value() {
    #[derive(Default)]
    struct Value(Mutex<Option<Detach>>);
    type Detach = Box<dyn FnOnce() + Send>;
    impl Drop for Value {
        fn drop(&mut self) {
            self.0.get_mut().unwrap().take().unwrap()();
        }
    }
    let log = Log::default();
    let object = Arc::new(Watched::new(Value::default()));
    let finalizer = finalize(&object, log.say("fired"), ());
    let inner = log.clone();
    let detach = move || {
        let (object, _, ()) = finalizer.detach().unwrap();
        inner.add(format!("detached, object {:?}", object.is_some()));
    };
    *object.0.lock().unwrap() = Some(Box::new(detach));
    drop(object);
    assert_eq!(log.take(), ["detached, object false"]);
}

#[test]
fn peek_shows_and_leaves_alive() {
    let object = Rc::new(Watched::new(7));
    let finalizer = finalize(&object, |number: u32| number + 1, 1);
    let seen = finalizer.peek(|object, _, number| (**object.unwrap(), *number));
    assert_eq!(seen, Some((7, 1)));
    assert!(finalizer.is_alive());
    assert_eq!(finalizer.call(), Some(2));
    assert_eq!(finalizer.peek(|_, _, _| ()), None);
}

#[test]
fn claims_inside_a_peek_are_carried_out_at_its_end() {
    let log = Log::default();
    let object = Watched::new(1);
    let finalizer = finalize(&object, log.say("ran"), ());
    finalizer.peek(|(), _, ()| {
        assert!(finalizer.call().is_none());
        assert!(!finalizer.is_alive());
        assert!(finalizer.detach().is_none());
        assert!(finalizer.peek(|_, _, _| ()).is_none());
        assert!(log.take().is_empty());
    });
    assert_eq!(log.take(), ["ran"]);

    let finalizer = finalize(&object, log.say("ran"), ());
    finalizer.peek(|(), _, ()| assert!(finalizer.detach().is_none()));
    assert!(!finalizer.is_alive() && log.take().is_empty());
}

#[test]
fn the_object_may_die_inside_a_peek() {
    let log = Log::default();
    let object = Rc::new(Watched::new(1));
    let finalizer = finalize(&object, log.say("ran"), ());
    finalizer.peek(|shared, _, ()| {
        drop(object);
        drop(shared);
        assert!(log.take().is_empty());
    });
    assert_eq!(log.take(), ["ran"]);
}

#[test]
fn a_panic_in_a_peek_changes_nothing() {
    let object = Watched::new(1);
    let finalizer = finalize(&object, |()| 5, ());
    let message = crate::panic_of(|| finalizer.peek(|_, _, ()| panic!("look away")));
    assert_eq!(message, "look away");
    assert!(finalizer.is_alive());
    assert_eq!(finalizer.call(), Some(5));
}

#[test]
fn the_exit_flag_can_be_set() {
    let object = Watched::new(1);
    let finalizer = finalize(&object, |()| (), ());
    assert!(finalizer.at_exit());
    finalizer.set_at_exit(false);
    assert!(!finalizer.at_exit());
    finalizer.set_at_exit(true);
    assert!(finalizer.at_exit());
    finalizer.call();
    finalizer.set_at_exit(false); // dead: no effect, no harm
}

#[test]
fn debug_names_the_type_and_says_whether_it_is_dead() {
    struct Workspace;
    let object = Watched::new(Workspace);
    let finalizer = finalize(&object, std::fs::remove_dir_all, std::path::PathBuf::new());
    let shown = format!("{finalizer:?}");
    assert!(shown.starts_with("Finalizer { object: it::finalizer::"), "{shown}");
    assert!(shown.contains("::Workspace, function: std::fs::remove_dir_all<"), "{shown}");
    assert!(shown.ends_with("alive: true }"), "{shown}");
    finalizer.detach();
    assert!(format!("{finalizer:?}").ends_with("alive: false }"));
}

#[test]
fn clones_are_handles_to_the_same_finalizer() {
    let object = Watched::new(1);
    let finalizer = finalize(&object, |()| 1, ());
    let clone = finalizer.clone();
    assert_eq!(clone.call(), Some(1));
    assert_eq!(finalizer.call(), None);
}

#[test]
fn an_erased_handle_lives_in_a_struct_and_crosses_threads() {
    struct Connection {
        _socket: Watched<u8>,
        cleanup: Finalizer,
        guard: Deferred,
    }
    fn is_send_and_sync<T: Send + Sync>(_: &T) {}

    let log = Log::default();
    let socket = Watched::new(1);
    let cleanup = finalize(&socket, log.say("closed"), ()).erase();
    let guard = lastly::defer(log.say("guarded"), ()).erase();
    let connection = Connection { _socket: socket, cleanup, guard };
    is_send_and_sync(&connection.cleanup);
    let connection = std::thread::spawn(move || {
        assert!(connection.cleanup.call().unwrap().is_ok());
        assert!(connection.cleanup.call().is_none());
        connection
    });
    let connection = connection.join().unwrap();
    assert!(connection.guard.is_alive());
    drop(connection);
    assert_eq!(log.take(), ["closed", "guarded"]);
}

#[test]
fn an_erased_detach_drops_what_it_held() {
    let object = Watched::new(1);
    let held = Arc::new(());
    let finalizer = finalize(&object, drop, held.clone()).erase();
    assert_eq!(Arc::strong_count(&held), 2);
    assert!(finalizer.detach());
    assert!(!finalizer.detach());
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn function_and_arguments_are_dropped_when_it_is_dead_though_a_handle_is_kept() {
    let object = Watched::new(1);
    let held = Arc::new(());
    let captured = held.clone();
    let finalizer = finalize(&object, move |_| drop(captured), held.clone());
    drop(object);
    assert_eq!(Arc::strong_count(&held), 1);
    assert!(!finalizer.is_alive());
}

#[test]
fn a_callback_finds_its_own_finalizer_dead() {
    let log = Log::default();
    let object = Watched::new(1);
    let own: Arc<Mutex<Option<Finalizer>>> = Arc::default();
    let (inner, said) = (own.clone(), log.clone());
    let look = move |()| {
        let own = inner.lock().unwrap().take().unwrap();
        said.add(own.is_alive());
        said.add(own.call().is_some());
        said.add(own.detach());
    };
    *own.lock().unwrap() = Some(finalize(&object, look, ()).erase());
    drop(object);
    assert_eq!(log.take(), ["false", "false", "false"]);
}

#[test]
fn a_callback_may_call_and_detach_its_objects_others() {
    let log = Log::default();
    let object = Watched::new(1);
    let oldest = finalize(&object, log.say("oldest"), ());
    let older = finalize(&object, log.say("older"), ());
    finalize(&object, log.say("untouched"), ());
    let inner = log.clone();
    let newest = move |()| {
        oldest.call();
        older.detach();
        inner.add("newest");
    };
    finalize(&object, newest, ());
    drop(object);
    assert_eq!(log.take(), ["oldest", "newest", "untouched"]);
}

#[test]
fn a_callback_may_create_and_kill_other_objects() {
    let log = Log::default();
    let neighbour = Watched::new(2);
    let on_neighbour = finalize(&neighbour, log.say("neighbour"), ());
    let object = Watched::new(1);
    let inner = log.clone();
    let work = move |()| {
        on_neighbour.call();
        let new = Watched::new(3);
        finalize(&new, inner.say("new"), ());
        drop(new);
        drop(neighbour);
        inner.add("done");
    };
    finalize(&object, work, ());
    drop(object);
    assert_eq!(log.take(), ["neighbour", "new", "done"]);
}

/// Calls and detaches of the newest leave a shell in the object's list; it must be reused.
#[test]
fn finalizers_that_come_and_go_leave_an_object_as_it_was() {
    let log = Log::default();
    let object = Watched::new(1);
    finalize(&object, log.say("kept"), ());
    for round in 0..1000 {
        let finalizer = finalize(&object, |_| (), round);
        let other = finalize(&object, |_| (), round);
        if round % 3 == 0 {
            finalizer.call();
            other.detach();
        } else {
            other.call();
            finalizer.detach();
        }
    }
    drop(object);
    assert_eq!(log.take(), ["kept"]);
}

/// Objects, each kept alive by the arguments of the one before: drops nest, as in a list of boxes.
#[test]
fn a_chain_of_objects_dies_to_its_end() {
    let log = Log::default();
    let mut last = Arc::new(Watched::new(0));
    finalize(&last, log.say("end of the chain"), ());
    for depth in 0..500 {
        let next = Arc::new(Watched::new(depth));
        finalize(&next, drop, last);
        last = next;
    }
    drop(last);
    assert_eq!(log.take(), ["end of the chain"]);
}
