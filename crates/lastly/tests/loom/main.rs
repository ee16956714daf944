//! What threads can do to a finalizer, in every interleaving with up to four preemptions (three in quick runs; two,
//! where threads wait for each other): the shipped code under loom.
//!
//! Run with `cargo xtask loom`. Each model asserts what a user would notice: the callback ran
//! once, or was handed back once; nothing leaked (loom tracks the memory of nodes) and no cell
//! was touched by two threads at once (loom tracks the cells).
#![cfg(loom)]

mod cleaners;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc as StdArc, Mutex};
use std::time::Duration;

use lastly::report::{self, Problem};
use lastly::{Finalizer, Watched, defer, exit, finalize};
use loom::cell::UnsafeCell;
use loom::sync::Arc as LoomArc;
use loom::thread::{self, JoinHandle};

/// How often a callback ran. Not loom's: it is no part of what is explored.
#[derive(Clone, Default)]
struct Count(StdArc<AtomicUsize>);

impl Count {
    fn add(&self) {
        self.0.fetch_add(1, SeqCst);
    }

    fn run(self) {
        self.add();
    }

    fn get(&self) -> usize {
        self.0.load(SeqCst)
    }
}

fn model(scenario: impl Fn() + Send + Sync + 'static) {
    model_up_to(4, scenario);
}

/// How many preemptions are explored at most: three, if the environment does not say otherwise.
fn allowed_preemptions() -> usize {
    std::env::var("LASTLY_PREEMPTIONS").map_or(3, |it| it.parse().expect("a number"))
}

/// A model in which threads wait for each other: more preemptions take too long.
fn model_up_to(preemptions: usize, scenario: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions.min(allowed_preemptions()));
    builder.max_branches = 20_000;
    builder.check(move || {
        report::set_hook(|report| match report.problem {
            Problem::TooLate => {}
            problem => UNEXPECTED.lock().unwrap().push(problem.to_string()),
        });
        scenario();
        assert_eq!(*UNEXPECTED.lock().unwrap(), [""; 0]);
    });
}

/// A finalizer that counts, on an object of its own.
fn counting() -> (StdArc<Watched<u8>>, Finalizer, Count) {
    let object = StdArc::new(Watched::new(1));
    let (finalizer, count) = counting_on(&object);
    (object, finalizer, count)
}

fn counting_on(object: &StdArc<Watched<u8>>) -> (Finalizer, Count) {
    let count = Count::default();
    let finalizer = finalize(object, |count: Count| count.add(), count.clone()).erase();
    (finalizer, count)
}

fn ran(result: Option<Result<(), lastly::CallbackError>>) -> usize {
    usize::from(result.is_some())
}

/// Drains, and waits as long as it takes: so nothing may be reported as unfinished.
fn drain() {
    exit::set_wait(Duration::MAX);
    exit::drain();
}

/// What was reported and should not have been. Loom's own complaints are among it: raised in a
/// callback, they are contained like any panic.
static UNEXPECTED: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[test]
fn two_calls() {
    model(|| {
        let (_object, finalizer, count) = counting();
        let other = finalizer.clone();
        let there = thread::spawn(move || ran(other.call()));
        let here = ran(finalizer.call());
        assert_eq!(here + there.join().unwrap(), 1);
        assert_eq!(count.get(), 1);
        assert!(!finalizer.is_alive());
    });
}

#[test]
fn call_and_object_death() {
    model(|| {
        let (object, finalizer, count) = counting();
        let there = thread::spawn(move || drop(finalizer.call()));
        drop(object);
        there.join().unwrap();
        assert_eq!(count.get(), 1);
    });
}

#[test]
fn detach_and_object_death() {
    model(|| {
        let (object, finalizer, count) = counting();
        let there = thread::spawn(move || finalizer.detach());
        drop(object);
        let detached = there.join().unwrap();
        assert_eq!(count.get(), usize::from(!detached));
    });
}

#[test]
fn handles_and_object_go_at_once() {
    model(|| {
        let (object, finalizer, count) = counting();
        let other = finalizer.clone();
        let there = thread::spawn(move || drop(other));
        drop(object);
        drop(finalizer);
        there.join().unwrap();
        assert_eq!(count.get(), 1);
    });
}

#[test]
fn neighbours_of_one_object_leave_at_once() {
    model(|| {
        let object = StdArc::new(Watched::new(1));
        let (oldest, count_oldest) = counting_on(&object);
        let (middle, count_middle) = counting_on(&object);
        let (newest, count_newest) = counting_on(&object);
        let there = thread::spawn(move || (ran(middle.call()), drop(newest)));
        assert!(oldest.detach());
        drop(object);
        there.join().unwrap();
        assert_eq!((count_oldest.get(), count_middle.get(), count_newest.get()), (0, 1, 1));
    });
}

#[test]
fn create_while_the_newest_dies() {
    model(|| {
        let (object, finalizer, first) = counting();
        let there = thread::spawn(move || ran(finalizer.call()));
        let (_, second) = counting_on(&object);
        there.join().unwrap();
        drop(object);
        assert_eq!((first.get(), second.get()), (1, 1));
    });
}

#[test]
fn create_on_two_threads() {
    model(|| {
        let create = || {
            let (object, finalizer, count) = counting();
            drop(object);
            assert!(!finalizer.is_alive());
            assert_eq!(count.get(), 1);
        };
        let there = thread::spawn(create);
        create();
        there.join().unwrap();
    });
}

#[test]
fn drain_and_call() {
    model(|| {
        let (_object, finalizer, count) = counting();
        let there = thread::spawn(move || ran(finalizer.call()));
        drain();
        // The drain waited for the call, or the call came too late.
        assert_eq!(count.get(), 1);
        there.join().unwrap();
    });
}

#[test]
fn drain_and_object_death() {
    model(|| {
        let (object, _, count) = counting();
        let there = thread::spawn(move || drop(object));
        drain();
        assert_eq!(count.get(), 1);
        there.join().unwrap();
    });
}

/// After the drain a finalizer that it left alone is alive, and a call of it runs nothing.
#[test]
fn drain_shuts_the_door() {
    model(|| {
        let (_object, finalizer, count) = counting();
        finalizer.set_at_exit(false);
        let other = finalizer.clone();
        let there = thread::spawn(move || ran(other.call()));
        drain();
        let at_drain = count.get();
        assert_eq!(finalizer.call().is_some(), false);
        assert_eq!(there.join().unwrap(), at_drain, "nothing runs once the door is shut");
        assert_eq!(count.get(), at_drain);
        finalizer.detach();
    });
}

#[test]
fn drain_and_create() {
    model(|| {
        let there = thread::spawn(counting);
        drain();
        let (_object, finalizer, count) = there.join().unwrap();
        // Drained, or created after the door was shut.
        let drained = !finalizer.is_alive();
        assert_eq!(count.get(), usize::from(drained));
        assert!(finalizer.call().is_none(), "the door is shut");
        assert_eq!(count.get(), usize::from(drained));
    });
}

#[test]
fn drain_and_set_at_exit() {
    model(|| {
        let (_object, finalizer, count) = counting();
        finalizer.set_at_exit(false);
        let other = finalizer.clone();
        let there = thread::spawn(move || other.set_at_exit(true));
        drain();
        let drained = count.get();
        assert!(finalizer.call().is_none(), "the door is shut");
        there.join().unwrap();
        assert_eq!(count.get(), drained);
    });
}

#[test]
fn two_drains() {
    model(|| {
        let (_object, _, count) = counting();
        let other = count.clone();
        let there = thread::spawn(move || {
            drain();
            assert_eq!(other.get(), 1, "no drain returns before it is over");
        });
        drain();
        assert_eq!(count.get(), 1);
        there.join().unwrap();
    });
}

/// While `peek` looks, another thread does what `claim` does. The look is never disturbed (loom
/// would see the cell being taken), and the claim is carried out once.
fn peek_against(claim: fn(StdArc<Watched<u8>>, Finalizer), runs: usize) {
    model(move || {
        let object = StdArc::new(Watched::new(1));
        let count = Count::default();
        // By value: a look at a shared object would keep it alive for as long.
        let finalizer = finalize(&*object, |count: Count| count.add(), count.clone());
        let other = finalizer.clone().erase();
        let there = thread::spawn(move || claim(object, other));
        let seen = finalizer.peek(|(), _, count| {
            thread::yield_now();
            assert_eq!(count.get(), 0, "the callback runs after the look");
        });
        let _ = seen;
        there.join().unwrap();
        assert_eq!(count.get(), runs);
        assert!(!finalizer.is_alive());
    });
}

#[test]
fn peek_and_call() {
    peek_against(|object, finalizer| (drop(finalizer.call()), drop(object)).1, 1);
}

#[test]
fn peek_and_detach() {
    peek_against(|object, finalizer| (finalizer.detach(), drop(object)).1, 0);
}

#[test]
fn peek_and_object_death() {
    peek_against(|object, _| drop(object), 1);
}

#[test]
fn peek_and_drain() {
    peek_against(|object, _| (drain(), drop(object)).1, 1);
}

#[test]
fn two_peeks_and_a_call() {
    model(|| {
        let object = StdArc::new(Watched::new(1));
        let count = Count::default();
        let finalizer = finalize(&object, |count: Count| count.add(), count.clone());
        let spawn = |finalizer: &Finalizer<_, _, _>| -> JoinHandle<()> {
            let other = finalizer.clone();
            thread::spawn(move || _ = other.peek(|_, _, _| thread::yield_now()))
        };
        let there = spawn(&finalizer);
        finalizer.peek(|_, _, count| assert_eq!(count.get(), 0));
        finalizer.call();
        there.join().unwrap();
        drop(object);
        assert_eq!(count.get(), 1);
    });
}

#[test]
fn defer_and_drain() {
    model(|| {
        let count = Count::default();
        let guard = defer(|count: Count| count.add(), count.clone());
        let there = thread::spawn(move || drop(guard));
        drain();
        assert_eq!(count.get(), 1);
        there.join().unwrap();
    });
}

/// A thread number left over from a peek must not make a claim on another thread look like ours.
#[test]
fn drain_by_a_thread_that_has_peeked_and_call() {
    model(|| {
        let object = StdArc::new(Watched::new(1));
        let count = Count::default();
        let finalizer = finalize(&object, |count: Count| count.add(), count.clone());
        finalizer.set_at_exit(false);
        finalizer.peek(|_, _, _| ());
        let there = thread::spawn(move || finalizer.call());
        drain();
        let at_drain = count.get();
        let ran = there.join().unwrap().is_some();
        assert_eq!(usize::from(ran), at_drain, "nothing runs once the door is shut");
    });
}

/// A callback that the drain waits for turns on what the drain has passed over.
#[test]
fn drain_and_turn_on_at_its_very_end() {
    model(|| {
        let (_object, off, _) = counting();
        off.set_at_exit(false);
        // Shared, not owned: a call that finds the door shut leaks what its callback owns.
        let off = StdArc::new(Mutex::new(Some(off)));
        let owner = StdArc::new(Watched::new(1));
        let turn_on = |off: StdArc<Mutex<Option<Finalizer>>>| {
            off.lock().unwrap().as_ref().unwrap().set_at_exit(true);
        };
        let turns_on = finalize(&owner, turn_on, off.clone());
        turns_on.set_at_exit(false);
        let other = turns_on.clone();
        let there = thread::spawn(move || _ = other.call());
        drain();
        there.join().unwrap();
        turns_on.detach();
        let off = off.lock().unwrap().take().unwrap();
        off.detach();
    });
}

/// The drop of the value comes before the callback, also when a peeker on another thread runs it.
#[test]
fn peek_and_death_of_an_object_whose_value_has_a_drop() {
    struct Value(StdArc<UnsafeCell<u8>>);
    impl Drop for Value {
        fn drop(&mut self) {
            // SAFETY: loom watches that nobody else is here.
            self.0.with_mut(|value| unsafe { *value = 1 });
        }
    }
    model(|| {
        let cell = StdArc::new(UnsafeCell::new(0));
        let object = StdArc::new(Watched::new(Value(cell.clone())));
        let read = |Shared(cell): Shared<UnsafeCell<u8>>| {
            // SAFETY: as above.
            assert_eq!(cell.with(|value| unsafe { *value }), 1);
        };
        let finalizer = finalize(&*object, read, Shared(cell));
        let shared = Shared(object);
        let there = thread::spawn(move || drop(shared.into_inner()));
        finalizer.peek(|(), _, _| thread::yield_now());
        there.join().unwrap();
    });
}

/// Looks are one after the other: each sees what the one before did through a shared cell.
#[test]
fn two_peeks_that_write() {
    model(|| {
        let object = StdArc::new(Watched::new(1));
        let cell = Shared(StdArc::new(UnsafeCell::new(0)));
        let finalizer = finalize(&object, |cell: Shared<UnsafeCell<u8>>| drop(cell), cell);
        // SAFETY: loom watches that nobody else is here.
        let write = |cell: &Shared<UnsafeCell<u8>>| cell.0.with_mut(|value| unsafe { *value += 1 });
        let other = finalizer.clone();
        let there = thread::spawn(move || _ = other.peek(|_, _, cell| write(cell)));
        finalizer.peek(|_, _, cell| write(cell));
        there.join().unwrap();
        finalizer.call();
    });
}

/// Something that the models share between threads under loom's eyes instead of the compiler's.
struct Shared<T>(StdArc<T>);

// SAFETY: loom's cells check every access.
unsafe impl<T> Send for Shared<T> {}

impl<T> Shared<T> {
    /// Not by its field, which a closure would capture alone, without the promise above.
    fn into_inner(self) -> StdArc<T> {
        self.0
    }
}

/// Everything that a thread can do to a finalizer, or beside it on the same object.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Operation {
    Call,
    Detach,
    Peek,
    LetObjectGo,
    DropHandle,
    Create,
    TurnOff,
    Drain,
}

const OPERATIONS: [Operation; 8] = {
    use Operation::*;
    [Call, Detach, Peek, LetObjectGo, DropHandle, Create, TurnOff, Drain]
};

/// Does it, and says whether the callback was handed back or dropped unrun.
fn perform(
    operation: Operation,
    object: LoomArc<Watched<u8>>,
    finalizer: Finalizer<(), Count, fn(Count)>,
) -> bool {
    match operation {
        Operation::Call => _ = finalizer.call(),
        Operation::Detach => return finalizer.detach().is_some(),
        Operation::Peek => _ = finalizer.peek(|(), _, _| thread::yield_now()),
        Operation::LetObjectGo => drop(object),
        Operation::DropHandle => drop(finalizer),
        Operation::Create => {
            let count = Count::default();
            finalize(&*object, Count::run as fn(Count), count.clone()).call();
            assert!(count.get() <= 1);
        }
        Operation::TurnOff => finalizer.set_at_exit(false),
        Operation::Drain => drain(),
    }
    false
}

/// Every pair of operations at once, on a finalizer that then loses its object. It ran once, or was
/// detached, or the door was shut before its object died.
#[test]
fn every_pair_of_operations() {
    for (index, first) in OPERATIONS.into_iter().enumerate() {
        for second in OPERATIONS.into_iter().skip(index) {
            model(move || {
                // Loom's own, so that it sees who was done with the object before it died.
                let object = LoomArc::new(Watched::new(1));
                let count = Count::default();
                // By value, so that the handle keeps no way back to the object.
                let finalizer = finalize(&*object, Count::run as fn(Count), count.clone());
                let (there_object, there_finalizer) = (object.clone(), finalizer.clone());
                let there = thread::spawn(move || perform(first, there_object, there_finalizer));
                let here = perform(second, object, finalizer.clone());
                let detached = here | there.join().unwrap();
                assert!(count.get() + usize::from(detached) <= 1, "{first:?} and {second:?}");
                let met_a_peek = first == Operation::Peek || second == Operation::Peek;
                let drained = first == Operation::Drain || second == Operation::Drain;
                if !detached && !met_a_peek && !drained {
                    assert_eq!(count.get(), 1, "{first:?} and {second:?}");
                }
                assert!(!finalizer.is_alive(), "{first:?} and {second:?}");
            });
        }
    }
}
