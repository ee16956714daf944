//! The engine alone under loom, with the smallest door there can be: what the Rust door's models
//! cannot reach. A fork cannot be modelled, but what its handlers do to the locks can.
//!
//! Run with `cargo xtask loom`.
#![cfg(loom)]

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use lastly_core::sync::{Moment, UnsafeCell};
use lastly_core::{
    ByLock, Cause, Claim, Cleaner, Description, Door, Due, Node, Pause, Problem, Registry, Terms,
};
use loom::sync::Arc as LoomArc;
use loom::thread;

/// A finalizer whose callback counts. Held by loom's `Arc`, which tracks leaks.
#[repr(C)]
struct Counting {
    node: Node,
    callback: UnsafeCell<Option<Arc<AtomicUsize>>>,
}

// SAFETY: the callback is reached through a claim only.
unsafe impl Send for Counting {}
// SAFETY: as above.
unsafe impl Sync for Counting {}

struct TestDoor;

/// # Safety
///
/// The claim is on a `Counting`, and nothing was taken out under it before.
unsafe fn take(claim: &Claim<'_, TestDoor>) -> Arc<AtomicUsize> {
    let counting = claim.node().cast::<Counting>();
    // SAFETY: whoever claims has a hold.
    let callback = &unsafe { counting.as_ref() }.callback;
    // SAFETY: the claim is exclusive.
    callback.with_mut(|callback| unsafe { (*callback).take() }).expect("taken out once")
}

lastly_core::modelled_thread_local! {
    static PAUSE: Pause = Pause::new();
}

// SAFETY: the holds are those of an `Arc`; `untie` does nothing.
unsafe impl Door for TestDoor {
    type Exclusion = ByLock;

    unsafe fn run(claim: Claim<'_, Self>, _: Cause, _: Option<Moment>) {
        // SAFETY: this function's contract.
        unsafe { take(&claim) }.fetch_add(1, SeqCst);
    }

    unsafe fn discard(claim: Claim<'_, Self>) {
        // SAFETY: this function's contract.
        drop(unsafe { take(&claim) });
    }

    unsafe fn describe(_: NonNull<Node>) -> Description {
        Description { object: "a test".into(), function: "count".into(), created: None }
    }

    fn pause<R>(look: impl FnOnce(&Pause) -> R) -> R {
        PAUSE.with(|pause| look(pause))
    }

    unsafe fn cleaner<'a>(_: NonNull<Node>) -> Option<&'a Cleaner<Self>> {
        None
    }

    unsafe fn retain(node: NonNull<Node>) {
        // SAFETY: this function's contract, and the node is the beginning of what an `Arc` holds.
        unsafe { LoomArc::increment_strong_count(node.as_ptr().cast::<Counting>()) };
    }

    unsafe fn release(node: NonNull<Node>) {
        // SAFETY: as above.
        drop(unsafe { LoomArc::from_raw(node.as_ptr().cast::<Counting>()) });
    }

    unsafe fn untie(_: NonNull<Node>) -> bool {
        true
    }
}

const TERMS: Terms = Terms { cause: Cause::Exit, wait: Duration::MAX, budget: None, last: false };

type TestRegistry = LoomArc<Registry<TestDoor>>;

/// Registers a finalizer, and gives its count, and a hold on it.
fn create(registry: &TestRegistry) -> (LoomArc<Counting>, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let callback = UnsafeCell::new(Some(count.clone()));
    let node = Node::new(Registry::<TestDoor>::shard_of_this_thread());
    let counting = LoomArc::new(Counting { node, callback });
    // SAFETY: new, and one hold passes to the registry.
    unsafe { registry.insert(pointer(LoomArc::into_raw(counting.clone())), || ()) };
    (counting, count)
}

fn pointer(counting: *const Counting) -> NonNull<Node> {
    NonNull::new(counting.cast_mut().cast()).expect("not null")
}

/// The object of this finalizer dies.
fn fire(registry: &TestRegistry, counting: &LoomArc<Counting>) {
    let cause = Cause::ObjectDied;
    // SAFETY: registered by `create`, and held by the caller.
    if let Some(claim) = unsafe { registry.claim(pointer(&raw const **counting), Due::Run(cause)) }
    {
        // SAFETY: claimed just now.
        unsafe { TestDoor::run(claim, cause, None) };
    }
}

/// How many preemptions are explored at most: three, if the environment does not say otherwise.
fn preemptions() -> usize {
    std::env::var("LASTLY_PREEMPTIONS").map_or(3, |it| it.parse().expect("a number"))
}

fn model(scenario: impl Fn(TestRegistry) + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions().min(4));
    builder.max_branches = 20_000;
    builder.check(move || scenario(LoomArc::new(Registry::new())));
}

#[test]
fn fork_in_the_parent_while_another_thread_works() {
    model(|registry| {
        let there = registry.clone();
        let there = thread::spawn(move || {
            let (counting, count) = create(&there);
            fire(&there, &counting);
            assert_eq!(count.load(SeqCst), 1);
        });
        registry.before_fork();
        // SAFETY: `before_fork` was called just before.
        unsafe { registry.after_fork_in_parent() };
        there.join().unwrap();
    });
}

/// In the child, the drain passes over what the parent created, and runs what the child did.
#[test]
fn fork_in_the_child() {
    model(|registry| {
        let (inherited, inherited_count) = create(&registry);
        registry.before_fork();
        // SAFETY: `before_fork` was called just before.
        unsafe { registry.after_fork_in_child() };
        let (_own, own_count) = create(&registry);
        let there = registry.clone();
        let there = thread::spawn(move || there.drain(&TERMS));
        registry.drain(&TERMS);
        there.join().unwrap();
        assert_eq!((inherited_count.load(SeqCst), own_count.load(SeqCst)), (0, 1));
        // Detached, so that nothing is left for loom to find.
        // SAFETY: registered by `create`, and held.
        let claim = unsafe { registry.claim(pointer(&raw const *inherited), Due::Take) }.unwrap();
        // SAFETY: claimed just now.
        unsafe { TestDoor::discard(claim) };
    });
}

#[test]
fn fork_while_another_thread_drains() {
    model(|registry| {
        let (_counting, count) = create(&registry);
        let there = registry.clone();
        let there = thread::spawn(move || there.drain(&TERMS));
        registry.before_fork();
        // SAFETY: `before_fork` was called just before.
        unsafe { registry.after_fork_in_parent() };
        there.join().unwrap();
        assert_eq!(count.load(SeqCst), 1);
    });
}

/// What is reported as skipped has not run, and what has run is not; whenever the drain is cut.
#[test]
fn cut_while_another_thread_drains() {
    model(|registry| {
        let skipped = count_skipped(&registry);
        let (first, second) = (create(&registry), create(&registry));
        let there = registry.clone();
        let there = thread::spawn(move || there.drain(&TERMS));
        registry.cut(Cause::Exit);
        there.join().unwrap();
        let ran = first.1.load(SeqCst) + second.1.load(SeqCst);
        assert_eq!(ran + skipped.load(SeqCst), 2);
        discard(&registry, [first.0, second.0]);
    });
}

#[test]
fn cut_while_an_object_dies() {
    model(|registry| {
        let skipped = count_skipped(&registry);
        let (counting, count) = create(&registry);
        let there = (registry.clone(), counting.clone());
        let there = thread::spawn(move || fire(&there.0, &there.1));
        registry.cut(Cause::Exit);
        there.join().unwrap();
        assert_eq!(count.load(SeqCst) + skipped.load(SeqCst), 1);
        discard(&registry, [counting]);
    });
}

#[test]
fn two_cuts() {
    model(|registry| {
        let skipped = count_skipped(&registry);
        let (counting, _) = create(&registry);
        let there = registry.clone();
        let there = thread::spawn(move || there.cut(Cause::Signal));
        registry.cut(Cause::Exit);
        there.join().unwrap();
        assert_eq!(skipped.load(SeqCst), 1);
        discard(&registry, [counting]);
    });
}

fn count_skipped(registry: &TestRegistry) -> Arc<AtomicUsize> {
    let skipped = Arc::new(AtomicUsize::new(0));
    let of_hook = skipped.clone();
    registry.set_hook(move |report| {
        if matches!(report.problem, Problem::Skipped | Problem::TooLate) {
            of_hook.fetch_add(1, SeqCst);
        }
    });
    skipped
}

/// So that nothing is left for loom to find.
fn discard<const N: usize>(registry: &TestRegistry, left: [LoomArc<Counting>; N]) {
    for counting in left {
        let node = pointer(&raw const *counting);
        // SAFETY: registered by `create`, and held.
        if let Some(claim) = unsafe { registry.claim(node, Due::Take) } {
            // SAFETY: claimed just now.
            unsafe { TestDoor::discard(claim) };
        }
    }
}
