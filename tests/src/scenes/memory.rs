//! What the garbage-collected pointer leaves in memory, and how many pointers there may be.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;
use std::process::exit;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use lastly::{Gc, collect, finalize};

use super::gc::Node;
use crate::say;

pub(crate) const SCENES: &[(&str, fn())] = &[
    ("gc-come-and-go", come_and_go),
    ("gc-too-many-clones", too_many_clones),
    ("gc-too-many-weak-references", too_many_weak_references),
];

/// Counts what is allocated. (The C library's own statistics count what it keeps for later.)
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: the system's, but for the counting.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Relaxed);
        // SAFETY: this function's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Relaxed);
        // SAFETY: this function's contract.
        unsafe { System.dealloc(memory, layout) };
    }
}

/// Whatever comes and goes, it leaves no memory behind.
fn come_and_go() {
    thread_local! { static KEPT: RefCell<Vec<Gc<Node>>> = const { RefCell::new(Vec::new()) }; }
    lastly::report::set_hook(|_| ());
    std::panic::set_hook(Box::new(|_| ()));
    let allocated = || ALLOCATED.load(Relaxed);
    let round = || {
        for n in 0..200 {
            // A ring of which the one keeps the other when it is dead.
            let (one, other) = (Node::new(|_| ()), Node::new(|_| ()));
            let keep = |one: &Node| KEPT.with_borrow_mut(|kept| kept.append(&mut one.next.take()));
            one.on_drop.set(Some(Box::new(keep)));
            one.next.borrow_mut().push(other.clone());
            other.next.borrow_mut().push(one.clone());
            finalize(&one, |_| (), n);
            finalize(&other, |()| -> () { std::panic::panic_any("callback") }, ());
            let (weak, handle) = (Gc::downgrade(&one), finalize(&other, |_| (), n));
            drop((one, other));
            // By itself, some time later; or now, or with a panic.
            if n % 3 == 0 {
                collect();
            }
            let bomb = Node::new(|_| std::panic::panic_any("drop"));
            bomb.next.borrow_mut().push(bomb.clone());
            drop((bomb, weak, handle));
        }
        collect();
        KEPT.take();
        drop(Node::list(200, || ()));
        allocated()
    };
    // Tables grow to their size.
    (0..3).for_each(|_| _ = round());
    let before = allocated();
    (0..10).for_each(|_| _ = round());
    say(&format!("grown by {}", allocated() - before));
    exit(0);
}

fn too_many_clones() {
    let object = Gc::new(1);
    for _ in 0..u32::MAX - 2 {
        std::mem::forget(object.clone());
    }
    say(&Gc::strong_count(&object).to_string());
    std::mem::forget(object.clone());
    say("never said");
}

fn too_many_weak_references() {
    let object = Gc::new(1);
    for _ in 0..u32::MAX - 1 {
        std::mem::forget(Gc::downgrade(&object));
    }
    say(&Gc::weak_count(&object).to_string());
    std::mem::forget(Gc::downgrade(&object));
    say("never said");
}
