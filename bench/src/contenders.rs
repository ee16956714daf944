//! Those measured: each makes an object of two words, ties a cleanup to it, and lets it die.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use lastly::{Watched, defer, finalize};
use rust_cc::cleaners::Cleaner;
use rust_cc::{Cc, Finalize, Trace};

pub(crate) struct Contender {
    pub(crate) name: &'static str,
    /// Whether two threads may do it at once.
    pub(crate) threads: bool,
    once: fn(u64),
    /// Repeats `once` so that the compiler sees the loop.
    many: fn(u32),
}

/// The place of the peer that the others are measured by.
pub(crate) const RUST_CC: usize = 3;

macro_rules! contender {
    ($name:literal, $threads:literal, $once:path) => {
        Contender {
            name: $name,
            threads: $threads,
            once: $once,
            many: |count| (0..count).for_each(|n| $once(u64::from(n))),
        }
    };
}

pub(crate) fn all() -> [Contender; 8] {
    [
        contender!("**lastly**, object in an `Rc`", true, lastly_rc),
        contender!("**lastly**, object by value", true, lastly_value),
        contender!("**lastly** `defer`", true, lastly_defer),
        contender!("rust-cc `Cleaner` in a `Cc` (no exit, one thread)", false, rust_cc_cleaner),
        contender!("rust-cc `Cleaner` by value (no exit, one thread)", false, rust_cc_value),
        contender!("closure in an `Rc`, run by `Drop` (no exit)", true, drop_closure),
        contender!("registry by hand: `Mutex<BTreeMap>` (exit)", true, registry_by_hand),
        contender!("`scopeguard` (no object, no exit)", true, scope_guard),
    ]
}

impl Contender {
    /// Nanoseconds for one, on this thread.
    pub(crate) fn here(&self, count: u32) -> f64 {
        (self.once)(0);
        self.time(count)
    }

    /// Nanoseconds for one, on a fresh thread that has its turn alone.
    pub(crate) fn alone(&self, count: u32) -> f64 {
        self.on_threads(1, count)
    }

    /// Nanoseconds for one, while a second thread does the same.
    pub(crate) fn pair(&self, count: u32) -> f64 {
        self.on_threads(2, count)
    }

    fn on_threads(&self, threads: usize, count: u32) -> f64 {
        let start = Barrier::new(threads);
        thread::scope(|scope| {
            let work = || {
                (self.once)(0);
                start.wait();
                self.time(count)
            };
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let times = running.into_iter().map(|thread| thread.join().expect("no panic"));
            times.sum::<f64>() / threads as f64
        })
    }

    fn time(&self, count: u32) -> f64 {
        let begin = Instant::now();
        (self.many)(count);
        begin.elapsed().as_nanos() as f64 / f64::from(count)
    }
}

type Object = [u64; 2];

fn lastly_rc(n: u64) {
    let object = Rc::new(Watched::<Object>::new([n, n]));
    finalize(&object, |n| _ = black_box(n), black_box(n));
    black_box(&object);
}

fn lastly_value(n: u64) {
    let object = Watched::<Object>::new([n, n]);
    finalize(&object, |n| _ = black_box(n), black_box(n));
    black_box(&object);
}

fn lastly_defer(n: u64) {
    let guard = defer(|n| _ = black_box(n), black_box(n));
    black_box(&guard);
}

#[derive(Trace, Finalize)]
struct Cleaned {
    object: Object,
    cleaner: Cleaner,
}

fn rust_cc_cleaner(n: u64) {
    let object = Cc::new(Cleaned { object: [n, n], cleaner: Cleaner::new() });
    let n = black_box(n);
    object.cleaner.register(move || _ = black_box(n));
    black_box(&object.object);
}

fn rust_cc_value(n: u64) {
    let object = Cleaned { object: [n, n], cleaner: Cleaner::new() };
    let n = black_box(n);
    object.cleaner.register(move || _ = black_box(n));
    black_box(&object.object);
}

type Callback = Box<dyn FnOnce() + Send>;

/// What one writes without a library: no early call, no exit.
struct Runs {
    object: Object,
    callback: RefCell<Option<Callback>>,
}

impl Drop for Runs {
    fn drop(&mut self) {
        if let Some(callback) = self.callback.take() {
            callback();
        }
    }
}

fn drop_closure(n: u64) {
    let object = Rc::new(Runs { object: [n, n], callback: RefCell::new(None) });
    let n = black_box(n);
    *object.callback.borrow_mut() = Some(Box::new(move || _ = black_box(n)));
    black_box(&object.object);
}

/// What one writes to have exit as well: callbacks by number, in a static.
static BY_HAND: Mutex<BTreeMap<u64, Callback>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicU64 = AtomicU64::new(0);

struct Registered {
    object: Object,
    number: u64,
}

pub(crate) fn register_by_hand(callback: Callback) -> u64 {
    let number = NEXT.fetch_add(1, Relaxed);
    BY_HAND.lock().unwrap_or_else(PoisonError::into_inner).insert(number, callback);
    number
}

pub(crate) fn newest_by_hand() -> Option<Callback> {
    Some(BY_HAND.lock().unwrap_or_else(PoisonError::into_inner).pop_last()?.1)
}

impl Drop for Registered {
    fn drop(&mut self) {
        let callback = BY_HAND.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
        if let Some(callback) = callback {
            callback();
        }
    }
}

fn registry_by_hand(n: u64) {
    let callback: Callback = {
        let n = black_box(n);
        Box::new(move || _ = black_box(n))
    };
    let object = Rc::new(Registered { object: [n, n], number: register_by_hand(callback) });
    black_box(&object.object);
}

fn scope_guard(n: u64) {
    let guard = scopeguard::guard(black_box(n), |n| _ = black_box(n));
    black_box(&guard);
}
