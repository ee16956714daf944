//! Who gets to know what went wrong.

use std::sync::Arc;

use lastly::{Watched, finalize, report};

use crate::{Log, Reports, explode, panic_of};

#[test]
fn a_call_hands_everything_to_the_caller() {
    let reports = Reports::record();
    let object = Watched::new(1);
    let fails = finalize(&object, |()| Err::<u8, _>("no luck"), ());
    assert_eq!(fails.call(), Some(Err("no luck")));
    let panics = finalize(&object, |()| -> u8 { panic!("oh") }, ());
    assert_eq!(panic_of(|| panics.call()), "oh");
    assert!(!panics.is_alive());
    assert_eq!(panics.call(), None);

    let erased = finalize(&object, |()| Err::<u8, _>("no luck"), ()).erase();
    assert_eq!(erased.call().unwrap().unwrap_err().to_string(), "\"no luck\"");
    let erased = finalize(&object, |()| -> u8 { panic!("oh") }, ()).erase();
    assert_eq!(panic_of(|| erased.call()), "oh");
    drop(object);
    assert!(reports.take().is_empty());
}

#[test]
fn at_object_death_failures_are_reported_once_and_stop_nobody() {
    let reports = Reports::record();
    let log = Log::default();
    let object = Watched::new(1);
    finalize(&object, log.say("oldest"), ());
    finalize(&object, |()| Err::<(), _>("no luck"), ());
    finalize(&object, log.say("middle"), ());
    finalize(&object, |()| explode("oh 1"), ());
    finalize(&object, |()| -> () { std::panic::panic_any(5) }, ());
    finalize(&object, log.say("newest"), ());
    drop(object);
    assert_eq!(log.take(), ["newest", "middle", "oldest"]);
    assert_eq!(
        reports.take(),
        [
            "i32 (object died): panicked: (a panic without a message)",
            "i32 (object died): panicked: oh 1",
            "i32 (object died): returned an error: \"no luck\"",
        ]
    );
}

/// What a peek left undone has no caller either.
#[test]
fn what_a_peek_runs_is_reported() {
    let reports = Reports::record();
    let object = Watched::new(1);
    let finalizer = finalize(&object, |()| Err::<(), _>("no luck"), ());
    finalizer.peek(|(), _, ()| _ = finalizer.call());
    assert_eq!(reports.take(), ["i32 (called): returned an error: \"no luck\""]);
}

#[test]
fn a_hook_that_panics_is_contained() {
    let reports = Reports::record();
    let log = Log::default();
    report::set_hook(|_| panic!("in the hook"));
    let object = Watched::new(1);
    finalize(&object, log.say("after"), ());
    finalize(&object, |()| explode("in the callback"), ());
    drop(object);
    assert_eq!(log.take(), ["after"]);
    drop(reports);
}

/// A hook may use finalizers, fail in them, and replace itself.
#[test]
fn a_hook_may_do_as_it_likes() {
    let reports = Reports::record();
    let log = Log::default();
    let inner = log.clone();
    let owned = Arc::new(());
    let kept = owned.clone();
    report::set_hook(move |report| {
        inner.add(format!("first: {}", report.problem));
        let second = inner.clone();
        report::set_hook(move |report| second.add(format!("second: {}", report.problem)));
        let object = Watched::new(kept.clone());
        finalize(&object, |()| Err::<(), _>("inside"), ());
    });
    let object = Watched::new(1);
    finalize(&object, |()| Err::<(), _>("outside"), ());
    drop(object);
    assert_eq!(
        log.take(),
        ["first: returned an error: \"outside\"", "second: returned an error: \"inside\""]
    );
    assert_eq!(Arc::strong_count(&owned), 1, "the replaced hook is dropped");
    drop(reports);
}

#[test]
fn a_report_says_what_happened_and_where_it_was_created() {
    let reports = Reports::record();
    let log = Log::default();
    let inner = log.clone();
    report::set_hook(move |report| inner.add(report));
    fn cleanup(_: u8) -> std::io::Result<()> {
        Err(std::io::Error::other("disk full"))
    }
    let object = Watched::new(1_u8);
    let line = line!() + 1;
    finalize(&object, cleanup, 1);
    drop(object);
    let expected = format!(
        "lastly: cleanup of u8 (object died): \
        it::outcomes::a_report_says_what_happened_and_where_it_was_created::cleanup \
        returned an error: Custom {{ kind: Other, error: \"disk full\" }}\n    \
        created at crates/lastly/tests/it/outcomes.rs:{line}:5"
    );
    assert_eq!(log.take(), [expected]);
    drop(reports);
}
