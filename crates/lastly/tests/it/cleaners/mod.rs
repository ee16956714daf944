//! Cleaners: callbacks on a thread of their own.

mod limits;
mod races;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::sync::{Arc, LazyLock, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use lastly::{Cleaner, Gc, Watched, WhenFull, collect, finalize, paused};

use crate::nodes::{Node, alone};
use crate::{Log, Reports, explode};

/// A callback that the cleaner's thread is in, until it is let go.
pub(super) struct Gate {
    go: mpsc::Sender<()>,
}

impl Gate {
    /// Has the cleaner's thread wait, and returns when it does.
    pub(super) fn close(cleaner: &Cleaner) -> Self {
        let (arrive, there) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        let object = Watched::new("gate");
        let work = move |()| {
            arrive.send(()).unwrap();
            // Also when the gate is dropped by a test that fails.
            _ = wait.recv();
        };
        cleaner.finalize(&object, work, ());
        drop(object);
        there.recv().unwrap();
        Self { go }
    }

    pub(super) fn open(self) {
        self.go.send(()).unwrap();
    }
}

/// An object that dies at once, which callback says `event`.
pub(super) fn die(cleaner: &Cleaner, log: &Log, event: &'static str) {
    let object = Watched::new(1);
    cleaner.finalize(&object, log.say(event), ());
}

#[test]
fn runs_on_its_own_thread_in_the_order_of_death() {
    let cleaner = Cleaner::new(10);
    let seen: Arc<Mutex<Vec<(ThreadId, u32)>>> = Arc::default();
    let objects: Vec<_> = (0..5).map(|_| Watched::new(1)).collect();
    for (number, object) in (0..).zip(&objects) {
        let seen = seen.clone();
        let note = move |number| seen.lock().unwrap().push((thread::current().id(), number));
        cleaner.finalize(object, note, number);
    }
    objects.into_iter().rev().for_each(drop);
    assert!(cleaner.drain(None));
    let seen = seen.lock().unwrap();
    assert_eq!(seen.iter().map(|(_, number)| *number).collect::<Vec<_>>(), [4, 3, 2, 1, 0]);
    assert!(seen.iter().all(|(thread, _)| *thread == seen[0].0));
    assert_ne!(seen[0].0, thread::current().id());
}

/// Of one object the newest is handed over first.
#[test]
fn several_of_one_object() {
    let log = Log::default();
    let cleaner = Cleaner::new(10);
    let object = Watched::new(1);
    cleaner.finalize(&object, log.say("oldest"), ());
    finalize(&object, log.say("here"), ());
    cleaner.finalize(&object, log.say("newest"), ());
    let gate = Gate::close(&cleaner);
    drop(object);
    assert_eq!(log.take(), ["here"]);
    gate.open();
    cleaner.drain(None);
    assert_eq!(log.take(), ["newest", "oldest"]);
}

#[test]
fn what_waits_is_alive_and_can_be_called_detached_and_looked_at() {
    let log = Log::default();
    let cleaner = Cleaner::new(10);
    let gate = Gate::close(&cleaner);
    let object = Watched::new(1);
    let left = cleaner.finalize(&object, log.say("left"), ());
    let called = cleaner.finalize(&object, |text: &str| text.len(), "four");
    let erased = cleaner.finalize(&object, log.say("erased"), ()).erase();
    let detached = cleaner.finalize(&object, |text: &str| text.len(), "three");
    drop(object);
    assert_eq!(cleaner.backlog(), 4);
    assert!(left.is_alive() && called.is_alive() && erased.is_alive() && detached.is_alive());
    assert_eq!(called.peek(|(), _, text| *text), Some("four"));
    assert_eq!((called.call(), called.call()), (Some(4), None));
    assert!(erased.call().is_some());
    let ((), function, text) = detached.detach().unwrap();
    assert_eq!(function(text), 5);
    assert_eq!(log.take(), ["erased"]);
    gate.open();
    assert!(cleaner.drain(None));
    assert_eq!(log.take(), ["left"]);
    assert_eq!(cleaner.backlog(), 0);
    assert!(!left.is_alive());
}

/// A call runs where it is made, and before the object dies nothing is handed over.
#[test]
fn a_call_runs_here() {
    let cleaner = Cleaner::new(10);
    let object = Gc::new(1);
    let name = |()| format!("{:?}", thread::current().id());
    let finalizer = cleaner.finalize(&object, name, ());
    assert_eq!(finalizer.call(), Some(name(())));
    assert!(finalizer.detach().is_none());
    drop(object);
    assert!(cleaner.drain(None));
}

#[test]
fn objects_of_every_kind() {
    let log = Log::default();
    let cleaner = Cleaner::new(10);
    alone({
        let (cleaner, log) = (cleaner.clone(), log.clone());
        move || {
            let node = Node::circle(&log, "node");
            cleaner.finalize(&node, log.say("of the Gc"), ());
            drop(node);
            collect();
            cleaner.drain(None);
            let object = Arc::new(Watched::new(1));
            let finalizer = cleaner.finalize(&object, log.say("of the Arc"), ());
            assert_eq!(finalizer.peek(|object, _, _| **object.unwrap()), Some(1));
            drop(object);
            let value = Watched::new(7);
            cleaner.finalize(&value, log.say("of the value"), ());
            assert_eq!(value.into_inner(), 7);
        }
    });
    cleaner.drain(None);
    assert_eq!(log.take(), ["drop node", "of the Gc", "of the Arc", "of the value"]);
}

#[test]
fn in_a_static() {
    static CLEANER: LazyLock<Cleaner> = LazyLock::new(|| Cleaner::new(10));
    let log = Log::default();
    die(&CLEANER, &log, "ran");
    assert!(CLEANER.drain(Some(Duration::from_secs(60))));
    assert_eq!(log.take(), ["ran"]);
}

#[test]
fn failures_are_reported_and_stop_nothing() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            explode("drop of the argument");
        }
    }
    let reports = Reports::record();
    let log = Log::default();
    let cleaner = Cleaner::new(10);
    let object = Watched::new(1);
    cleaner.finalize(&object, log.say("oldest"), ());
    cleaner.finalize(&object, |()| Err::<(), _>("no luck"), ());
    cleaner.finalize(&object, |_: Bomb| (), Bomb);
    cleaner.finalize(&object, |()| explode("callback"), ());
    drop(object);
    assert!(cleaner.drain(None));
    assert_eq!(log.take(), ["oldest"]);
    assert_eq!(
        reports.take(),
        [
            "i32 (object died): panicked: callback",
            "i32 (object died): panicked: drop of the argument",
            "i32 (object died): returned an error: \"no luck\"",
        ]
    );
}

/// In a callback on the cleaner's thread, it runs what there is itself.
#[test]
fn drain_on_its_own_thread() {
    let log = Log::default();
    let cleaner = Cleaner::new(10);
    let gate = Gate::close(&cleaner);
    let object = Watched::new(1);
    let (own, inner) = (cleaner.clone(), log.clone());
    let work = move |()| {
        die(&own, &inner, "handed over in the callback");
        inner.add("draining");
        assert!(own.drain(None));
        inner.add("drained");
    };
    cleaner.finalize(&object, work, ());
    drop(object);
    die(&cleaner, &log, "before");
    gate.open();
    assert!(cleaner.drain(None));
    assert_eq!(log.take(), ["draining", "before", "handed over in the callback", "drained"]);
}

#[test]
fn drain_for_so_long() {
    let log = Log::default();
    let cleaner = Cleaner::new(10);
    assert!(cleaner.drain(Some(Duration::ZERO)), "nothing was handed over");
    let gate = Gate::close(&cleaner);
    die(&cleaner, &log, "ran");
    assert!(!cleaner.drain(Some(Duration::ZERO)));
    assert!(!cleaner.drain(Some(Duration::from_millis(1))));
    gate.open();
    assert!(cleaner.drain(Some(Duration::from_secs(60))));
    assert_eq!(log.take(), ["ran"]);
}

/// Closed, it runs what was handed over; what dies later has its callback run where it dies.
#[test]
fn close() {
    let log = Log::default();
    let cleaner = Cleaner::new(10);
    let other = cleaner.clone();
    let gate = Gate::close(&cleaner);
    let late = Watched::new(1);
    cleaner.finalize(&late, log.say("late"), ());
    die(&cleaner, &log, "early");
    thread::scope(|scope| {
        let closing = scope.spawn(|| cleaner.close());
        gate.open();
        closing.join().unwrap();
    });
    assert_eq!(log.take(), ["early"]);
    drop(late);
    assert_eq!(log.take(), ["late"]);
    die(&other, &log, "made after that");
    assert_eq!(log.take(), ["made after that"]);
}

/// No handle is left, but what waits runs, and so does what is still alive.
#[test]
fn dropped_while_things_wait_and_live() {
    let log = Log::default();
    let cleaner = Cleaner::new(10);
    let gate = Gate::close(&cleaner);
    let (done, wait) = mpsc::channel();
    let (early, late) = (Watched::new(1), Watched::new(1));
    cleaner.finalize(&early, log.say("early"), ());
    cleaner.finalize(&late, move |()| done.send(thread::current().id()).unwrap(), ());
    drop(early);
    drop(cleaner);
    gate.open();
    drop(late);
    assert_ne!(wait.recv().unwrap(), thread::current().id(), "there is still the thread");
    assert_eq!(log.take(), ["early"]);
}

/// With the last finalizer and the last handle goes all that they kept.
#[test]
fn nothing_is_left() {
    let token = Arc::new(());
    let cleaner = Cleaner::new(10);
    for round in 0..3 {
        let object = Watched::new(1);
        let keep = token.clone();
        let finalizer = cleaner.finalize(&object, move |()| drop(keep), ());
        match round {
            0 => drop(object),
            1 => _ = finalizer.call(),
            _ => _ = finalizer.detach(),
        }
    }
    cleaner.close();
    assert_eq!(Arc::strong_count(&token), 1);
}

/// A callback that kills what has the same cleaner: it is handed over in its turn.
#[test]
fn a_chain() {
    let cleaner = Cleaner::builder(1).when_full(WhenFull::Block).build();
    let count = Arc::new(AtomicUsize::new(0));
    let mut next = None;
    for _ in 0..1000 {
        let object = Watched::new(1);
        let count = count.clone();
        let kill = move |next: Option<Watched<i32>>| {
            count.fetch_add(1, SeqCst);
            drop(next);
        };
        cleaner.finalize(&object, kill, next);
        next = Some(object);
    }
    drop(next);
    while count.load(SeqCst) < 1000 {
        assert!(cleaner.drain(None));
    }
}

#[test]
fn a_pause_goes_before_the_cleaner() {
    let log = Log::default();
    let cleaner = Cleaner::new(10);
    let pause = paused();
    die(&cleaner, &log, "handed over at the end of the pause");
    assert_eq!(cleaner.backlog(), 0);
    assert!(cleaner.drain(None), "nothing was");
    assert_eq!(log.take(), [""; 0]);
    drop(pause);
    assert!(cleaner.drain(None));
    assert_eq!(log.take(), ["handed over at the end of the pause"]);
}

#[test]
fn what_it_says_of_itself() {
    let cleaner = Cleaner::builder(0).name("a name that no system keeps").build();
    assert_eq!(cleaner.limit(), 1, "a backlog without room would be none");
    let object = Watched::new(1);
    let name = |()| {
        let name = std::fs::read_to_string("/proc/thread-self/comm").unwrap();
        assert_eq!(name, "a name that no \n");
    };
    let reports = Reports::record();
    cleaner.finalize(&object, name, ());
    drop(object);
    cleaner.drain(None);
    assert_eq!(reports.take(), [""; 0]);
    let text = format!("{cleaner:?}");
    assert_eq!(text, "Cleaner { name: \"a name that no system keeps\", backlog: 0, limit: 1 }");
    assert_eq!(Cleaner::new(5).name(), "lastly-cleaner");
}
