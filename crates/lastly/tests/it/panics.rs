//! A panic in every function of the user's, on every path. Nothing else is stopped, nothing runs
//! twice, and everything works afterwards.

use lastly::{Outcome, Watched, defer, finalize, report};

use crate::{Log, Reports, explode, panic_of};

/// Something whose drop panics.
struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 == "argument" {
            panic!("drop of the argument");
        }
        panic!("drop of the rest");
    }
}

impl Outcome for Bomb {}

/// A panic leaves nothing behind that would keep the next object from dying well.
fn check_still_working(log: &Log) {
    let object = Watched::new(1);
    finalize(&object, log.say("works"), ());
    drop(object);
    assert_eq!(log.take(), ["works"]);
}

#[test]
fn in_the_drop_of_the_value() {
    let log = Log::default();
    let object = Watched::new(Bomb("value"));
    finalize(&object, log.say("oldest"), ());
    finalize(&object, log.say("newest"), ());
    assert_eq!(panic_of(|| drop(object)), "drop of the rest");
    assert_eq!(log.take(), ["newest", "oldest"]);
    check_still_working(&log);
}

#[test]
fn in_the_drop_of_the_value_and_in_a_callback() {
    let reports = Reports::record();
    let log = Log::default();
    let object = Watched::new(Bomb("value"));
    finalize(&object, log.say("oldest"), ());
    finalize(&object, |()| explode("callback"), ());
    assert_eq!(panic_of(|| drop(object)), "drop of the rest");
    assert_eq!(log.take(), ["oldest"]);
    assert_eq!(reports.take().len(), 1);
    check_still_working(&log);
}

#[test]
fn in_a_callback_while_already_unwinding() {
    let reports = Reports::record();
    let log = Log::default();
    let message = panic_of(|| {
        let object = Watched::new(1);
        finalize(&object, log.say("oldest"), ());
        finalize(&object, |()| explode("callback"), ());
        panic!("scope");
    });
    assert_eq!(message, "scope");
    assert_eq!(log.take(), ["oldest"]);
    assert_eq!(reports.take(), ["i32 (object died): panicked: callback"]);
}

#[test]
fn in_the_drop_of_arguments_function_and_result() {
    let reports = Reports::record();
    let log = Log::default();
    let object = Watched::new(1);
    finalize(&object, log.say("oldest"), ());
    finalize(&object, drop, Bomb("argument"));
    let captured = Bomb("function");
    finalize(&object, move |()| _ = &captured, ());
    finalize(&object, |()| Bomb("result"), ());
    drop(object);
    assert_eq!(log.take(), ["oldest"]);
    assert_eq!(
        reports.take(),
        [
            "i32 (object died): panicked: drop of the rest",
            "i32 (object died): panicked: drop of the rest",
            "i32 (object died): panicked: drop of the argument",
        ]
    );
    check_still_working(&log);
}

#[test]
fn in_a_call() {
    let log = Log::default();
    let object = Watched::new(1);
    finalize(&object, log.say("oldest"), ());
    let argument = finalize(&object, drop, Bomb("argument"));
    assert_eq!(panic_of(|| argument.call()), "drop of the argument");
    let result = finalize(&object, |()| Bomb("result"), ());
    let bomb = result.call().expect("the caller gets it, and its drop");
    std::mem::forget(bomb);
    let erased = finalize(&object, |()| Bomb("result"), ()).erase();
    assert_eq!(panic_of(|| erased.call()), "drop of the rest");
    assert!(!argument.is_alive() && !result.is_alive() && !erased.is_alive());
    drop(object);
    assert_eq!(log.take(), ["oldest"]);
}

/// An erased handle drops what it detaches; a panic there is reported, and the finalizer is dead.
#[test]
fn in_an_erased_detach() {
    let reports = Reports::record();
    let log = Log::default();
    let object = Watched::new(1);
    let erased = finalize(&object, drop, Bomb("argument")).erase();
    assert!(erased.detach());
    assert!(!erased.is_alive());
    assert_eq!(reports.take().len(), 1);
    drop(object);
    check_still_working(&log);
}

#[test]
fn in_what_a_peek_does_at_its_end() {
    let reports = Reports::record();
    let log = Log::default();
    let object = Watched::new(1);
    let detached = finalize(&object, drop, Bomb("argument"));
    detached.peek(|(), _, _| _ = detached.clone().erase().detach());
    let called = finalize(&object, drop, Bomb("argument"));
    called.peek(|(), _, _| _ = called.clone().erase().call());
    assert!(!detached.is_alive() && !called.is_alive());
    assert_eq!(reports.take().len(), 2);
    drop(object);
    check_still_working(&log);
}

#[test]
fn in_a_deferred_cleanup() {
    let reports = Reports::record();
    drop(defer(|()| explode("deferred"), ()));
    drop(defer(drop, Bomb("argument")));
    drop(defer(|()| Bomb("result"), ()));
    assert_eq!(reports.take().len(), 3);
}

/// `into_inner` gives the value, whatever the callbacks do.
#[test]
fn in_a_callback_of_into_inner() {
    let reports = Reports::record();
    let log = Log::default();
    let object = Watched::new(5);
    finalize(&object, log.say("oldest"), ());
    finalize(&object, |()| explode("callback"), ());
    assert_eq!(object.into_inner(), 5);
    assert_eq!((log.take().len(), reports.take().len()), (1, 1));
}

/// Showing an error is foreign code too.
#[test]
fn in_the_debug_of_an_error() {
    struct Unspeakable;
    impl std::fmt::Debug for Unspeakable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("unspeakable")
        }
    }
    let _reports = Reports::record();
    let log = Log::default();
    let object = Watched::new(1);
    finalize(&object, log.say("oldest"), ());
    finalize(&object, |()| Err::<(), _>(Unspeakable), ());
    drop(object);
    assert_eq!(log.take(), ["oldest"]);

    // With the default hook, that prints the error itself. (It is still this test's turn.)
    report::reset_hook();
    let object = Watched::new(1);
    finalize(&object, log.say("oldest"), ());
    finalize(&object, |()| Err::<(), _>(Unspeakable), ());
    drop(object);
    assert_eq!(log.take(), ["oldest"]);
}

/// Two panics that would meet, and abort the process, if they were not contained one by one.
#[test]
fn in_the_debug_and_in_the_drop_of_an_error() {
    struct Terrible;
    impl std::fmt::Debug for Terrible {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("unspeakable")
        }
    }
    impl Drop for Terrible {
        fn drop(&mut self) {
            panic!("undroppable");
        }
    }
    let _reports = Reports::record();
    let log = Log::default();
    let object = Watched::new(1);
    finalize(&object, log.say("oldest"), ());
    finalize(&object, |()| Err::<(), _>(Terrible), ());
    drop(object);
    assert_eq!(log.take(), ["oldest"]);
}

/// The hook is replaced while it runs: with its end goes what it owned.
#[test]
fn in_the_drop_of_what_a_hook_owned() {
    let reports = Reports::record();
    let log = Log::default();
    let bomb = Bomb("of the hook");
    lastly::report::set_hook(move |_| {
        let _ = &bomb;
        lastly::report::reset_hook();
    });
    let object = Watched::new(1);
    finalize(&object, log.say("oldest"), ());
    finalize(&object, |()| Err::<(), _>("no luck"), ());
    drop(object);
    assert_eq!(log.take(), ["oldest"]);
    drop(reports);
}
