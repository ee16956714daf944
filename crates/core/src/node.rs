//! The node: the part of a finalizer that the engine knows.
//!
//! A door puts it at the head of its own memory for a finalizer: the Rust door before the function
//! and its arguments, a Python door inside the Python object. The engine links nodes and settles
//! who may run them; it never sees what they carry. Every word here is paid for by every live
//! finalizer, so there are four.

use std::ptr::NonNull;
use std::sync::atomic::Ordering::Relaxed;

use crate::state::State;
use crate::sync::{AtomicU8, AtomicU32, MODELLED, UnsafeCell, constructor};

/// The engine's part of a finalizer. Shared by whoever holds the finalizer; freed by its door.
pub struct Node {
    /// Neighbours in the list that `place` names. Guarded by the shard's lock, as is `place`.
    pub(crate) links: UnsafeCell<Links>,
    /// The place in the order of creation. Written once, under the shard's lock.
    pub(crate) sequence: UnsafeCell<u64>,
    /// The thread that has claimed or is peeking; 0 before that and in between.
    thread: AtomicU32,
    pub(crate) place: UnsafeCell<Place>,
    pub(crate) state: State,
    /// [`AT_EXIT`]; and above it, if the object has died and the callback waits for its turn, in which
    /// process it has (see `put_off`).
    flags: AtomicU8,
    shard: u8,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(MODELLED || size_of::<Node>() == 32);

/// Of the flags: the drain is to run it.
const AT_EXIT: u8 = 1;
const GENERATION_SHIFT: u32 = 1;
/// The generations of processes that the flags can tell apart. 0 is none: it does not wait.
pub(crate) const GENERATIONS: u8 = u8::MAX >> GENERATION_SHIFT;

#[derive(Clone, Copy)]
pub(crate) struct Links {
    pub(crate) older: Option<NonNull<Node>>,
    pub(crate) newer: Option<NonNull<Node>>,
}

impl Links {
    pub(crate) const NONE: Self = Self { older: None, newer: None };
}

/// Which of its shard's lists a node is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Place {
    /// In order of creation; at exit, what the drain has yet to look at.
    Pending,
    /// Registered by another thread while the drain runs; once the door is shut, what of it came too
    /// late and is yet to be reported.
    Late,
    /// What the drain has passed over: running, looked at, or not to run at exit.
    Aside,
    /// Begun elsewhere before the door was shut: to be waited for, and reported if it does not end.
    Unfinished,
    /// In none: new, or finished.
    Nowhere,
}

// SAFETY: `links`, `sequence` and `place` are reached under the shard's lock only; the rest is
// atomic or never changes.
unsafe impl Send for Node {}
// SAFETY: as above.
unsafe impl Sync for Node {}

impl Node {
    constructor! {
        /// A live node that is in no registry yet.
        ///
        /// `shard` says which lock will guard it (see `Registry::shard_of_this_thread`).
        pub fn new(shard: u8) -> Self {
            Self::with(State::new(), shard)
        }
    }

    constructor! {
        /// A dead node, that never was in a registry. It is there for a door whose language makes
        /// objects before it initializes them, and is to be overwritten with a live one.
        pub fn dead() -> Self {
            Self::with(State::dead(), 0)
        }
    }

    constructor! {
        fn with(state: State, shard: u8) -> Self {
            Self {
                links: UnsafeCell::new(Links::NONE),
                sequence: UnsafeCell::new(0),
                thread: AtomicU32::new(0),
                place: UnsafeCell::new(Place::Nowhere),
                state,
                flags: AtomicU8::new(AT_EXIT),
                shard,
            }
        }
    }

    /// Neither called, fired nor detached so far.
    #[inline]
    pub fn is_alive(&self) -> bool {
        self.state.is_alive()
    }

    /// Done with, for good: nobody runs it, looks at it, or is yet to.
    #[inline]
    pub fn is_dead(&self) -> bool {
        self.state.is_dead()
    }

    /// Whether the drain will run it, if it is still alive then.
    pub fn at_exit(&self) -> bool {
        self.flag(AT_EXIT)
    }

    /// Whether its object has died, and its callback waits: for the end of a pause, or for the thread
    /// of a cleaner.
    pub fn is_waiting(&self) -> bool {
        self.flag(!AT_EXIT)
    }

    fn flag(&self, bits: u8) -> bool {
        // Relaxed: the drain reads it under the lock that the setter holds.
        self.flags.load(Relaxed) & bits != 0
    }

    /// Whether it waits since this process, of this [generation](crate::inherited), had its object die.
    pub(crate) fn waits_in(&self, generation: u8) -> bool {
        // Relaxed: as above.
        self.flags.load(Relaxed) >> GENERATION_SHIFT == generation
    }

    /// Under the lock.
    pub(crate) fn store_at_exit(&self, on: bool) {
        let others = self.flags.load(Relaxed) & !AT_EXIT;
        self.flags.store(others | if on { AT_EXIT } else { 0 }, Relaxed);
    }

    /// Under the lock: from now on it waits.
    pub(crate) fn store_waiting(&self, generation: u8) {
        let at_exit = self.flags.load(Relaxed) & AT_EXIT;
        self.flags.store(at_exit | generation << GENERATION_SHIFT, Relaxed);
    }

    /// The shard whose lock guards this node.
    #[inline]
    pub fn shard(&self) -> u8 {
        self.shard
    }

    pub(crate) fn thread(&self) -> u32 {
        // Relaxed: its own number a reader finds only if it wrote it; a number that is yet to come
        // reads as 0, which is as good as another's.
        self.thread.load(Relaxed)
    }

    #[inline]
    pub(crate) fn store_thread(&self, number: u32) {
        self.thread.store(number, Relaxed);
    }
}
