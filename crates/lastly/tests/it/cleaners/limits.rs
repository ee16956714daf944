//! A backlog that is full.

use std::sync::atomic::AtomicBool;

use super::*;

/// With `Help`, what finds the backlog full runs where it dies; the rest waits in its order.
#[test]
fn help() {
    let log = Log::default();
    let cleaner = Cleaner::new(2);
    let gate = Gate::close(&cleaner);
    die(&cleaner, &log, "first");
    die(&cleaner, &log, "second");
    assert_eq!((cleaner.backlog(), log.take()), (2, vec![]));
    die(&cleaner, &log, "third");
    assert_eq!((cleaner.backlog(), log.take()), (2, vec!["third".to_owned()]));
    gate.open();
    cleaner.drain(None);
    assert_eq!(log.take(), ["first", "second"]);
}

/// With `Block`, the thread that drops the object goes on when there is room.
#[test]
fn block() {
    let log = Log::default();
    let cleaner = Cleaner::builder(1).when_full(WhenFull::Block).build();
    let gate = Gate::close(&cleaner);
    die(&cleaner, &log, "first");
    let blocks = AtomicBool::new(true);
    thread::scope(|scope| {
        scope.spawn(|| {
            die(&cleaner, &log, "second");
            blocks.store(false, SeqCst);
        });
        wait_until_asleep(&cleaner);
        assert!(blocks.load(SeqCst));
        assert_eq!(cleaner.backlog(), 1);
        gate.open();
    });
    cleaner.drain(None);
    assert_eq!(log.take(), ["first", "second"]);
}

/// Until somebody is blocked: as the public interface does not tell, until it is asked for. What is
/// asserted after this holds whenever it is asked; this makes it worth asking.
fn wait_until_asleep(cleaner: &Cleaner) {
    for _ in 0..1000 {
        assert!(cleaner.backlog() <= cleaner.limit());
        thread::yield_now();
    }
}

/// In its own callbacks the cleaner does not wait for itself.
#[test]
fn block_on_its_own_thread_helps() {
    let log = Log::default();
    let cleaner = Cleaner::builder(1).when_full(WhenFull::Block).build();
    let gate = Gate::close(&cleaner);
    let object = Watched::new(1);
    let (own, inner) = (cleaner.clone(), log.clone());
    let work = move |()| {
        die(&own, &inner, "handed over");
        die(&own, &inner, "run at once");
    };
    cleaner.finalize(&object, work, ());
    drop(object);
    gate.open();
    cleaner.drain(None);
    cleaner.drain(None);
    assert_eq!(log.take(), ["run at once", "handed over"]);
}

/// Nor do two cleaners for each other.
#[test]
fn two_that_block_for_each_other() {
    const EACH: usize = 200;
    let cleaners = [(); 2].map(|()| Cleaner::builder(1).when_full(WhenFull::Block).build());
    let count = Arc::new(AtomicUsize::new(0));
    for (own, other) in [(0, 1), (1, 0)] {
        for _ in 0..EACH {
            let object = Watched::new(1);
            let (other, count) = (cleaners[other].clone(), count.clone());
            let work = move |()| {
                for _ in 0..3 {
                    let object = Watched::new(1);
                    let count = count.clone();
                    other.finalize(&object, move |()| count.fetch_add(1, SeqCst), ());
                }
            };
            cleaners[own].finalize(&object, work, ());
        }
    }
    while count.load(SeqCst) < 6 * EACH {
        cleaners.iter().for_each(|cleaner| assert!(cleaner.drain(None)));
    }
}

/// Who waits for room in a cleaner that is closed runs it himself.
#[test]
fn close_with_a_full_and_blocked_backlog() {
    let log = Log::default();
    let cleaner = Cleaner::builder(1).when_full(WhenFull::Block).build();
    let gate = Gate::close(&cleaner);
    die(&cleaner, &log, "waits");
    let (died, after) = mpsc::channel();
    thread::scope(|scope| {
        let (other, log) = (cleaner.clone(), &log);
        scope.spawn(move || {
            die(&other, log, "was blocked");
            died.send(()).unwrap();
        });
        wait_until_asleep(&cleaner);
        scope.spawn(|| cleaner.close());
        // The gate is still closed: it is not room that lets the blocked thread go on.
        after.recv().unwrap();
        assert_eq!(log.take(), ["was blocked"]);
        gate.open();
    });
    assert_eq!(log.take(), ["waits"]);
}

/// So many deaths on several threads, and a callback that takes its time: each runs once, and there are
/// never more in the backlog than may be.
fn many(deaths: usize, when_full: WhenFull) {
    const THREADS: usize = 4;
    const LIMIT: usize = 64;
    let cleaner = Cleaner::builder(LIMIT).when_full(when_full).build();
    let (ran, elsewhere) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let over = AtomicBool::new(false);
    let most = thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = 0;
            while !over.load(SeqCst) {
                most = most.max(cleaner.backlog());
            }
            most
        });
        let dying: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    let here = thread::current().id();
                    for _ in 0..deaths / THREADS {
                        let object = Watched::new(1);
                        let (ran, elsewhere) = (ran.clone(), elsewhere.clone());
                        let slow = move |()| {
                            (0..50).for_each(|_| std::hint::spin_loop());
                            ran.fetch_add(1, SeqCst);
                            elsewhere
                                .fetch_add(usize::from(thread::current().id() != here), SeqCst);
                        };
                        cleaner.finalize(&object, slow, ());
                    }
                })
            })
            .collect();
        dying.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(cleaner.drain(None));
        over.store(true, SeqCst);
        watch.join().unwrap()
    });
    assert_eq!(ran.load(SeqCst), deaths);
    assert!((1..=LIMIT).contains(&most), "{most} in a backlog of {LIMIT}");
    match when_full {
        WhenFull::Help => assert!(elsewhere.load(SeqCst) > 0),
        WhenFull::Block => assert_eq!(elsewhere.load(SeqCst), deaths, "none where it died"),
    }
}

#[test]
fn many_deaths_that_help() {
    many(if cfg!(any(miri, lastly_slow)) { 400 } else { 40_000 }, WhenFull::Help);
}

#[test]
fn many_deaths_that_block() {
    many(if cfg!(any(miri, lastly_slow)) { 400 } else { 40_000 }, WhenFull::Block);
}

#[test]
#[ignore = "takes long without optimization: part of `cargo xtask test --full`"]
fn a_million_deaths() {
    many(1_000_000, WhenFull::Help);
    many(1_000_000, WhenFull::Block);
}

/// A death on each of thousands of threads, most of which end while theirs wait.
#[test]
fn deaths_of_thousands_of_threads() {
    const THREADS: usize = if cfg!(any(miri, lastly_slow)) { 20 } else { 3_000 };
    let cleaner = Cleaner::new(THREADS);
    let gate = Gate::close(&cleaner);
    let count = Arc::new(AtomicUsize::new(0));
    for _ in 0..THREADS / 10 {
        thread::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| {
                    let object = Watched::new(1);
                    let count = count.clone();
                    cleaner.finalize(&object, move |()| count.fetch_add(1, SeqCst), ());
                });
            }
        });
    }
    assert_eq!((cleaner.backlog(), count.load(SeqCst)), (THREADS, 0));
    gate.open();
    assert!(cleaner.drain(None));
    assert_eq!(count.load(SeqCst), THREADS);
}
