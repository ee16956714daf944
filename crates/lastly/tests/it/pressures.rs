//! Pressures: collections that begin because of what finalizers weigh.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};
use std::thread;

use lastly::{Gc, Pressure, Watched, collect, collector, paused};

use crate::nodes::{Node, alone};
use crate::{Log, Reports, explode};

/// A circle that dies at once, with one finalizer.
fn garbage(pressure: &Pressure, log: &Log, size: usize) {
    let node = Node::circle(log, "node");
    pressure.finalize_sized(size, &node, log.say("callback"), ());
}

#[test]
fn garbage_is_bounded() {
    alone(|| {
        let _no_other = collector::pause();
        let log = Log::default();
        let files = Pressure::new(10);
        for _ in 0..1000 {
            garbage(&files, &log, 1);
            assert!(files.held() <= 10 && files.bound() == 10);
        }
        assert_eq!(files.collections(), 99, "one for each ten, but the first");
        collect();
        assert_eq!(files.held(), 0);
        assert_eq!(log.take().len(), 2000, "values and callbacks");
    });
}

/// Every way to the callback takes the weight away, once.
#[test]
fn every_way_lifts_it_once() {
    let pressure = Pressure::new(100);
    let object = Watched::new(1);
    let of = |size| pressure.finalize_sized(size, &object, |()| (), ());
    let (called, erased, detached, dropped, dies) = (of(1), of(2), of(4), of(8), of(16));
    assert_eq!(pressure.held(), 31);
    assert!(called.call().is_some() && called.call().is_none());
    assert_eq!(pressure.held(), 30);
    assert!(erased.erase().call().is_some());
    assert_eq!(pressure.held(), 28);
    let given_back = detached.detach();
    assert!(given_back.is_some() && detached.call().is_none());
    assert_eq!(pressure.held(), 24);
    assert!(dropped.erase().detach());
    assert_eq!(pressure.held(), 16);
    dies.peek(|(), _, ()| assert_eq!(pressure.held(), 16));
    drop(object);
    assert_eq!(pressure.held(), 0);
    assert!(!dies.is_alive());
}

/// It goes when the callback begins, also if that fails.
#[test]
fn a_callback_that_fails() {
    let reports = Reports::record();
    let pressure = Arc::new(Pressure::new(100));
    let object = Watched::new(1);
    let seen = pressure.clone();
    pressure.finalize(&object, move |()| assert_eq!(seen.held(), 0), ());
    pressure.finalize(&object, |()| explode("callback"), ());
    drop(object);
    assert_eq!((pressure.held(), reports.take().len()), (0, 1));
}

/// What lives is not collected in vain at each registration, and the bound falls when it dies.
#[test]
fn the_bound_goes_with_what_lives() {
    alone(|| {
        let pressure = Pressure::new(10);
        let mut living = Vec::new();
        let live = |count: usize, living: &mut Vec<Gc<usize>>| {
            for _ in 0..count {
                let object = Gc::new(1);
                pressure.finalize(&object, |()| (), ());
                living.push(object);
            }
        };
        live(10, &mut living);
        assert_eq!((pressure.collections(), pressure.bound()), (0, 10));
        live(1, &mut living);
        assert_eq!((pressure.collections(), pressure.bound()), (1, 20));
        live(10_000, &mut living);
        assert_eq!(pressure.held(), 10_011);
        assert!(pressure.collections() <= 12, "{} collections", pressure.collections());
        assert!(pressure.bound() >= 10_011 && pressure.bound() <= 2 * 10_011);
        living.truncate(100);
        assert_eq!((pressure.held(), pressure.bound()), (100, 200));
        living.clear();
        assert_eq!((pressure.held(), pressure.bound()), (0, 10));
    });
}

/// A callback in the collection registers with the same pressure, and that is no reason for another
/// collection; nothing goes wrong if it fails.
#[test]
fn a_callback_that_registers() {
    let reports = Reports::record();
    alone(|| {
        let _no_other = collector::pause();
        let log = Log::default();
        let pressure: &'static Pressure = Box::leak(Box::new(Pressure::new(3)));
        let kept: Arc<std::sync::Mutex<Vec<Watched<u8>>>> = Arc::default();
        for _ in 0..3 {
            let node = Node::circle(&log, "node");
            let kept = kept.clone();
            let register = move |()| {
                let object = Watched::new(1);
                pressure.finalize(&object, |()| (), ());
                kept.lock().unwrap().push(object);
                explode("having registered");
            };
            pressure.finalize(&node, register, ());
        }
        assert_eq!((pressure.held(), pressure.collections()), (3, 0));
        let object = Watched::new(1);
        pressure.finalize(&object, |()| (), ());
        assert_eq!((pressure.held(), pressure.collections()), (4, 1));
        kept.lock().unwrap().clear();
        drop(object);
        assert_eq!(pressure.held(), 0);
    });
    assert_eq!(reports.take().len(), 3);
}

#[test]
fn sizes_that_cannot_be_added() {
    let pressure = Pressure::new(usize::MAX);
    let object = Watched::new(1);
    let most = pressure.finalize_sized(usize::MAX - 1, &object, |()| (), ());
    let more = pressure.finalize_sized(5, &object, |()| (), ());
    pressure.finalize_sized(7, &object, |()| (), ());
    assert_eq!(pressure.held(), usize::MAX);
    most.call();
    assert_eq!(pressure.held(), 1);
    more.call();
    assert_eq!(pressure.held(), 0);
    drop(object);
    assert_eq!(pressure.held(), 0);
}

/// A limit of 0: each registration collects.
#[test]
fn no_limit() {
    alone(|| {
        let _no_other = collector::pause();
        let log = Log::default();
        let pressure = Pressure::new(0);
        for _ in 0..10 {
            garbage(&pressure, &log, 1);
            assert_eq!(pressure.held(), 1);
        }
        assert_eq!(pressure.collections(), 10);
    });
}

/// In a pause the callbacks wait, and weigh.
#[test]
fn in_a_pause() {
    alone(|| {
        let _no_other = collector::pause();
        let log = Log::default();
        let pressure = Pressure::new(10);
        let pause = paused();
        for _ in 0..100 {
            garbage(&pressure, &log, 1);
        }
        assert_eq!((pressure.held(), pressure.collections()), (100, 4));
        drop(pause);
        collect();
        assert_eq!((pressure.held(), pressure.bound()), (0, 10));
    });
}

/// One for all threads, each of which collects its own.
#[test]
fn shared_between_threads() {
    const EACH: usize = if cfg!(any(miri, lastly_slow)) { 50 } else { 2_000 };
    static FILES: LazyLock<Pressure> = LazyLock::new(|| Pressure::new(100));
    let ran = Arc::new(AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let _no_other = collector::pause();
                let log = Log::default();
                for _ in 0..EACH {
                    let node = Node::circle(&log, "node");
                    let ran = ran.clone();
                    FILES.finalize(&node, move |()| ran.fetch_add(1, SeqCst), ());
                }
                collect();
            });
        }
    });
    assert_eq!((ran.load(SeqCst), FILES.held(), FILES.bound()), (4 * EACH, 0, 100));
    assert!(FILES.collections() > 0);
}
