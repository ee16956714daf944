//! Structures that are too deep for recursion: a million objects, on a stack of 256 KiB.

use std::cell::RefCell;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use lastly::{Gc, Trace, collect, collector, finalize, unsize};

use crate::nodes::check_still_working;

/// Fewer where each step costs a hundred times as much.
const MANY: usize = if cfg!(any(miri, lastly_slow)) { 5_000 } else { 1_000_000 };

/// What has a finalizer: one in so many.
const STEP: usize = 1_000;

/// Drops and callbacks, counted.
#[derive(Clone, Default)]
struct Counts(Arc<(AtomicUsize, AtomicUsize)>);

impl Counts {
    fn drops(&self) -> usize {
        self.0.0.load(SeqCst)
    }

    fn callbacks(&self) -> usize {
        self.0.1.load(SeqCst)
    }

    fn watch<T: ?Sized>(&self, object: &Gc<T>) {
        let counts = self.clone();
        finalize(object, move |()| counts.0.1.fetch_add(1, SeqCst), ());
    }

    fn assert_all(&self, objects: usize) {
        assert_eq!(self.drops(), objects);
        assert_eq!(self.callbacks(), objects.div_ceil(STEP));
    }
}

/// A value that counts its drop.
#[derive(Trace)]
struct Drops(#[trace(skip)] Counts);

impl Drop for Drops {
    fn drop(&mut self) {
        self.0.0.0.fetch_add(1, SeqCst);
    }
}

/// On a small stack; and afterwards everything works.
fn on_a_small_stack(work: impl FnOnce(&Counts) + Send) {
    let counts = Counts::default();
    let run = || {
        work(&counts);
        assert_eq!(collector::statistics().suspects, 0);
        check_still_working();
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(256 * 1024);
        thread.spawn_scoped(scope, run).unwrap().join()
    })
    .unwrap_or_else(|panic| resume_unwind(panic));
}

/// One link of a chain, which holds the next in its own way.
trait Link: Trace + Sized + 'static {
    fn new(counts: &Counts, next: Option<Gc<Self>>) -> Self;
}

/// A chain of so many, with some finalizers; the first of them.
fn chain<L: Link>(counts: &Counts) -> Gc<L> {
    let mut first = None;
    for index in 0..MANY {
        let link = Gc::new(L::new(counts, first.take()));
        if index % STEP == 0 {
            counts.watch(&link);
        }
        first = Some(link);
    }
    first.expect("at least one")
}

#[derive(Trace)]
struct Plain {
    next: RefCell<Option<Gc<Plain>>>,
    drops: Drops,
}

impl Link for Plain {
    fn new(counts: &Counts, next: Option<Gc<Self>>) -> Self {
        Self { next: RefCell::new(next), drops: Drops(counts.clone()) }
    }
}

/// Where the collector does not find the next one.
#[derive(Trace)]
struct Unseen {
    #[trace(skip)]
    _next: Option<Gc<Unseen>>,
    _drops: Drops,
}

impl Link for Unseen {
    fn new(counts: &Counts, next: Option<Gc<Self>>) -> Self {
        Self { _next: next, _drops: Drops(counts.clone()) }
    }
}

/// Through containers, one inside the other.
#[derive(Trace)]
struct Mixed(RefCell<Vec<Option<Pair>>>, Drops);

type Pair = Box<(u8, Gc<Mixed>)>;

impl Link for Mixed {
    fn new(counts: &Counts, next: Option<Gc<Self>>) -> Self {
        let next = next.map(|next| Box::new((1, next)));
        Self(RefCell::new(vec![None, next, None]), Drops(counts.clone()))
    }
}

/// Through a box of which only the trait is known.
#[derive(Trace)]
struct Boxed(Option<Box<dyn Trace>>, Drops);

impl Link for Boxed {
    fn new(counts: &Counts, next: Option<Gc<Self>>) -> Self {
        let next = next.map(|next| Box::new(next) as Box<dyn Trace>);
        Self(next, Drops(counts.clone()))
    }
}

/// Through a `Gc` of which only the trait is known.
#[derive(Trace)]
struct Shaped(Option<Gc<dyn Trace>>, Drops);

impl Link for Shaped {
    fn new(counts: &Counts, next: Option<Gc<Self>>) -> Self {
        Self(next.map(|next| unsize!(next => dyn Trace)), Drops(counts.clone()))
    }
}

/// Its drop has something to do with the next one, and a panic to get rid of now and then.
#[derive(Trace)]
struct Busy(Option<Gc<Busy>>, Drops);

impl Link for Busy {
    fn new(counts: &Counts, next: Option<Gc<Self>>) -> Self {
        Self(next, Drops(counts.clone()))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let next = self.0.take();
        drop(next.clone());
        if next.as_ref().is_some_and(|next| Gc::strong_count(next) != 1) {
            panic!("held by this one only");
        }
    }
}

/// Dropped as it is; and hung into a ring of one, collected.
fn dies<L: Link>() {
    on_a_small_stack(|counts| {
        drop(chain::<L>(counts));
        counts.assert_all(MANY);
    });
    on_a_small_stack(|counts| {
        #[derive(Trace)]
        struct Ring(RefCell<Option<Gc<Ring>>>, Box<dyn Trace>);
        let ring = Gc::new(Ring(RefCell::default(), Box::new(chain::<L>(counts))));
        *ring.0.borrow_mut() = Some(ring.clone());
        drop(ring);
        assert!(collect().objects >= 1);
        counts.assert_all(MANY);
    });
}

#[test]
fn a_list() {
    dies::<Plain>();
}

#[test]
fn a_list_that_the_collector_does_not_see() {
    dies::<Unseen>();
}

#[test]
fn a_list_through_containers() {
    dies::<Mixed>();
}

#[test]
fn a_list_through_boxes_of_any_kind() {
    dies::<Boxed>();
}

#[test]
fn a_list_through_objects_of_any_kind() {
    dies::<Shaped>();
}

#[test]
fn a_list_with_busy_drops() {
    dies::<Busy>();
}

#[test]
fn a_ring() {
    on_a_small_stack(|counts| {
        let first = chain::<Plain>(counts);
        // The last one is found by walking there.
        let mut last = first.clone();
        loop {
            let next = last.next.borrow().clone();
            let Some(next) = next else { break };
            last = next;
        }
        *last.next.borrow_mut() = Some(first.clone());
        drop((first, last));
        assert_eq!(counts.drops(), 0);
        assert_eq!(collect().objects, MANY);
        counts.assert_all(MANY);
    });
}

/// Every object holds the one before and the one after.
#[test]
fn a_list_in_both_directions() {
    #[derive(Trace)]
    struct Both(RefCell<[Option<Gc<Both>>; 2]>, Drops);
    on_a_small_stack(|counts| {
        let mut last = None;
        for index in 0..MANY {
            let links = RefCell::new([last.clone(), None]);
            let both = Gc::new(Both(links, Drops(counts.clone())));
            if index % STEP == 0 {
                counts.watch(&both);
            }
            if let Some(last) = last.replace(both.clone()) {
                last.0.borrow_mut()[1] = Some(both);
            }
        }
        drop(last);
        assert_eq!(counts.drops(), 0);
        assert_eq!(collect().objects, MANY);
        counts.assert_all(MANY);
    });
}

/// One object that holds all others, each of which holds it.
#[test]
fn a_star() {
    #[derive(Trace)]
    struct Star(RefCell<Vec<Gc<Star>>>, Drops);
    on_a_small_stack(|counts| {
        let _paused = collector::pause();
        let new = |links| {
            let star = Gc::new(Star(RefCell::new(links), Drops(counts.clone())));
            counts.watch(&star);
            star
        };
        let center = new(Vec::new());
        for _ in 1..MANY / 10 {
            let star = new(vec![center.clone()]);
            center.0.borrow_mut().push(star);
        }
        drop(center);
        assert_eq!(collect().objects, MANY / 10);
        assert_eq!((counts.drops(), counts.callbacks()), (MANY / 10, MANY / 10));
    });
}
