//! The scope guard.

use std::mem::ManuallyDrop;

use lastly::{Deferred, defer};

use crate::{Log, Reports, panic_of};

#[test]
fn runs_at_the_end_of_the_scope_newest_first() {
    let log = Log::default();
    {
        let _first = defer(log.say("first"), ());
        let _second = defer(log.say("second"), ());
        log.add("body");
    }
    assert_eq!(log.take(), ["body", "second", "first"]);
}

#[test]
fn runs_when_the_scope_panics() {
    let log = Log::default();
    let message = panic_of(|| {
        let _guard = defer(log.say("guard"), ());
        panic!("scope");
    });
    assert_eq!((message.as_str(), log.take()), ("scope", vec!["guard".to_owned()]));
}

#[test]
fn can_be_called_early_and_cancelled() {
    let log = Log::default();
    let guard = defer(|number| number + 1, 1);
    assert_eq!(guard.call(), Some(2));
    drop(guard);
    let guard = defer(log.say("cancelled"), ());
    assert!(guard.detach().is_some());
    drop(guard);
    assert!(log.take().is_empty());
}

#[test]
fn a_failure_is_reported_as_of_the_scope() {
    let reports = Reports::record();
    drop(defer(|()| Err::<(), _>("no luck"), ()));
    assert_eq!(
        reports.take(),
        ["a scope (lastly::defer) (object died): returned an error: \"no luck\""]
    );
}

#[test]
fn a_guard_that_is_not_dropped_stays_alive() {
    let log = Log::default();
    let mut guard = ManuallyDrop::new(defer(log.say("late"), ()));
    let handle = guard.clone();
    assert!(handle.is_alive());
    handle.call();
    assert_eq!(log.take(), ["late"]);
    // SAFETY: once. (Only so that the sanitizers find nothing leaked.)
    unsafe { ManuallyDrop::drop(&mut guard) };
}

#[test]
fn guards_of_different_closures_share_a_list() {
    let log = Log::default();
    let guards: Vec<Deferred> =
        vec![defer(log.say("a"), ()).erase(), defer(|_| (), 5).erase(), defer(drop, log).erase()];
    assert!(guards.iter().all(|guard| guard.is_alive()));
}
