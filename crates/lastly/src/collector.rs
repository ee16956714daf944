//! The collector of [`Gc`](crate::Gc)'s reference cycles: how it works, its settings, what it did.
//!
//! # How it works
//!
//! A [`Gc`](crate::Gc) counts references, as `Rc` does: when the last goes, the object dies, at once. That is
//! how nearly all objects die, and the collector has no part in it. What counts cannot see is a
//! **cycle**: objects that hold each other, and that nobody else holds.
//!
//! **Suspects.** A cycle loses its last reference from outside by a drop that leaves the count above
//! zero. So whenever that happens, the object becomes a *suspect*. Every cycle that died can be reached
//! from a suspect: so a collection has no need to look at anything else, and what it costs does not
//! depend on how many objects there are. Types that own no `Gc` (*leaves*) are never suspects, and
//! are never looked at.
//!
//! **The search** begins at the suspects and follows the references that [`Trace`](crate::Trace) finds. Each
//! object that is reached gets a number, its count, less one for each reference that leads there. What
//! is left over are references from outside: from the stack, from what the search did not reach. An
//! object with one of those is alive, and so is whatever it leads to. The rest is **garbage**: it is
//! held only by itself. The search writes nothing but these numbers. It keeps a list of what
//! it has yet to visit, and needs no stack from one `Gc` to the next.
//!
//! **Death**, in this order, each step for all of the garbage before the next begins:
//!
//! 1. All weak references to it are cleared, and it is marked as dead. No code of anybody's has run.
//! 2. Its finalizers are put aside. They are still alive: whoever calls one, runs it; and if the program
//!    exits, the exit runs them.
//! 3. The values are dropped. A `Drop` that follows a `Gc` to another object of the same garbage finds it
//!    dead ([`Gc::is_alive`](crate::Gc::is_alive), [`Gc::try_deref`](crate::Gc::try_deref)), whether its turn has come or not,
//!    and whether it is in a cycle itself or only held by one. (Leaves were not looked at: they die by
//!    count, when the last who holds them goes, and until then can be used.)
//! 4. The collection is over. The callbacks of these finalizers run, newest first, each claimed when its
//!    turn comes.
//!
//! So a callback never meets a half-dead object; and `Drop`s and callbacks may do anything: allocate,
//! clone, drop, register, call, collect, exit the program. What dies by count in the third step,
//! because only garbage held it, has its callbacks run in the fourth. A panic in any of it (in
//! `Trace`, in `Drop`, in a callback) is contained and [reported](crate::report): a collection may begin
//! anywhere, so nobody is there to take it.
//!
//! # When
//!
//! By itself when enough objects are suspects ([`set_threshold`]), in the drop that makes the last
//! of them; never in the middle of another object's death. On demand, by [`collect`]. And when a thread ends: what
//! is unreachable then dies. (What is still held, by a leak or by another thread-local that goes
//! later, dies later or not at all; finalizers that are left run at exit.)
//!
//! # Limitations
//!
//! - **One thread.** A `Gc` cannot be sent to another thread, nor shared with one.
//! - **Drops come late, and somewhere**: a cycle dies when it is collected, inside a drop of some other
//!   pointer. What that code has borrowed is borrowed: a `Drop` or callback that borrows the
//!   same `RefCell` mutably panics (and is reported). [`pause`] keeps a stretch of code free of it.
//! - **What `Trace` does not find leaks**, if it is part of a cycle: skipped fields, what is behind an
//!   `Rc` or `Arc`, a cycle through a callback's arguments (those are `Send`, so no `Gc` is in them).
//! - An object's memory lives until its last [`Weak`](crate::Weak) goes, as with `Rc`.
//! - Deaths nest: a `Drop` that drops a `Gc` sees that object die, up to 32 levels deep. Beyond that it dies a
//!   little later, when the outermost has ended; so lists of any length need no stack. If such a late
//!   `Drop` panics, the panic comes out there.
//! - The way through a value takes stack: `Trace` goes from box to box as the derived code of a list of
//!   boxes would, and a very long one overflows it. From `Gc` to `Gc` there is no such limit.
//! - A [`Watched`](crate::Watched) value in a `Gc` runs its own callbacks where it is dropped, in the third step.
//! - Among more than a hundred objects whose `Trace` panics in one search, a hundred are not looked into again.
//! - Nothing is moved, and nothing is collected concurrently: a large garbage structure is dropped in
//!   one go, as a large `Vec` is.
//!
//! # Rejected
//!
//! - **Mark and sweep over the heap** (as the `gc` crates): the time of each collection grows with
//!   everything that lives.
//! - **Dropping the values one by one, and weak references with each** (as some do): a `Drop` could upgrade
//!   a weak reference to an object that is dropped next. That is a use after free.
//! - **Callbacks in the middle**, from the values' `Drop`: they would see half of the garbage dropped,
//!   in no particular order, and could not collect.
//! - **Claiming the callbacks when the garbage is found**: if a `Drop` then exits the program, what
//!   was claimed and has not run is lost.
//! - **No `Drop` for collected types** (as most do): sound, but then a field with a `Drop` of its own cannot be
//!   collected either. One flag, asked at each dereference, costs less than that.
//! - **Resurrection**: a `Drop` may keep a `Gc` to a dead sibling, but that stays dead. Objects that die twice
//!   would run their cleanups twice, or not.
//! - **Recursion** in any step.
//! - **Trial deletion on the real counts** (as in the textbook): a panic in `Trace` would leave them wrong. Here the counts
//!   are only read.
//! - **A list of all objects**, or of suspects through their headers: two words an object, for what a plain list of
//!   pointers does.

use std::marker::PhantomData;

use crate::gc::this_thread;

/// Finds what died in reference cycles on this thread, drops it, and runs its finalizers.
///
/// That happens by itself when enough objects are suspects (see [`set_threshold`]); this is for
/// who wants it now. Inside a `Drop` or a callback it does so too, but that callbacks of what it
/// finds wait for any collection around it to have dropped its values; and from 32 levels on it
/// waits altogether.
///
/// ```
/// use lastly::{Gc, Trace, collect};
/// use std::cell::RefCell;
///
/// #[derive(Trace)]
/// struct Node(RefCell<Option<Gc<Node>>>);
///
/// let node = Gc::new(Node(RefCell::default()));
/// *node.0.borrow_mut() = Some(node.clone());
/// drop(node);
/// assert_eq!(collect().objects, 1);
/// assert_eq!(collect().objects, 0);
/// ```
pub fn collect() -> Collected {
    this_thread(|collector| collector.collect())
}

/// What a collection did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collected {
    /// From how many suspects it looked for garbage.
    pub suspects: usize,
    /// At how many objects it looked.
    pub examined: usize,
    /// How many of them were garbage, and died.
    pub objects: usize,
    /// How many finalizers' callbacks it ran.
    pub callbacks: usize,
}

/// What the collections of this thread did since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// How many there were.
    pub collections: u64,
    /// At how many objects they looked.
    pub examined: u64,
    /// How many objects died in them.
    pub objects: u64,
    /// How many objects are suspects now.
    pub suspects: usize,
}

impl Statistics {
    pub(crate) const fn new() -> Self {
        Self { collections: 0, examined: 0, objects: 0, suspects: 0 }
    }

    pub(crate) fn add(&mut self, done: &Collected) {
        self.collections += 1;
        self.examined += done.examined as u64;
        self.objects += done.objects as u64;
    }
}

/// What the collections of this thread did since it began.
#[must_use]
pub fn statistics() -> Statistics {
    this_thread(|collector| collector.statistics())
}

/// How many suspects it takes on this thread for a collection to begin by itself: 1,000 if not
/// [set](set_threshold) otherwise.
#[must_use]
pub fn threshold() -> usize {
    this_thread(|collector| collector.threshold())
}

/// Sets how many suspects it takes on this thread for a collection to begin by itself.
///
/// An object is a suspect when one of several references to it is dropped. A collection costs as
/// much as there is to look at from its suspects. If it looked at more objects in vain than this, the
/// next one waits for as many suspects, up to ten times as many as set here: a large structure that lives, and is
/// touched all the time, need not be walked through each time. 1 (or 0) is a collection at every opportunity, which
/// finds bugs.
pub fn set_threshold(suspects: usize) {
    this_thread(|collector| collector.set_threshold(suspects));
}

/// Has no collection begin by itself on this thread, until the guard is dropped. Calls of
/// [`collect`] are not concerned.
///
/// ```
/// use lastly::collector;
///
/// {
///     let _paused = collector::pause();
///     // Nobody's `Drop` or callback runs in here, but where the last reference goes.
/// }
/// ```
pub fn pause() -> Paused {
    this_thread(|collector| collector.pause());
    Paused(PhantomData)
}

/// What [`pause`] gives: no collection begins by itself while it lives.
#[derive(Debug)]
#[must_use = "dropped at once, it pauses nothing"]
pub struct Paused(PhantomData<*const ()>);

impl Drop for Paused {
    fn drop(&mut self) {
        this_thread(|collector| collector.go_on());
    }
}
