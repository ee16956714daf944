//! The heir: who runs what a process created that ended without a drain, because it was forked for
//! that. A daemon is made so: fork, and the parent ends by `_exit`; the child goes on in its place.
//!
//! A finalizer belongs to the process that created it, and a child's drain passes over what it
//! inherited: else two would remove one directory. But where the owner is dead, and has neither run
//! anything of it nor told that it will not, somebody must. That is **the child that was forked
//! last**, and nobody in doubt.
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
//! from its parent first, then in its place from the one before, as long as each is dead. A process
//! whose ancestors are dead already inherits when it forks, so that chains stay short.
//!
//! A fork that fails names a child that never is, and one that is followed by `exec` names a child that
//! knows of nothing: then nobody inherits.
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

use crate::lock::{Guard, Lock};
use crate::process::{self, Ancestor, Identity};
use crate::sync::{AtomicPtr, AtomicU64, constructor};

/// What a process leaves to the child that it forks last. In memory that both share, at the same place.
struct Will {
    /// The number of the child that is the heir; 0: nobody.
    heir: std::sync::atomic::AtomicU32,
    owner: Identity,
    /// Where in the order of creation the owner's own part begins, with what it inherited by then.
    began: u64,
    /// What older processes may yet leave to the owner.
    before: Option<Bequest>,
}

/// A will, and the number by which it names a child.
#[derive(Clone, Copy)]
struct Bequest {
    will: NonNull<Will>,
    child: u32,
}

/// This process as an heir, and as one that leaves something.
pub(crate) struct Heir {
    /// Held across a fork, too; taken before the locks of the shards.
    estate: Lock<Estate>,
    /// This process's own will, made at its first fork. Null before that. It is never given back, so
    /// that a claim needs no lock.
    own: AtomicPtr<Will>,
    /// What is older was copied by a fork, and may be inherited. 0: nothing is.
    forked_at: AtomicU64,
}

/// What is settled under the lock.
pub(crate) struct Estate {
    /// What this process may yet inherit.
    bequest: Option<Bequest>,
    /// Whose will that is.
    ancestor: Ancestor,
    /// How many children were forked under the will that there is.
    children: u32,
}

// SAFETY: a bequest points to memory that is shared between processes; what changes in it is atomic.
unsafe impl Send for Estate {}

impl Heir {
    constructor! {
        pub(crate) fn new() -> Self {
            let estate = Estate { bequest: None, ancestor: Ancestor::Parent, children: 0 };
            Self {
                estate: Lock::new(estate),
                own: AtomicPtr::new(ptr::null_mut()),
                forked_at: AtomicU64::new(0),
            }
        }
    }

    pub(crate) fn lock(&self) -> Guard<'_, Estate> {
        self.estate.lock()
    }

    /// # Safety
    ///
    /// Its guard was forgotten, in this process or by its parent for it.
    pub(crate) unsafe fn unlock_after_fork(&self) {
        // SAFETY: this function's contract.
        unsafe { self.estate.unlock() };
    }

    /// Makes this process's will, if it has none. `began` is where its own part of the order begins.
    pub(crate) fn make_will(&self, estate: &Estate, began: u64) {
        // Relaxed: changed under the lock only.
        if self.own.load(Relaxed).is_null() {
            let before = estate.bequest.filter(Bequest::holds);
            let will = Will { heir: 0.into(), owner: Identity::own(), began, before };
            // SeqCst, as all that claims look at: see the module's documentation.
            self.own.store(process::share(will), SeqCst);
        }
    }

    /// A fork is about to come; all locks are held. `mark` is greater than all numbers so far.
    pub(crate) fn before_fork(&self, estate: &mut Estate, mark: u64) {
        estate.children = estate.children.wrapping_add(1).max(1);
        // SAFETY: null, or never given back.
        if let Some(will) = unsafe { self.own.load(SeqCst).as_ref() } {
            will.heir.store(estate.children, SeqCst);
            self.forked_at.store(mark, SeqCst);
        }
    }

    /// The fork has come: this is the child, and has no second thread yet.
    pub(crate) fn in_child(&self, estate: &mut Estate) {
        let will = NonNull::new(self.own.load(SeqCst));
        let bequest = will.map(|will| Bequest { will, child: estate.children });
        self.begin(estate, bequest);
    }

    /// This is a process that was made past the handlers of a fork: it inherits nothing, and what
    /// will there is is another's.
    pub(crate) fn renounce(&self, estate: &mut Estate) {
        self.begin(estate, None);
    }

    fn begin(&self, estate: &mut Estate, bequest: Option<Bequest>) {
        *estate = Estate { bequest, ancestor: Ancestor::Parent, children: 0 };
        self.own.store(ptr::null_mut(), SeqCst);
        self.forked_at.store(0, SeqCst);
    }

    /// To be called after a claim on what was created at this place in the order, before anything is
    /// done with it: what a child may have a copy of is then nobody's to inherit.
    #[inline]
    pub(crate) fn claimed(&self, sequence: impl FnOnce() -> u64) {
        let forked_at = self.forked_at.load(SeqCst);
        if forked_at != 0 && sequence() < forked_at {
            self.disinherit_since(forked_at);
        }
    }

    /// This process does itself what a child might have done for it, or tells that nobody will.
    pub(crate) fn disinherit(&self) {
        self.disinherit_since(self.forked_at.load(SeqCst));
    }

    #[cold]
    fn disinherit_since(&self, forked_at: u64) {
        // SAFETY: null, or never given back.
        if let Some(will) = unsafe { self.own.load(SeqCst).as_ref() } {
            will.heir.store(0, SeqCst);
        }
        // After that: whoever finds no mark must not find an heir either. And only this mark: a
        // fork that has come since has another.
        _ = self.forked_at.compare_exchange(forked_at, 0, SeqCst, SeqCst);
    }

    /// Inherits from each ancestor that is dead and whose heir this process is: gives back where its
    /// own part of the order begins then, which was at `began`. `patient`: waits for one that is about
    /// to be dead.
    pub(crate) fn inherit(&self, estate: &mut Estate, mut began: u64, patient: bool) -> u64 {
        while let Some(bequest) = estate.bequest.filter(Bequest::holds) {
            // SAFETY: `holds` looked into it.
            let Will { heir, owner, began: from, before } = unsafe { bequest.will.as_ref() };
            let dead = match patient {
                true => owner.is_dead_or_about_to_be(estate.ancestor),
                false => owner.is_dead(estate.ancestor),
            };
            // Dead before the swap: then nobody but copies of this child writes the word.
            if !dead || heir.compare_exchange(bequest.child, 0, SeqCst, SeqCst).is_err() {
                break;
            }
            began = *from;
            estate.bequest = *before;
            estate.ancestor = Ancestor::Older;
            process::unmap(bequest.will.as_ptr());
            // What there is to leave is more now: the next child finds it in a new will.
            self.disinherit();
            self.own.store(ptr::null_mut(), SeqCst);
        }
        began
    }
}

impl Bequest {
    /// Whether it is still this child that the will names.
    fn holds(&self) -> bool {
        // SAFETY: shared by an ancestor, and given back only when nothing refers to it any more.
        let will = unsafe { self.will.as_ref() };
        will.heir.load(SeqCst) == self.child
    }
}
