//! The drain inside a test process, where sanitizers and Miri can watch it. One test, in a binary
//! of its own: the drain shuts the door for good. (The ends of real programs: the workspace's
//! `tests` package.)
#![cfg(not(loom))]

use std::sync::{Arc, Mutex};

use lastly::{Watched, defer, exit, finalize};

/// Owns nothing: what finds the door shut is leaked.
fn never(_: ()) {
    panic!("this was not to run");
}

#[test]
fn newest_first_over_threads_then_shut() {
    let said: Arc<Mutex<Vec<&str>>> = Arc::default();
    let say = |line: &'static str| {
        let said = said.clone();
        move |()| said.lock().unwrap().push(line)
    };
    let object = Arc::new(Watched::new(1));
    finalize(&object, say("first"), ());
    let other = object.clone();
    let second = say("second");
    let thread = std::thread::spawn(move || {
        let own = Arc::new(Watched::new(2));
        finalize(&other, second, ());
        finalize(&own, |()| (), ());
        own
    });
    let own = thread.join().unwrap();
    let off = finalize(&object, never, ());
    off.set_at_exit(false);
    let newer = say("registered by the newest");
    let registering = object.clone();
    finalize(&own, move |()| _ = finalize(&registering, newer, ()), ());
    let called = finalize(&object, say("called"), ()).erase();
    let calls = finalize(&own, move |()| _ = called.call(), ());
    calls.peek(|_, _, ()| ());
    exit::drain();
    assert_eq!(*said.lock().unwrap(), ["called", "registered by the newest", "second", "first"]);

    assert!(off.is_alive() && off.call().is_none() && !off.is_alive());
    let late = finalize(&object, never, ());
    assert!(late.detach().is_some());
    drop(defer(drop, 1));
    exit::drain();
    assert_eq!(said.lock().unwrap().len(), 4);
}
