//! What waits: for a cleaner's thread, and for the end of a pause.

use lastly::{Cleaner, WhenFull, paused};

use super::*;

/// A finalizer that counts, on an object of its own, made by the cleaner.
fn cleaned(cleaner: &Cleaner) -> (Watched<u8>, Finalizer, Count) {
    let object = Watched::new(1);
    let count = Count::default();
    let finalizer = cleaner.finalize(&object, Count::run as fn(Count), count.clone()).erase();
    (object, finalizer, count)
}

/// As `cleaned`, and dies at once.
fn die(cleaner: &Cleaner) -> Count {
    cleaned(cleaner).2
}

/// A thread that does the work of the cleaner's, until that is closed or the program ends.
fn works(cleaner: &Cleaner) -> JoinHandle<()> {
    let own = cleaner.clone();
    thread::spawn(move || own.work())
}

/// Does what is left of the work.
fn work_off(cleaner: &Cleaner) {
    cleaner.hand_no_more();
    cleaner.work();
}

#[test]
fn hand_over_and_close() {
    model_up_to(2, || {
        let cleaner = Cleaner::new(2);
        let worker = works(&cleaner);
        let (first, second) = (die(&cleaner), die(&cleaner));
        cleaner.close();
        assert_eq!((first.get(), second.get()), (1, 1), "closing waits for what was handed over");
        worker.join().unwrap();
    });
}

/// A thread that has nothing to do is told of what there is, and who waits for that of its end.
#[test]
fn hand_over_and_wait() {
    model_up_to(2, || {
        let cleaner = Cleaner::new(2);
        let worker = works(&cleaner);
        for _ in 0..2 {
            let count = die(&cleaner);
            assert!(cleaner.drain(None));
            assert_eq!(count.get(), 1);
        }
        cleaner.close();
        worker.join().unwrap();
    });
}

#[test]
fn hand_over_on_two_threads() {
    model(|| {
        let cleaner = Cleaner::new(1);
        let other = cleaner.clone();
        let there = thread::spawn(move || die(&other));
        let here = die(&cleaner);
        let there = there.join().unwrap();
        work_off(&cleaner);
        assert_eq!((here.get(), there.get()), (1, 1));
    });
}

#[test]
fn hand_over_and_close_elsewhere() {
    model(|| {
        let cleaner = Cleaner::new(2);
        let other = cleaner.clone();
        let there = thread::spawn(move || work_off(&other));
        let count = die(&cleaner);
        there.join().unwrap();
        assert_eq!(count.get(), 1, "here or there");
    });
}

/// From its death to the end of its callback, another thread calls it.
#[test]
fn hand_over_and_call() {
    model(|| {
        let cleaner = Cleaner::new(2);
        let (object, finalizer, count) = cleaned(&cleaner);
        let there = thread::spawn(move || ran(finalizer.call()));
        drop(object);
        work_off(&cleaner);
        there.join().unwrap();
        assert_eq!(count.get(), 1);
    });
}

#[test]
fn hand_over_and_detach() {
    model(|| {
        let cleaner = Cleaner::new(2);
        let (object, finalizer, count) = cleaned(&cleaner);
        let there = thread::spawn(move || finalizer.detach());
        drop(object);
        work_off(&cleaner);
        let detached = there.join().unwrap();
        assert_eq!(count.get(), usize::from(!detached));
    });
}

#[test]
fn hand_over_and_peek() {
    model(|| {
        let cleaner = Cleaner::new(2);
        let object = Watched::new(1);
        let count = Count::default();
        let finalizer = cleaner.finalize(&object, Count::run as fn(Count), count.clone());
        let there = thread::spawn(move || {
            _ = finalizer.peek(|(), _, count| {
                thread::yield_now();
                assert_eq!(count.get(), 0, "the callback runs after the look");
            });
        });
        drop(object);
        work_off(&cleaner);
        there.join().unwrap();
        assert_eq!(count.get(), 1);
    });
}

/// The last that hold the cleaner are the finalizer that it has just been given, and its thread.
#[test]
fn hand_over_and_the_handles_go() {
    model_up_to(2, || {
        let cleaner = Cleaner::new(2);
        let (object, finalizer, count) = cleaned(&cleaner);
        let there = thread::spawn(move || {
            cleaner.work();
            drop(cleaner);
        });
        drop(object);
        finalizer.call();
        drop(finalizer);
        drain();
        there.join().unwrap();
        assert_eq!(count.get(), 1);
    });
}

/// The drain runs what waits, or waits for the cleaner's thread to have run it. The exit flag is
/// that of a living object.
#[test]
fn work_and_drain() {
    model(|| {
        let cleaner = Cleaner::new(2);
        let (object, finalizer, count) = cleaned(&cleaner);
        finalizer.set_at_exit(false);
        drop(object);
        let worker = works(&cleaner);
        drain();
        assert_eq!(count.get(), 1);
        worker.join().unwrap();
        assert_eq!(count.get(), 1);
    });
}

/// The object dies while the drain begins, goes on, ends.
#[test]
fn hand_over_and_drain() {
    model(|| {
        let cleaner = Cleaner::new(2);
        let (object, _, count) = cleaned(&cleaner);
        let there = thread::spawn(move || drop(object));
        drain();
        assert_eq!(count.get(), 1);
        there.join().unwrap();
        cleaner.work();
        assert_eq!(count.get(), 1);
    });
}

/// It was not to run at exit, but its object dies then: it runs, or comes too late.
#[test]
fn hand_over_what_the_drain_passes_over() {
    model(|| {
        let cleaner = Cleaner::new(2);
        let (object, finalizer, count) = cleaned(&cleaner);
        finalizer.set_at_exit(false);
        let there = thread::spawn(move || drop(object));
        drain();
        let at_drain = count.get();
        there.join().unwrap();
        assert_eq!(count.get(), at_drain, "nothing runs once the door is shut");
        assert!(finalizer.call().is_none());
        finalizer.detach();
        cleaner.work();
    });
}

/// Who waits for what was handed over does not wait for ever when the program ends.
#[test]
fn wait_and_drain() {
    model(|| {
        let cleaner = Cleaner::new(2);
        let count = die(&cleaner);
        let other = cleaner.clone();
        let there = thread::spawn(move || assert!(!other.drain(None), "nobody works"));
        drain();
        assert_eq!(count.get(), 1);
        there.join().unwrap();
        cleaner.work();
    });
}

#[test]
fn wait_for_room() {
    model_up_to(2, || {
        let cleaner = Cleaner::builder(1).when_full(WhenFull::Block).build();
        let worker = works(&cleaner);
        let counts = [(); 3].map(|()| die(&cleaner));
        cleaner.close();
        worker.join().unwrap();
        assert_eq!(counts.map(|count| count.get()), [1; 3]);
    });
}

/// There is no room, and nobody makes any: closing lets the thread go on, and it runs that itself.
#[test]
fn wait_for_room_and_close() {
    model(|| {
        let cleaner = Cleaner::builder(1).when_full(WhenFull::Block).build();
        let waits = die(&cleaner);
        let other = cleaner.clone();
        let there = thread::spawn(move || {
            let count = die(&other);
            assert_eq!(count.get(), 1, "it has run here");
        });
        cleaner.hand_no_more();
        there.join().unwrap();
        cleaner.work();
        assert_eq!(waits.get(), 1);
    });
}

/// There is no room, and the program ends: the thread goes on, and the drain runs both.
#[test]
fn wait_for_room_and_drain() {
    model(|| {
        let cleaner = Cleaner::builder(1).when_full(WhenFull::Block).build();
        let waits = die(&cleaner);
        let (object, _, count) = cleaned(&cleaner);
        let there = thread::spawn(move || drop(object));
        drain();
        assert_eq!((waits.get(), count.get()), (1, 1));
        there.join().unwrap();
        cleaner.work();
    });
}

#[test]
fn help() {
    model_up_to(2, || {
        let cleaner = Cleaner::new(1);
        let worker = works(&cleaner);
        let counts = [(); 3].map(|()| die(&cleaner));
        cleaner.close();
        worker.join().unwrap();
        assert_eq!(counts.map(|count| count.get()), [1; 3]);
    });
}

/// A finalizer that counts, and waits on another thread for the end of a pause there.
fn in_a_pause() -> (Finalizer, Count, JoinHandle<()>) {
    let object = Watched::new(1);
    let count = Count::default();
    let finalizer = finalize(&object, Count::run as fn(Count), count.clone()).erase();
    let there = thread::spawn(move || {
        let pause = paused();
        drop(object);
        thread::yield_now();
        drop(pause);
    });
    (finalizer, count, there)
}

#[test]
fn pause_and_call() {
    model(|| {
        let (finalizer, count, there) = in_a_pause();
        finalizer.call();
        there.join().unwrap();
        assert_eq!(count.get(), 1);
    });
}

#[test]
fn pause_and_detach() {
    model(|| {
        let (finalizer, count, there) = in_a_pause();
        let detached = finalizer.detach();
        there.join().unwrap();
        assert_eq!(count.get(), usize::from(!detached));
    });
}

#[test]
fn pause_and_drain() {
    model(|| {
        let (_, count, there) = in_a_pause();
        drain();
        assert_eq!(count.get(), 1);
        there.join().unwrap();
        assert_eq!(count.get(), 1);
    });
}

/// The drain comes before the end of the pause: it runs what waits, whatever its flag says.
#[test]
fn drain_in_a_pause() {
    model(|| {
        let object = Watched::new(1);
        let count = Count::default();
        let finalizer = finalize(&object, Count::run as fn(Count), count.clone());
        finalizer.set_at_exit(false);
        let pause = paused();
        drop(object);
        let there = thread::spawn(drain);
        there.join().unwrap();
        assert_eq!(count.get(), 1);
        drop(pause);
        assert_eq!(count.get(), 1);
    });
}

#[test]
fn pause_and_cleaner() {
    model(|| {
        let cleaner = Cleaner::new(2);
        let (object, finalizer, count) = cleaned(&cleaner);
        let there = thread::spawn(move || ran(finalizer.call()));
        let pause = paused();
        drop(object);
        drop(pause);
        work_off(&cleaner);
        there.join().unwrap();
        assert_eq!(count.get(), 1);
    });
}

/// Nobody's pause is another's.
#[test]
fn two_pauses() {
    model(|| {
        let pause_here = || {
            let (object, _, count) = counting();
            let pause = paused();
            drop(object);
            thread::yield_now();
            assert_eq!(count.get(), 0);
            drop(pause);
            assert_eq!(count.get(), 1);
        };
        let there = thread::spawn(pause_here);
        pause_here();
        there.join().unwrap();
    });
}
