//! The heir: who runs what a process created that ended without a drain, because it was forked for
//! that. A daemon is made so: fork, and the parent ends by `_exit`; the child goes on in its place.
//!
//! A finalizer belongs to the process that created it, and a child's drain passes over what it
//! inherited: else two would remove one directory. But where the owner is dead, and never ran
//! anything of it, somebody must. That is **the child that was forked last**, and nobody in doubt.
//!
//! Owner and children share a page of memory, the owner's *will*. In it is one word:
//!
//! - Before each fork the owner writes the child's number into it. So it names the last.
//! - Before the owner runs, or gives back, anything that is older than its last fork, and when its
//!   drain begins, it writes 0: the children hold copies of what it does itself.
//! - A child whose drain begins finds its own number there and the owner dead, and swaps the number
//!   for 0. It inherits. Whoever else has a copy of that number loses the swap.
//!
//! What the owner itself had inherited is in the will of *its* parent, and so on: a child inherits
//! from its parent first, then in its place from the one before, as long as each is dead.
//!
//! # A claim and a fork at the same moment
//!
//! Claims take no lock, so one thread may claim while another forks. The claim changes its word, then
//! looks for a fork; the fork leaves its mark, then copies the memory; all in one order for all
//! threads (`SeqCst`). So the claim finds the mark and writes 0, or the copy is of what is claimed,
//! and claimed things are not run in the child. (A fork copies memory only when no thread of the
//! process is writing it: the system protects the pages first.)

use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use crate::process::{self, Identity};
use crate::sync::{AtomicPtr, AtomicU32, AtomicU64, MODELLED, constructor};

/// What a process leaves to the child that it forks last. In memory that both share; never unmapped,
/// so that every descendant finds it where it was.
struct Will {
    /// The number of the child that is the heir; 0: nobody.
    heir: std::sync::atomic::AtomicU32,
    owner: Identity,
    /// Where in the order of creation the owner's own part begins: all that is older it inherited.
    began: u64,
    /// The will in which the owner itself is named, and by which number.
    before: Option<Bequest>,
}

/// A will, and the number by which it names a child.
#[derive(Clone, Copy)]
struct Bequest {
    will: NonNull<Will>,
    child: u32,
}

impl Bequest {
    fn will(&self) -> &'static Will {
        // SAFETY: made by `share`, and never unmapped.
        unsafe { self.will.as_ref() }
    }

    /// Whether it is still this child that the will names.
    fn holds(&self) -> bool {
        self.will().heir.load(SeqCst) == self.child
    }
}

/// This process as an heir, and as one that leaves something.
pub(crate) struct Heir {
    /// The will of the parent, and the number by which it names this process.
    parents: AtomicPtr<Will>,
    number: AtomicU32,
    /// This process's own will, made at its first fork; and how many children were forked.
    own: AtomicPtr<Will>,
    children: AtomicU32,
    /// What is older was copied by a fork, and may be inherited. 0: nothing is.
    forked_at: AtomicU64,
}

impl Heir {
    constructor! {
        pub(crate) fn new() -> Self {
            Self {
                parents: AtomicPtr::new(ptr::null_mut()),
                number: AtomicU32::new(0),
                own: AtomicPtr::new(ptr::null_mut()),
                children: AtomicU32::new(0),
                forked_at: AtomicU64::new(0),
            }
        }
    }

    /// Makes this process's will, if it has none. `began` is where its own part of the order begins.
    pub(crate) fn make_will(&self, began: u64) {
        // Relaxed, here and below: what is in it is read by descendants, which come after.
        if MODELLED || !self.own.load(Relaxed).is_null() {
            return;
        }
        // Of a parent's that names another, nothing will ever come.
        let before = self.bequest().filter(Bequest::holds);
        let own = process::share(Will { heir: 0.into(), owner: Identity::own(), began, before });
        // Another thread may have been first, which is about to fork as well. That page is lost.
        _ = self.own.compare_exchange(ptr::null_mut(), own, Relaxed, Relaxed);
    }

    /// A fork is about to come; all locks are held. `now` is where the child's part of the order will
    /// begin.
    pub(crate) fn before_fork(&self, now: u64) {
        // Relaxed, but for `forked_at`: changed under all locks only.
        let child = self.children.load(Relaxed).wrapping_add(1).max(1);
        self.children.store(child, Relaxed);
        // SAFETY: null, or made by `share`, and never unmapped.
        if let Some(will) = unsafe { self.own.load(Relaxed).as_ref() } {
            will.heir.store(child, SeqCst);
            // SeqCst: see the module's documentation.
            self.forked_at.store(now, SeqCst);
        }
    }

    /// The fork has come: this is the child, and has no second thread yet.
    pub(crate) fn in_child(&self) {
        self.parents.store(self.own.load(Relaxed), Relaxed);
        self.number.store(self.children.load(Relaxed), Relaxed);
        self.own.store(ptr::null_mut(), Relaxed);
        self.children.store(0, Relaxed);
        self.forked_at.store(0, Relaxed);
    }

    /// To be called after a claim on what was created at this place in the order, before anything is
    /// done with it: what a child may have a copy of is then nobody's to inherit.
    #[inline]
    pub(crate) fn claimed(&self, sequence: impl FnOnce() -> u64) {
        // SeqCst: see the module's documentation.
        let forked_at = self.forked_at.load(SeqCst);
        if forked_at != 0 && sequence() < forked_at {
            self.disinherit_since(forked_at);
        }
    }

    /// This process does itself what a child might have done for it.
    pub(crate) fn disinherit(&self) {
        self.disinherit_since(self.forked_at.load(SeqCst));
    }

    #[cold]
    fn disinherit_since(&self, forked_at: u64) {
        // Relaxed: stored before the mark that led here.
        // SAFETY: null, or made by `share`, and never unmapped.
        if let Some(will) = unsafe { self.own.load(Relaxed).as_ref() } {
            will.heir.store(0, SeqCst);
        }
        // After that: whoever finds no mark must not find an heir either. And only this mark: a
        // fork that has come since has its own.
        _ = self.forked_at.compare_exchange(forked_at, 0, SeqCst, SeqCst);
    }

    /// Where in the order begins what this process runs at its end: its own part at `began`, and
    /// that of every process whose heir it is.
    pub(crate) fn inherit(&self, mut began: u64) -> u64 {
        let mut next = self.bequest();
        let mut is_parent = true;
        while let Some(bequest) = next.filter(Bequest::holds) {
            let will = bequest.will();
            // Dead before the swap: then nobody but copies of this child writes the word.
            let dead = will.owner.is_dead_ancestor(is_parent);
            if !dead || will.heir.compare_exchange(bequest.child, 0, SeqCst, SeqCst).is_err() {
                break;
            }
            began = will.began;
            next = will.before;
            is_parent = false;
        }
        began
    }

    fn bequest(&self) -> Option<Bequest> {
        let will = NonNull::new(self.parents.load(Relaxed))?;
        Some(Bequest { will, child: self.number.load(Relaxed) })
    }
}
