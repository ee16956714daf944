//! Every order of everything that can be done to two finalizers of one object, against what the
//! documentation says. (After the JDK's `CleanerTest`.)

use std::rc::Rc;

use lastly::{Watched, finalize};

use crate::Log;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Call,
    Detach,
    Peek,
    ExitOff,
    DropHandle,
    CallNeighbour,
    DropObject,
}

const STEPS: [Step; 7] = [
    Step::Call,
    Step::Detach,
    Step::Peek,
    Step::ExitOff,
    Step::DropHandle,
    Step::CallNeighbour,
    Step::DropObject,
];

/// What the documentation says happens, in three words of state.
fn expected(steps: &[Step], neighbour_is_newer: bool) -> Vec<&'static str> {
    let (mut alive, mut neighbour, mut handle) = (true, true, true);
    let mut events = Vec::new();
    for step in steps {
        match step {
            Step::Call if handle => events.push(if alive { "called" } else { "call: dead" }),
            Step::Detach if handle => events.push(if alive { "detached" } else { "detach: dead" }),
            Step::Peek if handle => events.push(if alive { "peeked" } else { "peek: dead" }),
            Step::DropHandle => handle = false,
            Step::CallNeighbour if neighbour => events.push("neighbour"),
            Step::DropObject => {
                let mut due = vec![];
                due.extend(alive.then_some("fired"));
                due.extend(neighbour.then_some("neighbour"));
                if neighbour_is_newer {
                    due.reverse();
                }
                events.extend(due);
            }
            _ => {}
        }
        alive &=
            !(*step == Step::DropObject || handle && matches!(step, Step::Call | Step::Detach));
        neighbour &= !matches!(step, Step::CallNeighbour | Step::DropObject);
    }
    events
}

fn actual(steps: &[Step], neighbour_is_newer: bool) -> Vec<String> {
    let log = Log::default();
    let mut object = Some(Rc::new(Watched::new(1)));
    let watched = object.as_ref().unwrap();
    let make_neighbour = || finalize(watched, log.say("neighbour"), ());
    let older = (!neighbour_is_newer).then(make_neighbour);
    // The callback says "fired"; a call takes that back and says "called".
    let mut handle = Some(finalize(watched, log.say("fired"), ()));
    let neighbour = older.unwrap_or_else(make_neighbour);
    for step in steps {
        match (step, &handle) {
            (Step::Call, Some(handle)) => match handle.call() {
                Some(()) => {
                    assert_eq!(log.0.lock().unwrap().pop().as_deref(), Some("fired"));
                    log.add("called");
                }
                None => log.add("call: dead"),
            },
            (Step::Detach, Some(handle)) => {
                log.add(handle.detach().map_or("detach: dead", |_| "detached"));
            }
            (Step::Peek, Some(handle)) => {
                log.add(handle.peek(|_, _, ()| ()).map_or("peek: dead", |()| "peeked"));
            }
            (Step::ExitOff, Some(handle)) => handle.set_at_exit(false),
            (Step::DropHandle, _) => handle = None,
            (Step::CallNeighbour, _) => _ = neighbour.call(),
            (Step::DropObject, _) => object = None,
            _ => {}
        }
    }
    assert!(handle.is_none() && object.is_none());
    log.take()
}

fn permute(steps: &mut [Step], fixed: usize, check: &mut impl FnMut(&[Step])) {
    if fixed == steps.len() {
        return check(steps);
    }
    for next in fixed..steps.len() {
        steps.swap(fixed, next);
        permute(steps, fixed + 1, check);
        steps.swap(fixed, next);
    }
}

#[test]
fn every_order_of_every_step() {
    // One in forty where each step costs a hundred times as much.
    let stride = if cfg!(any(miri, lastly_slow)) { 40 } else { 1 };
    let (mut orders, mut checked) = (0, 0);
    permute(&mut STEPS.clone(), 0, &mut |steps| {
        orders += 1;
        for neighbour_is_newer in [false, true] {
            if orders % stride == 0 {
                let actual = actual(steps, neighbour_is_newer);
                assert_eq!(actual, expected(steps, neighbour_is_newer), "{steps:?}");
                checked += 1;
            }
        }
    });
    assert_eq!((orders, checked), (5040, 2 * 5040 / stride));
}
