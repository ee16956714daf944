//! A panic where objects die by count: it reaches whoever dropped the first of them.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lastly::collect;

use super::*;
use crate::nodes::{alone, check_still_working};

/// How deep in the list: at its head, where drops nest, around where they begin to wait, far in.
const DEPTHS: [usize; 8] = [0, 1, 5, 30, 31, 32, 33, 100];

const LENGTH: usize = 120;

/// A list of parts, each with two finalizers, of which the one so deep trips. (The field that
/// holds the next is not looked into, or it would all be part of the collection.)
fn list(log: &Log, depth: usize, place: Place) -> Gc<Part> {
    let mut next = None;
    for at in (0..LENGTH).rev() {
        let part = Part::new(log, if at == depth { FAULTY } else { 0 });
        watch(log, &part);
        if at == depth {
            watch_with_a_fault(&part, place);
        }
        watch(log, &part);
        part.before.borrow_mut().extend(next.replace(part.clone()));
    }
    next.expect("not empty")
}

fn assert_all_dead(log: &Log, what: &str) {
    let lines = log.take();
    for (line, times) in
        [("drop 0", LENGTH - 1), ("drop 1", 1), ("callback 0", 2 * (LENGTH - 1)), ("callback 1", 2)]
    {
        assert_eq!(lines.iter().filter(|it| *it == line).count(), times, "{line}, {what}");
    }
}

/// What was to be raised, and is not to be dropped as it is.
fn assert_is(caught: Box<dyn Any + Send>, payload: Payload, what: &str) {
    match payload {
        Payload::Text => assert_eq!(caught.downcast_ref(), Some(&"tripped"), "{what}"),
        Payload::Nasty => std::mem::forget(caught.downcast::<Nasty>().expect("the nasty one")),
    }
}

fn for_each_fault(mut check: impl FnMut(Fault, usize, &str)) {
    for place in PLACES.into_iter().filter(|place| !format!("{place:?}").starts_with("Trace")) {
        for payload in PAYLOADS {
            for depth in DEPTHS {
                let what = format!("{place:?}, {payload:?}, {depth} deep");
                check(Fault { place, payload }, depth, &what);
            }
        }
    }
}

/// The drop of a value panics to who dropped it; a callback's panic is reported.
#[test]
fn every_place_in_a_list() {
    let reports = PartReports::record();
    for_each_fault(|fault, depth, what| {
        alone(|| {
            let log = Log::default();
            let list = list(&log, depth, fault.place);
            FAULT.set(Some(fault));
            match catch_unwind(AssertUnwindSafe(|| drop(list))) {
                Err(caught) => {
                    assert!(matches!(fault.place, Drop | DropOfAField), "{what}");
                    assert_is(caught, fault.payload, what);
                    assert_eq!(reports.log.take(), [""; 0], "{what}");
                }
                Ok(()) => {
                    assert!(!matches!(fault.place, Drop | DropOfAField), "{what}");
                    reports.assert_one(fault.payload, what);
                }
            }
            assert_all_dead(&log, what);
            check_still_working();
        });
    });
}

/// In a collection nobody dropped it: everything is reported.
#[test]
fn every_place_in_a_list_that_dies_along() {
    let reports = PartReports::record();
    for_each_fault(|fault, depth, what| {
        alone(|| {
            #[derive(Trace)]
            struct Part(RefCell<Option<Gc<Part>>>, #[trace(skip)] RefCell<Option<Gc<super::Part>>>);
            let log = Log::default();
            let owner = Gc::new(Part(RefCell::default(), RefCell::default()));
            *owner.0.borrow_mut() = Some(owner.clone());
            *owner.1.borrow_mut() = Some(list(&log, depth, fault.place));
            drop(owner);
            FAULT.set(Some(fault));
            assert_eq!(collect().objects, 1, "{what}");
            assert_all_dead(&log, what);
            reports.assert_one(fault.payload, what);
            check_still_working();
        });
    });
}

/// Nor did anybody who is there to take a panic where a callback dropped it.
#[test]
fn every_place_in_a_list_that_a_callback_drops() {
    thread_local! { static KEPT: RefCell<Option<Gc<Part>>> = const { RefCell::new(None) }; }
    let reports = PartReports::record();
    for_each_fault(|fault, depth, what| {
        alone(|| {
            let log = Log::default();
            let circle = Part::new(&Log::default(), LIVING);
            circle.before.borrow_mut().push(circle.clone());
            KEPT.set(Some(list(&log, depth, fault.place)));
            finalize(&circle, |()| drop(KEPT.take()), ());
            drop(circle);
            FAULT.set(Some(fault));
            let done = collect();
            assert_eq!((done.objects, done.callbacks), (1, 1), "{what}");
            assert_all_dead(&log, what);
            reports.assert_one(fault.payload, what);
            check_still_working();
        });
    });
}

/// A panic where a death waits does not meet one that is unwinding already.
#[test]
fn every_place_while_unwinding() {
    let reports = PartReports::record();
    for_each_fault(|fault, depth, what| {
        // As with `Rc`, whoever panics in a drop while unwinding aborts.
        if depth <= 32 && matches!(fault.place, Drop | DropOfAField) {
            return;
        }
        alone(|| {
            let log = Log::default();
            let list = list(&log, depth, fault.place);
            let unwind = || {
                let _list = list;
                FAULT.set(Some(fault));
                panic_any("scope");
            };
            let caught = catch_unwind(AssertUnwindSafe(unwind)).expect_err("the scope's");
            assert_eq!(caught.downcast_ref(), Some(&"scope"), "{what}");
            assert_all_dead(&log, what);
            reports.assert_one(fault.payload, what);
            check_still_working();
        });
    });
}

/// What is taken out of its object is there, whatever the callbacks do.
#[test]
fn in_a_callback_of_a_value_that_is_taken_out() {
    let reports = PartReports::record();
    for place in [Callback, DropOfTheFunction, DropOfTheArgument, DropOfTheResult, DebugOfTheError]
    {
        for payload in PAYLOADS {
            let log = Log::default();
            let part = Part::new(&log, FAULTY);
            watch_with_a_fault(&part, place);
            watch(&log, &part);
            FAULT.set(Some(Fault { place, payload }));
            let value = Gc::into_inner(part).expect("the only pointer");
            FAULT.set(None);
            assert_eq!((value.index, log.take()), (FAULTY, vec!["callback 1".to_owned()]));
            reports.assert_one(payload, &format!("{place:?}, {payload:?}"));
            drop(value);
        }
    }
    check_still_working();
}
